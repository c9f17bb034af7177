"""Credentials and snoozes for the tests of the lifecycle, around one instant."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from monitor.model import Credential, Kind, ObjectType, Snooze

NOW = datetime(2026, 6, 1, 8, tzinfo=UTC)
UTC_ZONE = ZoneInfo("UTC")
BERLIN = ZoneInfo("Europe/Berlin")
THRESHOLDS = (60, 30, 14, 7, 3, 1, 0)


def days(count: float) -> timedelta:
    """So many days."""
    return timedelta(days=count)


def credential(uid: str = "a", **changes) -> Credential:
    """A secret with 20 days left, but for the changes."""
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
        start=NOW - days(300),
        end=NOW + days(20),
    )
    return replace(plain, **changes)


def snooze(**changes) -> Snooze:
    """A snooze without end, but for the changes."""
    plain = Snooze("contoso", "a", 1, "kim", "on it", created_at=NOW - days(1))
    return replace(plain, **changes)


OLD = credential("old")
NEW = credential("new", end=NOW + days(400), start=NOW - days(1))
