"""What people keep: notes about credentials, and dates that become facts like any other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, delete, select, update

from monitor.model import (
    Item,
    Kind,
    Note,
    ObjectType,
    ObservedCredential,
    ObservedObject,
    Reading,
    WatchedItem,
)
from monitor.store import fold
from monitor.store.engine import Database, upsert
from monitor.store.inventory_tables import ITEM, NOTE
from monitor.store.roster import hold, hold_tenant
from monitor.store.tables import CREDENTIAL, OBJECT
from monitor.store.text import dump, load


class Inventory:
    """The part of the store that keeps what people know and no directory does."""

    _database: Database

    # --- notes -----------------------------------------------------------------------------------

    def notes(self, tenant: str | None = None) -> list[Note]:
        """The notes of one tenant or of all, by tenant and app.

        Raises:
            StoreError: the database cannot be used.
        """
        query = select(NOTE.c.document)
        if tenant is not None:
            query = query.where(NOTE.c.tenant == tenant)
        with self._database.read() as connection:
            found = [load(text, Note) for text in connection.execute(query).scalars()]
        return sorted(found, key=lambda note: (note.tenant, note.app.casefold(), note.slot))

    def what_is_noted(self) -> list[Note]:
        """All notes, and what is kept about each watched date.

        Raises:
            StoreError: the database cannot be used.
        """
        return [*self.notes(), *(watched.item.note for watched in self.items())]

    def replace_notes(self, notes: Sequence[Note]) -> None:
        """Keep the notes of a file, in place of those that came from one before.

        Tenants that have none among them keep theirs; so do notes that were made by hand, unless
        there is one about the same credentials now.

        Args:
            notes: no two of a tenant about the same credentials.

        Raises:
            StoreError: a tenant is gone, or the database cannot be used; nothing was kept.
        """
        with self._database.write() as connection:
            for tenant in sorted({note.tenant for note in notes}):
                hold_tenant(connection, tenant)
                old = (NOTE.c.tenant == tenant) & NOTE.c.by_hand.is_(False)
                connection.execute(delete(NOTE).where(old))
            upsert(connection, NOTE, [_note_row(note) for note in notes])

    def put_note(self, note: Note) -> None:
        """Keep one note, in place of the one about the same credentials.

        Raises:
            StoreError: there is no such tenant, or the database cannot be used.
        """
        with self._database.write() as connection:
            hold_tenant(connection, note.tenant)
            upsert(connection, NOTE, [_note_row(note)])

    def remove_note(self, note: Note) -> bool:
        """Forget the note about the same credentials as this one; whether there was one.

        Raises:
            StoreError: the database cannot be used.
        """
        mine = (NOTE.c.tenant == note.tenant) & (NOTE.c.slot == note.slot)
        with self._database.write() as connection:
            return bool(connection.execute(delete(NOTE).where(mine)).rowcount)

    # --- items -----------------------------------------------------------------------------------

    def items(self, tenant: str | None = None) -> list[WatchedItem]:
        """The watched dates of one tenant or of all, by tenant and name.

        Raises:
            StoreError: the database cannot be used.
        """
        query = select(ITEM).order_by(ITEM.c.tenant, ITEM.c.name)
        if tenant is not None:
            query = query.where(ITEM.c.tenant == tenant)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [WatchedItem(load(row.document, Item), row.read_at, row.problem) for row in rows]

    def replace_items(
        self,
        items: Sequence[Item],
        *,
        zones: Mapping[str, ZoneInfo],
        keep: Collection[str] = (),
        now: datetime,
    ) -> None:
        """Keep the watched dates of a file, in place of those that came from one before.

        What is gone from the file is marked as removed, as if a scan had not seen it. Tenants
        that have none among them keep theirs.

        Args:
            items: no name of a tenant twice.
            zones: of the tenants, in which days are counted.
            keep: tenants of which some row was bad: nothing of theirs is removed.
            now: the instant, aware UTC.

        Raises:
            StoreError: a tenant is gone, or the database cannot be used; nothing was kept.
        """
        named: dict[str, set[str]] = defaultdict(set)
        for item in items:
            named[item.tenant].add(item.name)
        with self._database.write() as connection:
            for tenant, names in sorted(named.items()):
                hold_tenant(connection, tenant)
                if tenant not in keep:
                    _drop(connection, tenant, _gone(connection, tenant, names), now)
            for item in items:
                _put_item(connection, item, zones[item.tenant], now)

    def put_item(self, item: Item, *, zone: ZoneInfo, now: datetime) -> None:
        """Keep one watched date, in place of the one of that name.

        Args:
            item: the item.
            zone: the tenant's, in which days are counted.
            now: the instant, aware UTC.

        Raises:
            StoreError: there is no such tenant, or the database cannot be used.
        """
        with self._database.write() as connection:
            hold_tenant(connection, item.tenant)
            _put_item(connection, item, zone, now)

    def remove_item(self, tenant: str, name: str, *, now: datetime) -> bool:
        """Forget a watched date; its history stays as that of what was removed.

        Returns:
            Whether there was one of that name.

        Raises:
            StoreError: the database cannot be used.
        """
        with self._database.write() as connection:
            hold(connection, tenant)
            return _drop(connection, tenant, [name], now)

    def record_readings(
        self, tenant: str, readings: Sequence[Reading], *, zone: ZoneInfo, at: datetime
    ) -> None:
        """Write what came of reading a tenant's items. What could not be read stays as it was.

        Args:
            tenant: its name.
            readings: of items; one that was changed or removed meanwhile is left out.
            zone: the tenant's, in which days are counted.
            at: when they were read, aware UTC.

        Raises:
            StoreError: there is no such tenant, or the database cannot be used.
        """
        with self._database.write() as connection:
            hold_tenant(connection, tenant)
            query = select(ITEM.c.name, ITEM.c.document).where(ITEM.c.tenant == tenant)
            known = {row.name: row.document for row in connection.execute(query)}
            for reading in readings:
                if known.get(reading.item.name) == dump(reading.item):
                    _record(connection, reading, zone, at)


def item_dates(connection: Connection, tenant: str | None = None) -> dict[tuple[str, str], Any]:
    """As of when each item's end is known, by tenant and object id."""
    query = select(ITEM.c.tenant, ITEM.c.object_id, ITEM.c.read_at)
    if tenant is not None:
        query = query.where(ITEM.c.tenant == tenant)
    return {(row.tenant, row.object_id): row.read_at for row in connection.execute(query)}


