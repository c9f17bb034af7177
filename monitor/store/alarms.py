"""Alarms that stand: raised once, and taken back only to those who heard of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, select, update

from monitor.model import MailKind, OutboxMail, OutboxState
from monitor.store.engine import insert_once
from monitor.store.mails import insert_mails
from monitor.store.tables import ALARM, OUTBOX

_WAITING = (OutboxState.PENDING.value, OutboxState.DEAD.value)
_HEARD = (OutboxState.SENT.value, OutboxState.SENDING.value)


@dataclass(frozen=True, slots=True)
class AlarmWrite:
    """A change of an alarm, to be written together with what caused it.

    Args:
        change: whether the alarm begins or ends.
        scope: what it is about ("tenant:NAME" or "sender:NAME").
        at: when, in UTC.
        mails: what to say: the alarm, or that it is over.
    """

    change: Literal["open", "close"]
    scope: str
    at: datetime
    mails: tuple[OutboxMail, ...] = ()


def apply_alarm(connection: Connection, alarm: AlarmWrite) -> None:
    """Open or close an alarm within a writing transaction.

    Opening one that stands already, or closing one that does not, changes nothing.
    """
    if alarm.change == "open":
        _open(connection, alarm)
    else:
        _close(connection, alarm)


def standing_alarms(connection: Connection, prefix: str) -> dict[str, datetime]:
    """When each standing alarm was opened, by what follows the prefix of its scope."""
    query = select(ALARM.c.scope, ALARM.c.opened_at).where(ALARM.c.closed_at.is_(None))
    return {
        row.scope.removeprefix(prefix): row.opened_at
        for row in connection.execute(query)
        if row.scope.startswith(prefix)
    }


def _open(connection: Connection, alarm: AlarmWrite) -> None:
    row = {
        "scope": alarm.scope,
        "kind": _kind(alarm),
        "opened_at": alarm.at,
        "closed_at": None,
    }
    open_only = ALARM.c.closed_at.is_(None)
    if insert_once(connection, ALARM, row, unique=["scope"], where=open_only):
        insert_mails(connection, alarm.mails, _standing(connection, alarm.scope))


def _close(connection: Connection, alarm: AlarmWrite) -> None:
    number = _standing(connection, alarm.scope)
    if number is None:
        return
    connection.execute(update(ALARM).where(ALARM.c.id == number).values(closed_at=alarm.at))
    # Locked, so that no sender claims one of them between this look and the withdrawal.
    states = connection.execute(
        select(OUTBOX.c.state).where(OUTBOX.c.alarm_id == number).with_for_update()
    ).scalars()
    if any(state in _HEARD for state in states):
        insert_mails(connection, alarm.mails)
    else:
        connection.execute(
            update(OUTBOX)
            .where(OUTBOX.c.alarm_id == number, OUTBOX.c.state.in_(_WAITING))
            .values(state=OutboxState.WITHDRAWN.value)
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
