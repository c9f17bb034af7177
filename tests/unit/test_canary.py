"""When a sender's probes alarm, are tried again, and close their alarm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.canary import (
    FAILURES_TO_ALARM,
    RETRY_AFTER,
    TOLERANCE,
    WHILE_ALARMED,
    after,
    counted,
    due_slot,
    next_retry,
)
from monitor.model import AlarmChange, CanaryResult, Probe, SenderHealth

Retry = Literal["never", "later", "after_fix"]

NOTHING = SenderHealth("contoso", "noreply@contoso.example")
SLOT = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def probe(
    at: datetime = SLOT, retry: Retry = "later", result: CanaryResult = CanaryResult.FAILED
) -> Probe:
    """A probe that took two seconds."""
    return Probe(
        tenant=NOTHING.tenant,
        mailbox=NOTHING.mailbox,
        started_at=at,
        finished_at=at + timedelta(seconds=2),
        result=result,
        stage="auth",
        cause="ok" if result is CanaryResult.OK else "some_cause",
        evidence="…",
        retry=retry,
    )


def good(at: datetime = SLOT) -> Probe:
    """A probe that was accepted."""
    return probe(at, "never", CanaryResult.OK)


def unconfirmed(at: datetime = SLOT) -> Probe:
    """A probe that was accepted, and that nobody has seen arrive."""
    return probe(at, "never", CanaryResult.UNCONFIRMED)


def advance(before: SenderHealth, newest: Probe) -> SenderHealth:
    """What is known once a probe and the alarm that it opens or closes are recorded."""
    known = counted(before, newest)
    match after(before, newest).alarm:
        case AlarmChange.OPEN:
            return replace(known, alarm_opened_at=newest.finished_at)
        case AlarmChange.CLOSE:
            return replace(known, alarm_opened_at=None)
        case _:
            return known


def history(*probes: Probe) -> SenderHealth:
    """What is known after these probes."""
    health = NOTHING
    for one in probes:
        health = advance(health, one)
    return health


def due(health: SenderHealth, now: datetime, changed_at: datetime | None = None) -> datetime | None:
    """The slot that is due for a sender whose daily time is `SLOT`'s."""
    return due_slot(health, daily_at=time(7), zone=ZoneInfo("UTC"), changed_at=changed_at, now=now)


# --- verdicts -------------------------------------------------------------------------------------


def test_a_good_probe_says_nothing() -> None:
    """Silence is proof, when it is written down."""
    assert after(NOTHING, good()).alarm is AlarmChange.NONE
    assert counted(NOTHING, good()).last_ok == good().finished_at


def test_two_test_mails_in_a_row_that_did_not_arrive_alarm() -> None:
    """What is refused is tried a third time; what got lost was waited for already."""
    lost = replace(probe(), stage="arrival", cause="not_arrived")
    once = counted(NOTHING, lost)
    assert after(NOTHING, lost).alarm is AlarmChange.NONE
    again = replace(lost, started_at=SLOT + HOUR, finished_at=SLOT + HOUR)
    assert after(once, again).alarm is AlarmChange.OPEN
    assert after(once, probe(SLOT + HOUR)).alarm is AlarmChange.NONE
    assert after(once, replace(again, finished_at=SLOT + MINUTE)).alarm is AlarmChange.NONE


@pytest.mark.parametrize("retry", ["after_fix", "never"])
def test_a_definite_cause_alarms_at_once(retry: Retry) -> None:
    """Waiting does not switch SMTP AUTH on."""
    verdict = after(NOTHING, probe(retry=retry))
    assert verdict.alarm is AlarmChange.OPEN
    assert "some_cause" in verdict.reason


def test_a_definite_cause_among_passing_ones_alarms_at_once() -> None:
    """The newest evidence counts, however soon it comes."""
    assert after(history(probe()), probe(SLOT + MINUTE, "after_fix")).alarm is AlarmChange.OPEN


