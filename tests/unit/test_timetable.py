"""Slots: a daily run happens once per local date, whatever the clocks do."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.model import ScanRecord, TenantHealth
from monitor.timetable import (
    FIRST,
    consent_slot,
    daily_instant,
    latest_daily,
    next_daily,
    scan_due,
)

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "America/Havana",  # its clocks change at midnight
]
zones = st.sampled_from(ZONES).map(ZoneInfo)
walls = st.times().map(lambda each: each.replace(second=0, microsecond=0))
instants = st.integers(1_577_836_800, 2_051_222_400).map(  # the years 2020 to 2034
    lambda seconds: datetime.fromtimestamp(seconds, UTC)
)


def utc(*parts: int) -> datetime:
    """An instant in UTC."""
    return datetime(*parts, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "day", "at", "expected"),
    [
        ("Europe/Berlin", date(2026, 3, 29), time(2, 30), utc(2026, 3, 29, 1, 30)),
        ("Europe/Berlin", date(2026, 3, 28), time(2, 30), utc(2026, 3, 28, 1, 30)),
        ("America/New_York", date(2026, 3, 8), time(2, 30), utc(2026, 3, 8, 7, 30)),
        ("Australia/Lord_Howe", date(2026, 10, 4), time(2, 10), utc(2026, 10, 3, 15, 40)),
    ],
)
def test_a_skipped_wall_time_moves_forward_by_the_gap(zone, day, at, expected):
    """02:30 does not exist in Berlin on 29 March 2026: the run is at 03:30."""
    assert daily_instant(day, at, ZoneInfo(zone)) == expected


@pytest.mark.parametrize(
    ("zone", "day", "at", "expected"),
    [
        ("Europe/Berlin", date(2026, 10, 25), time(2, 30), utc(2026, 10, 25, 0, 30)),
        ("America/New_York", date(2026, 11, 1), time(1, 30), utc(2026, 11, 1, 5, 30)),
        ("Australia/Lord_Howe", date(2026, 4, 5), time(1, 45), utc(2026, 4, 4, 14, 45)),
    ],
)
def test_a_wall_time_that_happens_twice_is_the_first(zone, day, at, expected):
    """02:30 comes twice in Berlin on 25 October 2026: the run is at the first."""
    assert daily_instant(day, at, ZoneInfo(zone)) == expected


def test_a_fold_or_a_zone_on_the_wall_time_changes_nothing():
    """Only the hour and minute of the setting count."""
    marked = time(2, 30, fold=1, tzinfo=UTC)
    assert daily_instant(date(2026, 10, 25), marked, BERLIN) == utc(2026, 10, 25, 0, 30)


def test_a_run_missed_by_an_outage_is_made_up_on_the_same_local_date_only():
    """At 23:59 the run of 08:00 is still due; a minute later it is dropped."""
    assert latest_daily(utc(2026, 6, 1, 5, 59), time(8), BERLIN) is None
    assert latest_daily(utc(2026, 6, 1, 6, 0), time(8), BERLIN) == utc(2026, 6, 1, 6)
    assert latest_daily(utc(2026, 6, 1, 21, 59), time(8), BERLIN) == utc(2026, 6, 1, 6)
    assert latest_daily(utc(2026, 6, 1, 22, 0), time(8), BERLIN) is None


def test_the_second_pass_of_a_repeated_hour_is_no_second_slot():
    """A tick in the repeated hour finds the slot of the first one."""
    first = latest_daily(utc(2026, 10, 25, 0, 30), time(2, 30), BERLIN)
    second = latest_daily(utc(2026, 10, 25, 1, 30), time(2, 30), BERLIN)
    assert first == second == utc(2026, 10, 25, 0, 30)


def test_a_run_that_a_gap_pushes_over_midnight_is_not_lost():
    """In Toronto on 30 March 1919 the clocks went from 23:30 to 00:30."""
    toronto = ZoneInfo("America/Toronto")
    pushed = daily_instant(date(1919, 3, 30), time(23, 45), toronto)
    assert pushed.astimezone(toronto).date() == date(1919, 3, 31)
    assert latest_daily(pushed + timedelta(hours=1), time(23, 45), toronto) == pushed


def test_a_date_that_a_zone_skips_has_no_slot_of_its_own():
    """Apia had no 30 December 2011: its slot is that of the 31st."""
    apia = ZoneInfo("Pacific/Apia")
    skipped = daily_instant(date(2011, 12, 30), time(8), apia)
    assert skipped == daily_instant(date(2011, 12, 31), time(8), apia)


@pytest.mark.parametrize("name", ZONES)
@pytest.mark.parametrize("at", [time(0, 0), time(0, 30), time(2, 10), time(2, 30), time(8, 0)])
def test_ticks_through_a_year_find_exactly_one_slot_per_local_date(name, at):
    """All hours of 2026, both clock changes included."""
    zone = ZoneInfo(name)
    found: dict[date, set[datetime]] = {}
    tick = daily_instant(date(2026, 1, 1), time(0), zone)
    while (here := tick.astimezone(zone).date()) < date(2027, 1, 1):
        slot = latest_daily(tick, at, zone)
        if slot is not None:
            found.setdefault(here, set()).add(slot)
        tick += timedelta(minutes=30)
    assert len(found) == 365
    assert all(len(slots) == 1 for slots in found.values())
    assert len(set().union(*found.values())) == 365


@given(now=instants, at=walls, zone=zones)
@settings(deadline=None)
def test_the_next_slot_is_after_now_and_is_due_when_it_comes(now, at, zone):
    """What `next_daily` promises, `latest_daily` keeps, within a day and an hour."""
    upcoming = next_daily(now, at, zone)
    assert now < upcoming <= now + timedelta(hours=25)
    assert latest_daily(upcoming, at, zone) == upcoming
    assert latest_daily(upcoming - timedelta(seconds=1), at, zone) != upcoming


# --- scans ----------------------------------------------------------------------------------------

AT, EVERY = utc(2026, 11, 23, 7), timedelta(hours=6)


def tried(**about: object) -> TenantHealth:
    """What is known of a tenant that was tried at seven."""
    return TenantHealth("contoso", last_attempt=AT, **about)  # type: ignore[arg-type]


def test_a_tenant_that_was_never_tried_is_due_since_ever():
    """Its first slot is the same for every replica."""
    assert scan_due(None, EVERY, now=AT) == FIRST
    assert scan_due(TenantHealth("contoso"), EVERY, now=AT, changed_at=AT) == FIRST


@pytest.mark.parametrize(
    ("health", "minutes"),
    [
        (tried(), 360),
        (tried(failures=1), 15),
        (tried(failures=9), 15),
        (tried(failures=1, last_failed_definitely=True), 60),
    ],
)
def test_a_failure_is_looked_at_again_sooner_than_a_success(health, minutes):
    """A passing one after a quarter of an hour, one that needs a fix after an hour."""
    assert scan_due(health, EVERY, now=AT) == AT + timedelta(minutes=minutes)
    assert scan_due(health, timedelta(minutes=5), now=AT) == AT + timedelta(minutes=5)


def test_a_tenant_whose_entry_was_changed_is_due_at_once():
    """It may be another credential; a change that was tried already is no reason."""
    changed = AT + timedelta(minutes=1)
    failed = tried(failures=3, last_failed_definitely=True)
    for health in (tried(), failed):
        assert scan_due(health, EVERY, now=changed, changed_at=changed) == changed
    earlier = AT - timedelta(minutes=1)
    assert scan_due(tried(), EVERY, now=AT, changed_at=earlier) == AT + EVERY
    began = ScanRecord("contoso", AT - timedelta(minutes=2), AT, complete=False)
    assert scan_due(tried(record=began), EVERY, now=AT, changed_at=earlier) == earlier


def test_a_change_in_the_future_does_not_hold_back_the_scans():
    """It was written while the clock was ahead; nobody waits until that comes true."""
    ahead = AT + timedelta(days=30)
    assert scan_due(tried(), EVERY, now=AT + timedelta(hours=7), changed_at=ahead) == AT + EVERY


def test_an_attempt_in_the_future_makes_the_tenant_due_now():
    """The clock was ahead and was put right: nobody waits until it comes true."""
    for days in (1, 30):
        now = AT - timedelta(days=days)
        assert now - timedelta(minutes=15) < scan_due(tried(), EVERY, now=now) <= now
    almost = AT - timedelta(minutes=4)  # another machine's clock
    assert scan_due(tried(), EVERY, now=almost) == AT + EVERY


@given(instants, instants, st.integers(1, 7 * 24 * 60))
def test_consent_is_looked_for_once_per_interval(
    since: datetime, now: datetime, minutes: int
) -> None:
    """Every instant of one interval has the same slot, which is not in the future."""
    every = timedelta(minutes=minutes)
    slot = consent_slot(since, every, now)
    assert slot <= now < slot + every
    assert consent_slot(since, every, slot) == slot
    assert consent_slot(since, every, slot + every) == slot + every
    assert consent_slot(since, every, since) == since
