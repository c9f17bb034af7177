"""When a new tenant is read, proven and warned about first. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time
from zoneinfo import ZoneInfo

from monitor.model import Tenant
from monitor.recipients import Audience, recipient_runs
from monitor.senders import OAuthSender
from monitor.status.service import SCHEDULER, silent_since
from monitor.timetable import next_daily


@dataclass(frozen=True, slots=True)
class NextRuns:
    """The first scheduled runs of a tenant.

    Args:
        canary: when the test mail goes out daily (UTC), and in which zone that is planned.
        mails: each recipient with the instant (UTC) of the next daily mail, and its zone.
        running: whether the service ticks; otherwise nothing happens on the clock.
    """

    canary: tuple[datetime, str] | None
    mails: tuple[tuple[str, datetime, str], ...]
    running: bool


def next_runs(
    entry: Tenant,
    *,
    sender: OAuthSender | None,
    audience: Audience,
    canary_at: time,
    beats: Mapping[str, datetime],
    now: datetime,
) -> NextRuns:
    """The runs that come next.

    Args:
        entry: the tenant.
        sender: its sender, if it has one.
        audience: the operator, who is told where the tenant names nobody.
        canary_at: the wall time of the daily test mail.
        beats: the last sign of life of each part of the service.
        now: the current instant.
    """
    zone = sender.time_zone if sender else entry.time_zone
    return NextRuns(
        (next_daily(now, canary_at, ZoneInfo(zone)), zone) if sender else None,
        tuple(
            (run.address, run.next_slot(now), run.zone) for run in recipient_runs([entry], audience)
        ),
        SCHEDULER in beats and silent_since(beats, now) is None,
    )
