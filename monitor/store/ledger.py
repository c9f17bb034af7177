"""The scan ledger and what it comes to for each tenant."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, select

from monitor.model import UNKNOWN_AFTER, ScanRecord, TenantHealth
from monitor.store.alarms import standing_alarms
from monitor.store.engine import add, upsert
from monitor.store.tables import SCAN, TENANT, TENANT_HEALTH
from monitor.store.text import dump, load


def record_attempt(connection: Connection, record: ScanRecord, *, facts: bool) -> bool:
    """Add the row to the ledger and bring the tenant's health up to date.

    Args:
        connection: of the transaction.
        record: the attempt.
        facts: whether facts are taken from it.

    Returns:
        Whether the attempt counts; one that a newer complete scan overtook is only listed.
    """
    number = add(connection, SCAN, _scan_row(record))
    old = connection.execute(
        select(TENANT_HEALTH).where(TENANT_HEALTH.c.tenant == record.tenant)
    ).one_or_none()
    if old is not None and _overtaken(record.started_at, old.complete_started_at):
        return False
    upsert(connection, TENANT_HEALTH, [_health_row(record, number, old, facts=facts)])
    return True


def all_health(connection: Connection, tenant: str | None = None) -> dict[str, TenantHealth]:
    """The health of every tenant in the roster, or of one, by name."""
    names, rows = select(TENANT.c.name), select(TENANT_HEALTH)
    last = select(SCAN).join(TENANT_HEALTH, TENANT_HEALTH.c.scan_id == SCAN.c.id)
    if tenant is not None:
        names = names.where(TENANT.c.name == tenant)
        rows, last = (query.where(TENANT_HEALTH.c.tenant == tenant) for query in (rows, last))
    found = {name: TenantHealth(name) for name in sorted(connection.execute(names).scalars())}
    alarms = standing_alarms(connection, "tenant:")
    records = {row.id: _record(row) for row in connection.execute(last)}
    for row in connection.execute(rows):
        found[row.tenant] = TenantHealth(
            tenant=row.tenant,
            last_complete=row.last_complete,
            facts_at=row.facts_at,
            last_attempt=row.last_attempt,
            failures=row.failures,
            last_failed_definitely=row.last_failed_definitely,
            last_incomplete=row.last_incomplete,
            cause=row.cause,
            problem=row.problem,
            first_failure_at=row.first_failure_at,
            alarm_opened_at=alarms.get(row.tenant),
            record=records.get(row.scan_id),
        )
    return found


def last_complete_scans(
    connection: Connection, tenant: str | None = None
) -> dict[str, datetime | None]:
    """When the last complete scan ended, of one tenant or of each that was ever tried, by name."""
    query = select(TENANT_HEALTH.c.tenant, TENANT_HEALTH.c.last_complete)
    if tenant is not None:
        query = query.where(TENANT_HEALTH.c.tenant == tenant)
    return {row.tenant: row.last_complete for row in connection.execute(query)}


def scan_records(connection: Connection, tenant: str | None, limit: int) -> list[ScanRecord]:
    """The newest rows of the ledger, of one tenant or of all."""
    query = select(SCAN).order_by(SCAN.c.id.desc()).limit(limit)
    if tenant is not None:
        query = query.where(SCAN.c.tenant == tenant)
    return [_record(row) for row in connection.execute(query)]


def _overtaken(started: datetime, newest: datetime | None) -> bool:
    """Whether a complete scan that is recorded already (the newest) began later.

    No scan takes a day: when it began that much later, the clock was wrong then and has been set
    back since. To hold on to it would freeze the tenant until the time that clock showed.
    """
    return newest is not None and timedelta(0) < newest - started <= UNKNOWN_AFTER


def _health_row(
    record: ScanRecord, number: int, old: Row[Any] | None, *, facts: bool
) -> dict[str, Any]:
    row = {
        "tenant": record.tenant,
        "last_complete": record.finished_at,
        "complete_started_at": record.started_at,
        "facts_at": record.finished_at,
        "last_attempt": record.finished_at,
        "failures": 0,
        "last_failed_definitely": False,
        "last_incomplete": False,
        "cause": record.cause,
        "problem": record.problem,
        "first_failure_at": None,
        "scan_id": number,
    }
    if not record.complete:
        row |= {
            "last_complete": None if old is None else old.last_complete,
            "complete_started_at": None if old is None else old.complete_started_at,
            "facts_at": _facts_at(record, old) if facts else (old and old.facts_at),
            "failures": 1 + (0 if old is None else old.failures),
            "last_failed_definitely": record.retry in ("after_fix", "never"),
            # Something was read, or nobody can say why not: either way a part is missing.
            "last_incomplete": record.pages > 0 or record.cause is None,
            "first_failure_at": (old and old.first_failure_at) or record.finished_at,
        }
    return row


def _facts_at(record: ScanRecord, old: Row[Any] | None) -> datetime:
    """As of when the facts are after an incomplete scan: it moves nothing that is proven."""
    if old is None or old.facts_at is None:
        return record.finished_at
    known: datetime = old.facts_at
    return known if old.last_complete is not None else max(known, record.finished_at)


def _scan_row(record: ScanRecord) -> dict[str, Any]:
    return {
        "tenant": record.tenant,
        "started_at": record.started_at,
        "finished_at": record.finished_at,
        "complete": record.complete,
        "cause": record.cause,
        "problem": record.problem,
        "retry": record.retry,
        "pages": record.pages,
        "objects": record.objects,
        "credentials": record.credentials,
        "calls": dump(record.calls),
        "request_ids": dump(record.request_ids),
        "notes": dump(record.notes),
        "unseen": record.unseen,
    }


def _record(row: Row[Any]) -> ScanRecord:
    return ScanRecord(
        tenant=row.tenant,
        started_at=row.started_at,
        finished_at=row.finished_at,
        complete=row.complete,
        cause=row.cause,
        problem=row.problem,
        retry=row.retry,
        pages=row.pages,
        objects=row.objects,
        credentials=row.credentials,
        calls=load(row.calls, dict[str, int]),
        request_ids=load(row.request_ids, tuple[str, ...]),
        notes=load(row.notes, tuple[str, ...]),
        unseen=row.unseen,
    )
