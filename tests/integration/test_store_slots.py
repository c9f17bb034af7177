"""Slots, canaries, snoozes and signs of life."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest

from monitor.errors import StoreError
from monitor.model import CanaryResult, Probe, Slot, Snooze, StageTiming
from monitor.store import Store

LEASE = timedelta(minutes=5)


def take(store: Store, make, owner: str = "me", minutes: float = 0, **options: Any) -> bool:
    """Try to take the slot of one scan."""
    options.setdefault("owner_is_dead", lambda _: False)
    now = make.now + timedelta(minutes=minutes)
    return store.take_slot(
        "scan", "contoso", make.now, now=now, owner=owner, lease=LEASE, **options
    )


def test_a_slot_is_taken_once(store: Store, make) -> None:
    """A second tick, a second process and the same process again all find it taken."""
    assert take(store, make)
    assert not take(store, make, "other")
    assert not take(store, make)


def test_slots_differ_by_job_scope_and_time(store: Store, make) -> None:
    """Each is a run of its own."""
    options: dict[str, Any] = {
        "now": make.now, "owner": "me", "lease": LEASE, "owner_is_dead": lambda _: False,
    }  # fmt: skip
    assert take(store, make)
    assert store.take_slot("warn", "contoso", make.now, **options)
    assert store.take_slot("scan", "fabrikam", make.now, **options)
    assert store.take_slot("scan", "contoso", make.now + timedelta(hours=6), **options)


def test_a_finished_slot_is_never_taken_again(store: Store, make) -> None:
    """Not after the lease, and not from a dead owner."""
    take(store, make)
    store.finish_slot("scan", "contoso", make.now, make.now + timedelta(minutes=1))
    assert not take(store, make, minutes=60)
    assert not take(store, make, owner_is_dead=lambda _: True)
    store.finish_slot("scan", "contoso", make.now, make.now + timedelta(hours=9))
    assert store.last_finished("scan", "contoso") == make.now + timedelta(minutes=1)


def test_an_unfinished_slot_is_taken_over_when_its_lease_ends(store: Store, make) -> None:
    """And then it is the new owner's for a whole lease."""
    take(store, make, "killed")
    assert not take(store, make, "new", minutes=4.9)
    assert take(store, make, "new", minutes=5)
    assert not take(store, make, "third", minutes=9.9)


def test_an_unfinished_slot_of_a_dead_owner_is_taken_over_at_once(store: Store, make) -> None:
    """The owner's name is what is asked about."""
    take(store, make, "killed")
    assert not take(store, make, "new", owner_is_dead=lambda owner: owner == "new")
    assert take(store, make, "new", owner_is_dead=lambda owner: owner == "killed")


def test_a_slot_that_is_given_back_is_taken_again_when_its_pause_ends(store: Store, make) -> None:
    """Before and after the lease would have ended; a finished one is never taken again."""
    take(store, make)
    for pause in (1, 9):
        until = make.now + timedelta(minutes=pause)
        store.give_back_slot("scan", "contoso", make.now, until=until)
        assert not take(store, make, "new", minutes=pause - 0.1)
        assert take(store, make, "new", minutes=pause)
    store.finish_slot("scan", "contoso", make.now, make.now)
    store.give_back_slot("scan", "contoso", make.now, until=make.now)
    assert not take(store, make, minutes=60)


def test_a_slot_is_given_back_alone(store: Store, make) -> None:
    """Not that of another job, scope or time."""
    take(store, make)
    for job, scope, hours in (
        ("warn", "contoso", 0),
        ("scan", "fabrikam", 0),
        ("scan", "contoso", 6),
    ):
        store.give_back_slot(job, scope, make.now + timedelta(hours=hours), until=make.now)
    assert not take(store, make, minutes=1)


def unfinished(store: Store, since: Any) -> list[tuple[str, str]]:
    """Job and scope of the runs that nobody finished."""
    return [(slot.job, slot.scope) for slot in store.unfinished_slots(since)]


