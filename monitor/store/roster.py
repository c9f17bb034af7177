"""Who is watched: tenants and the apps they share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, select, update

from monitor.errors import StoreError
from monitor.model import SharedApp, Tenant
from monitor.store.engine import Database, upsert
from monitor.store.forget import forget
from monitor.store.tables import SHARED_APP, TENANT
from monitor.store.text import dump, load

Outcome = Literal["added", "updated", "unchanged", "replaced"]
_CHUNK = 500


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

    def known_since(self) -> dict[str, datetime]:
        """Since when each tenant has been known as it is now, by name.

        That is when it was added or replaced, or when anything but its shadow last changed.

        Raises:
            StoreError: the database cannot be used.
        """
        with self._database.read() as connection:
            rows = connection.execute(select(TENANT.c.name, TENANT.c.changed_at))
            return {row.name: row.changed_at for row in rows}

    def put_tenant(self, tenant: Tenant, *, now: datetime, keep_shadow: bool = False) -> Outcome:
        """Keep a tenant, in place of the one of that name.

        One that names another directory is another tenant: what was known about the old one
        goes, as if that had been removed first.

        Args:
            tenant: the tenant.
            now: the instant, aware UTC.
            keep_shadow: the shadow of `tenant` is for a new one; a known one keeps its own.

        Returns:
            What that came to.

        Raises:
            StoreError: the database cannot be used.
        """
        with self._database.write() as connection:
            return _put(connection, [tenant], now, keep_shadow=keep_shadow)[0]

    def put_roster(
        self,
        apps: Sequence[SharedApp],
        tenants: Sequence[Tenant],
        *,
        now: datetime,
        live: bool = False,
        dry_run: bool = False,
    ) -> list[tuple[str, Outcome]]:
        """Keep shared apps and tenants, all in one transaction: a thousand take no longer than one.

        Args:
            apps: kept first, as by `put_shared_app`.
            tenants: kept as by `put_tenant`, known ones with their own shadow; no name twice.
            now: the instant, aware UTC.
            live: end the shadow of the known ones.
            dry_run: only find out what it would come to.

        Returns:
            Each of the tenants and its outcome, then those that a changed app updated.

        Raises:
            StoreError: the database cannot be used; nothing was kept.
        """
        with self._database.write() as connection:
            touched = {name for app in apps for name in _put_app(connection, app, now)}
            outcomes = zip(
                tenants, _put(connection, tenants, now, keep_shadow=True, live=live), strict=True
            )
            # Its app came first, so the tenant has what changed there already.
            told: list[tuple[str, Outcome]] = [
                (one.name, "updated" if what == "unchanged" and one.name in touched else what)
                for one, what in outcomes
            ]
            others = touched - {tenant.name for tenant in tenants}
            told += [(name, "updated") for name in sorted(others)]
            if dry_run:
                connection.rollback()
        return told

    def change_tenant(
        self, name: str, change: Callable[[Tenant], Tenant], *, now: datetime
    ) -> Tenant | None:
        """Change a tenant as it is at this moment, so that two who change it lose nothing.

        Args:
            name: of the tenant.
            change: makes the new one of the stored one, of the same directory; what it raises
                leaves all as it was.
            now: the instant, aware UTC.

        Returns:
            The tenant as it is now; None where there is none (any more).

        Raises:
            StoreError: the database cannot be used.
        """
        with self._database.write() as connection:
            document = hold(connection, name)
            if document is None:
                return None
            new = change(load(document, Tenant))
            _put(connection, [new], now, keep_shadow=False)
            return new

    def end_shadow(self, name: str, *, now: datetime) -> bool:
        """Let the reminders about a tenant start. It is not read anew for that.

        One that waits for consent is not in shadow yet; it will not be when consent comes.

        Args:
            name: of the tenant.
            now: the instant, aware UTC.

        Returns:
            Whether it was in shadow, or would have been with its consent.

        Raises:
            StoreError: the database cannot be used.
        """
        with self._database.write() as connection:
            document = hold(connection, name)
            tenant = None if document is None else load(document, Tenant)
            if tenant is None:
                return False
            if not tenant.in_shadow(now) and not (tenant.pending and tenant.shadow_until is None):
                return False
            over = now if tenant.pending else None
            _put_document(connection, replace(tenant, shadow_until=over))
            return True

    def remove_tenant(self, name: str) -> bool:
        """Forget a tenant: its facts, its history, its sealed values and the mails about it alone.

        Returns:
            Whether there was one of that name.

        Raises:
            StoreError: the database cannot be used.
        """
        with self._database.write() as connection:
            hold(connection, name)
            return forget(connection, name)

    def shared_apps(self) -> list[SharedApp]:
        """All shared apps, by name.

        Raises:
            StoreError: the database cannot be used.
        """
        with self._database.read() as connection:
            documents = connection.execute(select(SHARED_APP.c.document)).scalars().all()
        return sorted((load(text, SharedApp) for text in documents), key=lambda app: app.name)

    def put_shared_app(self, app: SharedApp, *, now: datetime) -> tuple[str, ...]:
        """Keep a shared app, in place of the one of that name, also in the tenants that use it.

        What a tenant says itself, a client id or a credential of its own, stays.

        Args:
            app: the shared app.
            now: the instant, aware UTC.

        Returns:
            The names of the tenants that this changed.

        Raises:
            StoreError: the database cannot be used.
        """
        with self._database.write() as connection:
            return _put_app(connection, app, now)


def hold_tenant(connection: Connection, name: str, watched: Tenant | None = None) -> None:
    """Make writers about one tenant wait for each other, and for its removal.

    Args:
        connection: a writing transaction.
        name: of the tenant.
        watched: the tenant as it was when the work began whose outcome is to be written.

    Raises:
        StoreError: there is no such tenant (any more), or the name stands for another directory
            than that of `watched` by now.
    """
    found = hold(connection, name)
    if found is None:
        raise StoreError(
            f"There is no tenant named {name} in the store; it may have been removed meanwhile.",
            remedy="Nothing was recorded. `lapsewatch tenant list` shows which there are.",
        )
    if watched is not None and not same_directory(load(found, Tenant), watched):
        raise StoreError(
            f"The tenant {name} names another directory by now.",
            remedy="Nothing was recorded. The next scan reads the new one.",
        )


def hold(connection: Connection, name: str) -> str | None:
    """The document of a tenant, locked until the end of the transaction."""
    return connection.execute(
        select(TENANT.c.document).where(TENANT.c.name == name).with_for_update()
    ).scalar_one_or_none()


def _put_document(connection: Connection, tenant: Tenant) -> None:
    """Write what a tenant is like, where nothing changed that it would have to be read for."""
    mine = TENANT.c.name == tenant.name
    connection.execute(update(TENANT).where(mine).values(document=dump(tenant)))


def same_directory(one: Tenant, other: Tenant) -> bool:
    """Whether two entries stand for one directory of one cloud."""
    return (one.directory_id.lower(), one.cloud) == (other.directory_id.lower(), other.cloud)


def _sealed_for(tenant: Tenant) -> set[str]:
    """The fields of the tenant's sealed values that its entry names."""
    own = tenant.sender.credential if tenant.sender else None
    start = f"sealed:{tenant.name}/"
    named = [
        text
        for one in (tenant.credential, own)
        if one is not None
        for text in (one.reference, one.password or "")
    ]
    return {text.removeprefix(start) for text in named if text.startswith(start)}


