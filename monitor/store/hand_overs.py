"""Who a credential was handed over to; one for each of its lives, the last counts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select
from sqlmodel import Field

from monitor.model.acts import HandOver
from monitor.store.engine import Database, upsert
from monitor.store.rows import Row, table_of, tenant_column, text_column


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
    }
    upsert(connection, HAND_OVER, [row])


def _hand_over(row: Any) -> HandOver:
    return HandOver(row.tenant, row.uid, row.life, row.handed_to, row.remark, row.author, row.at)
