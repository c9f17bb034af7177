"""What an alarm that is over was about: from when, until when, and why, by the ledgers.

The health of a tenant or sender forgets its failures with the first success, and the mail about
the end of one may be written later than that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import dropwhile, takewhile
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select

from monitor.model import CanaryResult
from monitor.routes import sender_of
from monitor.store.engine import Database
from monitor.store.tables import ALARM, PROBE, SCAN, SENDER_HEALTH

_PART = 500
_PAGE = 100  # attempts that are read at once, the newest first


@dataclass(frozen=True, slots=True)
class Trouble:
    """A trouble that is over: its first failure, its end, and the cause of its last failure."""

    since: datetime
    until: datetime
    cause: str | None = None


class Troubles:
    """The part of the store that remembers what alarms were about after their end."""

    _database: Database

    def troubles(self, scopes: Collection[str]) -> dict[str, Trouble]:
        """What the last alarm of each of these scopes was about, of those that are over.

        Raises:
            StoreError: the database cannot be used.
        """
        wanted = sorted(set(scopes))
        found = {}
        with self._database.read() as connection:
            for start in range(0, len(wanted), _PART):
                for alarm in _last_ended(connection, wanted[start : start + _PART]):
                    found[alarm.scope] = _trouble(connection, alarm)
        return found


def _last_ended(connection: Connection, scopes: Collection[str]) -> list[Row[Any]]:
    last = (
        select(func.max(ALARM.c.id))
        .where(ALARM.c.scope.in_(scopes), ALARM.c.closed_at.is_not(None))
        .group_by(ALARM.c.scope)
    )
    return list(connection.execute(select(ALARM).where(ALARM.c.id.in_(last))).all())


def _trouble(connection: Connection, alarm: Row[Any]) -> Trouble:
    """The failures in a row before the end; where none is kept, what the alarm itself says."""
    sender = sender_of(alarm.scope)
    if sender is None:
        name = alarm.scope.partition(":")[2]
        failures = _before(_scans(connection, name), alarm.closed_at)
    else:
        failures = _before(_probes(connection, *sender), alarm.closed_at)
    if not failures:
        return Trouble(alarm.opened_at, alarm.closed_at)
    since = min(alarm.opened_at, failures[-1].finished_at)
    return Trouble(since, alarm.closed_at, failures[0].cause)


def _before(attempts: Iterable[Row[Any]], end: datetime) -> list[Row[Any]]:
    """The failures before an end, back to what was well, the newest first."""
    earlier = dropwhile(lambda row: row.well or row.finished_at > end, attempts)
    return list(takewhile(lambda row: not row.well, earlier))


def _scans(connection: Connection, tenant: str) -> Iterable[Row[Any]]:
    columns = (SCAN.c.id, SCAN.c.finished_at, SCAN.c.cause, SCAN.c.complete.label("well"))
    return _pages(connection, select(*columns).where(SCAN.c.tenant == tenant), SCAN.c.id)


def _probes(connection: Connection, tenant: str, mailbox: str) -> Iterable[Row[Any]]:
    """Of a sender whose mailbox is known in lower case only."""
    of_tenant = select(SENDER_HEALTH.c.mailbox).where(SENDER_HEALTH.c.tenant == tenant)
    boxes = [box for box in connection.execute(of_tenant).scalars() if box.lower() == mailbox]
    well = (PROBE.c.result == CanaryResult.OK.value).label("well")
    query = select(PROBE.c.id, PROBE.c.finished_at, PROBE.c.cause, well).where(
        PROBE.c.tenant == tenant,
        PROBE.c.mailbox.in_(boxes),
        PROBE.c.result.in_([CanaryResult.OK.value, CanaryResult.FAILED.value]),
    )
    return _pages(connection, query, PROBE.c.id)


def _pages(connection: Connection, query: Select[Any], key: Any) -> Iterable[Row[Any]]:
    """Rows from the newest on, no more of them than somebody looks at."""
    last: int | None = None
    while True:
        part = query if last is None else query.where(key < last)
        rows = connection.execute(part.order_by(key.desc()).limit(_PAGE)).all()
        yield from rows
        if len(rows) < _PAGE:
            return
        last = rows[-1].id