def _note_row(note: Note) -> dict[str, Any]:
    return {
        "tenant": note.tenant,
        "slot": note.slot,
        "document": dump(note),
        "by_hand": note.by_hand,
    }


def _gone(connection: Connection, tenant: str, names: set[str]) -> list[str]:
    """The items from a file that are in it no more."""
    mine = (ITEM.c.tenant == tenant) & ITEM.c.by_hand.is_(False)
    return sorted(set(connection.execute(select(ITEM.c.name).where(mine)).scalars()) - names)


def _drop(connection: Connection, tenant: str, names: Iterable[str], now: datetime) -> bool:
    found = False
    for name in names:
        mine = (ITEM.c.tenant == tenant) & (ITEM.c.name == name)
        found = bool(connection.execute(delete(ITEM).where(mine)).rowcount) or found
        _remove_facts(connection, Item(tenant, name), now)
    return found


def _remove_facts(connection: Connection, item: Item, now: datetime) -> None:
    for table in (CREDENTIAL, OBJECT):
        mine = (table.c.tenant == item.tenant) & (table.c.object_id == item.object_id)
        there = mine & table.c.removed_at.is_(None)
        connection.execute(update(table).where(there).values(removed_at=now))


def _put_item(connection: Connection, item: Item, zone: ZoneInfo, now: datetime) -> None:
    mine = (ITEM.c.tenant == item.tenant) & (ITEM.c.name == item.name)
    old = connection.execute(select(ITEM).where(mine)).one_or_none()
    before = None if old is None else load(old.document, Item)
    same_host = before is not None and before.host is not None and before.host == item.host
    row = {
        "tenant": item.tenant,
        "name": item.name,
        "object_id": item.object_id,
        "document": dump(item),
        "by_hand": item.by_hand,
        "read_at": now if item.host is None else old.read_at if old and same_host else None,
        "problem": old.problem if old and same_host else None,
    }
    upsert(connection, ITEM, [row])
    if item.host is None:
        _write_facts(connection, item, _credential(item, item.end), zone, now)
    elif not same_host:  # another server's end says nothing about this one
        _remove_facts(connection, item, now)


def _record(connection: Connection, reading: Reading, zone: ZoneInfo, at: datetime) -> None:
    item, served = reading.item, reading.served
    mine = (ITEM.c.tenant == item.tenant) & (ITEM.c.name == item.name)
    if served is not None:
        connection.execute(update(ITEM).where(mine).values(read_at=at, problem=None))
        seen = _credential(item, served.end, start=served.start, thumbprint=served.thumbprint)
        _write_facts(connection, item, seen, zone, at)
        return
    connection.execute(update(ITEM).where(mine).values(problem=reading.problem))
    since = connection.execute(select(ITEM.c.read_at).where(mine)).scalar_one()
    facts = (CREDENTIAL.c.tenant == item.tenant) & (CREDENTIAL.c.object_id == item.object_id)
    proven = facts & CREDENTIAL.c.unproven_since.is_(None)
    connection.execute(update(CREDENTIAL).where(proven).values(unproven_since=since))


def _credential(item: Item, end: datetime | None, **more: Any) -> ObservedCredential:
    start = more.pop("start", None)
    return ObservedCredential(Kind.ITEM, "item", item.object_id, item.label, start, end, **more)


def _write_facts(
    connection: Connection, item: Item, seen: ObservedCredential, zone: ZoneInfo, at: datetime
) -> None:
    """The item as an object with one credential; what did not change is not written again."""
    thing = ObservedObject(ObjectType.ITEM, item.object_id, None, item.name, (seen,))
    objects = [fold.object_row(item.tenant, thing, at)]
    rows = list(fold.credential_rows(item.tenant, thing, frozenset(), at))
    for table, key, found in ((OBJECT, "object_id", objects), (CREDENTIAL, "uid", rows)):
        mine = (table.c.tenant == item.tenant) & (table.c.object_id == item.object_id)
        held = connection.execute(select(table).where(mine)).mappings()
        known: dict[str, Mapping[str, Any]] = {row[key]: dict(row) for row in held}
        changed = (
            fold.changed_objects(found, known)
            if table is OBJECT
            else fold.changed_credentials(found, known, zone)
        )
        upsert(connection, table, changed, keep=("first_seen",))
