"""The roster: tenants come back as they went in, and go with everything about them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, select

from monitor.errors import StoreError
from monitor.model import (
    AlarmChange,
    CanaryResult,
    CredentialRef,
    MailKind,
    OutboxState,
    Probe,
    Recipient,
    Relay,
    Sender,
    SharedApp,
    Snooze,
    TenantHealth,
)
from monitor.routes import sender_scope
from monitor.store import AlarmWrite, Store
from monitor.store.tables import ALARM

OTHER = "7b1c0000-0000-0000-0000-000000000002"


def test_a_tenant_comes_back_as_it_went_in(store: Store, make) -> None:
    """Every field, the nested ones too."""
    relay = Relay("smtp.msp.example", 587, "starttls", "user", CredentialRef("secret", "env:R"))
    tenant = make.tenant(
        recipients=(Recipient("it@contoso.example"), Recipient("a@b.example", "Asia/Tokyo", 9)),
        time_zone="Europe/Berlin",
        thresholds=(),
        tags=("gold", "ünï"),
        sender=Sender("m@contoso.example", canary_to=("c@msp.example",), relay=relay),
        app="msp",
        paused=True,
    )
    assert store.put_tenant(tenant, now=make.now) == "added"
    assert store.tenant("contoso") == tenant
    assert store.tenants() == [tenant]
    assert store.tenant("fabrikam") is None


def test_putting_a_tenant_says_what_it_came_to(store: Store, make) -> None:
    """Importing the same file twice changes nothing."""
    assert store.put_tenant(make.tenant(), now=make.now) == "added"
    assert store.put_tenant(make.tenant(), now=make.now) == "unchanged"
    assert store.put_tenant(make.tenant(send_hour=9), now=make.now) == "updated"
    assert store.put_tenant(make.tenant("adatum"), now=make.now) == "added"
    assert [tenant.name for tenant in store.tenants()] == ["adatum", "contoso"]


def test_a_thousand_tenants_are_kept_in_one_transaction(store: Store, make) -> None:
    """So that a slow disk is waited for once; one by one they would take one each."""
    commits: list[object] = []
    event.listen(store._database.engine, "commit", commits.append)
    many = [make.tenant(f"t{number}", directory_id=str(number)) for number in range(1000)]
    for outcome in ("added", "unchanged"):
        told = store.put_roster([], many, now=make.now)
        assert told == [(one.name, outcome) for one in many]
    assert len(commits) == 2
    for one in many[:3]:  # the known-bad variant
        store.put_tenant(one, now=make.now)
    assert len(commits) == 5


def test_a_dry_run_tells_the_outcomes_and_keeps_nothing(store: Store, make) -> None:
    """Neither the tenants, nor the apps, nor what a replacement would drop."""
    old = SharedApp("msp", "client-1", CredentialRef("secret", "env:OLD"))
    user = make.tenant("user", app="msp", client_id="client-1", credential=old.credential)
    store.put_roster([old], [make.tenant(), user], now=make.now)
    store.record_scan(make.scan(make.app("app-1", make.secret())), zone=make.zone)
    before = store.tenants(), store.shared_apps(), store.known_since(), store.credentials()
    new = replace(old, client_id="client-2")
    moved, fresh = make.tenant(directory_id=OTHER), make.tenant("fresh")

    told = store.put_roster([new], [moved, fresh], now=make.now, dry_run=True)

    assert told == [("contoso", "replaced"), ("fresh", "added"), ("user", "updated")]
    assert (
        store.tenants(), store.shared_apps(), store.known_since(), store.credentials()
    ) == before  # fmt: skip
    assert store.put_roster([new], [moved, fresh], now=make.now) == told
    assert len(store.tenants()) == 3


def test_changing_a_tenant_keeps_its_facts(store: Store, make) -> None:
    """The roster row is overwritten in place, not replaced."""
    store.put_tenant(make.tenant(), now=make.now)
    store.record_scan(make.scan(make.app("app-1", make.secret())), zone=make.zone)
    store.put_tenant(make.tenant(send_hour=9), now=make.now)
    assert len(store.credentials("contoso")) == 1


def test_shared_apps_are_kept_by_name(store: Store, make) -> None:
    """The later one of a name holds."""
    first = SharedApp("msp", "client-1", CredentialRef("certificate", "file:msp.pem"))
    store.put_shared_app(first, now=make.now)
    second = SharedApp("msp", "client-2", CredentialRef("secret", "env:MSP"))
    store.put_shared_app(second, now=make.now)
    third = SharedApp("all", "client-3", CredentialRef("secret", "env:ALL"))
    store.put_shared_app(third, now=make.now)
    assert [app.name for app in store.shared_apps()] == ["all", "msp"]
    assert second in store.shared_apps()


def test_a_changed_shared_app_reaches_the_tenants_that_use_it(store: Store, make) -> None:
    """Their copy of it is renewed, and that is a change of theirs; nobody else's is."""
    old = SharedApp("msp", "client-1", CredentialRef("certificate", "file:old.pem"))
    new = SharedApp("msp", "client-2", CredentialRef("certificate", "file:new.pem"))
    own = CredentialRef("secret", "env:OWN")
    copied = {"client_id": old.client_id, "credential": old.credential}
    tenants = {
        "user": make.tenant("user", app="msp", **copied),
        "half": make.tenant("half", app="msp", client_id="client-1", credential=own),
        "other": make.tenant("other", app="all", **copied),
        "alone": make.tenant("alone", **copied),
    }
    later = make.now + timedelta(hours=1)
    assert store.put_shared_app(old, now=make.now) == ()
    for tenant in tenants.values():
        store.put_tenant(tenant, now=make.now)
    assert store.put_shared_app(old, now=later) == ()
    assert set(store.known_since().values()) == {make.now}

    assert store.put_shared_app(new, now=later) == ("half", "user")

    tenants["user"] = replace(tenants["user"], client_id=new.client_id, credential=new.credential)
    tenants["half"] = replace(tenants["half"], client_id=new.client_id)
    assert {tenant.name: tenant for tenant in store.tenants()} == tenants
    since = store.known_since()
    assert {name for name, at in since.items() if at == later} == {"half", "user"}


