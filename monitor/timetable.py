"""When something is due: daily slots by the wall clock of a zone, and slots of an interval."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_ONE_DAY = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def daily_instant(day: date, at: time, zone: ZoneInfo) -> datetime:
    """Return the UTC instant of a wall time on a local date (rule 1).

    A wall time that the zone skips moves forward by the gap; one that happens twice is the first.
    """
    # fold=0 reads a skipped time with the offset before the gap, which lands it after the gap by
    # as much, and reads a repeated time as its first occurrence: both halves of the rule.
    wall = datetime.combine(day, at.replace(tzinfo=None, fold=0), tzinfo=zone)
    return wall.astimezone(UTC)


def latest_daily(now: datetime, at: time, zone: ZoneInfo) -> datetime | None:
    """Return the daily slot (UTC) of the current local date if it is due at `now`, else None.

    So a missed run is made up once while it is still the same local date, and is dropped
    afterwards (rule 1). Whether the slot was run already is for the caller's ledger to say.
    """
    today = now.astimezone(zone).date()
    # Yesterday's slot belongs to today where a gap over midnight has pushed it there.
    for day in (today, today - _ONE_DAY):
        slot = daily_instant(day, at, zone)
        if slot <= now and slot.astimezone(zone).date() == today:
            return slot
    return None


def next_daily(now: datetime, at: time, zone: ZoneInfo) -> datetime:
    """Return the first daily slot (UTC) after `now` (rule 1)."""
    day = now.astimezone(zone).date() - _ONE_DAY
    while (slot := daily_instant(day, at, zone)) <= now:
        day += _ONE_DAY
    return slot


def latest_interval(now: datetime, every: timedelta) -> datetime:
    """Return the latest point (UTC) of the grid of `every`, counted from 1970, not after `now`.

    The grid depends on nothing but the interval, so every replica finds the same slot.
    """
    if every <= timedelta(0):
        raise ValueError(f"an interval must be longer than nothing, not {every}")
    return _EPOCH + (now - _EPOCH) // every * every
