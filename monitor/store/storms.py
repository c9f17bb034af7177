"""Alarms that come in heaps: some go one by one, the rest together in one mail.

Each alarm stays a row of its own, so that who heard of what is known of each. `gate` says how
it goes: `open` by itself, `held` with others at the next turn, or the id of the mail that tells
it together with others; whatever becomes of that mail becomes of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, or_, select, update

from monitor.model import MailKind, OutboxMail, OutboxState
from monitor.routes import OPERATOR_PATH
from monitor.store.engine import Database, hold_name
from monitor.store.leases import drop_what_is_over
from monitor.store.mails import insert_mails, read_mails
from monitor.store.reservations import RESERVATION, reserve
from monitor.store.tables import OUTBOX
from monitor.store.text import address_key

OPEN, HELD, MANY = "open", "held", "many:alarms"
HOUR = timedelta(hours=1)
GATED = (MailKind.CANNOT_CHECK, MailKind.CANARY_FAILED, MailKind.RECOVERED)
_CHUNK = 500
_PENDING = OutboxState.PENDING.value
_IS_ALARM = and_(
    OUTBOX.c.kind.in_([kind.value for kind in GATED]),
    OUTBOX.c.path == OPERATOR_PATH,  # a tenant's own path may not carry others' names
    or_(OUTBOX.c.scope.is_(None), OUTBOX.c.scope != MANY),
)
_WAITS = and_(
    OUTBOX.c.state == _PENDING, _IS_ALARM, or_(OUTBOX.c.gate.is_(None), OUTBOX.c.gate == HELD)
)


@dataclass(frozen=True, slots=True)
class Heap:
    """Alarms to one recipient that are to go as one mail.

    `not_before` is that of a mail that it takes the place of: what it waited for goes on.
    """

    recipient: str
    mails: tuple[OutboxMail, ...]
    not_before: datetime | None = None


class Storms:
    """The part of the store that lets alarms through, one by one or gathered."""

    _database: Database

    def gather(self, now: datetime, *, per_hour: int) -> list[Heap]:
        """Open the gate for as many alarms as may go one by one; hold the rest.

        Of the mails that a recipient may get in an hour, four (of fewer than ten: four in ten) are
        kept for gathered ones, at even distances; so what is held mostly waits a quarter of an
        hour at most.

        Args:
            now: the instant, aware UTC.
            per_hour: how many alarm mails a recipient may get in an hour.

        Returns:
            What is to be told together now; see `tell_together`.

        Raises:
            StoreError: the database cannot be used; nothing was changed.
        """
        look = select(OUTBOX.c.id).where(OUTBOX.c.state == _PENDING, or_(_IS_ALARM, _is_many()))
        with self._database.read() as connection:
            if connection.execute(look.limit(1)).one_or_none() is None:
                return []
        with self._database.write() as connection:
            hold_name(connection, "storms")
            _withdraw_what_is_over(connection)
            _free_orphans(connection)
            waiting = _by_recipient(connection)
            turns = _dissolve(connection, set(waiting))
            if turns:
                waiting = _by_recipient(connection)
            heaps = [
                _let_through(connection, who, rows, now, per_hour, turns.get(who))
                for who, rows in waiting.items()
            ]
            return [heap for heap in heaps if heap is not None]

    def tell_together(self, mail: OutboxMail, heap: Heap) -> bool:
        """Add the mail that tells a heap; from now on its alarms go with it.

        Returns:
            False when one of them is over meanwhile: nothing was added, and it is gathered anew.

        Raises:
            StoreError: the database cannot be used.
        """
        ids = [one.id for one in heap.mails]
        with self._database.write() as connection:
            hold_name(connection, "storms")
            here = 0
            for part in _parts(ids):
                query = select(OUTBOX.c.id).where(OUTBOX.c.mail_id.in_(part), _WAITS)
                here += len(connection.execute(query.with_for_update()).all())
            if here != len(ids):
                turn = RESERVATION.c.scope == _turn(address_key(heap.recipient))
                connection.execute(delete(RESERVATION).where(turn))
                return False
            insert_mails(connection, [mail])
            for part in _parts(ids):
                mine = update(OUTBOX).where(OUTBOX.c.mail_id.in_(part))
                connection.execute(mine.values(gate=mail.id))
            return True


def claimable(*, gated: bool) -> ColumnElement[bool]:
    """Which rows may be claimed at all: none that another mail tells, or that is held."""
    free = or_(OUTBOX.c.gate.is_(None), OUTBOX.c.gate == OPEN)
    return and_(free, or_(~_IS_ALARM, OUTBOX.c.gate == OPEN)) if gated else free


def mirror(connection: Connection, mail_id: str, values: dict[str, Any]) -> None:
    """Let what becomes of a mail become of the alarms that it tells, too."""
    shared = ("state", "sent_at", "reply", "last_error", "last_cause", "possible_duplicate")
    same = {key: values[key] for key in shared if key in values}
    if same:
        open_states = (_PENDING, OutboxState.SENDING.value)
        told = and_(OUTBOX.c.gate == mail_id, OUTBOX.c.state.in_(open_states))
        connection.execute(update(OUTBOX).where(told).values(**same))


def singles(per_hour: int) -> int:
    """How many of the hour's mails may go one by one."""
    return per_hour - _turns(per_hour)


