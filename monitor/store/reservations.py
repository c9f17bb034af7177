"""Room under a limit, taken before something is sent: all processes on one store share it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import cast
from uuid import uuid4

from sqlalchemy import Connection, Index, Table, and_, delete, insert, inspect, or_, select
from sqlmodel import Field

from monitor.model import CLOCK_SLACK
from monitor.store.engine import Database, hold_name
from monitor.store.rows import Row
from monitor.store.text import SafeText

LONGEST_PERIOD = timedelta(hours=1)


class ReservationRow(Row, table=True):
    """What was let through lately, one row for each."""

    __tablename__ = "reservation"
    __table_args__ = (Index(None, "scope", "at"), Index(None, "at"))
    scope: str = Field(sa_type=SafeText, primary_key=True)
    item: str = Field(sa_type=SafeText, primary_key=True)
    at: datetime


RESERVATION = cast(Table, inspect(ReservationRow).local_table)


class Reservations:
    """The part of the store that counts what was let through."""

    _database: Database

    def reserve(
        self,
        scope: str,
        *,
        now: datetime,
        limit: int,
        period: timedelta,
        count: int = 1,
        item: str = "",
    ) -> datetime | None:
        """Take room for something that is about to be sent, as far as there is some.

        It is taken before the attempt and stays taken whatever becomes of it: the other side
        counts attempts too, and a crash must not make room.

        Args:
            scope: what the limit is for, such as "mailbox:noreply@contoso.example".
            now: the instant, aware UTC.
            limit: so many in any `period`.
            period: how long each counts, an hour at most.
            count: how many are to be sent at once; more than the limit counts as the limit.
            item: takes room once only, however often it is asked for within the period.

        Returns:
            None when there was room, which is taken now; else when there will be some.

        Raises:
            StoreError: the database cannot be used.
        """
        with self._database.write() as connection:
            hold_name(connection, f"reserve:{scope}")
            return reserve(connection, scope, now, limit, period, count=count, item=item)


def reserve(
    connection: Connection,
    scope: str,
    now: datetime,
    limit: int,
    period: timedelta,
    *,
    count: int = 1,
    item: str = "",
) -> datetime | None:
    """The same within a writing transaction that holds the name of the scope."""
    mine = RESERVATION.c.scope == scope
    # What is dated in the future was taken while the clock was ahead; it would block for ever.
    over = or_(
        and_(mine, RESERVATION.c.at <= now - period),
        RESERVATION.c.at <= now - LONGEST_PERIOD,
        RESERVATION.c.at > now + CLOCK_SLACK,
    )
    connection.execute(delete(RESERVATION).where(over))
    query = select(RESERVATION.c.at, RESERVATION.c.item).where(mine)
    taken = connection.execute(query.order_by(RESERVATION.c.at)).all()
    if item and any(row.item == item for row in taken):
        return None
    wanted = min(count, limit)
    surplus = len(taken) + wanted - limit
    if surplus > 0:
        free: datetime = taken[surplus - 1].at + period
        return free
    names = [item] if item else [uuid4().hex for _ in range(wanted)]
    connection.execute(insert(RESERVATION), [{"scope": scope, "item": n, "at": now} for n in names])
    return None
