"""Read every tenant that is due, and record what a complete scan proves."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from monitor import process
from monitor.decide import scan_alarm
from monitor.errors import LapsewatchError, RemoteError
from monitor.lifecycle import own_uids
from monitor.log import get
from monitor.model import Scan, ScanRecord, Tenant, TenantHealth
from monitor.wiring import App

if TYPE_CHECKING:
    from monitor.entra.graph import GraphReader

JOB = "scan"
LEASE = timedelta(hours=1)
RETRY_LATER = timedelta(minutes=15)  # a passing failure is looked at again soon
RETRY_AFTER_FIX = timedelta(hours=1)  # somebody may be fixing it right now
FIRST = datetime(2000, 1, 1, tzinfo=UTC)

log = get("lapsewatch.scan")


async def scan_tenants(
    app: App, *, only: str | None = None, due_only: bool = False, dry_run: bool = False
) -> list[ScanRecord]:
    """Read the tenants (all, one, or those that are due) side by side and store the outcome."""
    health = app.store.health()
    chosen = [
        tenant
        for tenant in app.store.tenants()
        if not tenant.paused
        and only in (None, tenant.name)
        and (not due_only or take(app, tenant, health.get(tenant.name)))
    ]
    if not chosen:
        return []
    gate = asyncio.Semaphore(app.configuration.settings.deadlines.tenants_at_once)
    async with app.graph() as reader:

        async def one(tenant: Tenant) -> ScanRecord:
            async with gate:
                scan = await read(app, reader, tenant)
                if not dry_run:
                    await asyncio.to_thread(record, app, tenant, health.get(tenant.name), scan)
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
    return [outcome for outcome in done if not isinstance(outcome, BaseException)]


def due_at(app: App, health: TenantHealth | None) -> datetime:
    """When a tenant is to be read next."""
    if health is None or health.last_attempt is None:
        return FIRST
    if not health.failures:
        return health.last_attempt + app.scan_every
    wait = RETRY_AFTER_FIX if health.last_failed_definitely else RETRY_LATER
    return health.last_attempt + min(wait, app.scan_every)


def take(app: App, tenant: Tenant, health: TenantHealth | None) -> bool:
    """Win the slot of a scan that is due; False when it is not, or another replica has it."""
    now, due = app.clock(), due_at(app, health)
    return due <= now and app.store.take_slot(
        JOB, tenant.name, due, now=now, owner=app.owner, lease=LEASE,
        owner_is_dead=process.is_dead,
    )  # fmt: skip


async def read(app: App, reader: GraphReader, tenant: Tenant) -> Scan:
    """One tenant's scan; whatever goes wrong becomes a record of its own."""
    started = app.clock()
    try:
        value = await asyncio.to_thread(app.credential, tenant.credential)
        return await reader.scan(tenant, app.cloud(tenant), value, now=app.clock)
    except LapsewatchError as error:
        cause = error.cause if isinstance(error, RemoteError) else "unknown"
        return failed(tenant, started, app.clock(), cause, str(error))
    except Exception as error:  # one tenant never stops the others
        log.exception("scan_crashed", tenant=tenant.name)
        text = f"The scan stopped by a fault of the program ({type(error).__name__})."
        return failed(tenant, started, app.clock(), "unknown", text)


def failed(tenant: Tenant, started: datetime, ended: datetime, cause: str, problem: str) -> Scan:
    """The record of an attempt that never reached Graph."""
    return Scan(
        ScanRecord(
            tenant=tenant.name, started_at=started, finished_at=ended, complete=False,
            cause=cause, problem=problem, retry="after_fix",
        )
    )  # fmt: skip


def record(app: App, tenant: Tenant, before: TenantHealth | None, scan: Scan) -> None:
    """Write facts, ledger and alarm in one transaction."""
    now = app.clock()
    change, reason = scan_alarm(before, scan.record)
    alarm = app.alarms.scan_alarm(tenant, before, scan.record, change, app.carriers.paths(), now)
    own = own_uids(scan.objects, app.own_credentials(tenant), now)
    app.store.record_scan(scan, zone=ZoneInfo(tenant.time_zone), own=own, alarm=alarm)
    if before is not None or scan.record.complete:
        due = due_at(app, before)
        app.store.finish_slot(JOB, tenant.name, due, now)
    log.info(
        "tenant_scanned", tenant=tenant.name, complete=scan.record.complete,
        credentials=scan.record.credentials, cause=scan.record.cause, alarm=reason,
    )  # fmt: skip
