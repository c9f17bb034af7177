"""The scan ledger and what it comes to for each tenant."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from monitor.model import ScanRecord, TenantHealth
from monitor.store.alarms import standing_alarms
from monitor.store.engine import add, upsert
from monitor.store.tables import SCAN, TENANT, TENANT_HEALTH
from monitor.store.text import dump, load


def record_attempt(connection: Connection, record: ScanRecord, *, facts: bool) -> None:
    """Add the row to the ledger and bring the tenant's health up to date.

    Args:
        connection: of the transaction.
        record: the attempt.
        facts: whether facts are taken from it.
    """
    number = add(connection, SCAN, _scan_row(record))
    old = connection.execute(
        select(TENANT_HEALTH).where(TENANT_HEALTH.c.tenant == record.tenant)
    ).one_or_none()
    upsert(connection, TENANT_HEALTH, [_health_row(record, number, old, facts=facts)])


def all_health(connection: Connection) -> dict[str, TenantHealth]:
    """The health of every tenant in the roster, by name."""
    names = connection.execute(select(TENANT.c.name)).scalars()
    found = {name: TenantHealth(name) for name in sorted(names)}
    alarms = standing_alarms(connection, "tenant:")
    records = {
        row.id: _record(row)
        for row in connection.execute(
            select(SCAN).join(TENANT_HEALTH, TENANT_HEALTH.c.scan_id == SCAN.c.id)
        )
    }
    for row in connection.execute(select(TENANT_HEALTH)):
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


def facts_read_at(connection: Connection) -> dict[str, datetime | None]:
    """When the facts about each tenant that was ever tried were read last, by name."""
    query = select(TENANT_HEALTH.c.tenant, TENANT_HEALTH.c.facts_at)
    return {row.tenant: row.facts_at for row in connection.execute(query)}


def scan_records(connection: Connection, tenant: str | None, limit: int) -> list[ScanRecord]:
    """The newest rows of the ledger, of one tenant or of all."""
    query = select(SCAN).order_by(SCAN.c.id.desc()).limit(limit)
    if tenant is not None:
        query = query.where(SCAN.c.tenant == tenant)
    return [_record(row) for row in connection.execute(query)]


def _health_row(
    record: ScanRecord, number: int, old: Row[Any] | None, *, facts: bool
) -> dict[str, Any]:
    row = {
        "tenant": record.tenant,
        "last_complete": record.finished_at,
        "facts_at": record.finished_at if facts else (old and old.facts_at),
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
            "failures": 1 + (0 if old is None else old.failures),
            "last_failed_definitely": record.retry in ("after_fix", "never"),
            # Something was read, or nobody can say why not: either way a part is missing.
            "last_incomplete": record.pages > 0 or record.cause is None,
            "first_failure_at": (old and old.first_failure_at) or record.finished_at,
        }
    return row


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
    )
