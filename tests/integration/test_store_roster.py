"""The roster: tenants come back as they went in, and go with everything about them."""

from __future__ import annotations

from datetime import timedelta

from monitor.model import (
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
)
from monitor.store import AlarmWrite, Store


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
    assert store.put_tenant(tenant) == "added"
    assert store.tenant("contoso") == tenant
    assert store.tenants() == [tenant]
    assert store.tenant("fabrikam") is None


def test_putting_a_tenant_says_what_it_came_to(store: Store, make) -> None:
    """Importing the same file twice changes nothing."""
    assert store.put_tenant(make.tenant()) == "added"
    assert store.put_tenant(make.tenant()) == "unchanged"
    assert store.put_tenant(make.tenant(send_hour=9)) == "updated"
    assert store.put_tenant(make.tenant("adatum")) == "added"
    assert [tenant.name for tenant in store.tenants()] == ["adatum", "contoso"]


def test_changing_a_tenant_keeps_its_facts(store: Store, make) -> None:
    """The roster row is overwritten in place, not replaced."""
    store.put_tenant(make.tenant())
    store.record_scan(make.scan(make.app("app-1", make.secret())), zone=make.zone)
    store.put_tenant(make.tenant(send_hour=9))
    assert len(store.credentials("contoso")) == 1


def test_shared_apps_are_kept_by_name(store: Store) -> None:
    """The later one of a name holds."""
    first = SharedApp("msp", "client-1", CredentialRef("certificate", "file:msp.pem"))
    store.put_shared_app(first)
    second = SharedApp("msp", "client-2", CredentialRef("secret", "env:MSP"))
    store.put_shared_app(second)
    store.put_shared_app(SharedApp("all", "client-3", CredentialRef("secret", "env:ALL")))
    assert [app.name for app in store.shared_apps()] == ["all", "msp"]
    assert second in store.shared_apps()


def test_removing_a_tenant_removes_everything_about_it_and_nothing_else(store: Store, make) -> None:
    """Facts, ledger, snoozes, canaries, alarms, slots and the mails that name only it."""
    for name in ("contoso", "fabrikam"):
        _fill(store, make, name)
    shared = make.mail(make.notice(), tenants=("contoso", "fabrikam"))
    store.enqueue([shared])

    assert store.remove_tenant("contoso")

    assert {c.tenant for c in store.credentials(include_removed=True)} == {"fabrikam"}
    assert {tenant for tenant, _ in store.objects()} == {"fabrikam"}
    assert set(store.health()) == {"fabrikam"}
    assert {record.tenant for record in store.scans()} == {"fabrikam"}
    assert {key[0] for key in store.snoozes()} == {"fabrikam"}
    assert {key[0] for key in store.sender_health()} == {"fabrikam"}
    assert {probe.tenant for probe in store.probes()} == {"fabrikam"}
    assert {slot.scope for slot in store.slots("scan")} == {"fabrikam"}
    left = store.outbox()
    assert {mail.tenants for mail in left} == {("fabrikam",), ("contoso", "fabrikam")}
    assert all(notice.tenant == "fabrikam" for mail in left for notice in mail.notices)
    assert not store.remove_tenant("contoso")


def test_a_tenant_that_comes_back_has_no_past(store: Store, make) -> None:
    """An alarm that stood when it was removed does not stand when it is added again."""
    _fill(store, make, "contoso")
    store.remove_tenant("contoso")
    store.put_tenant(make.tenant())
    assert store.credentials(include_removed=True) == []
    health = store.health()["contoso"]
    assert (health.last_attempt, health.failures, health.alarm_opened_at) == (None, 0, None)
    assert store.outbox_counts()[OutboxState.PENDING] == 0
    assert store.next_canary_number("contoso", "m@contoso.example") == 1


def _fill(store: Store, make, name: str) -> None:
    """Leave a trace of a tenant in every table."""
    store.put_tenant(make.tenant(name))
    store.record_scan(make.scan(make.app("app-1", make.secret()), tenant=name), zone=make.zone)
    alarm = make.mail(kind=MailKind.CANNOT_CHECK, scope=f"tenant:{name}", tenants=(name,))
    store.record_scan(
        make.scan(tenant=name, complete=False, hours=1),
        zone=make.zone,
        alarm=AlarmWrite("open", f"tenant:{name}", make.now, (alarm,)),
    )
    uid = "app-1/secret/key-1"
    store.put_snooze(Snooze(name, uid, 1, "ann", "holiday", make.now))
    store.enqueue([make.mail(make.notice(tenant=name), tenants=(name,))])
    probe = Probe(
        name,
        f"m@{name}.example",
        make.now,
        make.now,
        CanaryResult.OK,
        "data",
        "ok",
        "250",
        number=4,
    )
    store.record_probe(probe)
    store.take_slot(
        "scan", name, make.now, now=make.now, owner="me", lease=timedelta(minutes=5),
        owner_is_dead=lambda _: False,
    )  # fmt: skip
