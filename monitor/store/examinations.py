"""What the doctor found after failures: one report a tenant, as long as something fails there."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection, delete, select

from monitor.model import OPERATOR, Examination, Side
from monitor.store.engine import Database, upsert
from monitor.store.tables import EXAMINATION, TENANT
from monitor.store.text import dump, load


class Examinations:
    """The part of the store that keeps the doctor's reports."""

    _database: Database

    def examinations(self) -> dict[str, Examination]:
        """The reports on what fails now, by tenant ("(operator)" for the operator's sender).

        Raises:
            StoreError: the database cannot be used.
        """
        with self._database.read() as connection:
            rows = connection.execute(select(EXAMINATION.c.tenant, EXAMINATION.c.document))
            return {row.tenant: load(row.document, Examination) for row in rows}


def keep_examination(
    connection: Connection, tenant: str, side: Side, found: Examination | None
) -> None:
    """Put a new report in place of the old one; without one, what the old says of a side is over.

    Args:
        connection: a writing transaction.
        tenant: whose it is.
        side: what was just tried.
        found: the report, if that failed and was examined.
    """
    mine = EXAMINATION.c.tenant == tenant
    query = select(EXAMINATION.c.document).where(mine).with_for_update()
    text = connection.execute(query).scalar_one_or_none()
    old = load(text, Examination) if text is not None else None
    others = tuple(one for one in old.sides if one != side) if old is not None else ()
    if found is not None and _is_watched(connection, tenant):
        _put(connection, tenant, replace(found, sides=(*others, side)))
    elif old is not None and others:
        _put(connection, tenant, replace(old, sides=others))
    elif old is not None:
        connection.execute(delete(EXAMINATION).where(mine))


def _put(connection: Connection, tenant: str, found: Examination) -> None:
    row = {"tenant": tenant, "at": found.at, "document": dump(found)}
    upsert(connection, EXAMINATION, [row])


def _is_watched(connection: Connection, tenant: str) -> bool:
    """Whether there is such a tenant (still): nothing may be left behind by one that is gone."""
    if tenant == OPERATOR:
        return True
    query = select(TENANT.c.name).where(TENANT.c.name == tenant)
    return connection.execute(query).first() is not None
