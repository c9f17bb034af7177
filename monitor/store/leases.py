"""Leases on mails: which mails may be taken, by whom they are held, and what is taken back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import Boolean, ColumnElement, Connection, and_, bindparam, or_, select, update

from monitor.model import CLOCK_SLACK, MailKind, OutboxState
from monitor.store.tables import ALARM, OUTBOX

NO_LEASE: dict[str, Any] = {"lease_token": None, "lease_owner": None, "lease_until": None}


def dead_owners(connection: Connection, owner_is_dead: Callable[[str], bool]) -> list[str]:
    """The owners of running leases that are known to be gone."""
    query = select(OUTBOX.c.lease_owner).where(OUTBOX.c.state == OutboxState.SENDING.value)
    owners = connection.execute(query.distinct()).scalars().all()
    return [owner for owner in owners if owner is not None and owner_is_dead(owner)]


def due(
    now: datetime, force: bool, dead: list[str], longest_wait: timedelta, lease: timedelta
) -> ColumnElement[bool]:
    """The mails whose turn it is, and those whose lease ended or whose owner is `dead`.

    One that waits, or is leased, for longer than anybody lets it was written while the clock was
    ahead.
    """
    waiting = OUTBOX.c.state == OutboxState.PENDING.value
    if not force:
        waiting &= or_(
            OUTBOX.c.not_before.is_(None),
            OUTBOX.c.not_before <= now,
            OUTBOX.c.not_before > now + longest_wait + CLOCK_SLACK,
        )
    orphaned = and_(
        OUTBOX.c.state == OutboxState.SENDING.value,
        or_(
            OUTBOX.c.lease_until.is_(None),
            OUTBOX.c.lease_until <= now,
            OUTBOX.c.lease_until > now + lease + CLOCK_SLACK,
            OUTBOX.c.lease_owner.in_(dead),
        ),
    )
    return or_(waiting, orphaned)


def drop_what_is_over(connection: Connection, these: ColumnElement[bool]) -> None:
    """Take back alarms that ended, and ends whose alarm is back, while their mail was in flight.

    Whoever may have heard of the one was told of the other already, or will be.
    """
    over = select(ALARM.c.id).where(ALARM.c.closed_at.is_not(None))
    standing = select(ALARM.c.scope).where(ALARM.c.closed_at.is_(None))
    no_end = and_(OUTBOX.c.kind == MailKind.RECOVERED.value, OUTBOX.c.scope.in_(standing))
    query = select(OUTBOX.c.id).where(these, or_(OUTBOX.c.alarm_id.in_(over), no_end))
    numbers = connection.execute(query.with_for_update(skip_locked=True)).scalars().all()
    if numbers:
        connection.execute(
            update(OUTBOX)
            .where(OUTBOX.c.id.in_(numbers))
            .values(state=OutboxState.WITHDRAWN.value, **NO_LEASE)
        )


def lease_to(
    connection: Connection, rows: Sequence[tuple[int, str]], owner: str, until: datetime
) -> None:
    """Give mails (number and state) to an owner; one that was on its way may come twice."""
    connection.execute(
        update(OUTBOX)
        .where(OUTBOX.c.id == bindparam("number"))
        .values(
            state=OutboxState.SENDING.value,
            lease_token=bindparam("token"),
            lease_owner=owner,
            lease_until=until,
            attempt=OUTBOX.c.attempt + 1,
            possible_duplicate=or_(
                OUTBOX.c.possible_duplicate, bindparam("orphaned", type_=Boolean())
            ),
        ),
        [
            {
                "number": number,
                "token": str(uuid4()),
                "orphaned": state == OutboxState.SENDING.value,
            }
            for number, state in rows
        ],
    )
