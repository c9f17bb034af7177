"""Facts: what complete scans prove appears, changes, goes and comes back; nothing else does."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, text

from monitor.errors import StoreError
from monitor.lifecycle import successors
from monitor.model import (
    UNKNOWN_AFTER,
    AlarmChange,
    FederatedCredential,
    Kind,
    ObjectType,
    OutboxState,
    ScanRecord,
    credential_uid,
)
from monitor.store import AlarmWrite, Store
from monitor.store.tables import CREDENTIAL, OBJECT

UID = credential_uid("app-1", Kind.SECRET, "key-1")


@pytest.fixture(autouse=True)
def _contoso(store: Store, make) -> None:
    store.put_tenant(make.tenant(), now=make.now)


def see(store: Store, make, *credentials: Any, **about: Any) -> None:
    """Record a complete scan that saw one app with these credentials."""
    zone = about.pop("zone", make.zone)
    store.record_scan(make.scan(make.app("app-1", *credentials), **about), zone=zone)


def test_what_a_complete_scan_saw_is_known_in_full(store: Store, make) -> None:
    """Every field of the object and of the credential."""
    cert = make.secret("cert-1", kind=Kind.SAML_SIGNING, thumbprint="AB12", hint="abc", active=True)
    seen = make.app(
        "sp-1",
        cert,
        object_type=ObjectType.SERVICE_PRINCIPAL,
        owners=("ann", "ben"),
        enabled=False,
        managed_identity=True,
        home_tenant="other",
        federated=(FederatedCredential("f1", "github", "https://iss", "repo:x", "aud"),),
    )
    store.record_scan(
        make.scan(seen, pages=3, calls={"200": 3}, request_ids=("r1",), notes=("odd",)),
        zone=make.zone,
        own=frozenset({credential_uid("sp-1", Kind.SAML_SIGNING, "cert-1")}),
    )
    [known] = store.credentials()
    assert known.uid == "sp-1/saml_signing/cert-1"
    assert (known.tenant, known.object_type, known.object_id, known.app_id, known.app_name) == (
        "contoso", ObjectType.SERVICE_PRINCIPAL, "sp-1", "client-sp-1", "App sp-1",
    )  # fmt: skip
    assert (known.kind, known.key_id, known.name) == (Kind.SAML_SIGNING, "cert-1", "a secret")
    assert (known.start, known.end, known.life) == (cert.start, cert.end, 1)
    assert (known.thumbprint, known.hint, known.active, known.own) == ("AB12", "abc", True, True)
    assert (known.managed_identity, known.owners, known.enabled) == (True, ("ann", "ben"), False)
    assert (known.first_seen, known.observed_at, known.removed_at) == (make.now, make.now, None)
    assert known.proven
    assert store.objects() == [("contoso", seen)]
    [record] = store.scans("contoso")
    assert record == make.record(pages=3, calls={"200": 3}, request_ids=("r1",), notes=("odd",))


def test_a_scan_that_broke_off_changes_no_fact(store: Store, make) -> None:
    """Absence, change and appearance all need every page."""
    see(store, make, make.secret("key-1"))
    before = store.credentials()
    store.record_scan(make.scan(hours=6, complete=False), zone=make.zone)
    assert store.credentials(include_removed=True) == before
    assert [record.complete for record in store.scans()] == [False, True]


def hour(make, hours: float) -> datetime:
    """So many hours after `make.now`."""
    return make.now + timedelta(hours=hours)


def test_an_unreadable_entry_costs_the_others_nothing_and_removes_nothing(
    store: Store, make
) -> None:
    """All pages read, one entry unreadable: what is new is known, as unproven; the rest stays."""
    see(store, make, make.secret("key-1"))
    other = make.app("app-2", make.secret("key-2"))
    store.record_scan(make.scan(other, hours=6, complete=False), zone=make.zone)
    found = store.credentials(include_removed=True)
    assert [(c.key_id, c.removed_at, c.proven, c.observed_at) for c in found] == [
        ("key-1", None, True, make.now), ("key-2", None, False, hour(make, 6)),
    ]  # fmt: skip
    health = store.health()["contoso"]
    assert (health.last_complete, health.facts_at, health.failures) == (make.now, make.now, 1)


def test_an_incomplete_scan_changes_nothing_that_is_known(store: Store, make) -> None:
    """Not a row of it is written, whatever the scan says about it now."""
    see(store, make, make.secret("key-1", days=5), make.secret("key-2"))
    before = store.credentials()
    count_writes(store)
    again = make.app("app-1", make.secret("key-1", days=500), name="New name", owners=("eve",))
    store.record_scan(make.scan(again, hours=6, complete=False), zone=make.zone)
    assert written(store) == []
    assert store.credentials(include_removed=True) == before


def test_what_an_incomplete_scan_adds_silences_nothing_until_a_complete_one_sees_it(
    store: Store, make
) -> None:
    """The new secret is known at once; the old one is superseded only when it is sure."""
    old, new = make.secret("key-1", days=5), make.secret("key-2", days=500)
    see(store, make, old)
    for hours in (6, 12):
        both = make.scan(make.app("app-1", old, new), hours=hours, complete=False)
        store.record_scan(both, zone=make.zone)
        unproven = store.credentials()[1]
        assert (unproven.key_id, unproven.proven, unproven.observed_at) == (
            "key-2", False, hour(make, 6),
        )  # fmt: skip
        assert successors(store.credentials(), hour(make, 12)) == {}
    see(store, make, old, new, hours=18)
    proven = store.credentials()[1]
    assert (proven.proven, proven.observed_at, proven.first_seen) == (
        True, hour(make, 18), hour(make, 6),
    )  # fmt: skip
    assert successors(store.credentials(), hour(make, 18)) == {("contoso", UID): proven}


def test_what_was_removed_comes_back_unproven_by_an_incomplete_scan(store: Store, make) -> None:
    """With its object, its first sight and its life; what else was removed stays removed."""
    see(store, make, make.secret("key-1"), make.secret("key-2"))
    store.record_scan(make.scan(hours=6), zone=make.zone)
    assert store.objects() == []
    back = make.app("app-1", make.secret("key-2"))
    store.record_scan(make.scan(back, hours=12, complete=False), zone=make.zone)
    [known] = store.credentials()
    assert (known.key_id, known.life, known.first_seen) == ("key-2", 1, make.now)
    assert (known.proven, known.observed_at) == (False, hour(make, 12))
    assert [seen.object_id for _, seen in store.objects()] == ["app-1"]
    see(store, make, make.secret("key-1"), hours=18)
    [proven] = store.credentials()
    assert (proven.key_id, proven.proven) == ("key-1", True)


def test_before_the_first_complete_scan_facts_are_as_of_the_newest_incomplete_one(
    store: Store, make
) -> None:
    """After it they are as of the last complete one; one that found nothing moves nothing."""
    seen = make.app("app-1", make.secret("key-1"))
    told = []
    for hours, objects, complete in (
        (0, (), False), (1, (seen,), False), (2, (seen,), False), (3, (), False),
        (4, (seen,), True), (5, (seen,), False), (6, (), False),
    ):  # fmt: skip
        store.record_scan(make.scan(*objects, hours=hours, complete=complete), zone=make.zone)
        at = store.health()["contoso"].facts_at
        told.append(None if at is None else (at - make.now) // timedelta(hours=1))
    assert told == [None, 1, 2, 2, 4, 4, 4]


@pytest.mark.parametrize("outcome", ["complete", "incomplete", "failed"])
def test_a_scan_that_a_newer_one_overtook_is_listed_and_changes_nothing(
    store: Store, make, outcome: str
) -> None:
    """It began earlier and is recorded later: what it saw is older than what is known."""
    see(store, make, make.secret("key-1"), make.secret("key-2"), hours=6)
    facts, health = store.credentials(include_removed=True), store.health()
    late = make.scan(
        *([] if outcome == "failed" else [make.app("app-9", make.secret("key-9"))]),
        hours=7,
        complete=outcome == "complete",
        cause=None if outcome == "complete" else "unknown",
        started_at=hour(make, 5),
    )
    mail = make.mail(scope="tenant:contoso")
    alarm = AlarmWrite(AlarmChange.OPEN, "tenant:contoso", hour(make, 7), (mail,))
    store.record_scan(late, zone=make.zone, alarm=alarm)
    assert store.credentials(include_removed=True) == facts
    assert store.health() == health
    assert store.outbox() == []
    assert store.scans()[0] == late.record
    assert len(store.scans()) == 2


def test_only_a_complete_scan_overtakes(store: Store, make) -> None:
    """One that failed meanwhile proves nothing, and one that began together is no older."""
    store.record_scan(make.scan(hours=6, complete=False, cause="unknown"), zone=make.zone)
    for key in ("key-1", "key-2"):
        see(store, make, make.secret(key), hours=7, started_at=hour(make, 5))
        assert [c.key_id for c in store.credentials()] == [key]
    assert store.health()["contoso"].failures == 0


def test_a_failure_after_a_complete_scan_lets_no_older_one_in(store: Store, make) -> None:
    """What counts is the newest complete scan, not the newest attempt."""
    see(store, make, make.secret("key-1"), hours=6)
    store.record_scan(make.scan(hours=7, complete=False, cause="unknown"), zone=make.zone)
    see(store, make, make.secret("key-2"), hours=8, started_at=hour(make, 5))
    assert [c.key_id for c in store.credentials()] == ["key-1"]
    assert store.health()["contoso"].failures == 1


def test_a_clock_that_was_wrong_freezes_no_tenant(store: Store, make) -> None:
    """A year ahead, and set back: the next scan is believed, however early it seems."""
    see(store, make, make.secret("key-1"), hours=24 * 365)
    see(store, make, make.secret("key-2"))
    assert [c.key_id for c in store.credentials()] == ["key-2"]
    assert store.health()["contoso"].last_complete == make.now
    ahead = UNKNOWN_AFTER / timedelta(hours=1)
    see(store, make, make.secret("key-3"), hours=ahead)
    see(store, make, make.secret("key-4"))
    assert [c.key_id for c in store.credentials()] == ["key-3"]


def test_a_rescan_moves_only_the_time_of_observation(store: Store, make) -> None:
    """observed_at is the end of the tenant's last complete scan, first_seen stays."""
    see(store, make, make.secret())
    see(store, make, make.secret(), hours=6)
    [known] = store.credentials()
    assert known.first_seen == make.now
    assert known.observed_at == make.now + timedelta(hours=6)


