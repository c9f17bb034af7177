"""When a new tenant is read, proven and warned about first. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from monitor.model import Tenant
from monitor.recipients import Audience, RecipientRun, recipient_runs
from monitor.senders import OAuthSender
from monitor.status.service import SCHEDULER, silent_since
from monitor.timetable import next_daily

_A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class NextRuns:
    """The first scheduled runs of a tenant.

    Args:
        canary: when the test mail goes out daily (UTC), and in which zone that is planned.
        mails: each recipient with the instant (UTC) of the next daily mail and its zone; None
            where today's is due and was not written yet, so that it goes at once.
        running: whether the service ticks; otherwise nothing happens on the clock.
    """

    canary: tuple[datetime, str] | None
    mails: tuple[tuple[str, datetime | None, str], ...]
    running: bool


def next_runs(
    entry: Tenant,
    *,
    sender: OAuthSender | None,
    audience: Audience,
    canary_at: time,
    beats: Mapping[str, datetime],
    written: Mapping[str, datetime],
    now: datetime,
) -> NextRuns:
    """The runs that come next.

    Args:
        entry: the tenant.
        sender: its sender, if it has one.
        audience: the operator, who is told where the tenant names nobody.
        canary_at: the wall time of the daily test mail.
        beats: the last sign of life of each part of the service.
        written: the latest slot of the daily mail that is done, by its scope.
        now: the current instant.
    """

    def mail(run: RecipientRun) -> datetime | None:
        today = run.slot(now)
        due = today is not None and written.get(run.scope, today - _A_DAY) < today
        return None if due else run.next_slot(now)

    zone = sender.time_zone if sender else entry.time_zone
    return NextRuns(
        (next_daily(now, canary_at, ZoneInfo(zone)), zone) if sender and entry.active else None,
        tuple((run.address, mail(run), run.zone) for run in recipient_runs([entry], audience)),
        SCHEDULER in beats and silent_since(beats, now) is None,
    )
