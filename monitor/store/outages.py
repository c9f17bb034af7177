"""What the outbox says about the mail paths: when each accepted something, and what waits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, func, or_, select

from monitor.model import MailKind, OutboxMail, OutboxState
from monitor.routes import MAIL_SCOPE
from monitor.store.engine import Database
from monitor.store.mails import insert_mails, read_mails
from monitor.store.tables import ALARM, OUTBOX
from monitor.store.text import address_key

_OPEN = (OutboxState.PENDING.value, OutboxState.SENDING.value)
REFUSED = 500  # so many waiting mails are read at a time


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

    def refused_mails(self, to: str | None = None) -> list[OutboxMail]:
        """Mails that wait although they were tried, or that have no path; the oldest first.

        Args:
            to: only those to this address.

        Raises:
            StoreError: the database cannot be used.
        """
        query = (
            select(OUTBOX)
            .where(OUTBOX.c.state.in_(_OPEN), OUTBOX.c.last_error.is_not(None))
            .where(OUTBOX.c.kind != MailKind.MAIL_PATH_BROKEN.value)
            .where(OUTBOX.c.scope.is_(None) | ~_about_mail())
            .order_by(OUTBOX.c.id)
            .limit(REFUSED)
        )
        if to is not None:
            query = query.where(OUTBOX.c.recipient_key == address_key(to))
        with self._database.read() as connection:
            return read_mails(connection, connection.execute(query).all())

    def outage(self, scope: str = MAIL_SCOPE) -> tuple[datetime, Sequence[OutboxMail]] | None:
        """Since when mail is said to be broken, and what was said of it, the newest last.

        Args:
            scope: to whom; see `monitor.routes.mail_scope`.

        Raises:
            StoreError: the database cannot be used.
        """
        standing = select(ALARM).where(ALARM.c.scope == scope, ALARM.c.closed_at.is_(None))
        with self._database.read() as connection:
            alarm = connection.execute(standing).one_or_none()
            if alarm is None:
                return None
            query = select(OUTBOX).where(
                OUTBOX.c.scope == scope,
                OUTBOX.c.kind == MailKind.MAIL_PATH_BROKEN.value,
                OUTBOX.c.dated >= alarm.opened_at.replace(microsecond=0),
            )
            rows = connection.execute(query.order_by(OUTBOX.c.id)).all()
            return alarm.opened_at, read_mails(connection, rows)

    def say_again(self, mails: Sequence[OutboxMail], scope: str = MAIL_SCOPE) -> None:
        """Add mails to the alarm that mail is broken; nothing where it does not stand.

        Raises:
            StoreError: the database cannot be used.
        """
        standing = select(ALARM.c.id).where(ALARM.c.scope == scope, ALARM.c.closed_at.is_(None))
        with self._database.write() as connection:
            number = connection.execute(standing).scalar_one_or_none()
            if number is not None:
                insert_mails(connection, mails, number)

    def accepted_since(self, at: datetime, to: str | None = None) -> int:
        """How many mails went out by a mail path since then; gathered ones count once.

        Args:
            at: aware UTC.
            to: only those to this address.

        Raises:
            StoreError: the database cannot be used.
        """
        query = select(func.count()).where(
            OUTBOX.c.state == OutboxState.SENT.value,
            OUTBOX.c.sent_at >= at,
            OUTBOX.c.path.not_like("channel:%"),
        )
        if to is not None:
            query = query.where(OUTBOX.c.recipient_key == address_key(to))
        with self._database.read() as connection:
            return connection.execute(query).scalar_one()


def _about_mail() -> ColumnElement[bool]:
    """Whether a mail says something about mail itself."""
    return or_(OUTBOX.c.scope == MAIL_SCOPE, OUTBOX.c.scope.like(f"{MAIL_SCOPE}:%"))