def test_what_is_missing_is_removed_and_what_returns_is_the_same_life(store: Store, make) -> None:
    """Removed and restored is one life; the object goes and comes with it."""
    see(store, make, make.secret("key-1"), make.secret("key-2"))
    see(store, make, make.secret("key-2"), hours=6)
    assert [c.key_id for c in store.credentials()] == ["key-2"]
    [gone] = [c for c in store.credentials(include_removed=True) if c.key_id == "key-1"]
    assert gone.removed_at == make.now + timedelta(hours=6)
    see(store, make, make.secret("key-1"), make.secret("key-2"), hours=12)
    back = store.credentials()[0]
    assert (back.key_id, back.life, back.removed_at, back.first_seen) == (
        "key-1", 1, None, make.now,
    )  # fmt: skip


def test_an_app_that_is_deleted_goes_with_its_credentials(store: Store, make) -> None:
    """An empty but complete scan is proof too."""
    see(store, make, make.secret())
    store.record_scan(make.scan(hours=6), zone=make.zone)
    assert store.credentials() == []
    assert store.objects() == []
    first_gone = store.credentials(include_removed=True)[0].removed_at
    store.record_scan(make.scan(hours=12), zone=make.zone)
    assert store.credentials(include_removed=True)[0].removed_at == first_gone