def test_a_passing_cause_alarms_at_the_third_failure_of_its_schedule() -> None:
    """At once, after 15 minutes and after an hour: then it is no accident."""
    health = history(probe(), probe(SLOT + 15 * MINUTE))
    assert health.alarm_opened_at is None
    assert after(health, probe(SLOT + HOUR)).alarm is AlarmChange.OPEN


@pytest.mark.parametrize(
    "minutes",
    [(0, 1, 2), (0, 1, 2, 3, 4, 5, 6, 7, 8), (0, 15, 30), (0, 15, 30, 45), (0, 60, 61), (0, 5, 60)],
)
def test_failures_that_come_too_soon_after_each_other_do_not_alarm(minutes: Sequence[int]) -> None:
    """Three quick probes by hand see one outage three times."""
    assert history(*(probe(SLOT + at * MINUTE) for at in minutes)).alarm_opened_at is None


@pytest.mark.parametrize(
    "minutes", [(0, 15, 60), (0, 1, 2, 15, 16, 60), (0, 15, 30, 60), (0, 60, 75), (0, 1440, 2880)]
)
def test_failures_that_are_far_enough_apart_alarm_whatever_came_between(
    minutes: Sequence[int],
) -> None:
    """Probes by hand neither hasten nor hold up an alarm."""
    *before, last = (probe(SLOT + at * MINUTE) for at in minutes)
    assert history(*before).alarm_opened_at is None
    assert after(history(*before), last).alarm is AlarmChange.OPEN


def test_a_retry_that_was_a_little_quicker_than_the_first_probe_counts() -> None:
    """From cron they begin a quarter of an hour apart, and end a little less."""
    early = SLOT + RETRY_AFTER[0] - TOLERANCE
    assert history(probe(), probe(early)).failures == 2
    assert history(probe(), probe(early - timedelta(seconds=1))).failures == 1


@pytest.mark.parametrize("retry", ["later", "after_fix"])
def test_an_alarm_opens_once_per_outage_and_each_further_failure_keeps_it(retry: Retry) -> None:
    """It stands until a good probe; an address that was added meanwhile hears of it."""
    health = history(probe(retry="after_fix"))
    assert after(health, probe(SLOT + HOUR, retry)).alarm is AlarmChange.KEEP
    assert advance(health, probe(SLOT + HOUR, retry)).alarm_opened_at == health.alarm_opened_at


def test_a_good_probe_closes_the_alarm_and_starts_afresh() -> None:
    """The next outage alarms again."""
    health = history(probe(retry="after_fix"))
    assert after(health, good(SLOT + HOUR)).alarm is AlarmChange.CLOSE
    healed = advance(health, good(SLOT + HOUR))
    assert (healed.failures, healed.first_failure_at, healed.counted_at) == (0, None, None)
    assert after(healed, good(SLOT + DAY)).alarm is AlarmChange.NONE
    assert after(healed, probe(SLOT + DAY, "after_fix")).alarm is AlarmChange.OPEN


def test_a_good_probe_between_failures_ends_the_row() -> None:
    """Two failures, a success and two failures are not three in a row."""
    row = [probe(), probe(SLOT + 15 * MINUTE), good(SLOT + HOUR)]
    again = [probe(SLOT + DAY), probe(SLOT + DAY + 15 * MINUTE)]
    assert history(*row, *again).alarm_opened_at is None
    assert history(*row, *again, probe(SLOT + DAY + HOUR)).alarm_opened_at is not None


def test_an_unconfirmed_probe_neither_opens_nor_closes() -> None:
    """Accepted is not failed, and unseen is not proven."""
    assert after(NOTHING, unconfirmed()).alarm is AlarmChange.NONE
    assert counted(NOTHING, unconfirmed()) == replace(NOTHING, last=unconfirmed())
    alarmed = history(probe(retry="after_fix"))
    assert after(alarmed, unconfirmed(SLOT + HOUR)).alarm is AlarmChange.NONE
    assert advance(alarmed, unconfirmed(SLOT + HOUR)).alarm_opened_at is not None


