"""Alarms that stand: each recipient hears of one once, and of its end only if it heard of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, select, update

from monitor.model import AlarmChange, MailKind, OutboxMail, OutboxState
from monitor.store.engine import Database, insert_once
from monitor.store.mails import insert_mails
from monitor.store.tables import ALARM, OUTBOX
from monitor.store.text import address_key

_WAITING = (OutboxState.PENDING.value, OutboxState.DEAD.value)
_HEARD = (OutboxState.SENT.value, OutboxState.SENDING.value)
# An address that was refused is tried anew so often while the alarm stands: it may exist by now.
_REFUSED_FOR = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class AlarmWrite:
    """A change of an alarm, to be written together with what caused it.

    Args:
        change: whether the alarm begins, stands on or ends.
        scope: what it is about ("tenant:NAME" or "sender:NAME|mailbox").
        at: when, in UTC.
        mails: what to say, to everybody who should hear it: the alarm, or that it is over.
    """

    change: AlarmChange
    scope: str
    at: datetime
    mails: tuple[OutboxMail, ...] = ()


class Alarms:
    """The part of the store that knows which alarms stand, and who heard of them."""

    _database: Database

    def heard(self, scope: str) -> tuple[str, ...]:
        """The addresses that were told of the alarm that stands; () where none does.

        Raises:
            StoreError: the database cannot be used.
        """
        query = (
            select(OUTBOX)
            .join(ALARM, ALARM.c.id == OUTBOX.c.alarm_id)
            .where(ALARM.c.scope == scope, ALARM.c.closed_at.is_(None))
        )
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(OUTBOX.c.id)).all()
        return tuple(dict.fromkeys(row.recipient for row in rows if _was_heard(row)))

    def write_alarm(self, alarm: AlarmWrite) -> None:
        """Write a change of an alarm by itself.

        Raises:
            StoreError: the database cannot be used; nothing was written.
        """
        with self._database.write() as connection:
            apply_alarm(connection, alarm)

    def end_alarms_except(self, scopes: Collection[str], prefix: str, at: datetime) -> list[str]:
        """Close, without a word, the alarms about what is no longer watched.

        Args:
            scopes: those that are still watched.
            prefix: only alarms whose scope begins so.
            at: when.

        Returns:
            The scopes of those that were closed.

        Raises:
            StoreError: the database cannot be used.
        """
        with self._database.read() as connection:
            standing = standing_alarms(connection, prefix)
        over = sorted({prefix + rest for rest in standing} - set(scopes))
        if over:
            with self._database.write() as connection:
                for scope in over:
                    _close(connection, AlarmWrite(AlarmChange.CLOSE, scope, at))
        return over


def apply_alarm(connection: Connection, alarm: AlarmWrite) -> None:
    """Open, keep or close an alarm within a writing transaction.

    Keeping or closing one that does not stand changes nothing. Opening or keeping one tells
    those of its recipients that have not heard of it, and takes back what waits for others.
    """
    if alarm.change is AlarmChange.CLOSE:
        _close(connection, alarm)
        return
    if alarm.change is AlarmChange.OPEN:
        row = {
            "scope": alarm.scope,
            "kind": _kind(alarm),
            "opened_at": alarm.at,
            "closed_at": None,
        }
        if insert_once(connection, ALARM, row, unique=["scope"], where=ALARM.c.closed_at.is_(None)):
            _take_back_the_end(connection, alarm.scope)
    number = _standing(connection, alarm.scope)
    if number is not None:
        _tell(connection, number, alarm)


def standing_alarms(connection: Connection, prefix: str) -> dict[str, datetime]:
    """When each standing alarm was opened, by what follows the prefix of its scope."""
    query = select(ALARM.c.scope, ALARM.c.opened_at).where(ALARM.c.closed_at.is_(None))
    return {
        row.scope.removeprefix(prefix): row.opened_at
        for row in connection.execute(query)
        if row.scope.startswith(prefix)
    }


def _tell(connection: Connection, number: Any, alarm: AlarmWrite) -> None:
    rows = _rows(connection, number)
    wanted = {address_key(mail.recipient) for mail in alarm.mails}
    stale = [row for row in rows if _gives_way(row, wanted, alarm.at)]
    _withdraw(connection, stale)
    gone = {row.id for row in stale}
    told = {
        row.recipient_key
        for row in rows
        if row.id not in gone and row.state != OutboxState.WITHDRAWN.value
    }
    # Two spellings of one address are one recipient.
    once = {address_key(mail.recipient): mail for mail in reversed(alarm.mails)}
    news = [mail for key, mail in reversed(once.items()) if key not in told]
    insert_mails(connection, news, number)


def _close(connection: Connection, alarm: AlarmWrite) -> None:
    number = _standing(connection, alarm.scope)
    if number is None:
        return
    connection.execute(update(ALARM).where(ALARM.c.id == number).values(closed_at=alarm.at))
    rows = _rows(connection, number)
    heard = {row.recipient_key for row in rows if _was_heard(row)}
    _withdraw(connection, [row for row in rows if row.state in _WAITING])
    insert_mails(connection, [mail for mail in alarm.mails if address_key(mail.recipient) in heard])


def _take_back_the_end(connection: Connection, scope: str) -> None:
    """Take back what still waits to say that an earlier alarm is over: it is not true any more.

    For whoever would have heard it the earlier alarm goes on: what they were told of it counts
    for the new one, so they hear of its end, and not a second time of its beginning.
    """
    ends = connection.execute(
        select(OUTBOX)
        .where(
            OUTBOX.c.scope == scope,
            OUTBOX.c.kind == MailKind.RECOVERED.value,
            OUTBOX.c.state.in_(_WAITING),
        )
        .with_for_update()
    ).all()
    _withdraw(connection, ends)
    unaware = [row.recipient_key for row in ends if not row.possible_duplicate]
    earlier = connection.execute(
        select(ALARM.c.id)
        .where(ALARM.c.scope == scope, ALARM.c.closed_at.is_not(None))
        .order_by(ALARM.c.id.desc())
        .limit(1)
    ).scalar_one_or_none()
    connection.execute(
        update(OUTBOX)
        .where(
            OUTBOX.c.alarm_id == earlier,
            OUTBOX.c.recipient_key.in_(unaware),
            OUTBOX.c.state == OutboxState.SENT.value,
        )
        .values(alarm_id=_standing(connection, scope))
    )


def _rows(connection: Connection, number: Any) -> list[Row[Any]]:
    """The alarm's mails; locked, so that no sender claims one between this look and the change."""
    query = select(OUTBOX).where(OUTBOX.c.alarm_id == number).order_by(OUTBOX.c.id)
    return list(connection.execute(query.with_for_update()))


