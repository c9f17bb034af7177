"""What holds for every life, every zone and every outage, and that the checks can fail."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from monitor import lifecycle
from monitor.decide import StageOf, Told, decide
from monitor.model import MailKind, Snooze, Stage
from monitor.timetable import daily_instant
from tests.unit.lives import (
    DAYS_AFTER,
    KEY,
    NOW,
    RELAXED,
    TENANT,
    ZONES,
    Life,
    after,
    credential,
    lives,
    up_on,
    uptimes,
    walk,
)

# --- the checks: the rules said in another way than the code says them ----------------------------


def check_daily(life: Life, stage_of: StageOf = lifecycle.current_stage) -> None:
    """With a run each day, each stage comes exactly once, in order, on its very day."""
    walked = walk(life, life.runs(), stage_of=stage_of)
    said = [(now.astimezone(life.zone).date(), str(notice.stage)) for now, notice in walked]
    expected = []
    for threshold in sorted(set(life.thresholds), reverse=True):
        day = life.end_date - timedelta(days=threshold)
        if daily_instant(day, time(life.hour), life.zone) < life.end:
            expected.append((day, str(threshold)))
    first_after = next(now for now in life.runs() if now >= life.end)
    expected.append((first_after.astimezone(life.zone).date(), "L0"))
    for week in range(1, life.weeks + 1):
        expected.append((life.end_date + timedelta(days=7 * week), f"L{week}"))
    assert said == expected


def check_outages(
    life: Life, uptime: list[bool], stage_of: StageOf = lifecycle.current_stage
) -> None:
    """Whatever the outages, the most urgent stage only; the lapse always; never backwards."""
    runs = up_on(life.runs(), uptime)
    said = walk(life, runs, stage_of=stage_of)
    ladder = [str(each) for each in sorted(set(life.thresholds), reverse=True)]
    ladder += [f"L{week}" for week in range(life.weeks + 1)]
    expected, reached_before = [], 0
    for now in runs:
        reached = count_reached(life, now)
        if reached > reached_before:
            first_lapse = now >= life.end and reached_before <= ladder.index("L0")
            expected.append((now, "L0" if first_lapse else ladder[reached - 1]))
            reached_before = reached
    assert [(now, str(notice.stage)) for now, notice in said] == expected
    urgencies = [notice.stage.urgency for _, notice in said]
    assert urgencies == sorted(set(urgencies))
    told_lapse = any(str(notice.stage) == "L0" for _, notice in said)
    assert told_lapse == any(now >= life.end for now in runs)


def count_reached(life: Life, now: datetime) -> int:
    """How many rungs of the ladder of stages were passed by a run, told or not."""
    today = now.astimezone(life.zone).date()
    days = set(life.thresholds)
    if now < life.end:
        return sum(today >= life.end_date - timedelta(days=each) for each in days)
    weeks = [life.end_date + timedelta(days=7 * week) for week in range(1, life.weeks + 1)]
    return len(days) + 1 + sum(today >= day for day in weeks)


# --- the walk -------------------------------------------------------------------------------------


@given(life=lives)
@RELAXED
def test_with_a_run_each_day_every_stage_comes_exactly_once_on_its_day(life):
    """Each threshold, the lapse, and each week after it."""
    check_daily(life)


@pytest.mark.parametrize("name", ZONES)
@pytest.mark.parametrize("day", [date(2026, 3, 29), date(2026, 10, 25), date(2028, 2, 29)])
@pytest.mark.parametrize("wall", [time(0, 0), time(2, 30), time(8, 0), time(23, 59)])
def test_clock_changes_and_leap_days_move_no_stage(name, day, wall):
    """The same walk, ending on the awkward days."""
    zone = ZoneInfo(name)
    check_daily(Life(daily_instant(day, wall, zone), zone, TENANT.thresholds, 4, 8))


@given(life=lives, uptime=uptimes)
@RELAXED
def test_after_any_outage_the_most_urgent_stage_is_told_and_the_lapse_always(life, uptime):
    """And each at most once, never a less urgent one after a more urgent one."""
    check_outages(life, uptime)


@given(life=lives, uptime=uptimes, begin=st.integers(0, 144), length=st.integers(0, 144))
@RELAXED
def test_after_a_snooze_it_goes_on_as_after_an_outage(life, uptime, begin, length):
    """A snoozed run and a run that did not happen leave the same behind (rule 7)."""
    runs = life.runs()
    until = runs[min(begin + length, len(runs) - 1)]
    snooze = Snooze("contoso", "a", 1, "kim", "on it", runs[begin], until, confirmed=True)
    up = up_on(runs, uptime)
    earlier = [now for now in up if now < runs[begin]]
    before = walk(life, earlier)
    level = max((notice.level for _, notice in before), default=None)
    awake = [now for now in up if now < runs[begin] or now >= until]
    with_outage = walk(life, awake)[len(before) :]
    with_snooze = []
    told = Told(level)
    for now in up[len(earlier) :]:
        [made] = decide(
            [life.credential],
            tenant=life.tenant,
            zone=life.zone,
            told={KEY: told},
            snoozes={KEY: snooze},
            now=now,
        )
        if made.notice:
            with_snooze.append((now, made.notice))
            told = after(told, [made.notice])
    assert with_snooze == with_outage


@given(life=lives, uptime=uptimes, longer=st.integers(1, 400), started=st.booleans())
@RELAXED
def test_a_superseded_one_is_silent_but_for_one_mention_in_its_last_week(
    life, uptime, longer, started
):
    """A successor that outlives the walk leaves nothing to warn about."""
    end = life.end + timedelta(days=DAYS_AFTER + longer)
    newer = credential("new", end=end, start=datetime(2020, 1, 1, tzinfo=UTC) if started else None)
    runs = up_on(life.runs(), uptime)
    said = walk(life, runs, newer)
    last_week = [
        now
        for now in runs
        if now < life.end and (life.end_date - now.astimezone(life.zone).date()).days <= 7
    ]
    assert [(now, notice.kind) for now, notice in said] == [
        (now, MailKind.COVERED) for now in last_week[:1]
    ]


@given(life=lives, uptime=uptimes, gone_after=st.integers(0, 144))
@RELAXED
def test_when_the_successor_goes_away_nothing_urgent_stays_unsaid(life, uptime, gone_after):
    """From then on the older one is told its current stage, as after an outage (rule 6)."""
    runs = life.runs()
    newer = credential("new", end=life.end + timedelta(days=500))
    told, alone = Told(), []
    for position, now in enumerate(runs):
        if not uptime[position % len(uptime)]:
            continue
        there = [newer] if position < gone_after else []
        made = decide(
            [life.credential, *there],
            tenant=life.tenant,
            zone=life.zone,
            told={KEY: told},
            snoozes={},
            now=now,
        )
        notices = [one.notice for one in made if one.notice and one.credential.uid == "a"]
        told = after(told, notices)
        if not there:
            alone += [(now, notice) for notice in notices]
    up = [now for n, now in enumerate(runs) if n >= gone_after and uptime[n % len(uptime)]]
    assert alone == walk(life, up)


# --- the checks can fail --------------------------------------------------------------------------


def by_equality(end, thresholds, weeks, now, zone) -> Stage | None:
    """Tells a threshold on its very day only: an outage on that day loses it."""
    stage = lifecycle.current_stage(end, thresholds, weeks, now, zone)
    if stage is None or stage.after_end:
        return stage
    return stage if lifecycle.days_left(end, now, zone) in thresholds else None


def by_largest(end, thresholds, weeks, now, zone) -> Stage | None:
    """Takes the largest threshold that is reached, and so never gets further than that."""
    stage = lifecycle.current_stage(end, thresholds, weeks, now, zone)
    return stage if stage is None or stage.after_end else Stage.threshold(max(thresholds))


def silent_after_end(end, thresholds, weeks, now, zone) -> Stage | None:
    """Says nothing once it is too late: an outage over the end is silence."""
    stage = lifecycle.current_stage(end, thresholds, weeks, now, zone)
    return None if stage is None or stage.after_end else stage


def by_utc_dates(end, thresholds, weeks, now, zone) -> Stage | None:
    """Counts the days in UTC instead of the recipient's zone."""
    return lifecycle.current_stage(end, thresholds, weeks, now, ZoneInfo("UTC"))