def test_what_was_taken_and_not_finished_is_listed(store: Store, make) -> None:
    """Whatever became of its lease, and only if it was taken after that instant."""
    options: dict[str, Any] = {
        "now": make.now, "owner": "me", "lease": LEASE, "owner_is_dead": lambda _: False,
    }  # fmt: skip
    for job, scope in (("warn", "b@x|UTC"), ("warn", "a@x|UTC"), ("canary", "operator")):
        store.take_slot(job, scope, make.now - timedelta(days=9), **options)
    store.finish_slot("warn", "b@x|UTC", make.now - timedelta(days=9), make.now)
    store.give_back_slot("canary", "operator", make.now - timedelta(days=9), until=make.now)
    expected = [("canary", "operator"), ("warn", "a@x|UTC")]
    assert unfinished(store, make.now - timedelta(seconds=1)) == expected
    assert unfinished(store, make.now) == []


def test_a_later_finished_run_makes_up_for_an_unfinished_one(store: Store, make) -> None:
    """An earlier one does not, nor a later one of another job or scope, nor an unfinished one."""
    options: dict[str, Any] = {
        "now": make.now, "owner": "me", "lease": LEASE, "owner_is_dead": lambda _: False,
    }  # fmt: skip
    long_ago, day = make.now - timedelta(days=1), timedelta(days=1)
    take(store, make)
    for job, scope, slot_at, finished in (
        ("scan", "contoso", make.now - day, True),
        ("scan", "contoso", make.now + day, False),
        ("scan", "fabrikam", make.now + day, True),
        ("warn", "contoso", make.now + day, True),
    ):
        store.take_slot(job, scope, slot_at, **options)
        if finished:
            store.finish_slot(job, scope, slot_at, make.now)
    assert unfinished(store, long_ago) == [("scan", "contoso")] * 2
    store.finish_slot("scan", "contoso", make.now + day, make.now)
    assert unfinished(store, long_ago) == []


def test_a_run_that_fails_time_and_again_counts_from_its_first_taker(store: Store, make) -> None:
    """Or a run that is tried every few minutes would always look as if it had just begun."""
    take(store, make, "first")
    assert take(store, make, "second", minutes=5)
    assert take(store, make, "third", minutes=10)
    (slot,) = store.unfinished_slots(make.now - timedelta(hours=1))
    assert (slot.owner, slot.taken_at) == ("third", make.now)
    assert slot.lease_until == make.now + timedelta(minutes=15)


@pytest.mark.parametrize("orphaned", [False, True])
def test_of_many_takers_one_wins(store: Store, make, orphaned: bool) -> None:
    """A new slot, and one whose owner died."""
    if orphaned:
        take(store, make, "killed")
    start = Barrier(8)

    def run(number: int) -> bool:
        start.wait()
        return take(store, make, str(number), owner_is_dead=lambda owner: owner == "killed")

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(run, range(8))) == 1


def test_slots_are_listed_by_job_and_time(store: Store, make) -> None:
    """With who took them and when they ended."""
    take(store, make)
    assert store.last_finished("scan", "contoso") is None
    done = make.now + timedelta(minutes=1)
    store.finish_slot("scan", "contoso", make.now, done)
    expected = Slot("scan", "contoso", make.now, "me", make.now, make.now + LEASE, done)
    assert store.slots("scan", make.now) == [expected]
    assert store.slots() == [expected]
    assert store.slots("scan", make.now + timedelta(seconds=1)) == []
    assert store.slots("warn") == []
    assert store.last_slots("scan") == {"contoso": make.now}
    assert store.last_finished("scan", "fabrikam") is None


def probe(make, number: int, result: CanaryResult, **changes: Any) -> Probe:
    """A probe that ended `number` hours after now."""
    at = make.now + timedelta(hours=number)
    plain = Probe(
        "contoso", "m@contoso.example", at - timedelta(seconds=2), at, result, "data", "ok", "250",
        (StageTiming("dns", 0.01, True, "127.0.0.1"), StageTiming("tcp", 1.5, False, "n\x00o")),
        "<1@x>", number,
    )  # fmt: skip
    return replace(plain, **changes)


