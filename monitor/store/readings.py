"""One object that was read alone: folded in as a scan would, and nothing else is touched."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select, update

from monitor.model import ObservedObject, Tenant
from monitor.store import fold
from monitor.store.engine import Database, upsert
from monitor.store.facts import known_rows
from monitor.store.roster import hold_tenant
from monitor.store.tables import CREDENTIAL, OBJECT, TENANT_HEALTH


class Readings:
    """The part of the store that takes in what a look at a single object showed."""

    _database: Database

    def record_object(
        self,
        tenant: Tenant,
        object_id: str,
        found: ObservedObject | None,
        *,
        started_at: datetime,
        at: datetime,
        own: frozenset[str] = frozenset(),
    ) -> bool:
        """Write what one object is by now: its absence, and that of its credentials, counts.

        Args:
            tenant: as it was when it was looked at.
            object_id: of the object.
            found: as it was seen; None where the directory has it no more.
            started_at: when the look began.
            at: when it ended.
            own: the `credential_uid` of those that Lapsewatch itself signs in with.

        Returns:
            False where a complete scan that began later is recorded already: it knows better, and
            nothing was written.

        Raises:
            StoreError: the tenant is gone or another, or the database cannot be used.
        """
        newest = select(TENANT_HEALTH.c.complete_started_at).where(
            TENANT_HEALTH.c.tenant == tenant.name
        )
        with self._database.write() as connection:
            hold_tenant(connection, tenant.name, tenant)
            scanned = connection.execute(newest).scalar_one_or_none()
            if scanned is not None and scanned > started_at:
                return False
            seen: set[str] = set()
            if found is not None:
                seen = _fold_in(connection, tenant, found, own, at)
            else:
                _gone(connection, tenant.name, object_id, at)
            _remove_others(connection, tenant.name, object_id, seen, at)
            return True


def _fold_in(
    connection: Connection, tenant: Tenant, found: ObservedObject, own: frozenset[str], at: datetime
) -> set[str]:
    """Write the object and its credentials; the uids of these."""
    ids = [found.object_id]
    holders = known_rows(connection, OBJECT, "object_id", tenant.name, ids)
    known = known_rows(connection, CREDENTIAL, "uid", tenant.name, ids)
    row = fold.object_row(tenant.name, found, at)
    for holder in holders.values():  # a look at one object asks for neither
        row |= {"owners": holder["owners"], "federated": holder["federated"]}
    held = list(fold.credential_rows(tenant.name, found, own, at))
    changed = fold.changed_credentials(held, known, ZoneInfo(tenant.time_zone))
    objects = fold.changed_objects([row], holders)
    upsert(connection, OBJECT, objects, keep=("first_seen",))
    upsert(connection, CREDENTIAL, changed, keep=("first_seen",))
    return {one["uid"] for one in held}


def _gone(connection: Connection, tenant: str, object_id: str, at: datetime) -> None:
    here = (OBJECT.c.tenant == tenant, OBJECT.c.object_id == object_id)
    there = update(OBJECT).where(*here, OBJECT.c.removed_at.is_(None))
    connection.execute(there.values(removed_at=at))


def _remove_others(
    connection: Connection, tenant: str, object_id: str, seen: Iterable[str], at: datetime
) -> None:
    here = (CREDENTIAL.c.tenant == tenant, CREDENTIAL.c.object_id == object_id)
    there = update(CREDENTIAL).where(*here, CREDENTIAL.c.removed_at.is_(None))
    connection.execute(there.where(CREDENTIAL.c.uid.not_in(list(seen))).values(removed_at=at))
