"""Send the report about everything to the operator's recipients, on its day and at their hour."""

from __future__ import annotations

from datetime import timedelta

from monitor import process
from monitor.log import get
from monitor.model import HeldSlot, OutboxMail
from monitor.recipients import RecipientRun, facts_are_in
from monitor.wiring import App

JOB = "report"
LEASE = timedelta(minutes=10)

log = get("lapsewatch.report")


def send_reports(app: App, *, due_only: bool = False, today_only: bool = False) -> list[OutboxMail]:
    """Write the reports (all, those of today, or those that are due) and try to deliver them.

    Returns:
        What was written.

    Raises:
        StoreError: the database cannot be used.
    """
    runs = [run for run in app.reports.runs() if not today_only or app.reports.today(run)]
    if not runs:
        return []
    slots = take_due(app, runs) if due_only else {}
    chosen = [run for run in runs if not due_only or run.scope in slots]
    written = []
    for run, mail in app.reports.plan(chosen):
        if app.reports.write(mail, slots.get(run.scope)):
            log.info("report_written", recipient=run.address)
            written.append(mail)
    if written:
        app.deliverer().run()
    return written


def take_due(app: App, runs: list[RecipientRun]) -> dict[str, HeldSlot]:
    """Win the slots of the reports that are due, by scope; none while nothing may carry them."""
    found: dict[str, HeldSlot] = {}
    done = app.store.last_slots(JOB)
    for run in runs:
        slot = app.reports.due(run)
        if slot is None or done.get(run.scope) == slot or not app.reports.path():
            continue
        now = app.clock()
        ready = facts_are_in(
            run, slot, health=app.store.health(), known_since=app.store.known_since(),
            started_at=app.started_at, scan_every=app.scan_every, now=now,
        )  # fmt: skip
        if ready and app.store.take_slot(
            JOB, run.scope, slot, now=now, owner=app.owner, lease=LEASE,
            owner_is_dead=process.is_dead,
        ):  # fmt: skip
            found[run.scope] = HeldSlot(JOB, run.scope, slot, app.owner)
    return found


def plan_reports(app: App) -> list[OutboxMail]:
    """What `send_reports` would write now, without writing or sending anything."""
    return [mail for _, mail in app.reports.plan(app.reports.runs())]
