"""Instants and spans in the words of the page; any year, any zone, no locale."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = (
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
)  # fmt: skip
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_NEVER = 36_500  # days: whoever sets a century, or year 9999, means no end
_CLOCK_SLACK = 120  # seconds that two machines' clocks may differ without a word


def long_date(instant: datetime, zone: ZoneInfo) -> str:
    """Say when in full, such as "Mon 30 Nov 2026, 09:00 CET"."""
    local = _local(instant, zone)
    return f"{_day(local)}, {local:%H:%M} {_zone_name(local)}"


def short_date(instant: datetime, zone: ZoneInfo) -> str:
    """Say which day, such as "Mon 30 Nov 2026"."""
    return _day(_local(instant, zone))


def iso(instant: datetime) -> str:
    """Write the instant for machines: ISO 8601 in UTC."""
    return instant.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def ago(instant: datetime | None, now: datetime) -> str:
    """Say how long ago that was, exact enough to trust: "12 min ago", "26 h ago", "9 days ago"."""
    if instant is None:
        return "never"
    seconds = (now - instant).total_seconds()
    if seconds < -_CLOCK_SLACK:
        return "in the future: check the clock"
    return "just now" if seconds < _MINUTE else f"{span(timedelta(seconds=seconds))} ago"


def span(length: timedelta) -> str:
    """Say a length in the one unit that people would use."""
    seconds = max(0, int(length.total_seconds()))
    if seconds < _HOUR:
        return f"{seconds // _MINUTE} min"
    if seconds < 2 * _DAY:
        return f"{seconds // _HOUR} h"
    days = seconds // _DAY
    return f"{days} days" if days < 730 else f"{days // 365} years"


def time_left(end: datetime | None, days: int | None, now: datetime) -> str:
    """Say how long until the end, or since it. `days` counts local dates, as the rules do."""
    if end is None or days is None:
        return "no end date"
    if end <= now:
        return "lapsed today" if days >= 0 else f"lapsed {_days(-days)} ago"
    if days >= _NEVER:
        return "never ends"
    if days == 0:
        return f"ends today, in {span(end - now)}"
    return "1 day left" if days == 1 else f"{_days(days)} left"


def _days(days: int) -> str:
    if days >= 730:
        return f"{days // 365} years"
    return "1 day" if days == 1 else f"{days} days"


def _local(instant: datetime, zone: ZoneInfo) -> datetime:
    try:
        return instant.astimezone(zone)
    except (OverflowError, ValueError):  # "never" is the last second of year 9999
        return instant.astimezone(UTC)


def _day(local: datetime) -> str:
    return f"{_DAYS[local.weekday()]} {local.day} {_MONTHS[local.month - 1]} {local.year:04d}"


def _zone_name(local: datetime) -> str:
    name = local.tzname() or "UTC"
    return f"UTC{name}" if name[:1] in "+-" else name