def _put(
    connection: Connection,
    tenants: Sequence[Tenant],
    now: datetime,
    *,
    keep_shadow: bool,
    live: bool = False,
) -> list[Outcome]:
    """Keep tenants; what that came to for each."""
    held = _documents(connection, [tenant.name for tenant in tenants])
    outcomes: list[Outcome] = []
    rows = []
    for tenant in tenants:
        old, changed_at = held.get(tenant.name, (None, now))
        replaced = old is not None and not same_directory(old, tenant)
        if replaced:
            forget(connection, tenant.name, keep=_sealed_for(tenant))
        elif old is not None and keep_shadow:
            tenant = _as_far_as_it_came(tenant, old, ended=live and old.in_shadow(now))
        if live and tenant.pending and tenant.shadow_until is None:
            tenant = replace(tenant, shadow_until=now)  # over at once, also when consent comes
        if old == tenant:
            outcomes.append("unchanged")
            continue
        outcomes.append("added" if old is None else "replaced" if replaced else "updated")
        # For a shadow alone it need not be read anew.
        same = old is not None and replace(tenant, shadow_until=old.shadow_until) == old
        at = changed_at if same else now
        rows.append({"name": tenant.name, "document": dump(tenant), "changed_at": at})
    upsert(connection, TENANT, rows)
    return outcomes


def _as_far_as_it_came(tenant: Tenant, old: Tenant, *, ended: bool) -> Tenant:
    """An entry from a file, with what the store knows better than any file."""
    begins = old.pending and not tenant.pending  # it is watched from now on: as a new one
    until = tenant.shadow_until if begins else None if ended else old.shadow_until
    return replace(
        tenant,
        shadow_until=until,
        pending=tenant.pending and old.pending,  # who has consented has consented
        discovered_from=tenant.discovered_from or old.discovered_from,
    )


def _documents(connection: Connection, names: Sequence[str]) -> dict[str, tuple[Tenant, datetime]]:
    """Those of the tenants that there are, locked in an order that cannot deadlock, by name.

    With the instant of the last change.
    """
    found = {}
    for start in range(0, len(names), _CHUNK):
        chunk = TENANT.c.name.in_(names[start : start + _CHUNK])
        query = select(TENANT).where(chunk).order_by(TENANT.c.name).with_for_update()
        for row in connection.execute(query):
            found[row.name] = (load(row.document, Tenant), row.changed_at)
    return found


def _put_app(connection: Connection, app: SharedApp, now: datetime) -> tuple[str, ...]:
    """Keep a shared app; the names of the tenants that this changed."""
    query = select(SHARED_APP.c.document).where(SHARED_APP.c.name == app.name)
    old = connection.execute(query.with_for_update()).scalar_one_or_none()
    if old == dump(app):
        return ()
    upsert(connection, SHARED_APP, [{"name": app.name, "document": dump(app)}])
    # A tenant can only refer to an app that was there before it.
    return () if old is None else _pass_on(connection, load(old, SharedApp), app, now)


def _pass_on(
    connection: Connection, old: SharedApp, new: SharedApp, now: datetime
) -> tuple[str, ...]:
    """Renew the copies that tenants hold of a shared app."""
    # In one order, so that two of these never wait for each other.
    rows = connection.execute(select(TENANT).order_by(TENANT.c.name).with_for_update()).all()
    changed = []
    for row in rows:
        before = load(row.document, Tenant)
        after = _with_app(before, old, new)
        if after != before:
            changed.append({"name": row.name, "document": dump(after), "changed_at": now})
    upsert(connection, TENANT, changed)
    return tuple(row["name"] for row in changed)


def _with_app(tenant: Tenant, old: SharedApp, new: SharedApp) -> Tenant:
    if tenant.app != new.name:
        return tenant
    return replace(
        tenant,
        client_id=new.client_id if tenant.client_id == old.client_id else tenant.client_id,
        credential=new.credential if tenant.credential == old.credential else tenant.credential,
    )
