"""When a cycle counts as complete, and when it is late."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.cycle import CYCLE, JOBS, LATE_AFTER, STARTED, failure_address, late_since, turn
from monitor.cycle import missing as judge
from monitor.model import TenantHealth
from tests.status_samples import tenant

NOW = datetime(2026, 11, 23, 6, 4, tzinfo=UTC)
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
SCAN_EVERY = 6 * HOUR
GOOD = dict.fromkeys(JOBS, NOW - 20 * SECOND)
Verdict = Callable[..., tuple[str, ...]]


def tried(ago: timedelta, **more: object) -> TenantHealth:
    """A tenant that was tried so long ago."""
    return replace(TenantHealth("contoso", last_attempt=NOW - ago), **more)  # type: ignore[arg-type]


def missing(
    known: TenantHealth | None = None,
    beats: dict[str, datetime] | None = None,
    *,
    since: timedelta = timedelta(days=9),
    judged: Verdict = judge,
    **about: object,
) -> tuple[str, ...]:
    """What is missing about one tenant."""
    one = tenant("contoso", **about)
    health = {} if known is None else {"contoso": known}
    return judged(
        [one], health, {"contoso": NOW - since}, GOOD if beats is None else beats,
        scan_every=SCAN_EVERY, now=NOW,
    )  # fmt: skip


def test_a_cycle_is_complete_when_all_were_tried_and_all_jobs_are_done() -> None:
    """The plain case, and that of an installation without tenants."""
    assert missing(tried(HOUR)) == ()
    assert judge([], {}, {}, GOOD, scan_every=SCAN_EVERY, now=NOW) == ()


def test_a_dead_tenant_is_not_a_dead_monitor() -> None:
    """It was tried; that it fails is told elsewhere."""
    dead = tried(HOUR, failures=99, last_failed_definitely=True)
    assert missing(dead) == ()


def a_scan_that_ticks_in_vain(judged: Verdict) -> bool:
    """Whether a scan job without a good round, and tenants nobody tries, are noticed."""
    stuck = {**GOOD, "scan": NOW - 2 * HOUR}
    return bool(missing(tried(HOUR), stuck, judged=judged)) and bool(
        missing(tried(8 * HOUR), judged=judged)
    )


def test_a_scan_job_that_ticks_in_vain_breaks_the_cycle() -> None:
    """Its tenants were tried an hour ago, and it has not come round since; or the other way."""
    assert a_scan_that_ticks_in_vain(judge)


def test_a_judge_that_goes_by_the_schedulers_beat_alone_is_caught() -> None:
    """The test above would otherwise prove nothing: the clock ticks, and nothing is done."""

    def by_the_clock(*_: object, **__: object) -> tuple[str, ...]:
        return ()

    def by_beats_only(_: object, __: object, ___: object, beats: object, **how: object) -> object:
        return judge([], {}, {}, beats, **how)  # type: ignore[arg-type]

    assert not a_scan_that_ticks_in_vain(by_the_clock)
    assert not a_scan_that_ticks_in_vain(by_beats_only)  # type: ignore[arg-type]


@pytest.mark.parametrize("job", JOBS)
def test_every_job_has_to_come_round(job: str) -> None:
    """One that never did, and one that last did two hours ago."""
    (said,) = missing(tried(HOUR), {name: at for name, at in GOOD.items() if name != job})
    assert said == f"the job {job} has not finished a round yet"
    (said,) = missing(tried(HOUR), {**GOOD, job: NOW - 2 * HOUR})
    assert said == f"the job {job} has not finished a round since 2026-11-23 04:04 UTC"


def test_a_tenant_that_is_not_tried_in_its_interval_is_named() -> None:
    """With an hour of grace, because a round over many tenants may be long."""
    assert missing(tried(7 * HOUR)) == ()
    assert missing(tried(7 * HOUR + SECOND)) == ("not tried for 7 h: contoso",)


def test_a_new_tenant_has_an_hour_for_its_first_try() -> None:
    """After that somebody has to look."""
    assert missing(since=HOUR) == ()
    assert missing(since=HOUR + SECOND) != ()


def test_nobody_waits_for_paused_and_pending_tenants() -> None:
    """They are not read."""
    assert missing(paused=True) == ()
    assert missing(pending=True) == ()


def test_what_was_written_by_a_wrong_clock_proves_nothing() -> None:
    """An attempt and a beat of tomorrow."""
    assert missing(tried(-24 * HOUR)) != ()
    assert missing(tried(HOUR), {**GOOD, "warn": NOW + 24 * HOUR}) != ()
    assert late_since({CYCLE: NOW + 24 * HOUR, STARTED: NOW - 2 * HOUR}, NOW) == NOW - 2 * HOUR


def test_many_tenants_are_counted_and_three_named() -> None:
    """A heartbeat's text stays short."""
    many = [tenant(f"t{number}") for number in range(9)]
    (said,) = judge(many, {}, {}, GOOD, scan_every=SCAN_EVERY, now=NOW)
    assert said == "not tried for 7 h: t0, t1, t2 and 6 more"


def test_a_cycle_is_late_after_an_hour_counted_from_the_start_at_least() -> None:
    """A service that has just been started after a week has its hour, too."""
    assert late_since({}, NOW) is None
    assert late_since({CYCLE: NOW - LATE_AFTER}, NOW) is None
    old = NOW - timedelta(days=7)
    assert late_since({CYCLE: old}, NOW) == old
    assert late_since({CYCLE: old, STARTED: NOW - LATE_AFTER}, NOW) is None
    started = NOW - LATE_AFTER - SECOND
    assert late_since({CYCLE: old, STARTED: started}, NOW) == started


@given(st.integers(0, 10**9), st.integers(60, 7 * 86_400))
def test_each_heartbeat_slot_begins_where_the_last_one_ends(after: int, every: int) -> None:
    """So that all replicas agree, and none is skipped."""
    now, length = NOW + timedelta(seconds=after), timedelta(seconds=every)
    slot = turn(now, length)
    assert slot <= now < slot + length
    assert turn(slot + length, length) == slot + length
    assert turn(slot, length) == slot


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://hc-ping.com/abc", "https://hc-ping.com/abc/fail"),
        ("https://hc-ping.com/abc/", "https://hc-ping.com/abc/fail"),
        ("https://push.example/x?create=1", "https://push.example/x/fail?create=1"),
    ],
)
def test_a_failure_is_told_below_the_address(url: str, told: str) -> None:
    """As healthchecks.io has it; a query stays where it is."""
    assert failure_address(url) == told
