"""How grave a credential is when rules are asked, and what does not wait for the hour. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from monitor.decide import Decision, Reason
from monitor.lifecycle import CRITICAL_DAYS, WARNING_DAYS, days_left, has_lapsed
from monitor.model import CLOSINGS, MailKind, Severity, Stage, Tenant

_COVERED = (Reason.SUPERSEDED, Reason.COVERED_SOON, Reason.COVERED_TOLD)
_AT_ONCE = (*CLOSINGS, MailKind.UNEXPECTED)


def is_urgent(one: Decision) -> bool:
    """Whether a decision is about a lapse, the stages 1 and 0, or one of the turns of a life."""
    notice = one.notice
    if notice is None or notice.kind is MailKind.COVERED:
        return False
    if notice.kind in _AT_ONCE:
        return True
    return notice.stage.urgency >= Stage.threshold(1).urgency


def severity_of(
    one: Decision, tenant: Tenant, now: datetime, ahead: datetime | None = None
) -> Severity | None:
    """How grave a credential is, by the states of the status; None: no stage yet, or superseded.

    Args:
        one: what was decided about it.
        tenant: whose days and thresholds count.
        now: the run's instant.
        ahead: until when the run speaks, where days off follow it; nothing lapses early.
    """
    if one.reason in _COVERED:
        return None
    return severity_at(one.credential.end, tenant, now, ahead)


def severity_at(
    end: datetime | None, tenant: Tenant, now: datetime, ahead: datetime | None = None
) -> Severity | None:
    """How grave an end is; see `severity_of`."""
    days = days_left(end, ahead or now, ZoneInfo(tenant.time_zone))
    if days is None:
        return None
    if has_lapsed(end, now):
        return "lapsed"
    if days <= CRITICAL_DAYS:
        return "critical"
    if days <= WARNING_DAYS:
        return "warning"
    return "upcoming" if days <= max(tenant.thresholds, default=0) else None


def only_urgent(decisions: Iterable[Decision], *, told: bool) -> list[Decision]:
    """Only the notices about a lapse and the stages 1 and 0, and only where that is wished."""
    return [
        one
        if one.notice is None or (told and is_urgent(one))
        else replace(one, notice=None, reason=Reason.AT_SEND_HOUR)
        for one in decisions
    ]
