"""Whose turn it is: alarms and urgent digests side by side, and a place for all others.

A mailbox sends some thirty mails a minute, and a storm may bring hundreds of alarms to as many
people. Of each five places two are for alarms, two for urgent digests (something in them has
lapsed or ends within a week, or should not be there) and one for the rest; what one of them does
not need goes to the others. So nothing waits behind all of another kind, whatever comes in heaps.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import cycle

from sqlalchemy import ColumnElement, Connection, and_, select

from monitor.store.tables import OUTBOX

Place = tuple[int, str]  # a mail's number and state

_IS_ALARM = OUTBOX.c.scope.is_not(None)
_LANES = (
    _IS_ALARM,
    and_(~_IS_ALARM, OUTBOX.c.urgent.is_(True)),
    and_(~_IS_ALARM, OUTBOX.c.urgent.is_(False)),
)
_ALARM, _URGENT, _REST = range(len(_LANES))
PLACES = (_ALARM, _URGENT, _ALARM, _URGENT, _REST)


def in_turn(connection: Connection, due: ColumnElement[bool], limit: int) -> list[Place]:
    """The mails whose turn it is, in that order, held until the transaction ends.

    Within its lane what was tried least comes first (what is refused time and again never stands
    before the others), then the oldest.

    Args:
        connection: of the transaction.
        due: which mails may go at all.
        limit: at most so many.
    """
    lanes = []
    for lane in _LANES:
        query = select(OUTBOX.c.id, OUTBOX.c.state).where(due, lane).limit(limit)
        query = query.order_by(OUTBOX.c.attempt, OUTBOX.c.id).with_for_update(skip_locked=True)
        lanes.append([(row.id, row.state) for row in connection.execute(query)])
    return merged(lanes, limit)


def merged(lanes: Sequence[Sequence[Place]], limit: int) -> list[Place]:
    """So many of some lanes, each at its places; an empty lane leaves its places to the others."""
    left = [deque(lane) for lane in lanes]
    found: list[Place] = []
    for lane in cycle(PLACES):
        if len(found) >= limit or not any(left):
            return found
        if left[lane]:
            found.append(left[lane].popleft())
    return found  # pragma: no cover - a cycle has no end