def test_a_change_of_a_tenant_is_remembered_with_its_time(store: Store, make) -> None:
    """Adding, updating and replacing count; putting the same again does not."""
    for hour, (tenant, outcome) in enumerate(
        [
            (make.tenant(), "added"),
            (make.tenant(send_hour=9), "updated"),
            (make.tenant(send_hour=9), "unchanged"),
            (make.tenant(send_hour=9, directory_id=OTHER), "replaced"),
            (make.tenant(send_hour=9, directory_id=OTHER), "unchanged"),
        ]
    ):
        at = make.now + timedelta(hours=hour)
        before = store.known_since()
        assert store.put_tenant(tenant, now=at) == outcome
        assert store.known_since() == (before if outcome == "unchanged" else {"contoso": at})


def test_removing_a_tenant_removes_everything_about_it_and_nothing_else(store: Store, make) -> None:
    """Facts, ledger, snoozes, canaries, alarms, slots and the mails that name only it."""
    for name in ("contoso", "fabrikam"):
        _fill(store, make, name)
    shared = make.mail(make.notice(), tenants=("contoso", "fabrikam"))
    store.enqueue([shared])

    assert store.remove_tenant("contoso")

    _only_left(store, "fabrikam")
    assert set(store.health()) == set(store.known_since()) == {"fabrikam"}
    assert {mail.tenants for mail in store.outbox()} == {("fabrikam",), ("contoso", "fabrikam")}
    assert not store.remove_tenant("contoso")


@pytest.mark.parametrize("change", [{"directory_id": OTHER}, {"cloud": "china"}], ids=str)
def test_a_tenant_that_is_another_directory_now_has_no_past(
    store: Store, make, change: dict[str, Any]
) -> None:
    """What was read, told and proven was about the old one: as if that had been removed."""
    for name in ("contoso", "fabrikam"):
        _fill(store, make, name)

    assert store.put_tenant(make.tenant(**change), now=make.now) == "replaced"

    assert store.tenant("contoso") == make.tenant(**change)
    assert store.health()["contoso"] == TenantHealth("contoso")
    _only_left(store, "fabrikam")


def test_a_directory_id_in_other_letters_is_the_same_directory(store: Store, make) -> None:
    """Its facts are still true."""
    _fill(store, make, "contoso")
    shouted = make.tenant(directory_id=make.tenant().directory_id.upper())
    assert store.put_tenant(shouted, now=make.now) == "updated"
    assert len(store.credentials("contoso")) == 1


def test_a_scan_of_the_directory_that_was_replaced_meanwhile_is_refused(store: Store, make) -> None:
    """Else the new one would count as read, with the old one's credentials."""
    store.put_tenant(make.tenant(), now=make.now)
    seen = make.scan(make.app("app-1", make.secret()))
    moved = make.tenant(directory_id=OTHER)
    store.put_tenant(moved, now=make.now)
    with pytest.raises(StoreError, match="another directory"):
        store.record_scan(seen, zone=make.zone, watched=make.tenant())
    assert store.scans() == []
    store.record_scan(seen, zone=make.zone, watched=replace(moved, send_hour=9))
    assert len(store.scans()) == 1


