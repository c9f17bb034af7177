"""When a new tenant is read, proven and warned about first. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from monitor.model import Tenant
from monitor.recipients import Audience, RecipientRun, recipient_runs
from monitor.routing import Router
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
    others: Sequence[Tenant] = (),
) -> NextRuns:
    """The runs that come next.

    Args:
        entry: the tenant.
        sender: its sender, if it has one.
        audience: the operator, who is told where the tenant names nobody, and the rules about
            who is told, when and how.
        canary_at: the wall time of the daily test mail.
        beats: the last sign of life of each part of the service.
        written: the latest slot of the daily mail that is done, by its scope.
        now: the current instant.
        others: the tenants that are watched already: who reads about them too has one mail a day.
    """

    def mail(run: RecipientRun) -> datetime | None:
        today = run.slot(now)
        due = today is not None and written.get(run.scope, today - _A_DAY) < today
        return None if due else run.next_slot(now)

    zone = sender.time_zone if sender else entry.time_zone
    return NextRuns(
        (next_daily(now, canary_at, ZoneInfo(zone)), zone) if sender and entry.active else None,
        tuple((run.address, mail(run), run.zone) for run in _runs(entry, others, audience)),
        SCHEDULER in beats and silent_since(beats, now) is None,
    )


def _runs(entry: Tenant, others: Sequence[Tenant], audience: Audience) -> list[RecipientRun]:
    """The daily runs that may speak about a tenant, as the service will have them.

    Whom its directory leads to (owners, notes) nobody knows before it is read.
    """
    tenants = [*(one for one in others if one.name != entry.name), entry]
    router = Router(tenants, audience)
    possible = router.possible if router.policy.routes else None
    runs = recipient_runs(tenants, audience, possible)
    return [run for run in runs if entry.name in run.names]
