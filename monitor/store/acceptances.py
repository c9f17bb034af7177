"""The word of an operator that many credentials are gone for good; who gave it, when and why."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import cast

from sqlalchemy import Connection, Table, insert, inspect, select, update
from sqlmodel import Field

from monitor.model import Acceptance, Scan
from monitor.store import fold
from monitor.store.engine import Database
from monitor.store.roster import hold_tenant
from monitor.store.rows import Row, counter_column, tenant_column, text_column
from monitor.store.tables import CREDENTIAL


class AcceptanceRow(Row, table=True):
    """Acceptances of scans in which many credentials are gone; one is used once."""

    __tablename__ = "acceptance"
    id: int | None = counter_column()
    tenant: str = tenant_column(index=True)
    author: str = text_column()
    reason: str = text_column()
    at: datetime
    used_at: datetime | None = Field(default=None)


ACCEPTANCE = cast(Table, inspect(AcceptanceRow).local_table)
_FIELDS = [column for column in ACCEPTANCE.c if column.name != "id"]


class Acceptances:
    """The part of the store that knows what a scan misses, and whether that was accepted."""

    _database: Database

    def put_acceptance(self, acceptance: Acceptance) -> None:
        """Keep the word that the next scan of a tenant may find many credentials gone.

        Raises:
            StoreError: there is no such tenant, or the database cannot be used.
        """
        row = {column.name: getattr(acceptance, column.name) for column in _FIELDS}
        with self._database.write() as connection:
            hold_tenant(connection, acceptance.tenant)
            connection.execute(insert(ACCEPTANCE).values(**row))

    def acceptances(self, tenant: str) -> list[Acceptance]:
        """All that were given for a tenant, the newest first.

        Raises:
            StoreError: the database cannot be used.
        """
        query = select(*_FIELDS).where(ACCEPTANCE.c.tenant == tenant)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(ACCEPTANCE.c.id.desc())).mappings()
            return [Acceptance(**row) for row in rows]

    def is_accepted(self, tenant: str, now: datetime, good_for: timedelta) -> bool:
        """Whether an acceptance is unused and not too old.

        Raises:
            StoreError: the database cannot be used.
        """
        return any(
            one.used_at is None and now - good_for <= one.at for one in self.acceptances(tenant)
        )

    def unseen(self, scan: Scan) -> tuple[set[str], set[str]]:
        """The uids of what a scan saw, and those of what is there and was not seen.

        Raises:
            StoreError: the database cannot be used.
        """
        record = scan.record
        seen = {
            row["uid"]
            for thing in scan.objects
            for row in fold.credential_rows(record.tenant, thing, frozenset(), record.finished_at)
        }
        there = select(CREDENTIAL.c.uid).where(
            CREDENTIAL.c.tenant == record.tenant, CREDENTIAL.c.removed_at.is_(None)
        )
        with self._database.read() as connection:
            return seen, set(connection.execute(there).scalars()) - seen


def use_acceptance(connection: Connection, tenant: str, at: datetime) -> None:
    """A complete scan came: what was accepted before is used up."""
    connection.execute(
        update(ACCEPTANCE)
        .where(ACCEPTANCE.c.tenant == tenant, ACCEPTANCE.c.used_at.is_(None))
        .values(used_at=at)
    )