NEIGHBOURS = [
    pytest.param("a_b", "axb", id="underscore"),
    pytest.param("a%", "abc", id="percent"),
    pytest.param("contoso", "Contoso", id="capital"),
    pytest.param("contoso", "contoso-2", id="longer"),
    pytest.param("sender", "tenant", id="words of the scopes"),
]


@pytest.mark.parametrize(("gone", "stays"), NEIGHBOURS)
def test_removing_a_tenant_leaves_one_of_a_similar_name_alone(
    store: Store, make, gone: str, stays: str
) -> None:
    """Scopes of senders hold the name and the mailbox; only the whole name counts."""
    for name in (gone, stays):
        _fill(store, make, name)
    mails = [mail for mail in store.outbox() if mail.tenants == (stays,)]
    assert store.remove_tenant(gone)
    _only_left(store, stays)
    assert store.outbox() == mails


def test_a_tenant_that_comes_back_has_no_past(store: Store, make) -> None:
    """An alarm that stood when it was removed does not stand when it is added again."""
    _fill(store, make, "contoso")
    store.remove_tenant("contoso")
    store.put_tenant(make.tenant(), now=make.now)
    assert store.credentials(include_removed=True) == []
    health = store.health()["contoso"]
    assert (health.last_attempt, health.failures, health.alarm_opened_at) == (None, 0, None)
    assert store.outbox_counts()[OutboxState.PENDING] == 0
    assert store.next_canary_number("contoso", "m@contoso.example") == 1


def _fill(store: Store, make, name: str) -> None:
    """Leave a trace of a tenant in every table, of two mailboxes where there can be two."""
    store.put_tenant(make.tenant(name), now=make.now)
    store.record_scan(make.scan(make.app("app-1", make.secret()), tenant=name), zone=make.zone)
    store.record_scan(
        make.scan(tenant=name, complete=False, hours=1),
        zone=make.zone,
        alarm=_alarm(make, MailKind.CANNOT_CHECK, f"tenant:{name}", name),
    )
    store.put_snooze(Snooze(name, "app-1/secret/key-1", 1, "ann", "holiday", make.now))
    store.enqueue([make.mail(make.notice(tenant=name), tenants=(name,))])
    _take(store, make, "scan", name)
    for mailbox in ("M@contoso.example", "old@contoso.example"):
        probe = Probe(
            name, mailbox, make.now, make.now, CanaryResult.OK, "data", "ok", "250", number=4
        )
        scope = sender_scope(name, mailbox)
        store.record_probe(probe, _alarm(make, MailKind.CANARY_FAILED, scope, name))
        _take(store, make, "canary", scope)


def _alarm(make, kind: MailKind, scope: str, name: str) -> AlarmWrite:
    mail = make.mail(kind=kind, scope=scope, tenants=(name,))
    return AlarmWrite(AlarmChange.OPEN, scope, make.now, (mail,))


def _take(store: Store, make, job: str, scope: str) -> None:
    store.take_slot(
        job, scope, make.now, now=make.now, owner="me", lease=timedelta(minutes=5),
        owner_is_dead=lambda _: False,
    )  # fmt: skip


def _only_left(store: Store, name: str) -> None:
    """No table holds a trace of another tenant, and each holds all of this one's."""
    assert {c.tenant for c in store.credentials(include_removed=True)} == {name}
    assert {tenant for tenant, _ in store.objects()} == {name}
    assert {record.tenant for record in store.scans()} == {name}
    assert {key[0] for key in store.snoozes()} == {name}
    assert {key[0] for key in store.sender_health()} == {name}
    assert {probe.tenant for probe in store.probes()} == {name}
    scopes = [
        sender_scope(name, mailbox) for mailbox in ("m@contoso.example", "old@contoso.example")
    ]
    assert sorted(slot.scope for slot in store.slots()) == sorted([name, *scopes])
    with store._database.read() as connection:
        alarms = connection.execute(select(ALARM.c.scope)).scalars().all()
    assert sorted(alarms) == sorted([f"tenant:{name}", *scopes])
    assert {notice.tenant for mail in store.outbox() for notice in mail.notices} == {name}


