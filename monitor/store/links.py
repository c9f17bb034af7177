"""Links in mails, by the SHA-256 of their tokens; the tokens leave the store with their mail."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Index, delete, insert, select, update

from monitor.model import OutboxMail, OutboxState, Snooze
from monitor.model.acts import Action, AuditEntry, HandOver, Link
from monitor.store.audit import insert_audit
from monitor.store.engine import Database
from monitor.store.hand_overs import keep_hand_over
from monitor.store.roster import hold_tenant
from monitor.store.rows import Row, table_of, tenant_column, text_column
from monitor.store.snoozes import insert_snooze
from monitor.store.tables import OUTBOX, TENANT
from monitor.store.text import address_key

TAKEN_OUT = "taken-out"
_TOKEN = re.compile(r"(?<=/a/)[A-Za-z0-9_-]{22,86}")
_OVER = (OutboxState.SENT.value, OutboxState.WITHDRAWN.value)
_CHUNK = 500


class LinkRow(Row, table=True):
    """One-purpose links, by the SHA-256 of their tokens."""

    __tablename__ = "link"
    __table_args__ = (Index(None, "mail_id"), Index(None, "tenant", "uid", "life"))
    digest: str = text_column(primary_key=True)
    tenant: str = tenant_column()
    uid: str = text_column()
    life: int
    action: str = text_column()
    recipient: str = text_column()
    mail_id: str = text_column()
    made_at: datetime
    expires_at: datetime
    used_at: datetime | None = None
    revoked_at: datetime | None = None


LINK = table_of(LinkRow)


class Links:
    """The part of the store that knows what the links in mails are for."""

    _database: Database

    def link(self, digest: str) -> Link | None:
        """The link of that digest, used and out of date ones too.

        Raises:
            StoreError: the database cannot be used.
        """
        with self._database.read() as connection:
            row = connection.execute(select(LINK).where(LINK.c.digest == digest)).one_or_none()
        return None if row is None else _link(row)

    def use_link(
        self,
        link: Link,
        entry: AuditEntry,
        *,
        snooze: Snooze | None = None,
        hand_over: HandOver | None = None,
    ) -> bool:
        """Use a link up, and do what it is for, in one transaction: of two tries one wins.

        Args:
            link: is used at the time of `entry`.
            entry: the record of it.
            snooze: a silence to keep.
            hand_over: somebody to hand the credential over to.

        Returns:
            Whether the link was there to be used; if not, nothing was written.

        Raises:
            StoreError: the tenant is gone, or the database cannot be used; nothing was written.
        """
        mine = (
            LINK.c.digest == link.digest,
            LINK.c.used_at.is_(None),
            LINK.c.revoked_at.is_(None),
            LINK.c.expires_at > entry.at,
        )
        with self._database.write() as connection:
            hold_tenant(connection, link.tenant)
            done = connection.execute(update(LINK).where(*mine).values(used_at=entry.at))
            if done.rowcount != 1:
                return False
            if snooze is not None:
                insert_snooze(connection, snooze)
            if hand_over is not None:
                keep_hand_over(connection, hand_over)
            insert_audit(connection, entry)
            return True

    def open_links(
        self,
        tenant: str | None = None,
        uid: str | None = None,
        *,
        to: str | None = None,
        now: datetime,
    ) -> list[Link]:
        """The links that can be used at `now`, by tenant, credential and reader.

        Args:
            tenant: only those about this one.
            uid: only those about this credential.
            to: only those in mails to this address.
            now: aware UTC.

        Raises:
            StoreError: the database cannot be used.
        """
        query = select(LINK).where(*_open(tenant, uid), LINK.c.expires_at > now)
        order = (LINK.c.tenant, LINK.c.uid, LINK.c.recipient, LINK.c.action, LINK.c.made_at)
        with self._database.read() as connection:
            found = [_link(row) for row in connection.execute(query.order_by(*order))]
        return [one for one in found if _is_to(one.recipient, to)]

    def revoke_links(
        self,
        tenant: str | None = None,
        uid: str | None = None,
        *,
        to: str | None = None,
        now: datetime,
        entry: AuditEntry | None = None,
    ) -> int:
        """Take back unused links: of all tenants, of one, or about one of its credentials.

        Args:
            tenant: only those about this one.
            uid: only those about this credential.
            to: only those in mails to this address.
            now: aware UTC.
            entry: the record of it.

        Returns:
            How many there were.

        Raises:
            StoreError: the database cannot be used.
        """
        mine = select(LINK.c.digest, LINK.c.recipient).where(*_open(tenant, uid))
        number = 0
        with self._database.write() as connection:
            found = [row.digest for row in connection.execute(mine) if _is_to(row.recipient, to)]
            for start in range(0, len(found), _CHUNK):
                these = LINK.c.digest.in_(found[start : start + _CHUNK])
                still = (these, LINK.c.used_at.is_(None), LINK.c.revoked_at.is_(None))
                done = connection.execute(update(LINK).where(*still).values(revoked_at=now))
                number += int(done.rowcount)
            if entry is not None:
                insert_audit(connection, entry)
        return number


def _open(tenant: str | None, uid: str | None) -> list[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = [LINK.c.used_at.is_(None), LINK.c.revoked_at.is_(None)]
    wanted += [] if tenant is None else [LINK.c.tenant == tenant]
    return wanted if uid is None else [*wanted, LINK.c.uid == uid]


def _is_to(recipient: str, wanted: str | None) -> bool:
    return wanted is None or address_key(recipient) == address_key(wanted)


def insert_links(connection: Connection, mails: Sequence[OutboxMail]) -> None:
    """Add the links of new mails; those that are out of date go.

    Those about a tenant that was removed since the mail was written are left out.
    """
    names = {link.tenant for mail in mails for link in mail.links}
    if not names:
        return
    query = select(TENANT.c.name).where(TENANT.c.name.in_(sorted(names))).order_by(TENANT.c.name)
    there = set(connection.execute(query.with_for_update(read=True)).scalars())
    rows = [
        {
            "digest": link.digest,
            "tenant": link.tenant,
            "uid": link.uid,
            "life": link.life,
            "action": link.action.value,
            "recipient": link.recipient,
            "mail_id": mail.id,
            "made_at": link.made_at,
            "expires_at": link.expires_at,
            "used_at": link.used_at,
            "revoked_at": link.revoked_at,
        }
        for mail in mails
        for link in mail.links
        if link.tenant in there
    ]
    if rows:
        oldest = min(link.made_at for mail in mails for link in mail.links)
        connection.execute(delete(LINK).where(LINK.c.expires_at < oldest))
        connection.execute(insert(LINK), rows)


def take_tokens_out(connection: Connection, mail_ids: Sequence[str]) -> None:
    """Take the tokens out of those of the stored mails that will not be sent any more.

    Whoever reads the database afterwards finds hashes, and can do nothing with them.
    """
    for start in range(0, len(mail_ids), _CHUNK):
        these = mail_ids[start : start + _CHUNK]
        query = select(LINK.c.mail_id, LINK.c.digest).where(LINK.c.mail_id.in_(these))
        known: dict[str, set[str]] = {}
        for mail_id, digest in connection.execute(query):
            known.setdefault(mail_id, set()).add(digest)
        columns = (OUTBOX.c.mail_id, OUTBOX.c.body_text, OUTBOX.c.body_html)
        over = OUTBOX.c.mail_id.in_(list(known)), OUTBOX.c.state.in_(_OVER)
        found = connection.execute(select(*columns).where(*over)).all()
        for row in found:
            bodies = {
                "body_text": _without(row.body_text, known[row.mail_id]),
                "body_html": _without(row.body_html, known[row.mail_id]),
            }
            mine = update(OUTBOX).where(OUTBOX.c.mail_id == row.mail_id)
            connection.execute(mine.values(**bodies))


def digest_of(token: str) -> str:
    """The hash under which a token is known. 128 random bits and more need no slow one."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _without(body: str, digests: set[str]) -> str:
    return _TOKEN.sub(lambda at: TAKEN_OUT if digest_of(at[0]) in digests else at[0], body)


def _link(row: Any) -> Link:
    return Link(
        digest=row.digest,
        tenant=row.tenant,
        uid=row.uid,
        life=row.life,
        action=Action(row.action),
        recipient=row.recipient,
        made_at=row.made_at,
        expires_at=row.expires_at,
        used_at=row.used_at,
        revoked_at=row.revoked_at,
    )
