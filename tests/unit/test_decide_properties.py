"""What holds for every life, every zone and every outage, and that the checks can fail."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from monitor import lifecycle
from monitor.decide import Decision, Reason, StageOf, Told, decide
from monitor.model import (
    Credential,
    CredentialRef,
    Kind,
    MailKind,
    Notice,
    ObjectType,
    Snooze,
    Stage,
    Tenant,
)
from monitor.timetable import daily_instant

ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",  # moves its clocks by half an hour
    "Asia/Kathmandu",  # a quarter of an hour off
    "Pacific/Apia",  # a day ahead of its neighbours
    "America/Havana",  # moves its clocks at midnight
]
TENANT = Tenant("contoso", "directory", "global", "client", CredentialRef("secret", "env:X"))
KEY = ("contoso", "a", 1)
DAYS_BEFORE = 100
DAYS_AFTER = 45
RELAXED = settings(deadline=None)


# --- a life, and a walk through it ----------------------------------------------------------------


@dataclass(frozen=True)
class Life:
    """One credential, its policy, and where and when its recipient reads mail."""

    end: datetime
    zone: ZoneInfo
    thresholds: tuple[int, ...]
    weeks: int
    hour: int

    @property
    def end_date(self) -> date:
        """The local date of the end."""
        return self.end.astimezone(self.zone).date()

    @property
    def tenant(self) -> Tenant:
        """The tenant with this policy."""
        return replace(TENANT, thresholds=self.thresholds, weekly_after_lapse=self.weeks)

    @property
    def credential(self) -> Credential:
        """The credential."""
        return credential("a", end=self.end)

    def runs(self) -> list[datetime]:
        """One run per local date, from long before the end until long after it."""
        first = self.end_date - timedelta(days=DAYS_BEFORE)
        days = (first + timedelta(days=n) for n in range(DAYS_BEFORE + DAYS_AFTER))
        return [daily_instant(day, time(self.hour), self.zone) for day in days]


def credential(uid: str, *, end: datetime | None, **changes) -> Credential:
    """A secret that started long ago, but for the changes."""
    plain = Credential(
        tenant="contoso",
        uid=uid,
        object_type=ObjectType.APPLICATION,
        object_id="object",
        app_id="app",
        app_name="Payroll",
        kind=Kind.SECRET,
        key_id=uid,
        name=None,
        start=datetime(2020, 1, 1, tzinfo=UTC),
        end=end,
    )
    return replace(plain, **changes)


lives = st.builds(
    Life,
    # The seconds of 2026 to 2028, so that leap days and clock changes are met; and full hours,
    # so that an end meets a run to the second.
    end=st.one_of(
        st.integers(1_767_225_600, 1_861_919_999),
        st.integers(490_896, 517_199).map(lambda hours: hours * 3600),
    ).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    thresholds=st.one_of(
        st.just((60, 30, 14, 7, 3, 1, 0)),
        st.lists(st.integers(0, DAYS_BEFORE - 5), max_size=8).map(tuple),
    ),
    weeks=st.integers(0, 5),
    hour=st.sampled_from([0, 2, 7, 8, 23]),
)
# For each day whether the monitor is up: single bad days, and outages of weeks.
uptimes = st.lists(st.tuples(st.booleans(), st.integers(1, 40)), min_size=1, max_size=60).map(
    lambda spans: [up for up, length in spans for _ in range(length)]
)


def after(told: Told, notices: Iterable[Notice]) -> Told:
    """What is told once these notices were accepted."""
    for notice in notices:
        if notice.kind is MailKind.COVERED:
            told = replace(told, covered=True)
        else:
            told = replace(told, level=max(notice.level, told.level or notice.level))
    return told


def walk(
    life: Life,
    runs: Iterable[datetime],
    *others: Credential,
    snooze: Snooze | None = None,
    stage_of: StageOf = lifecycle.current_stage,
) -> list[tuple[datetime, Notice]]:
    """All that is said about the credential of this life in these runs, each mail accepted."""
    told = Told()
    said = []
    for now in runs:
        for _ in range(2):  # the second run on the same facts must find nothing to say
            made = decide(
                [life.credential, *others],
                tenant=life.tenant,
                zone=life.zone,
                told={KEY: told},
                snoozes={KEY: snooze} if snooze else {},
                now=now,
                stage_of=stage_of,
            )
            notices = [one.notice for one in made if one.notice and one.credential.uid == "a"]
            said += [(now, notice) for notice in notices]
            told = after(told, notices)
    return said


def up_on(runs: list[datetime], uptime: list[bool]) -> list[datetime]:
    """The runs on the days the monitor is up; the pattern is repeated as needed."""
    return list(itertools.compress(runs, itertools.cycle(uptime)))


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


# --- any heap of credentials ----------------------------------------------------------------------

NOW = datetime(2026, 6, 1, 8, tzinfo=UTC)
EDGES = [
    datetime.max.replace(tzinfo=UTC),
    datetime.min.replace(tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
    datetime(9999, 12, 31, tzinfo=UTC),
    datetime(2299, 12, 31, tzinfo=UTC),
    datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC),
    NOW,
    None,
]
instants = st.one_of(
    st.sampled_from(EDGES),
    st.integers(-80 * 24, 80 * 24).map(lambda hours: NOW + timedelta(hours=hours)),
)
heaps = st.lists(
    st.builds(
        credential,
        st.uuids().map(str),
        end=instants,
        start=instants,
        object_id=st.sampled_from(["one", "two"]),
        kind=st.sampled_from([Kind.SECRET, Kind.CERTIFICATE, Kind.SAML_SIGNING]),
        active=st.sampled_from([None, True, False]),
        own=st.booleans(),
        managed_identity=st.booleans(),
        life=st.integers(1, 3),
        removed_at=st.sampled_from([None, None, None, NOW]),
    ),
    max_size=12,
)
SAID = {
    Reason.STAGE_REACHED,
    Reason.JUST_LAPSED,
    Reason.STILL_LAPSED,
    Reason.OWN_CREDENTIAL,
    Reason.COVERED_SOON,
}


@st.composite
def heaps_with_history(draw):
    """Credentials, with whatever was told about them and asked for them before."""
    heap = draw(heaps)
    keys = [(one.tenant, one.uid, one.life) for one in heap]
    told, snoozes = {}, {}
    for key in keys:
        if draw(st.booleans()):
            level = draw(st.one_of(st.none(), st.integers(-60, 6)))
            told[key] = Told(level, draw(st.booleans()))
        if draw(st.integers(0, 3)) == 0:
            acked = draw(st.one_of(st.none(), st.integers(-60, 6)))
            until = draw(st.sampled_from([None, NOW, NOW + timedelta(days=3)]))
            confirmed = draw(st.booleans())
            snoozes[key] = Snooze(*key, "kim", "on it", NOW, until, acked, confirmed)
    return heap, told, snoozes


def at_now(heap, told, snoozes, zone) -> list[Decision]:
    """All decisions of one run."""
    return decide(heap, tenant=TENANT, zone=zone, told=told, snoozes=snoozes, now=NOW)


@given(given_heap=heaps_with_history(), zone=st.sampled_from(ZONES).map(ZoneInfo))
@RELAXED
def test_every_credential_gets_one_decision_and_every_silence_has_a_reason(given_heap, zone):
    """No date and no mixture raises; what is said has a reason to be said."""
    heap, told, snoozes = given_heap
    made = at_now(heap, told, snoozes, zone)
    assert sorted(one.credential.uid for one in made) == sorted(one.uid for one in heap)
    for one in made:
        assert (one.reason in SAID) == (one.notice is not None)
        if one.notice is not None:
            assert one.credential.removed_at is None
            assert one.credential.end is not None
            assert not one.credential.managed_identity
            assert not one.silenced


@given(
    given_heap=heaps_with_history(),
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    chance=st.randoms(use_true_random=False),
)
@RELAXED
def test_the_order_of_the_credentials_does_not_matter(given_heap, zone, chance):
    """Shuffled facts give the same decisions in the same order."""
    heap, told, snoozes = given_heap
    shuffled = list(heap)
    chance.shuffle(shuffled)
    assert at_now(shuffled, told, snoozes, zone) == at_now(heap, told, snoozes, zone)


@given(given_heap=heaps_with_history(), zone=st.sampled_from(ZONES).map(ZoneInfo))
@RELAXED
def test_a_second_run_after_all_was_accepted_says_nothing(given_heap, zone):
    """Telling is told once."""
    heap, told, snoozes = given_heap
    told = dict(told)
    for one in at_now(heap, told, snoozes, zone):
        if one.notice is not None:
            key = (one.credential.tenant, one.credential.uid, one.credential.life)
            told[key] = after(told.get(key, Told()), [one.notice])
    assert [one.notice for one in at_now(heap, told, snoozes, zone) if one.notice] == []


@given(given_heap=heaps_with_history(), zone=st.sampled_from(ZONES).map(ZoneInfo))
@RELAXED
def test_a_lapsed_one_that_nothing_excuses_is_never_silent_before_it_was_told(given_heap, zone):
    """The fault that hurts most, looked for from the other side."""
    heap, told, snoozes = given_heap
    newer = lifecycle.successors(heap, NOW)
    for one in at_now(heap, told, snoozes, zone):
        each = one.credential
        key = (each.tenant, each.uid, each.life)
        excused = (
            each.removed_at is not None
            or each.managed_identity
            or key[:2] in newer
            or key in snoozes
            or (told.get(key, Told()).level or -1) > 0
        )
        if lifecycle.has_lapsed(each.end, NOW) and not excused:
            assert one.notice is not None
            assert str(one.notice.stage) == "L0"


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