def test_a_known_tenant_keeps_its_shadow_where_that_is_asked_for(store: Store, make) -> None:
    """The shadow that comes along is for a new one, and for another directory."""
    until, later = make.now + timedelta(days=14), make.now + timedelta(days=15)
    first = make.tenant(shadow_until=until)
    assert store.put_tenant(first, now=make.now, keep_shadow=True) == "added"
    again = make.tenant(shadow_until=later)
    assert store.put_tenant(again, now=make.now, keep_shadow=True) == "unchanged"
    assert store.tenant("contoso") == first
    changed = make.tenant(shadow_until=later, send_hour=9)
    assert store.put_tenant(changed, now=make.now, keep_shadow=True) == "updated"
    assert store.tenant("contoso") == make.tenant(shadow_until=until, send_hour=9)
    moved = make.tenant(shadow_until=later, directory_id="another")
    assert store.put_tenant(moved, now=make.now, keep_shadow=True) == "replaced"
    assert store.tenant("contoso") == moved


def test_importing_as_live_ends_the_shadow_of_those_that_are_known(store: Store, make) -> None:
    """Which is a change, but none for which it is read anew; a shadow that is over stays as is."""
    end = make.now + timedelta(days=14)
    old = make.tenant(shadow_until=end), make.tenant("b", shadow_until=make.now)
    store.put_roster([], old, now=make.now)
    new = make.tenant(), make.tenant("b"), make.tenant("c")
    told = store.put_roster([], new, now=end, live=True)
    assert told == [("contoso", "unchanged"), ("b", "unchanged"), ("c", "added")]
    later = make.now + timedelta(days=1)
    told = store.put_roster([], new, now=later, live=True)
    assert told == [("contoso", "updated"), ("b", "unchanged"), ("c", "unchanged")]
    assert store.tenants() == [old[1], new[2], new[0]]
    assert store.known_since()["contoso"] == make.now


def test_ending_a_shadow_is_no_reason_to_read_the_tenant_anew(store: Store, make) -> None:
    """A thousand tenants that go live would else be scanned at once."""
    end = make.now + timedelta(days=14)
    store.put_tenant(make.tenant(shadow_until=end), now=make.now)
    later = make.now + timedelta(days=1)
    assert store.put_tenant(make.tenant(shadow_until=later), now=later) == "updated"
    assert store.end_shadow("contoso", now=make.now)
    assert not store.end_shadow("contoso", now=make.now)
    assert not store.end_shadow("fabrikam", now=make.now)
    assert store.tenant("contoso") == make.tenant()
    assert store.known_since() == {"contoso": make.now}


def test_a_shadow_that_is_over_is_not_ended_again(store: Store, make) -> None:
    """To the second: at its end it is over."""
    store.put_tenant(make.tenant(shadow_until=make.now), now=make.now)
    assert not store.end_shadow("contoso", now=make.now)
    assert store.end_shadow("contoso", now=make.now - timedelta(seconds=1))


def test_a_file_that_is_imported_as_live_is_so_too_when_consent_comes(store: Store, make) -> None:
    """Whoever said that no tenant is in shadow is not given one later; else a new one has one."""
    later, end = make.now + timedelta(days=3), make.now + timedelta(days=17)
    for name, live in (("live", True), ("quiet", False)):
        entry = make.tenant(name, directory_id=name, pending=True)
        told = [store.put_roster([], [entry], now=make.now, live=live) for _ in range(2)]
        assert told == [[(name, "added")], [(name, "unchanged")]]
        waiting = store.tenant(name)
        assert waiting is not None
        found = store.end_pending(waiting, now=later, shadow_until=end)
        assert found is not None
        assert found.in_shadow(later) is not live


def test_a_file_puts_nobody_back_who_has_consented(store: Store, make) -> None:
    """An export made before the consent and imported again neither stops the reading nor begins
    another shadow; what is taken from pending to watched starts as a new one does.
    """
    end, later = make.now + timedelta(days=14), make.now + timedelta(days=30)
    found = make.tenant(pending=True, discovered_from="msp")
    store.put_tenant(make.tenant(discovered_from="msp"), now=make.now)
    again = [make.tenant(pending=True, shadow_until=end)]
    told = store.put_roster([], again, now=later)
    assert told == [("contoso", "unchanged")]
    assert store.tenant("contoso") == make.tenant(discovered_from="msp")
    store.put_tenant(found, now=make.now)
    store.put_roster([], [make.tenant(shadow_until=end)], now=later)
    assert store.tenant("contoso") == make.tenant(shadow_until=end, discovered_from="msp")