def test_objects_without_credentials_are_known_too(store: Store, make) -> None:
    """And their federated credentials appear, change and go."""
    entry = FederatedCredential("f1", "github", "https://issuer", "repo:x")
    for federated in ((entry,), (replace(entry, subject="repo:y"),), ()):
        seen = make.app("app-9", federated=federated)
        store.record_scan(make.scan(seen), zone=make.zone)
        assert store.objects("contoso") == [("contoso", seen)]


def test_renaming_an_app_shows_on_its_credentials(store: Store, make) -> None:
    """The name, the owners and the switch are the object's, not the credential's."""
    see(store, make, make.secret())
    seen = make.app("app-1", make.secret(), name="New name", owners=(), enabled=True)
    store.record_scan(make.scan(seen, hours=6), zone=make.zone)
    [known] = store.credentials()
    assert (known.app_name, known.owners, known.enabled) == ("New name", (), True)


LOCAL_DAYS = [
    pytest.param("2026-06-01T21:59:00+00:00", "2026-06-01T22:01:00+00:00", 2, id="midnight"),
    pytest.param("2026-06-01T22:01:00+00:00", "2026-06-02T21:59:00+00:00", 1, id="same day"),
    pytest.param("2026-06-01T12:00:00+00:00", "2027-06-01T12:00:00+00:00", 2, id="a year"),
    pytest.param("2026-06-01T12:00:00+00:00", "2026-05-01T12:00:00+00:00", 1, id="earlier"),
    pytest.param("2026-06-01T12:00:00+00:00", None, 2, id="never ends"),
    pytest.param(None, "2299-12-31T00:00:00+00:00", 1, id="ends after all"),
    pytest.param(None, None, 1, id="still never"),
    pytest.param("9999-12-30T00:00:00+00:00", "9999-12-31T23:59:59+00:00", 2, id="year 9999"),
    pytest.param("0001-01-01T00:00:00+00:00", "0001-01-02T00:00:00+00:00", 2, id="year 1"),
]


