"""Guided set-ups on their way; what they hold is references and ids, never a secret value."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection, delete, select

from monitor.model import Draft, Tenant
from monitor.store.engine import Database, hold_name, insert_once, upsert
from monitor.store.roster import same_directory
from monitor.store.setup_tables import DRAFT
from monitor.store.tables import SEALED_SECRET, TENANT
from monitor.store.text import dump, load


class Drafts:
    """The part of the store that keeps set-ups which somebody has begun."""

    _database: Database

    def drafts(self) -> list[Draft]:
        """All set-ups on their way, by name.

        Raises:
            StoreError: the database cannot be used.
        """
        with self._database.read() as connection:
            found = connection.execute(select(DRAFT.c.document)).scalars().all()
        return sorted((load(text, Draft) for text in found), key=lambda draft: draft.name)

    def draft(self, name: str) -> Draft | None:
        """The set-up of that name, if one was begun.

        Raises:
            StoreError: the database cannot be used.
        """
        query = select(DRAFT.c.document).where(DRAFT.c.name == name)
        with self._database.read() as connection:
            found = connection.execute(query).scalar_one_or_none()
        return None if found is None else load(found, Draft)

    def put_draft(self, draft: Draft, *, now: datetime) -> None:
        """Keep a set-up as far as it went.

        Raises:
            StoreError: the database cannot be used.
        """
        row = {"name": draft.name, "document": dump(draft), "changed_at": now}
        with self._database.write() as connection:
            upsert(connection, DRAFT, [row])

    def change_draft(
        self, name: str, change: Callable[[Draft], Draft], *, now: datetime
    ) -> Draft | None:
        """Change a set-up as it is at this moment, so that two who change it lose nothing.

        Args:
            name: of the set-up.
            change: makes the new one of the stored one; what it raises leaves all as it was.
            now: the instant.

        Returns:
            The set-up as it is now; None where there is none (any more).

        Raises:
            StoreError: the database cannot be used.
        """
        query = select(DRAFT.c.document).where(DRAFT.c.name == name).with_for_update()
        with self._database.write() as connection:
            found = connection.execute(query).scalar_one_or_none()
            if found is None:
                return None
            new = change(load(found, Draft))
            upsert(connection, DRAFT, [{"name": name, "document": dump(new), "changed_at": now}])
            return new

    def finish_draft(self, draft: Draft, tenant: Tenant, *, now: datetime) -> bool:
        """Watch the tenant that a set-up came to, and end the set-up; both or neither.

        Returns:
            Whether it is so: not where the set-up went on elsewhere, or the name is watched.

        Raises:
            StoreError: the database cannot be used.
        """
        row = {"name": tenant.name, "document": dump(tenant), "changed_at": now}
        with self._database.write() as connection:
            if not _stands(connection, draft):
                return False
            # One directory is watched once, whatever two set-ups call it.
            hold_name(connection, "discover")
            others = connection.execute(select(TENANT.c.document)).scalars()
            if any(same_directory(load(other, Tenant), tenant) for other in others):
                return False
            if not insert_once(connection, TENANT, row, unique=["name"]):
                return False
            connection.execute(delete(DRAFT).where(DRAFT.c.name == draft.name))
            return True

    def drop_draft(self, name: str) -> bool:
        """Forget a set-up; its sealed values go too, unless a tenant of that name uses them.

        Returns:
            Whether there was one.

        Raises:
            StoreError: the database cannot be used.
        """
        with self._database.write() as connection:
            gone = connection.execute(delete(DRAFT).where(DRAFT.c.name == name))
            watched = select(TENANT.c.name).where(TENANT.c.name == name)
            if gone.rowcount and connection.execute(watched).scalar_one_or_none() is None:
                sealed = SEALED_SECRET.c.owner == name
                connection.execute(delete(SEALED_SECRET).where(sealed))
            return bool(gone.rowcount)


def _stands(connection: Connection, draft: Draft) -> bool:
    """Whether a set-up is kept just so; it stays so until the transaction ends."""
    query = select(DRAFT.c.document).where(DRAFT.c.name == draft.name).with_for_update()
    return connection.execute(query).scalar_one_or_none() == dump(draft)


def is_draft(connection: Connection, name: str) -> bool:
    """Whether a set-up of that name is on its way; it stays so until the transaction ends."""
    query = select(DRAFT.c.name).where(DRAFT.c.name == name).with_for_update()
    return connection.execute(query).scalar_one_or_none() is not None
