"""The heartbeat to the outside: when it was last accepted, and since when it is not."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, select

from monitor.model import Pulse
from monitor.store.engine import Database, upsert
from monitor.store.heartbeat_table import HEARTBEAT
from monitor.store.tables import SLOT

_ONE = "operator"


class Heartbeats:
    """The part of the store that remembers how the heartbeat goes."""

    _database: Database

    def pulse(self) -> Pulse:
        """How it goes; whether one is set is not known here.

        Raises:
            StoreError: the database cannot be used.
        """
        with self._database.read() as connection:
            return _pulse(connection)

    def heartbeat_sent(self, now: datetime) -> None:
        """Record that the other side accepted a heartbeat.

        Raises:
            StoreError: the database cannot be used.
        """
        with self._database.write() as connection:
            _keep(connection, last_ok=now, failing_since=None, problem="")

    def heartbeat_failed(self, problem: str, now: datetime) -> None:
        """Record that it was not accepted, and why; since when is kept from the first failure.

        Raises:
            StoreError: the database cannot be used.
        """
        with self._database.write() as connection:
            known = _pulse(connection)
            since = known.failing_since or now
            _keep(connection, last_ok=known.last_ok, failing_since=since, problem=problem)

    def forget_slots(self, job: str, before: datetime) -> int:
        """Delete the slots of a job that were scheduled before an instant.

        Returns:
            How many there were.

        Raises:
            StoreError: the database cannot be used.
        """
        old = delete(SLOT).where(SLOT.c.job == job, SLOT.c.slot_at < before)
        with self._database.write() as connection:
            return connection.execute(old).rowcount


def _pulse(connection: Connection) -> Pulse:
    row = connection.execute(select(HEARTBEAT).where(HEARTBEAT.c.name == _ONE)).one_or_none()
    if row is None:
        return Pulse()
    return Pulse(last_ok=row.last_ok, failing_since=row.failing_since, problem=row.problem)


def _keep(connection: Connection, **values: Any) -> None:
    upsert(connection, HEARTBEAT, [{"name": _ONE, **values}])
