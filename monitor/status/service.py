"""Whether the service does its work: its clock ticks, its jobs come round, its runs are done."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from monitor.model import CLOCK_SLACK, UNKNOWN_AFTER, Slot
from monitor.routes import sender_scope, tenant_path
from monitor.status.rows import Facts, LateJob, UnfinishedRun
from monitor.timetable import FIRST

SCHEDULER = "scheduler"  # the beat of the service's clock
JOBS = ("scan", "canary", "arrival", "warn", "deliver")
SILENT_AFTER = timedelta(minutes=5)
LATE_AFTER = timedelta(hours=1)  # a round of scans may be long
HISTORY = UNKNOWN_AFTER  # what older runs left undone shows in their tenants and senders
_DAILY_MAIL_TAKES = timedelta(minutes=5)
_OTHER_RUNS_TAKE = timedelta(minutes=45)


def silent_since(beats: Mapping[str, datetime], now: datetime) -> datetime | None:
    """When the service's clock last ticked, if that is too long ago.

    None while it ticks, and where no service has ever run: cron may do its work.
    """
    last = beats.get(SCHEDULER)
    if last is None or -CLOCK_SLACK <= now - last <= SILENT_AFTER:
        return None
    return min(last, now)  # a beat in the future was written while the clock was wrong


def late_jobs(beats: Mapping[str, datetime], watched_since: datetime | None) -> tuple[LateJob, ...]:
    """The jobs that have not come round for long while the service's clock ticked.

    Args:
        beats: the last sign of life of each part; without the scheduler's nothing is late.
        watched_since: since when there has been work; a job that never came round is measured
            by it.
    """
    clock = beats.get(SCHEDULER)
    if clock is None:
        return ()
    found = []
    for name in JOBS:
        since = beats.get(name, watched_since)
        if since is not None and clock - since > LATE_AFTER:
            found.append(LateJob(name, beats.get(name)))
    return tuple(found)


def unfinished_runs(facts: Facts, now: datetime) -> tuple[UnfinishedRun, ...]:
    """The runs that were begun and not finished in time, of what is still watched."""
    found = []
    for slot in facts.unfinished:
        takes = _DAILY_MAIL_TAKES if slot.job == "warn" else _OTHER_RUNS_TAKE
        name = _name(slot, facts)
        if name is not None and now - slot.taken_at > takes:
            slot_at = None if slot.slot_at == FIRST else slot.slot_at
            found.append(UnfinishedRun(slot.job, name, slot_at, slot.taken_at))
    return tuple(found)


def _name(slot: Slot, facts: Facts) -> str | None:
    """Whom or what the run is about; None where nobody waits for it any more."""
    if slot.job == "warn":
        return slot.scope.rpartition("|")[0] if slot.scope in facts.runs else None
    if slot.job == "scan":
        return _unread(slot, facts)
    return _untested(slot, facts) if slot.job == "canary" else None


def _unread(slot: Slot, facts: Facts) -> str | None:
    watched = {tenant.name for tenant in facts.tenants if tenant.active}
    health = facts.health.get(slot.scope)
    done = health is not None and health.last_attempt and health.last_attempt >= slot.taken_at
    return slot.scope if slot.scope in watched and not done else None


def _untested(slot: Slot, facts: Facts) -> str | None:
    for tenant, mailbox in facts.senders:
        if slot.scope in (tenant_path(tenant), sender_scope(tenant, mailbox)):
            health = facts.sender_health.get((tenant, mailbox))
            last = health.last if health else None
            return tenant if last is None or last.finished_at < slot.taken_at else None
    return None
