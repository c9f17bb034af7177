"""Tell each recipient, at their hour, what crossed a stage; then empty the outbox."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from monitor import process
from monitor.compose import RecipientRun, recipient_runs
from monitor.decide import Decision
from monitor.deliver import Outcome
from monitor.errors import StoreError
from monitor.log import get
from monitor.model import OutboxMail
from monitor.timetable import latest_daily
from monitor.wiring import App

JOB = "warn"
LEASE = timedelta(minutes=10)
PATIENCE = timedelta(minutes=15)

log = get("lapsewatch.warn")


def send_warnings(
    app: App,
    *,
    only: str | None = None,
    due_only: bool = False,
    stop: Callable[[], bool] = lambda: False,
) -> tuple[list[OutboxMail], Outcome]:
    """Write the digests of every run (all, or those that are due) and deliver what waits.

    What still waits from before goes first: it may have been accepted already, and must then
    not be written a second time in other words.
    """
    before = app.deliverer().run(force=not due_only, stop=stop)
    written: list[OutboxMail] = []
    for run in runs(app, only):
        if stop():
            break
        try:
            slot = due_slot(app, run) if due_only else None
            if slot is not None or not due_only:
                written += write(app, run, slot, only)
        except StoreError:
            raise
        except Exception:  # one recipient's digest never stops the others'
            log.exception("run_crashed", recipient=run.address)
    after = app.deliverer().run(stop=stop)
    return written, Outcome(
        before.sent + after.sent, after.waiting or before.waiting, before.dead + after.dead
    )


def due_slot(app: App, run: RecipientRun) -> tuple[str, str, datetime] | None:
    """Win the slot of a run that is due; None when it is not, or another replica has it."""
    slot = latest_daily(app.clock(), time(run.send_hour), ZoneInfo(run.zone))
    if slot is None or not facts_are_in(app, run):
        return None
    taken = app.store.take_slot(
        JOB, run.scope, slot, now=app.clock(), owner=app.owner, lease=LEASE,
        owner_is_dead=process.is_dead,
    )  # fmt: skip
    return (JOB, run.scope, slot) if taken else None


def plan_warnings(app: App, *, only: str | None = None) -> list[tuple[OutboxMail, list[Decision]]]:
    """What `send_warnings` would write now, without writing or sending anything."""
    planned = []
    for run in runs(app, only):
        mails, decisions = app.composer.digests(
            run, app.knowledge(run), app.carriers.paths(), app.clock()
        )
        planned += [(mail, decisions) for mail in mails]
    return planned


def runs(app: App, only: str | None) -> list[RecipientRun]:
    """Every recipient's run; paused tenants are silent."""
    tenants = [t for t in app.store.tenants() if not t.paused and only in (None, t.name)]
    return recipient_runs(tenants, app.audience)


def facts_are_in(app: App, run: RecipientRun) -> bool:
    """Whether the run need not wait for scans any longer.

    After a start, a run that is made up waits for the first scans, so that nobody is warned about
    what was renewed meanwhile, or told nothing because nothing is known yet. It does not wait
    long: a tenant that hangs must not hold back the warnings of the others.
    """
    if app.clock() - app.started_at > PATIENCE:
        return True
    health = app.store.health()
    attempts = [known.last_attempt for t in run.tenants if (known := health.get(t.name))]
    fresh = [at for at in attempts if at is not None and app.clock() - at < app.scan_every]
    return len(fresh) == len(run.tenants)


def write(
    app: App, run: RecipientRun, slot: tuple[str, str, datetime] | None, only: str | None = None
) -> list[OutboxMail]:
    """Write one run's digests and finish its slot, in one transaction."""
    now = app.clock()
    mails, decisions = app.composer.digests(run, app.knowledge(run), app.carriers.paths(), now)
    for decision in decisions:
        log.debug("decided", tenant=decision.credential.tenant, reason=decision.reason)
    return app.store.write_run(
        mails, recipient=run.address, run_key=run.key(now), slot=slot, at=now,
        only=None if only is None else {only},
    )  # fmt: skip


def deliver(app: App, *, stop: Callable[[], bool] = lambda: False) -> Outcome:
    """Send what is due in the outbox: alarms, and what failed before."""
    return app.deliverer().run(stop=stop)
