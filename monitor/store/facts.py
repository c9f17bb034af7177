"""What scans proved: objects and credentials, and the ledger they come from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Select, Table, and_, bindparam, or_, select, update

from monitor.model import (
    Credential,
    Examination,
    Kind,
    ObservedCredential,
    ObservedObject,
    Owner,
    Scan,
    ScanRecord,
    Tenant,
    TenantHealth,
)
from monitor.store import fold
from monitor.store.acceptances import use_acceptance
from monitor.store.alarms import AlarmWrite, apply_alarm
from monitor.store.engine import Database, upsert
from monitor.store.examinations import keep_examination
from monitor.store.fact_rows import credential_of, notify_of, object_of, observed_of, people_of
from monitor.store.insights import Beside, keep_insights
from monitor.store.inventory import item_dates
from monitor.store.ledger import all_health, last_complete_scans, record_attempt, scan_records
from monitor.store.roster import hold_tenant
from monitor.store.tables import CREDENTIAL, OBJECT, TENANT
from monitor.store.text import load

_CHUNK = 500  # objects compared at a time: bounds the memory, and the number of parameters


class Facts:
    """The part of the store that keeps what was read from the directories."""

    _database: Database

    def record_scan(
        self,
        scan: Scan,
        *,
        zone: ZoneInfo,
        own: frozenset[str] = frozenset(),
        alarm: AlarmWrite | None = None,
        watched: Tenant | None = None,
        examination: Examination | None = None,
    ) -> None:
        """Write the outcome of one attempt in one transaction.

        Only a complete scan changes or removes what is known. One that read every page, but
        could not make out some entry, adds what it found as unproven. One that a newer complete
        scan has overtaken adds its row to the ledger and nothing else, not even the alarm.

        Rows that did not change are not written again, so a quiet rescan costs little.

        Args:
            scan: the ledger row and what was seen.
            zone: the tenant's zone; a renewal is an end later by a local day.
            own: the `credential_uid` of those that Lapsewatch itself signs in with.
            alarm: an alarm to open or close together with it.
            watched: the tenant as it was when the scan began, to refuse the outcome should the
                name stand for another directory by now.
            examination: what the doctor found after a failure; one of an earlier failure goes.

        Raises:
            StoreError: the tenant is gone or another, or the database cannot be used. Nothing
                was written.
        """
        record = scan.record
        with self._database.write() as connection:
            hold_tenant(connection, record.tenant, watched)
            facts = record.complete or bool(scan.objects)
            proven = last_complete_scans(connection, record.tenant).get(record.tenant)
            if not record_attempt(connection, record, facts=facts):
                return
            keep_examination(connection, record.tenant, "reading", examination)
            if record.complete:
                use_acceptance(connection, record.tenant, record.finished_at)
            if facts:
                _record_facts(connection, scan, zone, own, proven)
            keep_insights(connection, scan)
            # A failure with an entry that was corrected meanwhile alarms nobody.
            corrected = (
                watched is not None and not record.complete and _changed(connection, watched)
            )
            if alarm is not None and not corrected:
                apply_alarm(connection, alarm)

    def credentials(
        self, tenant: str | None = None, *, include_removed: bool = False
    ) -> list[Credential]:
        """The credentials of one tenant or of all, by tenant and uid.

        Args:
            tenant: its name, or None for all.
            include_removed: also those that a later complete scan no longer saw.

        Raises:
            StoreError: the database cannot be used.
        """
        # Joined here: on a freshly filled table, without statistics, PostgreSQL plans this join
        # in quadratic time.
        holders = _narrow(select(OBJECT), OBJECT, tenant, include_removed)
        query = _narrow(select(CREDENTIAL), CREDENTIAL, tenant, include_removed)
        with self._database.read() as connection:
            observed = last_complete_scans(connection, tenant)
            kept = item_dates(connection, tenant)
            held = {(row.tenant, row.object_id): row for row in connection.execute(holders)}
            beside = Beside(connection, tenant)
            found = [
                credential_of(
                    row,
                    held[row.tenant, row.object_id],
                    kept.get((row.tenant, row.object_id), observed.get(row.tenant)),
                    beside,
                )
                for row in connection.execute(query)
            ]
        return sorted(found, key=lambda credential: (credential.tenant, credential.uid))

    def objects(self, tenant: str | None = None) -> list[tuple[str, ObservedObject]]:
        """The objects of one tenant or of all, each with the name of its tenant.

        Raises:
            StoreError: the database cannot be used.
        """
        held: dict[tuple[str, str], list[ObservedCredential]] = defaultdict(list)
        with self._database.read() as connection:
            for row in connection.execute(_narrow(select(CREDENTIAL), CREDENTIAL, tenant)):
                held[row.tenant, row.object_id].append(observed_of(row))
            found = [
                (row.tenant, object_of(row, tuple(held.get((row.tenant, row.object_id), ()))))
                for row in connection.execute(_narrow(select(OBJECT), OBJECT, tenant))
            ]
        return sorted(found, key=lambda pair: (pair[0], pair[1].object_id))

    def contacts(self, tenant: str) -> list[tuple[tuple[Owner, ...] | None, tuple[str, ...]]]:
        """Whom the objects of a tenant lead to: owners and the addresses of the notes, each once.

        Raises:
            StoreError: the database cannot be used.
        """
        query = _narrow(select(OBJECT.c.people, OBJECT.c.notify), OBJECT, tenant).where(
            or_(OBJECT.c.people.is_not(None), OBJECT.c.notify.is_not(None))
        )
        with self._database.read() as connection:
            rows = connection.execute(query.distinct())
            found = sorted((row.people or "", row.notify or "") for row in rows)
        return [(people_of(people or None), notify_of(notify or None)) for people, notify in found]

    def federated(self) -> list[tuple[str, ObservedObject]]:
        """The objects that trust a federated identity, each with the name of its tenant.

        Their credentials are left out: see `credentials`.

        Raises:
            StoreError: the database cannot be used.
        """
        query = _narrow(select(OBJECT), OBJECT, None).where(OBJECT.c.federated != "[]")
        with self._database.read() as connection:
            found = [(row.tenant, object_of(row, ())) for row in connection.execute(query)]
        return sorted(found, key=lambda pair: (pair[0], pair[1].name, pair[1].object_id))

    def health(self) -> dict[str, TenantHealth]:
        """What the ledger says about each tenant, those never tried too, by name.

        Raises:
            StoreError: the database cannot be used.
        """
        with self._database.read() as connection:
            return all_health(connection)

    def tenant_health(self, tenant: str) -> TenantHealth | None:
        """What the ledger says about one tenant; None when there is none of that name.

        Raises:
            StoreError: the database cannot be used.
        """
        with self._database.read() as connection:
            return all_health(connection, tenant).get(tenant)

    def scans(self, tenant: str | None = None, limit: int = 50) -> list[ScanRecord]:
        """The ledger, newest first.

        Raises:
            StoreError: the database cannot be used.
        """
        with self._database.read() as connection:
            return scan_records(connection, tenant, limit)


def _changed(connection: Connection, watched: Tenant) -> bool:
    query = select(TENANT.c.document).where(TENANT.c.name == watched.name)
    text = connection.execute(query).scalar_one_or_none()
    if text is None:
        return True
    # That the reminders start is nothing that a failure could come of.
    return replace(load(text, Tenant), shadow_until=watched.shadow_until) != watched


def _record_facts(
    connection: Connection,
    scan: Scan,
    zone: ZoneInfo,
    own: frozenset[str],
    proven: datetime | None,
) -> None:
    tenant, at = scan.record.tenant, scan.record.finished_at
    objects = {seen.object_id: seen for seen in scan.objects}  # one listed twice counts once
    seen_objects: set[str] = set()
    seen_uids: set[str] = set()
    for chunk in _chunks(list(objects.values())):
        rows = [fold.object_row(tenant, seen, at) for seen in chunk]
        held = [row for seen in chunk for row in fold.credential_rows(tenant, seen, own, at)]
        _fold_in(connection, scan.record, rows, held, zone)
        seen_objects.update(row["object_id"] for row in rows)
        seen_uids.update(row["uid"] for row in held)
    if not scan.record.complete:
        return
    kept = _not_looked_at(connection, scan, seen_objects)
    _leave_unproven(connection, tenant, kept, proven or at)
    seen_objects |= kept
    for table, key, seen in (
        (CREDENTIAL, "uid", seen_uids | _uids_on(connection, tenant, kept)),
        (OBJECT, "object_id", seen_objects),
    ):
        _remove_missing(connection, table, key, tenant, seen, at)


def _not_looked_at(connection: Connection, scan: Scan, seen: set[str]) -> set[str]:
    """The known objects of the types that this scan could not read, those it saw left out."""
    if not scan.unread:
        return set()
    types = OBJECT.c.object_type.in_([one.value for one in scan.unread])
    query = select(OBJECT.c.object_id).where(OBJECT.c.tenant == scan.record.tenant, types)
    there = connection.execute(query.where(OBJECT.c.removed_at.is_(None))).scalars()
    return set(there) - seen


def _uids_on(connection: Connection, tenant: str, object_ids: set[str]) -> set[str]:
    """The credentials that hang on these objects."""
    if not object_ids:
        return set()
    query = select(CREDENTIAL.c.uid, CREDENTIAL.c.object_id).where(CREDENTIAL.c.tenant == tenant)
    return {row.uid for row in connection.execute(query) if row.object_id in object_ids}


def _leave_unproven(
    connection: Connection, tenant: str, object_ids: set[str], since: datetime
) -> None:
    """Let what was not looked at stay as of the last scan that did look."""
    these = and_(
        CREDENTIAL.c.tenant == tenant,
        CREDENTIAL.c.object_id == bindparam("kept"),
        CREDENTIAL.c.unproven_since.is_(None),
    )
    if object_ids:
        statement = update(CREDENTIAL).where(these).values(unproven_since=since)
        connection.execute(statement, [{"kept": one} for one in sorted(object_ids)])


def _fold_in(
    connection: Connection,
    record: ScanRecord,
    objects: list[fold.Row],
    credentials: list[fold.Row],
    zone: ZoneInfo,
) -> None:
    """Write what some objects of a scan say that is not known, as far as the scan may."""
    ids = [row["object_id"] for row in objects]
    known_objects = known_rows(connection, OBJECT, "object_id", record.tenant, ids)
    known = known_rows(connection, CREDENTIAL, "uid", record.tenant, ids)
    objects = fold.changed_objects(objects, known_objects)
    credentials = fold.changed_credentials(credentials, known, zone)
    if not record.complete:
        objects = fold.additions(objects, known_objects, "object_id")
        credentials = [
            row | {"unproven_since": record.finished_at}
            for row in fold.additions(credentials, known, "uid")
        ]
    upsert(connection, OBJECT, objects, keep=("first_seen",))
    upsert(connection, CREDENTIAL, credentials, keep=("first_seen",))


def _chunks(objects: Sequence[ObservedObject]) -> Iterator[Sequence[ObservedObject]]:
    for start in range(0, len(objects), _CHUNK):
        yield objects[start : start + _CHUNK]


def known_rows(
    connection: Connection, table: Table, key: str, tenant: str, object_ids: Sequence[str]
) -> dict[str, Any]:
    """The stored rows of some objects, removed ones too, by key."""
    query = select(table).where(table.c.tenant == tenant, table.c.object_id.in_(object_ids))
    return {row[key]: row for row in connection.execute(query).mappings()}


def _remove_missing(
    connection: Connection, table: Table, key: str, tenant: str, seen: set[str], at: datetime
) -> None:
    """Mark what the scan did not see; only called for complete scans."""
    keys = [column for column in table.primary_key if column.name != "tenant"]
    present = select(*keys).where(table.c.tenant == tenant, table.c.removed_at.is_(None))
    # What people keep is not for a scan to miss.
    sort = table.c.kind if table is CREDENTIAL else table.c.object_type
    present = present.where(sort != Kind.ITEM.value)
    missing = [
        {f"missing_{name}": value for name, value in row.items()}
        for row in connection.execute(present).mappings()
        if row[key] not in seen
    ]
    if missing:
        these = [column == bindparam(f"missing_{column.name}") for column in keys]
        gone = update(table).where(table.c.tenant == tenant, *these).values(removed_at=at)
        connection.execute(gone, missing)


def _narrow(
    query: Select[Any], table: Table, tenant: str | None, include_removed: bool = False
) -> Select[Any]:
    if tenant is not None:
        query = query.where(table.c.tenant == tenant)
    return query if include_removed else query.where(table.c.removed_at.is_(None))
