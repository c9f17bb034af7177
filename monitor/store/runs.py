"""A recipient's daily run: what was told before, and what takes the place of what still waits."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection, case, func, or_, select, update

from monitor.model import MailKind, NoticeKey, OutboxMail, OutboxState
from monitor.store.engine import Database
from monitor.store.mails import address_key, insert_mails, read_mails
from monitor.store.slots import finish
from monitor.store.tables import NOTICE, OUTBOX

Told = dict[tuple[str, str, int], tuple[int | None, bool]]
_DIGESTS = tuple(kind.value for kind in (MailKind.REMINDER, MailKind.LAPSED, MailKind.COVERED))
_CHUNK = 500


class Runs:
    """The part of the store that remembers who was told what."""

    _database: Database

    def told(self, recipient: str, tenants: Collection[str]) -> Told:
        """What a recipient was told, or is being told right now.

        Args:
            recipient: an address; upper and lower case are the same.
            tenants: only about credentials of these.

        Returns:
            By tenant, uid and life: the highest level told (None if none was), and whether it
            was said that a newer credential covers it.

        Raises:
            StoreError: the database cannot be used.
        """
        with self._database.read() as connection:
            return _told(connection, recipient, tenants)

    def write_run(
        self,
        mails: Sequence[OutboxMail],
        *,
        recipient: str,
        run_key: str,
        slot: tuple[str, str, datetime] | None,
        at: datetime,
        only: Collection[str] | None = None,
    ) -> list[OutboxMail]:
        """Write a recipient's digests in place of those that still wait, in one transaction.

        A waiting digest that says the same by the same path stays, with its Message-ID. What
        was sent, or is in flight, while this run was decided is not said again.

        Args:
            mails: the digests of this run; none withdraws what waits.
            recipient: whose run it is.
            run_key: "address|zone|YYYY-MM-DD"; digests of another zone are left alone.
            slot: the run's slot (job, scope, slot time), which is finished; None outside slots.
            at: when the run happened.
            only: the tenants that were decided about, where it was not all of the recipient's.
                A waiting digest that also speaks of others stays, and what it says of these
                tenants is not said a second time.

        Returns:
            The mails that were added.

        Raises:
            StoreError: the database cannot be used; nothing was written.
        """
        with self._database.write() as connection:
            waiting = _waiting(connection, recipient, _zone(run_key))
            if only is not None:
                wider = [mail for mail in waiting if not set(mail.tenants) <= set(only)]
                waiting = [mail for mail in waiting if mail not in wider]
                alive = [mail for mail in wider if mail.state is OutboxState.PENDING]
                spoken = {name for mail in alive for name in mail.tenants}
                mails = [mail for mail in mails if not spoken & set(mail.tenants)]
            kept = {_gist(mail) for mail in waiting if mail.state is OutboxState.PENDING}
            wanted = {_gist(mail) for mail in mails}
            _withdraw(
                connection,
                [
                    mail.id
                    for mail in waiting
                    if mail.state is OutboxState.DEAD or _gist(mail) not in wanted
                ],
            )
            told = _told(connection, recipient, {n.tenant for mail in mails for n in mail.notices})
            added = [
                mail
                for mail in mails
                if _gist(mail) not in kept and not _already_told(mail.notices, told)
            ]
            insert_mails(connection, added)
            if slot is not None:
                finish(connection, *slot, at)
            return added


def _told(connection: Connection, recipient: str, tenants: Iterable[str]) -> Told:
    covered = NOTICE.c.kind == MailKind.COVERED.value
    query = (
        select(
            NOTICE.c.tenant,
            NOTICE.c.uid,
            NOTICE.c.life,
            func.max(case((covered, None), else_=NOTICE.c.level)).label("level"),
            func.max(case((covered, 1), else_=0)).label("covered"),
        )
        .join(OUTBOX, OUTBOX.c.mail_id == NOTICE.c.mail_id)
        .where(
            NOTICE.c.recipient_key == address_key(recipient),
            or_(
                NOTICE.c.told_at.is_not(None),
                OUTBOX.c.state.in_((OutboxState.SENT.value, OutboxState.SENDING.value)),
            ),
        )
        .group_by(NOTICE.c.tenant, NOTICE.c.uid, NOTICE.c.life)
    )
    names = sorted(tenants)
    told: Told = {}
    for start in range(0, len(names), _CHUNK):
        chunk = query.where(NOTICE.c.tenant.in_(names[start : start + _CHUNK]))
        for row in connection.execute(chunk):
            told[row.tenant, row.uid, row.life] = (row.level, bool(row.covered))
    return told


def _waiting(connection: Connection, recipient: str, zone: str) -> list[OutboxMail]:
    """The recipient's digests that no server accepted; locked, so that no sender takes them."""
    rows = connection.execute(
        select(OUTBOX)
        .where(
            OUTBOX.c.recipient_key == address_key(recipient),
            OUTBOX.c.state.in_((OutboxState.PENDING.value, OutboxState.DEAD.value)),
            OUTBOX.c.kind.in_(_DIGESTS),
            OUTBOX.c.scope.is_(None),
        )
        .order_by(OUTBOX.c.id)
        .with_for_update()
    ).all()
    return read_mails(connection, [row for row in rows if _zone(row.run_key or "") == zone])


def _withdraw(connection: Connection, mail_ids: Sequence[str]) -> None:
    for start in range(0, len(mail_ids), _CHUNK):
        connection.execute(
            update(OUTBOX)
            .where(OUTBOX.c.mail_id.in_(mail_ids[start : start + _CHUNK]))
            .values(state=OutboxState.WITHDRAWN.value)
        )


def _zone(run_key: str) -> str:
    """The middle part. The address comes first and may itself hold a bar."""
    parts = run_key.rsplit("|", 2)
    return parts[1] if len(parts) == 3 else ""


def _gist(mail: OutboxMail) -> tuple[str, frozenset[NoticeKey] | str]:
    """What makes two digests the same. One without notices is only ever itself."""
    return mail.path, frozenset(mail.notices) or mail.id


def _already_told(notices: Sequence[NoticeKey], told: Told) -> bool:
    """Whether all of it was told meanwhile, between the decision and this transaction."""
    return bool(notices) and all(_is_told(notice, told) for notice in notices)


def _is_told(notice: NoticeKey, told: Told) -> bool:
    level, covered = told.get((notice.tenant, notice.uid, notice.life), (None, False))
    if notice.kind is MailKind.COVERED:
        return covered
    return level is not None and level >= notice.level
