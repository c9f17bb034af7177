"""The outbox: claiming mails under a lease, and recording what became of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    func,
    or_,
    select,
    update,
)

from monitor.model import (
    OVERDUE_AFTER,
    OVERDUE_TRIES,
    OutboxCounts,
    OutboxMail,
    OutboxState,
    Receipt,
)
from monitor.store import leases
from monitor.store.engine import Database
from monitor.store.hand_overs import refuse_hand_overs
from monitor.store.lanes import in_turn
from monitor.store.leases import NO_LEASE
from monitor.store.links import take_tokens_out
from monitor.store.mails import insert_mails, read_mails
from monitor.store.storms import MANY, claimable, mirror
from monitor.store.tables import NOTICE, OUTBOX

_OPEN = (OutboxState.PENDING, OutboxState.SENDING, OutboxState.DEAD)


class Outbox:
    """The part of the store that keeps mails until a server has accepted them."""

    _database: Database

    def enqueue(self, mails: Sequence[OutboxMail]) -> None:
        """Add mails, all or none.

        Raises:
            StoreError: an id is taken already, or the database cannot be used.
        """
        with self._database.write() as connection:
            insert_mails(connection, mails)

    def outbox(
        self, *, states: Collection[OutboxState] | None = None, limit: int = 200
    ) -> list[OutboxMail]:
        """Mails, newest first.

        Args:
            states: only those in one of these; None for all.
            limit: at most so many.

        Raises:
            StoreError: the database cannot be used.
        """
        query = select(OUTBOX).order_by(OUTBOX.c.id.desc()).limit(limit)
        if states is not None:
            query = query.where(OUTBOX.c.state.in_([state.value for state in states]))
        with self._database.read() as connection:
            return read_mails(connection, connection.execute(query).all())

    def outbox_counts(self) -> dict[OutboxState, int]:
        """How many mails are in each state; states without one count 0.

        Raises:
            StoreError: the database cannot be used.
        """
        counts = dict.fromkeys(OutboxState, 0)
        query = select(OUTBOX.c.state, func.count()).group_by(OUTBOX.c.state)
        with self._database.read() as connection:
            for state, count in connection.execute(query):
                counts[OutboxState(state)] = count
        return counts

    def open_mails(
        self, now: datetime, *, limit: int = 25
    ) -> tuple[OutboxCounts, list[OutboxMail]]:
        """What no server has accepted: the numbers of all, and some mails for a list.

        The list has the worst first: given up, without a path, overdue, on their way; of each
        the oldest first.

        Args:
            now: the instant that ages are measured with.
            limit: at most so many of each in the list; the numbers are of all.

        Raises:
            StoreError: the database cannot be used.
        """
        is_open = OUTBOX.c.state.in_([state.value for state in _OPEN])
        kinds = _open_kinds(now)
        numbers = [func.count().filter(test).label(name) for name, test in kinds.items()]
        listed: dict[str, OutboxMail] = {}
        with self._database.read() as connection:
            found = connection.execute(select(*numbers).where(is_open)).one()
            for test in kinds.values():
                query = select(OUTBOX).where(is_open, test).order_by(OUTBOX.c.id).limit(limit)
                rows = read_mails(connection, connection.execute(query).all())
                listed |= {mail.id: mail for mail in rows}
        return OutboxCounts(**found._mapping), list(listed.values())

    def claim(
        self,
        now: datetime,
        *,
        owner: str,
        lease: timedelta,
        owner_is_dead: Callable[[str], bool],
        longest_wait: timedelta = timedelta(days=1),
        limit: int = 50,
        force: bool = False,
        gated: bool = False,
    ) -> list[OutboxMail]:
        """Take mails that are due, for this owner alone, until the lease ends.

        A mail whose former owner died, or whose lease ended, may have been accepted without our
        knowing: it comes marked as a possible duplicate, with the same Message-ID and date.

        Args:
            now: the instant that leases and due times are measured with.
            owner: who takes them; shown to `owner_is_dead` of the next.
            lease: how long they are this owner's.
            owner_is_dead: whether an owner of a running lease is known to be gone. Called
                within the transaction, so it must not use the store.
            longest_wait: nobody lets a mail wait longer; one that is to wait for more was
                written while the clock was ahead, and is due.
            limit: at most so many; see `monitor.store.lanes` for whose turn it is.
            force: also those that are to wait for a later time.
            gated: no alarms but those whose gate is open; see `monitor.store.storms`.

        Raises:
            StoreError: the database cannot be used; nothing was taken.
        """
        with self._database.write() as connection:
            dead = leases.dead_owners(connection, owner_is_dead)
            due = claimable(gated=gated) & leases.due(now, force, dead, longest_wait, lease)
            leases.drop_what_is_over(connection, due)
            rows = in_turn(connection, due, limit)
            if not rows:
                return []
            leases.lease_to(connection, rows, owner, now + lease)
            turn = {number: place for place, (number, _) in enumerate(rows)}
            taken = connection.execute(select(OUTBOX).where(OUTBOX.c.id.in_(turn))).all()
            mails = read_mails(connection, sorted(taken, key=lambda row: turn[row.id]))
            for mail in mails:
                if mail.scope == MANY:
                    _lease_told(connection, mail)
            return mails

    def mark_sent(self, mail_id: str, token: str, receipt: Receipt) -> bool:
        """Record that a server accepted the mail; from now on its notices are told.

        The tokens of its links leave the store.

        Args:
            mail_id: which mail.
            token: of the claim it was sent under.
            receipt: the server's answer.

        Returns:
            False when the claim is no longer current: nothing was changed.

        Raises:
            StoreError: the database cannot be used.
        """
        values = {
            "state": OutboxState.SENT.value,
            "sent_at": receipt.accepted_at,
            "reply": receipt.reply,
            "last_error": None,
            "last_cause": None,
        }
        with self._database.write() as connection:
            if not _finish(connection, mail_id, token, values):
                return False
            connection.execute(
                update(NOTICE)
                .where(NOTICE.c.mail_id == mail_id)
                .values(told_at=receipt.accepted_at)
            )
            take_tokens_out(connection, [mail_id])
            return True

    def mark_retry(
        self,
        mail_id: str,
        token: str,
        *,
        not_before: datetime,
        error: str,
        cause: str,
        path: str | None = None,
        uncertain: bool = False,
    ) -> bool:
        """Put the mail back, to be tried again.

        Args:
            mail_id: which mail.
            token: of the claim it was tried under.
            not_before: when to try again.
            error: what happened, for people.
            cause: the same as an id of the vocabulary.
            path: the path to take from now on, if it is another one.
            uncertain: the server may have accepted it: the next copy is a possible duplicate.

        Returns:
            False when the claim is no longer current: nothing was changed.

        Raises:
            StoreError: the database cannot be used.
        """
        values: dict[str, Any] = {
            "state": OutboxState.PENDING.value,
            "not_before": not_before,
            "last_error": error,
            "last_cause": cause,
        }
        if path is not None:
            values["path"] = path
        if uncertain:
            values["possible_duplicate"] = True
        with self._database.write() as connection:
            return _finish(connection, mail_id, token, values)

    def mark_dead(self, mail_id: str, token: str, *, error: str, cause: str) -> bool:
        """Give the mail up: trying again cannot help until somebody changes something.

        Args:
            mail_id: which mail.
            token: of the claim it was tried under.
            error: what happened, for people.
            cause: the same as an id of the vocabulary.

        Returns:
            False when the claim is no longer current: nothing was changed.

        Raises:
            StoreError: the database cannot be used.
        """
        values = {"state": OutboxState.DEAD.value, "last_error": error, "last_cause": cause}
        with self._database.write() as connection:
            done = _finish(connection, mail_id, token, values)
            if done:
                refuse_hand_overs(connection, mail_id)
            return done

    def release(self, mail_id: str, token: str, *, not_before: datetime | None = None) -> bool:
        """Put back a mail that was claimed but not tried, as if it had not been claimed.

        Args:
            mail_id: which mail.
            token: of the claim it was taken under.
            not_before: when it is its turn; None leaves that as it was.

        Returns:
            False when the claim is no longer current: nothing was changed.

        Raises:
            StoreError: the database cannot be used.
        """
        values: dict[str, Any] = {
            "state": OutboxState.PENDING.value,
            "attempt": OUTBOX.c.attempt - 1,
        }
        if not_before is not None:
            values["not_before"] = not_before
        with self._database.write() as connection:
            return _finish(connection, mail_id, token, values)


def _open_kinds(now: datetime) -> dict[str, ColumnElement[bool]]:
    """The kinds of open mails, the worst first; overdue ones are of the last two kinds, too."""
    dead = OUTBOX.c.state == OutboxState.DEAD.value
    carried = and_(~dead, OUTBOX.c.path != "")
    late = or_(OUTBOX.c.dated < now - OVERDUE_AFTER, OUTBOX.c.attempt >= OVERDUE_TRIES)
    return {
        "dead": dead,
        "without_path": and_(~dead, OUTBOX.c.path == ""),
        "overdue": and_(carried, late),
        "sending": and_(carried, OUTBOX.c.state == OutboxState.SENDING.value),
        "pending": and_(carried, OUTBOX.c.state == OutboxState.PENDING.value),
    }


def _lease_told(connection: Connection, mail: OutboxMail) -> None:
    """The alarms that a gathered mail tells are on their way with it."""
    on_the_way: dict[str, Any] = {"state": OutboxState.SENDING.value}
    if mail.possible_duplicate:
        on_the_way["possible_duplicate"] = True
    mirror(connection, mail.id, on_the_way)


def _finish(connection: Connection, mail_id: str, token: str, values: dict[str, Any]) -> bool:
    """End a claim. The token guards against an owner that was slower than its lease."""
    done = connection.execute(
        update(OUTBOX)
        .where(
            OUTBOX.c.mail_id == mail_id,
            OUTBOX.c.lease_token == token,
            OUTBOX.c.state == OutboxState.SENDING.value,
        )
        .values(**values, **NO_LEASE)
    )
    if done.rowcount != 1:
        return False
    mirror(connection, mail_id, values)
    return True
