"""Scans that prove less: broken off, incomplete, overtaken or failed; and the tenant's health."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from monitor.errors import StoreError
from monitor.lifecycle import successors
from monitor.model import UNKNOWN_AFTER, AlarmChange, OutboxState, ScanRecord
from monitor.store import AlarmWrite, Store
from monitor.store.tables import CREDENTIAL, OBJECT
from tests.integration.facts_room import UID, contoso, count_writes, hour, see, written

__all__ = ["contoso"]  # a fixture


def test_a_scan_that_broke_off_changes_no_fact(store: Store, make) -> None:
    """Absence, change and appearance all need every page."""
    see(store, make, make.secret("key-1"))
    before = store.credentials()
    store.record_scan(make.scan(hours=6, complete=False), zone=make.zone)
    assert store.credentials(include_removed=True) == before
    assert [record.complete for record in store.scans()] == [False, True]


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