@pytest.mark.parametrize(("old", "new", "life"), LOCAL_DAYS)
def test_an_end_later_by_a_local_day_starts_a_new_life(
    store: Store, make, old: str | None, new: str | None, life: int
) -> None:
    """Days are those of the tenant's zone; null is later than any date."""
    for hours, end in enumerate((old, new)):
        instant = None if end is None else datetime.fromisoformat(end)
        see(store, make, make.secret(end=instant), hours=hours)
    [known] = store.credentials()
    assert known.life == life
    assert known.end == (None if new is None else datetime.fromisoformat(new))


def test_year_1_is_counted_west_of_greenwich_too(store: Store, make) -> None:
    """There the local date would be in the year before."""
    zone = ZoneInfo("America/New_York")
    for hours, end in enumerate((datetime(1, 1, 1, tzinfo=UTC), datetime(2, 1, 1, tzinfo=UTC))):
        see(store, make, make.secret(end=end, start=end), hours=hours, zone=zone)
    assert store.credentials()[0].life == 2


def test_a_renewal_counts_against_the_end_just_before(store: Store, make) -> None:
    """Shortened, then back to the first end: that is a later end, so a new life."""
    for hours, days in enumerate((30, 10, 30, 30, 60)):
        see(store, make, make.secret(days=days), hours=hours)
    assert store.credentials()[0].life == 3


def test_two_credentials_that_cannot_be_told_apart_count_as_two(store: Store, make) -> None:
    """No keyId, and equal start, end and name: both are kept, and both stay in a rescan."""
    twin = make.secret("2026|2027|name", key_id=None)
    see(store, make, twin, twin)
    before = [known.uid for known in store.credentials()]
    assert len(set(before)) == 2
    see(store, make, twin, twin, hours=6)
    assert [known.uid for known in store.credentials()] == before
    see(store, make, twin, hours=12)
    assert len(store.credentials()) == 1


def test_the_same_ids_in_two_tenants_are_two_credentials(store: Store, make) -> None:
    """What one tenant's scan says never touches another's."""
    store.put_tenant(make.tenant("fabrikam"), now=make.now)
    for name, days in (("contoso", 10), ("fabrikam", 20)):
        seen = make.app("app-1", make.secret(days=days), name=f"of {name}")
        store.record_scan(make.scan(seen, tenant=name), zone=make.zone)
    store.record_scan(make.scan(tenant="fabrikam", hours=6), zone=make.zone)
    [known] = store.credentials()
    assert (known.tenant, known.app_name) == ("contoso", "of contoso")
    assert store.credentials("fabrikam") == []


