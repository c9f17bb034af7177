"""The audit log: rows are added, and go only when everything about their tenant is purged."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Index, delete, insert, select

from monitor.model.acts import AuditEntry
from monitor.store.engine import Database
from monitor.store.rows import Row, counter_column, table_of, text_column


class AuditRow(Row, table=True):
    """Who did what, when and why; never changed. It outlives the tenant's entry."""

    __tablename__ = "audit"
    __table_args__ = (Index(None, "tenant", "id"),)
    id: int | None = counter_column()
    at: datetime
    who: str = text_column()
    what: str = text_column()
    tenant: str | None = text_column()
    about: str = text_column()
    why: str = text_column()
    how: str = text_column()


AUDIT = table_of(AuditRow)
_FIELDS = [column for column in AUDIT.c if column.name != "id"]


class Audit:
    """The part of the store that keeps who did what."""

    _database: Database

    def put_audit(self, entry: AuditEntry) -> None:
        """Add an entry.

        Raises:
            StoreError: the database cannot be used.
        """
        with self._database.write() as connection:
            insert_audit(connection, entry)

    def put_audits(self, entries: Sequence[AuditEntry]) -> None:
        """Add entries, all or none.

        Raises:
            StoreError: the database cannot be used.
        """
        with self._database.write() as connection:
            for entry in entries:
                insert_audit(connection, entry)

    def audit(self, tenant: str | None = None, limit: int = 200) -> list[AuditEntry]:
        """The entries, newest first.

        Args:
            tenant: only about this one.
            limit: at most so many.

        Raises:
            StoreError: the database cannot be used.
        """
        query = select(*_FIELDS).order_by(AUDIT.c.id.desc()).limit(limit)
        if tenant is not None:
            query = query.where(AUDIT.c.tenant == tenant)
        with self._database.read() as connection:
            return [_entry(row) for row in connection.execute(query)]


def insert_audit(connection: Connection, entry: AuditEntry) -> None:
    """Add an entry within a transaction."""
    row = {column.name: getattr(entry, column.name) for column in _FIELDS}
    connection.execute(insert(AUDIT).values(**row))


def forget_audit(connection: Connection, tenant: str) -> None:
    """Delete what names a tenant; for its purge."""
    connection.execute(delete(AUDIT).where(AUDIT.c.tenant == tenant))


def _entry(row: Any) -> AuditEntry:
    return AuditEntry(row.at, row.who, row.what, row.tenant, row.about, row.why, row.how)