def test_a_probe_comes_back_with_its_evidence(store: Store, make) -> None:
    """Newest first, each stage with its time and reply."""
    first = probe(make, 1, CanaryResult.OK)
    second = probe(make, 2, CanaryResult.FAILED, evidence="535 \ud800", retry="after_fix")
    store.record_probe(first)
    store.record_probe(second)
    newest, oldest = store.probes("contoso")
    assert newest.evidence == "535 \ufffd"
    assert newest.retry == "after_fix"
    assert oldest.timings == (first.timings[0], replace(first.timings[1], reply="n\ufffdo"))
    assert oldest == replace(first, timings=oldest.timings)
    assert store.probes("fabrikam") == []
    assert len(store.probes(limit=1)) == 1


def test_a_senders_health_counts_since_the_last_good_probe(store: Store, make) -> None:
    """Unconfirmed is neither good nor bad; the operator's sender needs no tenant."""
    results = [CanaryResult.OK, CanaryResult.UNCONFIRMED, CanaryResult.FAILED]
    for number, result in enumerate(results, start=1):
        store.record_probe(probe(make, number, result, timings=()))
    store.record_probe(probe(make, 9, CanaryResult.FAILED, tenant="(operator)", timings=()))
    health = store.sender_health()
    assert set(health) == {
        ("contoso", "m@contoso.example"),
        ("(operator)", "m@contoso.example"),
    }
    this = health["contoso", "m@contoso.example"]
    assert this.failures == 1
    assert this.last_ok == make.now + timedelta(hours=1)
    assert this.first_failure_at == this.counted_at == make.now + timedelta(hours=3)
    assert this.last == probe(make, 3, CanaryResult.FAILED, timings=())
    store.record_probe(probe(make, 4, CanaryResult.OK, timings=()))
    this = store.sender_health()["contoso", "m@contoso.example"]
    assert (this.failures, this.first_failure_at, this.counted_at) == (0, None, None)


def test_canaries_are_numbered_by_sender(store: Store, make) -> None:
    """The next number follows the highest, whatever order they were recorded in."""
    mailbox = "m@contoso.example"
    assert store.next_canary_number("contoso", mailbox) == 1
    for number in (1, 7, 7, 3):
        store.record_probe(probe(make, number, CanaryResult.OK))
    assert store.next_canary_number("contoso", mailbox) == 8
    assert store.next_canary_number("contoso", "other@contoso.example") == 1


def test_the_newest_snooze_of_a_life_holds(store: Store, make) -> None:
    """Each life of a credential, and each tenant, has its own."""
    store.put_tenant(make.tenant(), now=make.now)
    store.put_tenant(make.tenant("fabrikam"), now=make.now)
    first = Snooze("contoso", "u", 1, "ann", "holiday", make.now, make.now + timedelta(days=7))
    later = replace(first, reason="moved", until=None, confirmed=True)
    ack = replace(first, life=2, acked_urgency=-30, until=None)
    for snooze in (first, later, ack, replace(first, tenant="fabrikam")):
        store.put_snooze(snooze)
    assert store.snoozes("contoso") == {("contoso", "u", 1): later, ("contoso", "u", 2): ack}
    assert len(store.snoozes()) == 3
    assert store.remove_snooze("contoso", "u", 1)
    assert not store.remove_snooze("contoso", "u", 1)
    assert store.snoozes("contoso") == {("contoso", "u", 2): ack}


def test_a_snooze_needs_its_tenant(store: Store, make) -> None:
    """It is refused in words."""
    with pytest.raises(StoreError, match="no tenant named contoso"):
        store.put_snooze(Snooze("contoso", "u", 1, "ann", "holiday", make.now))


def test_the_last_sign_of_life_of_each_part_is_kept(store: Store, make) -> None:
    """Only the last."""
    later = make.now + timedelta(minutes=1)
    store.beat("scheduler", make.now)
    store.beat("scheduler", later)
    store.beat("sender", make.now)
    assert store.beats() == {"scheduler": later, "sender": make.now}
