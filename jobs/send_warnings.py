"""Tell each recipient, at their hour, what crossed a stage; then empty the outbox."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from monitor import process
from monitor.compose import Standing
from monitor.decide import Decision
from monitor.deliver import Outcome
from monitor.errors import StoreError
from monitor.log import get
from monitor.model import HeldSlot, OutboxMail
from monitor.recipients import RecipientRun, facts_are_in
from monitor.wiring import App

JOB = "warn"
AT_ONCE = "at_once"
LEASE = timedelta(minutes=10)

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
    written = write_lost(app, app.runs.standing())
    before = app.outgoing.deliver(force=not due_only, stop=stop)
    standing = app.runs.standing()  # anew: the mails before may have taken minutes
    written += write_lost(app, standing)
    done = app.store.last_slots(JOB) if due_only else {}
    crashed = []
    for run in standing.runs:
        if stop():
            break
        try:
            slot = take(app, run, standing, done) if due_only else None
            if slot is not None or not due_only:
                written += app.runs.write(run.about(only), standing, slot)
        except StoreError:
            raise
        except Exception:  # one recipient's digest never stops the others'
            log.exception("run_crashed", recipient=run.address)
            crashed.append(run.address)
    if due_only and not stop():
        written += tell_at_once(app, standing)
    after = app.outgoing.deliver(stop=stop)
    return written, before.then(after, crashed)


def take(
    app: App, run: RecipientRun, standing: Standing, done: Mapping[str, datetime]
) -> HeldSlot | None:
    """Win the slot of a run that is due; None when it is not, or somebody else has it."""
    now = app.clock()
    slot = run.slot(now)
    if slot is None or done.get(run.scope) == slot:
        return None
    if not facts_are_in(
        run, slot, health=standing.health, known_since=standing.known_since,
        started_at=app.started_at, scan_every=app.scan_every, now=now,
    ):  # fmt: skip
        return None
    taken = app.store.take_slot(
        JOB, run.scope, slot, now=now, owner=app.owner, lease=LEASE, owner_is_dead=process.is_dead
    )
    return HeldSlot(JOB, run.scope, slot, app.owner) if taken else None


def tell_at_once(app: App, standing: Standing) -> list[OutboxMail]:
    """Tell those who wish it what is urgent, once after each scan of their tenants."""
    wished = [run for each in standing.runs if (run := each.urgent(app.clock())).tenants]
    written: list[OutboxMail] = []
    done = app.store.last_slots(AT_ONCE) if wished else {}
    for run in wished:
        try:
            slot = take_after_scan(app, run, standing, done)
            written += app.runs.write_urgent(run, standing, slot) if slot else []
        except StoreError:
            raise
        except Exception:  # the daily run tells it all the same
            log.exception("run_crashed", recipient=run.address)
    return written


def take_after_scan(
    app: App, run: RecipientRun, standing: Standing, done: Mapping[str, datetime]
) -> HeldSlot | None:
    """Win the slot of the newest scan of a run's tenants; None when that was told of."""
    known = [standing.health.get(name) for name in run.names]
    at = max((one.facts_at for one in known if one and one.facts_at), default=None)
    if at is None or ((last := done.get(run.scope)) is not None and last >= at):
        return None
    taken = app.store.take_slot(
        AT_ONCE, run.scope, at, now=app.clock(), owner=app.owner, lease=LEASE,
        owner_is_dead=process.is_dead,
    )  # fmt: skip
    return HeldSlot(AT_ONCE, run.scope, at, app.owner) if taken else None


def plan_warnings(app: App, *, only: str | None = None) -> list[tuple[OutboxMail, list[Decision]]]:
    """What `send_warnings` would write now, without writing or sending anything."""
    standing = app.runs.standing()
    planned = [app.runs.plan(run.about(only), standing) for run in standing.runs]
    return [(mail, decisions) for mails, decisions in planned for mail in mails]


def deliver(app: App, *, stop: Callable[[], bool] = lambda: False) -> Outcome:
    """Send what is due in the outbox: alarms, and what failed before.

    What waits for nobody any more is taken back first.
    """
    write_lost(app, app.runs.standing())
    return app.outgoing.deliver(stop=stop)


def write_lost(app: App, standing: Standing) -> list[OutboxMail]:
    """Tidy, and write anew what a withdrawn digest said to those who are still to be told.

    Before the hour of the day nothing else goes with it.
    """
    written: list[OutboxMail] = []
    lost = app.runs.tidy(standing)
    for run in standing.runs:
        if run.scope not in lost:
            continue
        if run.has_come(app.clock()):  # what was due before a day off, too
            written += app.runs.write(run, standing)
        else:
            written += app.runs.write_anew(run, standing, lost[run.scope])
    return written
