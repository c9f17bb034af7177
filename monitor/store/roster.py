"""Who is watched: tenants and the apps they share."""

from __future__ import annotations

from typing import Literal

from sqlalchemy import Connection, delete, or_, select

from monitor.errors import StoreError
from monitor.model import SharedApp, Tenant
from monitor.store.engine import Database, upsert
from monitor.store.tables import (
    ALARM,
    OUTBOX,
    PROBE,
    SENDER_HEALTH,
    SHARED_APP,
    SLOT,
    TENANT,
)
from monitor.store.tables import NOTICE as NOTICES
from monitor.store.text import dump, load


class Roster:
    """The part of the store that keeps tenants."""

    _database: Database

    def tenants(self) -> list[Tenant]:
        """All tenants, by name.

        Raises:
            StoreError: the database cannot be used.
        """
        with self._database.read() as connection:
            documents = connection.execute(select(TENANT.c.document)).scalars().all()
        return sorted((load(text, Tenant) for text in documents), key=lambda tenant: tenant.name)

    def tenant(self, name: str) -> Tenant | None:
        """The tenant of that name, if there is one.

        Raises:
            StoreError: the database cannot be used.
        """
        with self._database.read() as connection:
            found = connection.execute(
                select(TENANT.c.document).where(TENANT.c.name == name)
            ).scalar_one_or_none()
        return None if found is None else load(found, Tenant)

    def put_tenant(self, tenant: Tenant) -> Literal["added", "updated", "unchanged"]:
        """Keep a tenant, in place of the one of that name.

        Returns:
            What that came to.

        Raises:
            StoreError: the database cannot be used.
        """
        row = {"name": tenant.name, "document": dump(tenant)}
        with self._database.write() as connection:
            old = connection.execute(
                select(TENANT.c.document).where(TENANT.c.name == tenant.name)
            ).scalar_one_or_none()
            if old == row["document"]:
                return "unchanged"
            upsert(connection, TENANT, [row])
        return "added" if old is None else "updated"

    def remove_tenant(self, name: str) -> bool:
        """Forget a tenant: its facts, its history and the mails that name nobody else.

        Returns:
            Whether there was one of that name.

        Raises:
            StoreError: the database cannot be used.
        """
        scopes = (name, f"tenant:{name}", f"sender:{name}")
        with self._database.write() as connection:
            # Mails that name others too stay, as evidence of what those were told; one that
            # still waits is replaced by its recipient's next run.
            connection.execute(
                delete(OUTBOX).where(
                    or_(OUTBOX.c.tenants == dump((name,)), OUTBOX.c.scope.in_(scopes[1:]))
                )
            )
            connection.execute(delete(NOTICES).where(NOTICES.c.tenant == name))
            connection.execute(delete(ALARM).where(ALARM.c.scope.in_(scopes[1:])))
            connection.execute(delete(SLOT).where(SLOT.c.scope.in_(scopes)))
            for table in (PROBE, SENDER_HEALTH):
                connection.execute(delete(table).where(table.c.tenant == name))
            gone = connection.execute(delete(TENANT).where(TENANT.c.name == name))
            return bool(gone.rowcount)  # facts, ledger and snoozes go with it, by foreign key

    def shared_apps(self) -> list[SharedApp]:
        """All shared apps, by name.

        Raises:
            StoreError: the database cannot be used.
        """
        with self._database.read() as connection:
            documents = connection.execute(select(SHARED_APP.c.document)).scalars().all()
        return sorted((load(text, SharedApp) for text in documents), key=lambda app: app.name)

    def put_shared_app(self, app: SharedApp) -> None:
        """Keep a shared app, in place of the one of that name.

        Raises:
            StoreError: the database cannot be used.
        """
        with self._database.write() as connection:
            upsert(connection, SHARED_APP, [{"name": app.name, "document": dump(app)}])


def hold_tenant(connection: Connection, name: str) -> None:
    """Make writers about one tenant wait for each other, and for its removal.

    Raises:
        StoreError: there is no such tenant (any more).
    """
    found = connection.execute(
        select(TENANT.c.name).where(TENANT.c.name == name).with_for_update()
    ).first()
    if found is None:
        raise StoreError(
            f"There is no tenant named {name} in the store; it may have been removed meanwhile.",
            remedy="Nothing was recorded. `lapsewatch tenant list` shows which there are.",
        )
