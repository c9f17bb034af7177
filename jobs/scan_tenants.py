"""Read every tenant that is due, and record what a complete scan proves."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from monitor import process
from monitor.doctor.consult import Consultation, of_scan
from monitor.lifecycle import OwnCredential
from monitor.log import get
from monitor.model import Examination, Scan, ScanRecord, Tenant
from monitor.timetable import scan_due
from monitor.wiring import App

JOB = "scan"
LEASE = timedelta(minutes=30)  # longer than the deadline of the largest tenant
AGAIN = timedelta(minutes=5)  # what could not be recorded is read again so soon

log = get("lapsewatch.scan")


async def scan_tenants(
    app: App, *, only: str | None = None, due_only: bool = False, dry_run: bool = False
) -> list[ScanRecord]:
    """Read the tenants (all, one, or those that are due) side by side and store the outcome.

    Raises:
        StoreError: some outcome could not be recorded; all the others were.
    """
    health, since = app.store.health(), app.store.known_since()
    watched = [t for t in app.store.tenants() if not t.paused and only in (None, t.name)]
    now = app.clock()
    slots = {
        tenant.name: scan_due(
            health.get(tenant.name), app.scan_every, now=now, changed_at=since.get(tenant.name)
        )
        for tenant in watched
    }
    chosen = [t for t in watched if not due_only or slots[t.name] <= now]
    if not chosen:
        return []
    own = await asyncio.to_thread(app.own_credentials)
    gate = asyncio.Semaphore(app.configuration.settings.deadlines.tenants_at_once)
    with app.consultation() as doctor:
        async with app.graph() as reader:

            async def one(tenant: Tenant) -> ScanRecord | None:
                async with gate:  # the slot is taken when the work begins, so its lease is short
                    slot = slots[tenant.name] if due_only else None
                    if slot is not None and not await asyncio.to_thread(take, app, tenant, slot):
                        return None
                    scan = await app.scans.attempt(reader, tenant)
                    if scan.record.complete and not dry_run:
                        await asyncio.to_thread(record, app, tenant, scan, own, slot)
                if not scan.record.complete and not dry_run:  # its place is another's by now
                    found = await examined(app, doctor, tenant, scan.record)
                    await asyncio.to_thread(record, app, tenant, scan, own, slot, found)
                # Only the record: what was read of one tenant must not pile up with the others'.
                return scan.record

            # All of them come to their end before the first fault of one is told.
            done = await asyncio.gather(*(one(tenant) for tenant in chosen), return_exceptions=True)
    for tenant, outcome in zip(chosen, done, strict=True):
        if isinstance(outcome, BaseException):
            log.error("scan_not_recorded", tenant=tenant.name, error=str(outcome))
    faults = [outcome for outcome in done if isinstance(outcome, BaseException)]
    if faults:
        raise faults[0]
    return [outcome for outcome in done if isinstance(outcome, ScanRecord)]


def take(app: App, tenant: Tenant, slot: datetime) -> bool:
    """Win the slot; False when another replica has it."""
    return app.store.take_slot(
        JOB, tenant.name, slot, now=app.clock(), owner=app.owner, lease=LEASE,
        owner_is_dead=process.is_dead,
    )  # fmt: skip


async def examined(
    app: App, doctor: Consultation, tenant: Tenant, failed: ScanRecord
) -> Examination:
    """Let the doctor look at what failed, in time for the alarm."""
    cloud = app.configuration.clouds.get(tenant.cloud)
    return await doctor.wait(doctor.ask(of_scan(tenant, cloud, failed.cause)))


def record(
    app: App,
    tenant: Tenant,
    scan: Scan,
    own: Sequence[OwnCredential],
    slot: datetime | None,
    found: Examination | None = None,
) -> None:
    """Write down what came of a scan and finish its slot, or give it back where that fails."""
    try:
        app.scans.record(tenant, scan, own, found)
    except Exception:
        if slot is not None:
            app.store.give_back_slot(JOB, tenant.name, slot, until=app.clock() + AGAIN)
        raise
    if slot is not None:
        app.store.finish_slot(JOB, tenant.name, slot, app.clock())