def distance(per_hour: int) -> timedelta:
    """How long after a gathered mail the next one may go."""
    return HOUR / _turns(per_hour)


def _turns(per_hour: int) -> int:
    return min(max(per_hour * 2 // 5, 1), 4)  # one in a quarter of an hour is soon enough


def _is_many() -> ColumnElement[bool]:
    return OUTBOX.c.scope == MANY


def _withdraw_what_is_over(connection: Connection) -> None:
    gated = and_(OUTBOX.c.state == _PENDING, _IS_ALARM, OUTBOX.c.gate.is_not(None))
    drop_what_is_over(connection, gated)


def _free_orphans(connection: Connection) -> None:
    """Hold the alarms whose gathered mail is gone (withdrawn or purged)."""
    many = OUTBOX.alias("many")
    alive = select(many.c.mail_id).where(
        many.c.scope == MANY, many.c.state.in_([_PENDING, OutboxState.SENDING.value])
    )
    told = and_(OUTBOX.c.gate.not_in([OPEN, HELD]), OUTBOX.c.gate.not_in(alive))
    connection.execute(update(OUTBOX).where(OUTBOX.c.state == _PENDING, told).values(gate=HELD))


def _by_recipient(connection: Connection) -> dict[str, list[Row[Any]]]:
    found: dict[str, list[Row[Any]]] = defaultdict(list)
    query = select(OUTBOX).where(_WAITS).order_by(OUTBOX.c.id)
    for row in connection.execute(query.with_for_update()):
        found[row.recipient_key].append(row)
    return dict(found)


def _dissolve(connection: Connection, waiting: set[str]) -> dict[str, Row[Any]]:
    """Take back gathered mails that are out of date, and by recipient what they were.

    Out of date is one that tells of something that is over, or to whose recipient there is more
    to tell. One that may have been accepted goes again as it is.
    """
    query = select(OUTBOX).where(
        _is_many(), OUTBOX.c.state == _PENDING, OUTBOX.c.possible_duplicate.is_(False)
    )
    gone = {}
    for row in connection.execute(query.with_for_update()).all():
        over = select(OUTBOX.c.id).where(OUTBOX.c.gate == row.mail_id, OUTBOX.c.state != _PENDING)
        if row.recipient_key not in waiting and connection.execute(over.limit(1)).first() is None:
            continue
        withdrawn = {"state": OutboxState.WITHDRAWN.value}
        connection.execute(update(OUTBOX).where(OUTBOX.c.id == row.id).values(**withdrawn))
        told = and_(OUTBOX.c.gate == row.mail_id, OUTBOX.c.state == _PENDING)
        connection.execute(update(OUTBOX).where(told).values(gate=HELD))
        gone[row.recipient_key] = row
    return gone


def _let_through(
    connection: Connection,
    who: str,
    rows: Sequence[Row[Any]],
    now: datetime,
    per_hour: int,
    dissolved: Row[Any] | None,
) -> Heap | None:
    """Open the gate for one recipient's alarms as far as there is room; the rest is a heap."""
    rest = list(rows)
    while rest and _has_room(connection, who, rest[0].mail_id, now, per_hour):
        _set_gate(connection, [rest.pop(0)], OPEN)
    if not rest:
        return None
    turn = dissolved is not None or (
        reserve(connection, _turn(who), now, 1, distance(per_hour)) is None
    )
    _set_gate(connection, rest, OPEN if turn and len(rest) == 1 else HELD)
    if not turn or len(rest) == 1:
        return None
    waits = dissolved.not_before if dissolved is not None else None
    return Heap(rest[0].recipient, tuple(read_mails(connection, rest)), waits)


def _has_room(connection: Connection, who: str, mail_id: str, now: datetime, per_hour: int) -> bool:
    limit = singles(per_hour)
    return (
        limit > 0 and reserve(connection, f"alarms:{who}", now, limit, HOUR, item=mail_id) is None
    )


def _set_gate(connection: Connection, rows: Sequence[Row[Any]], gate: str) -> None:
    for part in _parts([row.mail_id for row in rows]):
        connection.execute(update(OUTBOX).where(OUTBOX.c.mail_id.in_(part)).values(gate=gate))


def _turn(who: str) -> str:
    return f"gathered:{who}"


def _parts(ids: Sequence[str]) -> list[Sequence[str]]:
    return [ids[start : start + _CHUNK] for start in range(0, len(ids), _CHUNK)]
