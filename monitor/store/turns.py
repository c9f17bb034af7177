"""Who heard of what, and what waiting digests say: for the word that something is over."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select

from monitor.model import NoticeKey
from monitor.store.engine import Database
from monitor.store.mails import read_notices
from monitor.store.tables import NOTICE


class Turns:
    """The part of the store that knows to whom the end of something may be owed."""

    _database: Database

    def heard_about(self) -> list[tuple[str, str]]:
        """Everybody to whom a notice was sent: address and tenant, each pair once.

        Raises:
            StoreError: the database cannot be used.
        """
        query = select(func.max(NOTICE.c.recipient).label("recipient"), NOTICE.c.tenant).group_by(
            NOTICE.c.recipient_key, NOTICE.c.tenant
        )
        with self._database.read() as connection:
            return sorted((row.recipient, row.tenant) for row in connection.execute(query))

    def notices_of(self, mail_ids: Sequence[str]) -> dict[str, tuple[NoticeKey, ...]]:
        """The notices of some mails, by the mail's id.

        Raises:
            StoreError: the database cannot be used.
        """
        if not mail_ids:
            return {}
        with self._database.read() as connection:
            return read_notices(connection, mail_ids)