HOSTILE = {
    "nul": "a\x00b",
    "surrogate": "a\ud800b",
    "bidi": "a\u202eb\u2066c",
    "markup": "<script>alert(1)</script>'; DROP TABLE tenant; --",
    "long": "ä" * 10_000,
    "formula": "=HYPERLINK(1)\r\nBcc: x",
    "empty": "",
}


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE.keys())
def test_any_name_is_kept_or_mended_and_costs_no_credential(store: Store, make, name: str) -> None:
    """NUL and lone surrogates become U+FFFD; the rest comes back as it was."""
    seen = make.app(
        "app-1",
        make.secret(f"start|end|{name}", key_id=None, name=name, hint=name),
        name=name,
        owners=(name,),
        federated=(FederatedCredential(name, name, name, name),),
    )
    for hours in (0, 6):
        store.record_scan(make.scan(seen, hours=hours, problem=name, notes=(name,)), zone=make.zone)
    kept = name.replace("\x00", "\ufffd").replace("\ud800", "\ufffd")
    [known] = store.credentials(include_removed=True)
    assert (known.name, known.app_name, known.owners, known.key_id) == (kept, kept, (kept,), None)
    assert known.life == 1
    assert store.objects()[0][1].federated[0].subject == kept
    assert store.scans()[0].problem == kept


def test_far_dates_come_back_to_the_microsecond(store: Store, make) -> None:
    """Graph sends 9999 for "never", 2299 from old portals, and the year 1 for nothing."""
    ends = [
        datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(2299, 12, 31, 5, tzinfo=UTC),
        datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC),
        datetime(1, 1, 1, tzinfo=UTC),
        None,
    ]
    see(store, make, *[make.secret(f"key-{i}", end=end) for i, end in enumerate(ends)])
    assert [known.end for known in store.credentials()] == ends


def test_an_unchanged_rescan_of_40000_credentials_rewrites_no_row(store: Store, make) -> None:
    """Only the ledger and the tenant's health grow; one changed credential is one row."""
    apps = [
        make.app(f"app-{n:05}", make.secret(f"key-{n}-a"), make.secret(f"key-{n}-b"))
        for n in range(20_000)
    ]
    store.record_scan(make.scan(*apps), zone=make.zone)
    assert len(store.credentials()) == 40_000
    count_writes(store)
    store.record_scan(make.scan(*apps, hours=6), zone=make.zone)
    assert written(store) == []
    apps[7] = make.app("app-00007", make.secret("key-7-a", days=400), make.secret("key-7-b"))
    store.record_scan(make.scan(*apps, hours=12), zone=make.zone)
    assert written(store) == [credential_uid("app-00007", Kind.SECRET, "key-7-a")]


def count_writes(store: Store) -> None:
    """Let the database itself note each row of a fact that is written."""
    statements = ["CREATE TABLE written (id TEXT)"]
    if store._database.sqlite_file:
        statements += [
            f"CREATE TRIGGER t_{table}_{verb} AFTER {verb} ON {table} "
            f"BEGIN INSERT INTO written VALUES (new.{key}); END"
            for table, key in (("credential", "uid"), ("directory_object", "object_id"))
            for verb in ("INSERT", "UPDATE")
        ]
    else:
        for table, key in (("credential", "uid"), ("directory_object", "object_id")):
            statements += [
                f"CREATE FUNCTION note_{table}() RETURNS trigger LANGUAGE plpgsql AS "
                f"$$ BEGIN INSERT INTO written VALUES (new.{key}); RETURN new; END $$",
                f"CREATE TRIGGER note AFTER INSERT OR UPDATE ON {table} "
                f"FOR EACH ROW EXECUTE FUNCTION note_{table}()",
            ]
    with store._database.write() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def written(store: Store) -> list[str]:
    """The ids of the rows written since `count_writes`."""
    with store._database.read() as connection:
        return list(connection.execute(text("SELECT id FROM written ORDER BY id")).scalars())


