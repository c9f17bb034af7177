"""The life of one credential, rule by rule: days, stages, renewals, states, silence."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from monitor.lifecycle import (
    credential_state,
    current_stage,
    days_left,
    has_lapsed,
    is_silenced,
    local_date,
    renewed_life,
)
from monitor.model import Credential, CredentialState, Snooze, Stage
from tests.unit.lifecycle_samples import (
    BERLIN,
    NEW,
    NOW,
    THRESHOLDS,
    UTC_ZONE,
    credential,
    days,
    snooze,
)

# --- days and the lapse (rule 2) ------------------------------------------------------------------


def test_days_left_counts_local_dates_not_hours():
    """23:00 today to 01:00 tomorrow is one day, though it is two hours."""
    late = datetime(2026, 6, 1, 21, tzinfo=UTC)  # 23:00 in Berlin
    assert days_left(late + timedelta(hours=2), late, BERLIN) == 1
    assert days_left(late + timedelta(hours=2), late, UTC_ZONE) == 0


def test_an_end_of_null_has_no_days_left_and_never_lapses():
    """Null is later than any date."""
    assert days_left(None, NOW, BERLIN) is None
    assert not has_lapsed(None, NOW)


def test_a_credential_lapses_at_its_end_and_not_before():
    """Lapsed is end <= now; one that ends later today is at stage 0."""
    assert has_lapsed(NOW, NOW)
    assert not has_lapsed(NOW + timedelta(microseconds=1), NOW)
    assert current_stage(NOW + timedelta(hours=1), THRESHOLDS, 4, NOW, UTC_ZONE) == Stage(0)
    assert current_stage(NOW, THRESHOLDS, 4, NOW, UTC_ZONE) == Stage.lapsed(0)


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Apia", "America/New_York"])
@pytest.mark.parametrize(
    "end",
    [
        datetime.max.replace(tzinfo=UTC),
        datetime.min.replace(tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
        datetime(2299, 12, 31, tzinfo=UTC),
        datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC),
        datetime(2028, 2, 29, tzinfo=UTC),
    ],
)
def test_no_date_is_too_far_away(zone, end):
    """Years 1 and 9999 overflow the conversion between zones; the date is held at the edge."""
    left = days_left(end, NOW, ZoneInfo(zone))
    assert left is not None
    assert (left < 0) == has_lapsed(end, NOW)
    stage = current_stage(end, THRESHOLDS, 4, NOW, ZoneInfo(zone))
    assert stage == (Stage.lapsed(4) if left < 0 else None)
    assert local_date(end, ZoneInfo(zone)).year in {1, 9999, 2299, 2300, 2038, 2028}


# --- stages (rule 3) ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "expected"),
    [(61, None), (60, 60), (31, 60), (30, 30), (15, 30), (14, 14), (4, 7), (2, 3), (1, 1), (0, 0)],
)
def test_the_stage_is_the_smallest_threshold_not_below_the_days_left(left, expected):
    """15 days left is stage 30, not 14: the next threshold is not reached yet."""
    end = NOW + days(left) + timedelta(minutes=1)
    stage = current_stage(end, THRESHOLDS, 4, NOW, UTC_ZONE)
    assert stage == (None if expected is None else Stage.threshold(expected))


@pytest.mark.parametrize(
    ("ago", "week"), [(0, 0), (6, 0), (7, 1), (13, 1), (14, 2), (27, 3), (28, 4), (400, 4)]
)
def test_after_the_end_a_week_counts_from_the_local_date_of_the_end(ago, week):
    """L0 at once, Lk from 7·k days on, and no stage after the last."""
    assert current_stage(NOW - days(ago), THRESHOLDS, 4, NOW, UTC_ZONE) == Stage.lapsed(week)


def test_a_week_after_the_end_is_reached_by_the_date_not_by_the_hour():
    """Ended at 23:59, seven dates ago: L1 already at 08:00, though six days and a bit passed."""
    end = datetime(2026, 5, 25, 23, 59, tzinfo=UTC)
    assert current_stage(end, THRESHOLDS, 4, NOW, UTC_ZONE) == Stage.lapsed(1)


def test_thresholds_need_no_order_and_may_repeat():
    """The order in the settings file does not matter."""
    end = NOW + days(5)
    assert current_stage(end, (3, 60, 7, 7, 30), 4, NOW, UTC_ZONE) == Stage.threshold(7)


def test_without_thresholds_there_are_only_the_stages_after_the_end():
    """Nothing before the end, L0 at it."""
    assert current_stage(NOW + timedelta(hours=1), (), 4, NOW, UTC_ZONE) is None
    assert current_stage(NOW, (), 4, NOW, UTC_ZONE) == Stage.lapsed(0)


def test_without_weekly_notices_the_lapse_itself_is_the_last_stage():
    """`weekly_after_lapse` 0 leaves L0."""
    assert current_stage(NOW - days(100), THRESHOLDS, 0, NOW, UTC_ZONE) == Stage.lapsed(0)


# --- renewals (rule 8) ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "renewed"),
    [
        (NOW, NOW + days(1), True),
        (NOW, NOW + timedelta(hours=1), False),
        (NOW, NOW - days(30), False),
        (NOW, NOW, False),
        (NOW, None, True),
        (None, NOW, False),
        (None, None, False),
        (NOW, datetime.max.replace(tzinfo=UTC), True),
        (datetime.max.replace(tzinfo=UTC), None, True),
    ],
)
def test_a_later_end_by_a_local_day_starts_a_new_life(old, new, renewed):
    """A moved second is no renewal; an end that is taken away is one."""
    assert renewed_life(old, new, UTC_ZONE) is renewed


def test_the_day_of_a_renewal_is_a_local_one():
    """22:30 UTC is already the next day in Berlin."""
    old, new = datetime(2026, 6, 1, 21, tzinfo=UTC), datetime(2026, 6, 1, 22, 30, tzinfo=UTC)
    assert renewed_life(old, new, BERLIN)
    assert not renewed_life(old, new, UTC_ZONE)


# --- states ---------------------------------------------------------------------------------------


def state(one: Credential, *, successor=None, asked=None, thresholds=THRESHOLDS) -> CredentialState:
    """The state at NOW."""
    return credential_state(one, successor, asked, thresholds, NOW, UTC_ZONE)


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        (0, CredentialState.CRITICAL),
        (7, CredentialState.CRITICAL),
        (8, CredentialState.WARNING),
        (30, CredentialState.WARNING),
        (31, CredentialState.UPCOMING),
        (60, CredentialState.UPCOMING),
        (61, CredentialState.OK),
    ],
)
def test_the_state_goes_by_the_days_left(left, expected):
    """Critical up to 7, warning up to 30, upcoming up to the largest threshold."""
    assert state(credential(end=NOW + days(left) + timedelta(seconds=1))) is expected


def test_a_credential_without_end_is_ok():
    """Nothing to wait for."""
    assert state(credential(end=None)) is CredentialState.OK


def test_the_state_needs_no_thresholds():
    """Critical and warning are fixed; upcoming is what the thresholds add."""
    assert state(credential(end=NOW + days(20)), thresholds=()) is CredentialState.WARNING
    assert state(credential(end=NOW + days(40)), thresholds=()) is CredentialState.OK
    assert state(credential(end=NOW + days(80)), thresholds=(30, 90)) is CredentialState.UPCOMING


def test_the_first_state_that_fits_holds():
    """Removed, superseded, lapsed, snoozed: in this order, and before any number of days."""
    asked = snooze(confirmed=True)
    lapsed = credential(end=NOW - days(1))
    assert state(credential(), asked=asked) is CredentialState.SNOOZED
    assert state(credential(end=None), asked=asked) is CredentialState.SNOOZED
    assert state(lapsed, asked=asked) is CredentialState.LAPSED
    assert state(lapsed, asked=asked, successor=NEW) is CredentialState.SUPERSEDED
    gone = replace(lapsed, removed_at=NOW)
    assert state(gone, asked=asked, successor=NEW) is CredentialState.REMOVED


def test_an_acknowledged_stage_shows_as_snoozed_until_a_worse_one():
    """20 days left is stage 30."""
    assert state(credential(), asked=snooze(acked_urgency=-30)) is CredentialState.SNOOZED
    assert state(credential(), asked=snooze(acked_urgency=-60)) is CredentialState.WARNING


# --- snooze and acknowledgement (rule 7) ----------------------------------------------------------


def silenced(asked: Snooze | None, stage: Stage | None = None, **changes) -> bool:
    """Whether what was asked for silences a credential at NOW."""
    return is_silenced(asked, credential(**changes), stage, NOW)


def test_a_snooze_holds_until_it_ends():
    """At its end it is over."""
    assert silenced(snooze(until=NOW + timedelta(seconds=1)))
    assert not silenced(snooze(until=NOW))
    assert silenced(snooze(until=None))
    assert not silenced(None)


def test_a_snooze_outlives_the_lapse_only_with_a_second_confirmation():
    """Silence past the lapse is somebody's word given twice."""
    ended = NOW - days(1)
    assert not silenced(snooze(until=NOW + days(9)), Stage.lapsed(0), end=ended)
    assert silenced(snooze(until=NOW + days(9), confirmed=True), Stage.lapsed(0), end=ended)
    assert silenced(snooze(confirmed=True), Stage.lapsed(0), end=ended)


def test_an_acknowledgement_holds_until_a_more_urgent_stage():
    """It needs no second confirmation: the lapse is more urgent than any threshold."""
    at_seven = snooze(acked_urgency=Stage.threshold(7).urgency)
    assert silenced(at_seven, Stage.threshold(14))
    assert silenced(at_seven, Stage.threshold(7))
    assert not silenced(at_seven, Stage.threshold(3))
    assert not silenced(at_seven, Stage.lapsed(0), end=NOW)
    assert silenced(snooze(acked_urgency=Stage.lapsed(1).urgency), Stage.lapsed(1), end=NOW)


def test_an_acknowledgement_silences_nothing_where_there_is_no_stage():
    """There is nothing that could have been acknowledged."""
    assert not silenced(snooze(acked_urgency=5), None)
