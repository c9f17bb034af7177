"""Discovered customers: added once, told apart when consent comes, noted when access is lost."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import delete, select

from monitor.model import Tenant
from monitor.model.customers import LostAccess
from monitor.store.engine import Database, hold_name, upsert
from monitor.store.roster import hold, same_directory
from monitor.store.tables import LOST_ACCESS, TENANT
from monitor.store.text import dump, load


class Customers:
    """The part of the store that knows how far a discovered customer has come."""

    _database: Database

    def add_discovered(self, tenants: Sequence[Tenant], *, now: datetime) -> list[str]:
        """Add tenants, but none whose name or directory is there already.

        Args:
            tenants: to be added; no name twice.
            now: the instant, aware UTC.

        Returns:
            The names of those that were added.

        Raises:
            StoreError: the database cannot be used; nothing was added.
        """
        with self._database.write() as connection:
            hold_name(connection, "discover")
            documents = connection.execute(select(TENANT.c.document)).scalars()
            known = [load(document, Tenant) for document in documents]
            names = {one.name.casefold() for one in known}
            directories = {one.directory_id.lower() for one in known}
            new = [
                one
                for one in tenants
                if one.name.casefold() not in names and one.directory_id.lower() not in directories
            ]
            rows = [{"name": one.name, "document": dump(one), "changed_at": now} for one in new]
            upsert(connection, TENANT, rows)
        return [one.name for one in new]

    def end_pending(
        self, tenant: Tenant, *, now: datetime, shadow_until: datetime | None = None
    ) -> Tenant | None:
        """Begin to watch a tenant whose consent has come.

        Args:
            tenant: as it was when its consent was looked for.
            now: the instant, aware UTC.
            shadow_until: its shadow, as of any tenant that is new.

        Returns:
            The tenant as it is now; None where it is gone, or not that pending one any more.

        Raises:
            StoreError: the database cannot be used.
        """
        with self._database.write() as connection:
            document = hold(connection, tenant.name)
            entry = None if document is None else load(document, Tenant)
            if entry is None or not entry.pending or not same_directory(entry, tenant):
                return None
            # It has one only where somebody said it is to be live at once: one that is over.
            until = entry.shadow_until or shadow_until
            found = replace(entry, pending=False, shadow_until=until)
            row = {"name": found.name, "document": dump(found), "changed_at": now}
            upsert(connection, TENANT, [row])
        return found

    def put_lost(self, lost: Mapping[str, str], *, judged: Collection[str], now: datetime) -> None:
        """Note who is lost, and forget it of those who are not any more.

        Args:
            lost: what that means, by the tenant's name; who is lost already keeps the date.
            judged: the names about whom the discovery is sure; those of `lost` are, too.
            now: the instant, aware UTC.

        Raises:
            StoreError: the database cannot be used; nothing was changed.
        """
        with self._database.write() as connection:
            found = set(judged) - set(lost)
            for name in sorted(found):
                connection.execute(delete(LOST_ACCESS).where(LOST_ACCESS.c.tenant == name))
            rows = [
                {"tenant": name, "since": now, "problem": problem}
                for name, problem in sorted(lost.items())
                if hold(connection, name) is not None
            ]
            upsert(connection, LOST_ACCESS, rows, keep=("since",))

    def lost_access(self) -> dict[str, LostAccess]:
        """Who is lost, by the tenant's name.

        Raises:
            StoreError: the database cannot be used.
        """
        with self._database.read() as connection:
            rows = connection.execute(select(LOST_ACCESS).order_by(LOST_ACCESS.c.tenant))
            return {row.tenant: LostAccess(row.tenant, row.since, row.problem) for row in rows}