def _was_heard(row: Row[Any]) -> bool:
    """Whether the recipient was told, as far as anybody can know."""
    return row.state in _HEARD or (
        row.state == OutboxState.PENDING.value and row.possible_duplicate
    )


def _gives_way(row: Row[Any], wanted: Collection[str], at: datetime) -> bool:
    if row.state not in _WAITING:
        return False
    if row.recipient_key not in wanted:
        return True
    return bool(row.state == OutboxState.DEAD.value and row.dated <= at - _REFUSED_FOR)


def _withdraw(connection: Connection, rows: Iterable[Row[Any]]) -> None:
    numbers = [row.id for row in rows]
    if numbers:
        connection.execute(
            update(OUTBOX).where(OUTBOX.c.id.in_(numbers)).values(state=OutboxState.WITHDRAWN.value)
        )


def _standing(connection: Connection, scope: str) -> Any:
    return connection.execute(
        select(ALARM.c.id).where(ALARM.c.scope == scope, ALARM.c.closed_at.is_(None))
    ).scalar_one_or_none()


def _kind(alarm: AlarmWrite) -> str:
    if alarm.mails:
        return alarm.mails[0].mail.kind.value
    sender = alarm.scope.startswith("sender:")
    return (MailKind.CANARY_FAILED if sender else MailKind.CANNOT_CHECK).value
