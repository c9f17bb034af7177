"""Who a credential was handed over to; one for each of its lives, the last counts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, select, update
from sqlmodel import Field

from monitor.model.acts import AuditEntry, HandOver
from monitor.store.audit import insert_audit
from monitor.store.engine import Database, upsert
from monitor.store.roster import hold_tenant
from monitor.store.rows import Row, table_of, tenant_column, text_column
from monitor.store.tables import OUTBOX
from monitor.store.text import address_key

_BETWEEN = "\n"  # no address and no name holds one


class HandOverRow(Row, table=True):
    """Credentials that are somebody else's by now."""

    __tablename__ = "hand_over"
    tenant: str = tenant_column(primary_key=True)
    uid: str = text_column(primary_key=True)
    life: int = Field(primary_key=True)
    handed_to: str = text_column()
    remark: str = text_column()
    author: str = text_column()
    at: datetime
    givers: str | None = text_column()
    refused: bool | None = None


HAND_OVER = table_of(HandOverRow)


class HandOvers:
    """The part of the store that knows what was handed over."""

    _database: Database

    def hand_overs(self) -> dict[tuple[str, str, int], HandOver]:
        """What was handed over, by tenant, uid and life.

        Raises:
            StoreError: the database cannot be used.
        """
        with self._database.read() as connection:
            found = [_hand_over(row) for row in connection.execute(select(HAND_OVER))]
        return {(one.tenant, one.uid, one.life): one for one in found}

    def put_hand_over(self, one: HandOver, entry: AuditEntry) -> None:
        """Keep a hand-over, with the record of it.

        Raises:
            StoreError: there is no such tenant, or the database cannot be used.
        """
        with self._database.write() as connection:
            hold_tenant(connection, one.tenant)
            keep_hand_over(connection, one)
            insert_audit(connection, entry)

    def remove_hand_over(self, tenant: str, uid: str, life: int, entry: AuditEntry) -> bool:
        """Take a hand-over back, with the record of it; whether there was one.

        Raises:
            StoreError: the database cannot be used.
        """
        columns = HAND_OVER.c
        mine = (columns.tenant == tenant, columns.uid == uid, columns.life == life)
        with self._database.write() as connection:
            gone = connection.execute(delete(HAND_OVER).where(*mine)).rowcount == 1
            if gone:
                insert_audit(connection, entry)
        return gone


def keep_hand_over(connection: Connection, one: HandOver) -> None:
    """Keep a hand-over in place of an earlier one of the same credential and life."""
    row = {
        "tenant": one.tenant,
        "uid": one.uid,
        "life": one.life,
        "handed_to": one.to,
        "remark": one.remark,
        "author": one.author,
        "at": one.at,
        "givers": _BETWEEN.join(one.givers),
        "refused": one.refused,
    }
    upsert(connection, HAND_OVER, [row])


def refuse_hand_overs(connection: Connection, mail_id: str) -> None:
    """A mail was refused for good: what was handed over to its recipient goes back.

    It is kept here, because the mail itself is taken back as soon as nobody is to get it.
    """
    who = select(OUTBOX.c.recipient_key).where(OUTBOX.c.mail_id == mail_id)
    key, c = connection.execute(who).scalar_one_or_none(), HAND_OVER.c
    query = select(c.tenant, c.uid, c.life, c.handed_to).where(c.refused.is_not(True))
    for row in connection.execute(query).all():
        if address_key(row.handed_to) == key:
            mine = (c.tenant == row.tenant, c.uid == row.uid, c.life == row.life)
            connection.execute(update(HAND_OVER).where(*mine).values(refused=True))


def _hand_over(row: Any) -> HandOver:
    givers = tuple(filter(None, (row.givers or "").split(_BETWEEN)))
    return HandOver(
        row.tenant, row.uid, row.life, row.handed_to, row.remark, row.author, row.at,
        givers, bool(row.refused),
    )  # fmt: skip
