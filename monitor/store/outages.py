"""What the outbox says about the mail paths: when each accepted something, and what waits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select

from monitor.model import MailKind, OutboxMail, OutboxState
from monitor.store.engine import Database
from monitor.store.mails import insert_mails, read_mails
from monitor.store.tables import ALARM, OUTBOX

SCOPE = "mail"  # of the alarm that mail is broken
_OPEN = (OutboxState.PENDING.value, OutboxState.SENDING.value)
_LIMIT = 500


class Outages:
    """The part of the store that knows whether mail goes out."""

    _database: Database

    def last_accepted(self) -> dict[str, datetime]:
        """When each path last accepted a mail.

        Raises:
            StoreError: the database cannot be used.
        """
        query = select(OUTBOX.c.path, func.max(OUTBOX.c.sent_at).label("at")).where(
            OUTBOX.c.state == OutboxState.SENT.value, OUTBOX.c.sent_at.is_not(None)
        )
        with self._database.read() as connection:
            return {row.path: row.at for row in connection.execute(query.group_by(OUTBOX.c.path))}

    def refused_mails(self) -> list[OutboxMail]:
        """Mails that wait although they were tried, or that have no path; the oldest first.

        Raises:
            StoreError: the database cannot be used.
        """
        query = (
            select(OUTBOX)
            .where(OUTBOX.c.state.in_(_OPEN), OUTBOX.c.last_error.is_not(None))
            .where(OUTBOX.c.kind != MailKind.MAIL_PATH_BROKEN.value)
            .where(func.coalesce(OUTBOX.c.scope, "") != SCOPE)
            .order_by(OUTBOX.c.id)
            .limit(_LIMIT)
        )
        with self._database.read() as connection:
            return read_mails(connection, connection.execute(query).all())

    def outage(self) -> tuple[datetime, Sequence[OutboxMail]] | None:
        """Since when mail is said to be broken, and what was said of it, the newest last.

        Raises:
            StoreError: the database cannot be used.
        """
        standing = select(ALARM).where(ALARM.c.scope == SCOPE, ALARM.c.closed_at.is_(None))
        with self._database.read() as connection:
            alarm = connection.execute(standing).one_or_none()
            if alarm is None:
                return None
            query = select(OUTBOX).where(
                OUTBOX.c.scope == SCOPE,
                OUTBOX.c.kind == MailKind.MAIL_PATH_BROKEN.value,
                OUTBOX.c.dated >= alarm.opened_at.replace(microsecond=0),
            )
            rows = connection.execute(query.order_by(OUTBOX.c.id)).all()
            return alarm.opened_at, read_mails(connection, rows)

    def say_again(self, mails: Sequence[OutboxMail]) -> None:
        """Add mails to the alarm that mail is broken; nothing where it does not stand.

        Raises:
            StoreError: the database cannot be used.
        """
        standing = select(ALARM.c.id).where(ALARM.c.scope == SCOPE, ALARM.c.closed_at.is_(None))
        with self._database.write() as connection:
            number = connection.execute(standing).scalar_one_or_none()
            if number is not None:
                insert_mails(connection, mails, number)

    def accepted_since(self, at: datetime) -> int:
        """How many mails went out by a mail path since then; gathered ones count once.

        Raises:
            StoreError: the database cannot be used.
        """
        query = select(func.count()).where(
            OUTBOX.c.state == OutboxState.SENT.value,
            OUTBOX.c.sent_at >= at,
            OUTBOX.c.path.not_like("channel:%"),
        )
        with self._database.read() as connection:
            return connection.execute(query).scalar_one()
