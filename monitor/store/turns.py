"""Who heard of what, and what waiting digests say: for the word that something is over."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Select, and_, func, select

from monitor.model import NoticeKey
from monitor.store.engine import Database
from monitor.store.mails import read_notices
from monitor.store.tables import NOTICE, OUTBOX


def _pairs() -> Select[tuple[str, str]]:
    """One notice of each pair of reader and tenant, by hops through the index over both.

    Neither SQLite nor PostgreSQL hops by itself where values repeat: each would read every entry.
    """
    who, tenant = NOTICE.c.recipient_key, NOTICE.c.tenant
    readers = select(func.min(who).label("who")).cte("readers", recursive=True)
    further = select(func.min(who)).where(who > readers.c.who).scalar_subquery()
    readers = readers.union_all(select(further).where(readers.c.who.is_not(None)))
    first = select(func.min(tenant)).where(who == readers.c.who).scalar_subquery()
    pairs = select(readers.c.who, first.label("tenant")).where(readers.c.who.is_not(None))
    found = pairs.cte("pairs", recursive=True)
    beside = and_(who == found.c.who, tenant > found.c.tenant)
    more = select(func.min(tenant)).where(beside).scalar_subquery()
    found = found.union_all(select(found.c.who, more).where(found.c.tenant.is_not(None)))
    this = and_(who == found.c.who, tenant == found.c.tenant)
    address = select(NOTICE.c.recipient).where(this).limit(1).scalar_subquery()
    return select(address.label("recipient"), found.c.tenant).where(found.c.tenant.is_not(None))


_PAIRS = _pairs()


class Turns:
    """The part of the store that knows to whom the end of something may be owed."""

    _database: Database

    def heard_about(self) -> list[tuple[str, str]]:
        """Everybody to whom a notice was sent: address and tenant, each pair once.

        It costs what there are pairs, however many notices were sent.

        Raises:
            StoreError: the database cannot be used.
        """
        with self._database.read() as connection:
            return sorted((row.recipient, row.tenant) for row in connection.execute(_PAIRS))

    def newest_mail(self) -> int:
        """The number of the mail that was written last; 0 before the first.

        Raises:
            StoreError: the database cannot be used.
        """
        with self._database.read() as connection:
            newest: int | None = connection.execute(select(func.max(OUTBOX.c.id))).scalar()
            return newest or 0

    def notices_of(self, mail_ids: Sequence[str]) -> dict[str, tuple[NoticeKey, ...]]:
        """The notices of some mails, by the mail's id.

        Raises:
            StoreError: the database cannot be used.
        """
        if not mail_ids:
            return {}
        with self._database.read() as connection:
            return read_notices(connection, mail_ids)
