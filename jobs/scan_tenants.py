"""Read every tenant that is due, and record what a complete scan proves."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from monitor import process, shrink
from monitor.doctor.consult import Consultation, of_scan
from monitor.lifecycle import OwnCredential
from monitor.log import get
from monitor.model import Examination, Scan, ScanRecord, Tenant
from monitor.timetable import FIRST, consent_slot, scan_due
from monitor.wiring import App

if TYPE_CHECKING:
    from monitor.entra.graph import GraphReader

JOB = "scan"
CONSENT = "consent"  # the job of looking whether a pending tenant's administrator has consented
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
    tenants, now = app.store.tenants(), app.clock()
    watched = [t for t in tenants if t.active and only in (None, t.name)]
    slots = due_slots(app, watched, now)
    chosen = [t for t in watched if not due_only or slots[t.name] <= now]
    asked = [] if dry_run else [t for t in tenants if only in (None, t.name)]
    consents = waiting(app, asked, now, due_only)
    chosen += [t for t in asked if t.name in consents]
    if not chosen:
        return []
    own = await asyncio.to_thread(app.own_credentials)
    gate = asyncio.Semaphore(app.configuration.settings.deadlines.tenants_at_once)
    with app.consultation() as doctor:
        async with app.graph() as reader:

            async def one(tenant: Tenant) -> ScanRecord | None:
                async with gate:  # the slot is taken when the work begins, so its lease is short
                    if tenant.pending:
                        consented = await welcome(app, reader, tenant, consents[tenant.name])
                        if consented is None:
                            return None
                        tenant = consented
                    slot = slots.get(tenant.name, FIRST) if due_only else None
                    if slot is not None and not await asyncio.to_thread(take, app, tenant, slot):
                        return None
                    if not dry_run:
                        await asyncio.to_thread(app.items.look, tenant)
                    scan = await app.scans.attempt(reader, tenant)
                    if scan.record.complete and not dry_run:
                        await asyncio.to_thread(record, app, tenant, scan, own, slot)
                if not scan.record.complete and not dry_run:  # its place is another's by now
                    held = scan.record.cause == shrink.CAUSE  # nothing is broken
                    found = None if held else await examined(app, doctor, tenant, scan.record)
                    await asyncio.to_thread(record, app, tenant, scan, own, slot, found)
                # Only the record: what was read of one tenant must not pile up with the others'.
                return scan.record

            # All of them come to their end before the first fault of one is told.
            done = await asyncio.gather(*(one(tenant) for tenant in chosen), return_exceptions=True)
    return recorded(chosen, done)


def recorded(
    tenants: Sequence[Tenant], outcomes: Sequence[ScanRecord | BaseException | None]
) -> list[ScanRecord]:
    """What was recorded of the tenants; every fault is logged, and the first one raised."""
    for tenant, outcome in zip(tenants, outcomes, strict=True):
        if isinstance(outcome, BaseException):
            log.error("scan_not_recorded", tenant=tenant.name, error=str(outcome))
    faults = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    if faults:
        raise faults[0]
    return [outcome for outcome in outcomes if isinstance(outcome, ScanRecord)]


def due_slots(app: App, tenants: Sequence[Tenant], now: datetime) -> dict[str, datetime]:
    """When each tenant is to be read next, by name."""
    health, since = app.store.health(), app.store.known_since()
    return {
        tenant.name: scan_due(
            health.get(tenant.name), app.scan_every, now=now, changed_at=since.get(tenant.name)
        )
        for tenant in tenants
    }


def waiting(
    app: App, tenants: Sequence[Tenant], now: datetime, due_only: bool
) -> dict[str, datetime | None]:
    """The pending tenants whose consent is to be looked for, each with its slot.

    All of them without a slot, or those where it was not done yet in this scan interval.
    """
    pending = [tenant.name for tenant in tenants if tenant.pending and not tenant.paused]
    if not pending or not due_only:
        return dict.fromkeys(pending)
    done, known = app.store.last_slots(CONSENT), app.store.known_since()
    slots = {
        name: consent_slot(known[name], app.scan_every, now) for name in pending if name in known
    }
    return {name: slot for name, slot in slots.items() if done.get(name) != slot}


async def welcome(
    app: App, reader: GraphReader, tenant: Tenant, slot: datetime | None
) -> Tenant | None:
    """Look for the consent of a pending tenant; the tenant once it is to be read, else None."""
    if slot is not None and not await asyncio.to_thread(take, app, tenant, slot, job=CONSENT):
        return None
    found = await app.scans.consented(reader, tenant)
    if slot is not None:
        finish = app.store.finish_slot
        await asyncio.to_thread(finish, CONSENT, tenant.name, slot, app.clock())
    return found


def take(app: App, tenant: Tenant, slot: datetime, *, job: str = JOB) -> bool:
    """Win the slot; False when another replica has it."""
    return app.store.take_slot(
        job, tenant.name, slot, now=app.clock(), owner=app.owner, lease=LEASE,
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
