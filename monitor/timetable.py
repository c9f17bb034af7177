"""When something is due: daily slots by the wall clock of a zone, and the next scan of a tenant."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from monitor.model import CLOCK_SLACK, TenantHealth

_ONE_DAY = timedelta(days=1)
FIRST = datetime(2000, 1, 1, tzinfo=UTC)  # the slot of a tenant's very first scan
RETRY_LATER = timedelta(minutes=15)  # a passing failure is looked at again soon
RETRY_AFTER_FIX = timedelta(hours=1)  # somebody may be fixing it right now


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


def scan_due(
    health: TenantHealth | None,
    every: timedelta,
    *,
    now: datetime,
    changed_at: datetime | None = None,
) -> datetime:
    """Return when (UTC) a tenant is to be read next; the instant is the scan's slot.

    A tenant never tried is due since ever; one whose entry was changed after its last attempt
    began is due since the change, because the credential may be another one. A failure is looked
    at again sooner than a success. An attempt in the future was recorded while the clock was
    wrong: the tenant is due now.

    Args:
        health: what is known of the tenant; None when it was never tried.
        every: the interval of good scans.
        now: the current instant.
        changed_at: when the tenant's entry was changed last.
    """
    if health is None or health.last_attempt is None:
        return FIRST
    if health.last_attempt > now + CLOCK_SLACK:
        return now - (now - FIRST) % RETRY_LATER  # the same for every replica
    began = health.record.started_at if health.record else health.last_attempt
    # A change in the future was written while the clock was wrong.
    if changed_at is not None and began < changed_at <= now + CLOCK_SLACK:
        return changed_at
    if not health.failures:
        return health.last_attempt + every
    wait = RETRY_AFTER_FIX if health.last_failed_definitely else RETRY_LATER
    return health.last_attempt + min(wait, every)


def consent_slot(since: datetime, every: timedelta, now: datetime) -> datetime:
    """Return the latest instant (UTC) at which the consent of a pending tenant was to be tried.

    Args:
        since: when the tenant was added, or last changed.
        every: the interval of good scans.
        now: the current instant.
    """
    return since + (now - since) // every * every
