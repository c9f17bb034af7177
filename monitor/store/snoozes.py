"""Silence that somebody asked for: snoozes and acknowledgements."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select

from monitor.model import Snooze
from monitor.model.acts import AuditEntry
from monitor.store.audit import insert_audit
from monitor.store.engine import Database
from monitor.store.roster import hold_tenant
from monitor.store.tables import SNOOZE

_FIELDS = [column for column in SNOOZE.c if column.name != "id"]


class Snoozes:
    """The part of the store that keeps snoozes; the newest of a credential's life holds."""

    _database: Database

    def put_snooze(self, snooze: Snooze, entry: AuditEntry | None = None) -> None:
        """Keep a snooze; it takes the place of an earlier one of the same credential and life.

        Args:
            snooze: the silence.
            entry: the record of it, for the audit log.

        Raises:
            StoreError: there is no such tenant, or the database cannot be used.
        """
        with self._database.write() as connection:
            hold_tenant(connection, snooze.tenant)
            insert_snooze(connection, snooze)
            if entry is not None:
                insert_audit(connection, entry)

    def snoozes(self, tenant: str | None = None) -> dict[tuple[str, str, int], Snooze]:
        """The snooze of each credential that has one, ended ones too, by tenant, uid and life.

        Raises:
            StoreError: the database cannot be used.
        """
        query = select(*_FIELDS).order_by(SNOOZE.c.id)
        if tenant is not None:
            query = query.where(SNOOZE.c.tenant == tenant)
        with self._database.read() as connection:
            found = [Snooze(**row) for row in connection.execute(query).mappings()]
        return {(snooze.tenant, snooze.uid, snooze.life): snooze for snooze in found}

    def remove_snooze(self, tenant: str, uid: str, life: int) -> bool:
        """End the silence of a credential.

        Returns:
            Whether there was a snooze.

        Raises:
            StoreError: the database cannot be used.
        """
        with self._database.write() as connection:
            gone = connection.execute(
                delete(SNOOZE).where(
                    SNOOZE.c.tenant == tenant, SNOOZE.c.uid == uid, SNOOZE.c.life == life
                )
            )
            return bool(gone.rowcount)


def insert_snooze(connection: Connection, snooze: Snooze) -> None:
    """Keep a snooze within a transaction."""
    row = {column.name: getattr(snooze, column.name) for column in _FIELDS}
    connection.execute(insert(SNOOZE).values(**row))