def by_hours(end, thresholds, weeks, now, zone) -> Stage | None:
    """Counts stretches of 24 hours, rounded up: "1 day" for something that ends tonight."""
    if end <= now:
        return lifecycle.current_stage(end, thresholds, weeks, now, zone)
    left = math.ceil((end - now) / timedelta(days=1))
    reached = [each for each in thresholds if left <= each]
    return Stage.threshold(min(reached)) if reached else None


BAD = [by_equality, by_largest, silent_after_end, by_utc_dates, by_hours]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.__name__)
def test_a_wrong_stage_fails_the_outage_check(bad):
    """Each of these was somebody's real fault."""
    assert falsified(st.tuples(lives, uptimes), lambda pair: check_outages(*pair, stage_of=bad))


def test_the_equality_of_days_and_threshold_passes_where_every_day_has_a_run():
    """Why the outage check is needed: without outages the fault cannot be seen."""
    check_daily(Life(NOW, ZoneInfo("UTC"), TENANT.thresholds, 4, 7), by_equality)


def falsified(examples: st.SearchStrategy, check: Callable) -> bool:
    """Whether some example fails the check; raises NoSuchExample when none is found."""

    def fails(example) -> bool:
        try:
            check(example)
        except AssertionError:
            return True
        return False

    # One example is enough, so the slow search for the smallest one is left out.
    quick = settings(RELAXED, database=None, max_examples=500, phases=[Phase.generate])
    find(examples, fails, settings=quick)
    return True