def test_facts_and_alarm_are_written_together_or_not_at_all(store: Store, make) -> None:
    """The alarm's mail cannot be added (its id is taken): ledger, health and facts stay."""
    taken = make.mail()
    store.enqueue([taken])
    see(store, make, make.secret("key-1"))
    health = store.health()
    alarm = AlarmWrite(AlarmChange.OPEN, "tenant:contoso", make.now, (taken,))
    with pytest.raises(StoreError):
        store.record_scan(
            make.scan(make.app("app-2", make.secret("key-2")), hours=6),
            zone=make.zone,
            alarm=alarm,
        )
    assert [known.key_id for known in store.credentials(include_removed=True)] == ["key-1"]
    assert store.health() == health
    assert len(store.scans()) == 1
    assert store.outbox_counts()[OutboxState.PENDING] == 1
    with store._database.read() as connection:
        assert len(connection.execute(select(OBJECT)).all()) == 1
        assert len(connection.execute(select(CREDENTIAL)).all()) == 1


def test_a_tenant_removed_during_its_scan_does_not_come_back(store: Store, make) -> None:
    """The outcome is refused, in words."""
    store.remove_tenant("contoso")
    with pytest.raises(StoreError, match="no tenant named contoso"):
        see(store, make, make.secret())
    assert store.scans() == []


def test_health_counts_attempts_since_the_last_complete_scan(store: Store, make) -> None:
    """Each attempt changes it; a complete one clears it."""
    assert store.health()["contoso"].last_attempt is None
    see(store, make, make.secret())
    failed: list[ScanRecord] = [
        make.record(hours=6, complete=False, cause="connect_timeout", retry="later"),
        make.record(hours=12, complete=False, cause="bad_secret", retry="after_fix", problem="P"),
        make.record(hours=18, complete=False, cause="truncated", retry="later", pages=2),
    ]
    seen = []
    for record in failed:
        store.record_scan(replace(make.scan(), record=record), zone=make.zone)
        health = store.health()["contoso"]
        assert (health.last_complete, health.last_attempt) == (make.now, record.finished_at)
        assert health.first_failure_at == failed[0].finished_at
        assert (health.cause, health.problem, health.record) == (
            record.cause, record.problem, record,
        )  # fmt: skip
        seen.append((health.failures, health.last_failed_definitely, health.last_incomplete))
    assert seen == [(1, False, False), (2, True, False), (3, False, True)]
    see(store, make, make.secret(), hours=24)
    health = store.health()["contoso"]
    assert (health.failures, health.cause, health.first_failure_at) == (0, None, None)
    assert not health.last_failed_definitely
    assert not health.last_incomplete


def test_the_health_of_one_tenant_is_the_one_among_all(store: Store, make) -> None:
    """Of one that was tried, of one that never was, and none of one that is not there."""
    store.put_tenant(make.tenant("fabrikam"), now=make.now)
    alarm = AlarmWrite(AlarmChange.OPEN, "tenant:contoso", make.now, (make.mail(),))
    failed = make.scan(complete=False, cause="connect_timeout")
    store.record_scan(failed, zone=make.zone, alarm=alarm)
    health = store.health()
    assert health["contoso"].alarm_opened_at == make.now
    assert health["contoso"].record == failed.record
    for name in ("contoso", "fabrikam"):
        assert store.tenant_health(name) == health[name]
    assert store.tenant_health("nobody") is None


def test_the_ledger_is_newest_first_and_by_tenant(store: Store, make) -> None:
    """And no longer than asked for."""
    store.put_tenant(make.tenant("fabrikam"), now=make.now)
    for hours, name in enumerate(("contoso", "fabrikam", "contoso")):
        store.record_scan(make.scan(tenant=name, hours=hours), zone=make.zone)
    assert [r.finished_at.hour for r in store.scans("contoso")] == [9, 7]
    assert [r.tenant for r in store.scans(limit=2)] == ["contoso", "fabrikam"]
