"""What the doctor found after failures and learnt of Exchange, and what it counts."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, delete, func, select

from monitor.model import OPERATOR, CanaryResult, Examination, ExchangeResult, Side
from monitor.routes import tenant_of
from monitor.store.engine import Database, upsert
from monitor.store.roster import hold_tenant
from monitor.store.tables import EXAMINATION, EXCHANGE_RESULT, OUTBOX, PROBE, TENANT
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

    def exchange_results(self) -> dict[str, ExchangeResult]:
        """What was last read in of each sender's check script, by tenant (or "(operator)").

        Raises:
            StoreError: the database cannot be used.
        """
        with self._database.read() as connection:
            rows = connection.execute(select(EXCHANGE_RESULT.c.tenant, EXCHANGE_RESULT.c.document))
            return {row.tenant: load(row.document, ExchangeResult) for row in rows}

    def put_exchange_result(self, result: ExchangeResult) -> None:
        """Keep a result, in place of an earlier one of that sender.

        Raises:
            StoreError: there is no such tenant (any more), or the database cannot be used.
        """
        row = {"tenant": result.tenant, "at": result.at, "document": dump(result)}
        with self._database.write() as connection:
            if result.tenant != OPERATOR:
                hold_tenant(connection, result.tenant)
            upsert(connection, EXCHANGE_RESULT, [row])

    def sent_since(self, since: datetime) -> dict[str, tuple[int, datetime]]:
        """How many mails servers took since then, canaries among them, and when the first went.

        Returns:
            By the sender's tenant, or "(operator)".

        Raises:
            StoreError: the database cannot be used.
        """
        canaries = (
            select(PROBE.c.tenant, func.count().label("number"), func.min(PROBE.c.finished_at))
            .where(PROBE.c.finished_at >= since, PROBE.c.result != CanaryResult.FAILED.value)
            .group_by(PROBE.c.tenant)
        )
        mails = (
            select(OUTBOX.c.path, func.count().label("number"), func.min(OUTBOX.c.sent_at))
            .where(OUTBOX.c.sent_at >= since)
            .group_by(OUTBOX.c.path)
        )
        with self._database.read() as connection:
            found = [tuple(row) for row in connection.execute(canaries)]
            found += [
                (tenant_of(path) or OPERATOR, number, first)
                for path, number, first in connection.execute(mails)
            ]
        sent: dict[str, tuple[int, datetime]] = {}
        for tenant, number, first in found:
            before = sent.get(tenant, (0, first))
            sent[tenant] = (before[0] + number, min(before[1], first))
        return sent


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