# --- slots ----------------------------------------------------------------------------------------


def test_a_sender_is_due_at_its_daily_time_and_once() -> None:
    """What was probed since the slot is done; what was never probed waits for it."""
    assert due(NOTHING, SLOT - MINUTE) is None
    assert due(NOTHING, SLOT) == due(NOTHING, SLOT + 12 * HOUR) == SLOT
    done = history(good())
    assert due(done, SLOT + 12 * HOUR) is None
    assert due(done, SLOT + DAY) == SLOT + DAY


def test_the_daily_time_is_that_of_the_senders_zone() -> None:
    """Seven in the morning in Tokyo is ten in the evening before."""
    night = datetime(2026, 11, 22, 22, 0, tzinfo=UTC)
    assert (
        due_slot(NOTHING, daily_at=time(7), zone=ZoneInfo("Asia/Tokyo"), changed_at=None, now=SLOT)
        == night
    )


def test_a_failed_sender_is_due_again_after_15_minutes_and_after_an_hour() -> None:
    """And not before; the retry's instant is its slot."""
    first, second = probe(), probe(SLOT + 15 * MINUTE)
    for health, wait in (
        (history(first), 15 * MINUTE),
        (history(first, second), HOUR),
        (history(first, probe(SLOT + MINUTE), probe(SLOT + 2 * MINUTE)), 15 * MINUTE),
    ):
        slot = first.finished_at + wait
        assert due(health, slot - timedelta(seconds=1)) is None
        assert due(health, slot) == due(health, slot + 5 * MINUTE) == slot


def test_a_retry_that_came_late_is_not_followed_by_the_next_at_once() -> None:
    """After an outage of the monitor two retries would be due together."""
    late = probe(SLOT + 5 * HOUR)
    assert next_retry(history(probe(), late)) == late.finished_at + 15 * MINUTE


@pytest.mark.parametrize(
    "failures",
    [
        [probe(retry="after_fix")],
        [probe(), probe(SLOT + 15 * MINUTE), probe(SLOT + HOUR)],
        [probe(retry="after_fix"), probe(SLOT + HOUR, "later")],
        [probe(retry="after_fix"), unconfirmed(SLOT + HOUR)],
    ],
)
def test_while_an_alarm_stands_the_sender_is_due_every_hour(failures: Sequence[Probe]) -> None:
    """Whoever mended it hears so within the hour, not tomorrow."""
    health = history(*failures)
    for _ in range(3):
        assert health.alarm_opened_at is not None
        assert health.last is not None
        slot = health.last.finished_at + WHILE_ALARMED
        assert due(health, slot - timedelta(seconds=1)) is None
        assert due(health, slot) == slot
        health = advance(health, probe(slot))
    assert next_retry(advance(health, good(slot + HOUR))) is None


def test_a_definite_failure_whose_alarm_was_taken_back_is_due_every_hour_too() -> None:
    """Its mailbox was out of the settings for a while, and the alarm ended without a word."""
    failed = probe(retry="after_fix")
    assert next_retry(replace(history(failed), alarm_opened_at=None)) == failed.finished_at + HOUR


def test_an_alarm_that_a_good_probe_did_not_close_is_looked_at_again() -> None:
    """Two probes at a time: the good one was judged before the other's alarm was written."""
    health = replace(history(good()), alarm_opened_at=SLOT)
    assert next_retry(health) == good().finished_at + HOUR
    assert after(health, good(SLOT + HOUR)).alarm is AlarmChange.CLOSE


@pytest.mark.parametrize("retry", ["later", "after_fix"])
def test_a_failed_sender_whose_tenant_was_changed_is_due_at_once(retry: Retry) -> None:
    """The change may be the fix; one probe later it is as before."""
    failed = probe(retry=retry)
    change = SLOT + 3 * MINUTE
    assert due(history(failed), change, change) == change
    assert due(history(failed), change - MINUTE, change) is None
    assert due(history(failed, probe(change + MINUTE, retry)), change + 2 * MINUTE, change) is None
    assert due(history(failed), change, SLOT - DAY) is None


def test_a_change_makes_no_probe_of_a_sender_that_works_or_waits_for_its_first_day() -> None:
    """Other recipients or another zone are no reason to doubt the path."""
    assert due(history(good()), SLOT + 5 * MINUTE, SLOT + 3 * MINUTE) is None
    assert due(NOTHING, SLOT - MINUTE, SLOT - 2 * MINUTE) is None


def test_a_sender_that_was_never_probed_is_due_again_after_a_change() -> None:
    """Today's slot may be used up, by the same mailbox in capital letters."""
    assert due(NOTHING, SLOT + HOUR, SLOT - HOUR) == SLOT
    assert due(NOTHING, SLOT + HOUR, SLOT + MINUTE) == SLOT + MINUTE


def test_the_newest_slot_that_is_due_is_taken() -> None:
    """An old one may be used up already; the probe settles them all."""
    before = probe(SLOT - 10 * MINUTE)
    assert due(history(before), SLOT + 30 * MINUTE) == before.finished_at + 15 * MINUTE
    assert due(history(before), SLOT + 2 * MINUTE) == SLOT
    assert due(history(before, good(SLOT + 30 * MINUTE)), SLOT + 31 * MINUTE) is None


# --- any history ----------------------------------------------------------------------------------

RESULTS = st.sampled_from(
    [("ok", "never"), ("failed", "later"), ("failed", "after_fix"), ("unconfirmed", "never")]
)
STEPS = st.tuples(RESULTS, st.integers(min_value=1, max_value=180))


@settings(deadline=None)
@given(st.lists(STEPS, max_size=30))
def test_alarms_open_and_close_in_turn_and_no_outage_is_kept_quiet(
    steps: list[tuple[tuple[str, Retry], int]],
) -> None:
    """Whenever probes come: what alarms is definite, or an hour old and seen three times."""
    health, at, opened, row = NOTHING, SLOT, False, list[datetime]()
    for (result, retry), minutes in steps:
        at += minutes * MINUTE
        newest = probe(at, retry, CanaryResult(result))
        verdict = after(health, newest)
        health = advance(health, newest)
        row = {"ok": [], "failed": [*row, at]}.get(result, row)
        assert verdict.alarm is not (AlarmChange.OPEN if opened else AlarmChange.CLOSE)
        assert (verdict.alarm is AlarmChange.KEEP) == (opened and result == "failed")
        if verdict.alarm is AlarmChange.OPEN and retry == "later":
            assert len(row) >= FAILURES_TO_ALARM
            assert at - row[0] >= HOUR - TOLERANCE
        opened = health.alarm_opened_at is not None
        assert opened or not (result == "failed" and retry == "after_fix")
        assert not (opened and result == "ok")
        retry_at = next_retry(health)
        assert (retry_at is not None) == (opened or result == "failed")
        assert retry_at is None or newest.finished_at - TOLERANCE < retry_at <= at + 61 * MINUTE


@settings(deadline=None)
@given(st.lists(st.integers(min_value=0, max_value=40), max_size=20))
def test_probes_by_hand_never_hold_up_the_schedule(minutes: list[int]) -> None:
    """However often somebody tries by hand, an outage alarms an hour after it began."""
    by_hand = {SLOT + at * MINUTE for at in minutes}
    health, now = history(probe()), SLOT
    while health.alarm_opened_at is None:
        now += MINUTE
        assert now <= SLOT + 63 * MINUTE
        if now in by_hand or due(health, now) is not None:
            health = advance(health, probe(now))
    assert now >= SLOT + HOUR - TOLERANCE
