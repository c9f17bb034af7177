"""Secret values that are kept encrypted; the store never sees a plain one, nor a key."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, delete, func, select, update

from monitor.model import SealedValue
from monitor.store.drafts import is_draft
from monitor.store.engine import Database, upsert
from monitor.store.roster import hold_tenant
from monitor.store.tables import SEALED_SECRET as SEALED


class SealedSecrets:
    """The part of the store that keeps sealed values, one for each owner and field."""

    _database: Database

    def put_sealed(self, sealed: SealedValue, *, tenant: str | None) -> None:
        """Keep a sealed value, in place of an earlier one of that owner and field.

        Args:
            sealed: the value.
            tenant: the owner, where it is a tenant or one being set up; the value goes when it
                goes.

        Raises:
            StoreError: there is no such tenant (any more), or the database cannot be used.
        """
        row = {column.name: getattr(sealed, column.name) for column in SEALED.c}
        with self._database.write() as connection:
            if tenant is not None and not is_draft(connection, tenant):
                hold_tenant(connection, tenant)
            upsert(connection, SEALED, [row])

    def sealed(self, owner: str, field: str) -> SealedValue | None:
        """One sealed value, if there is one.

        Raises:
            StoreError: the database cannot be used.
        """
        with self._database.read() as connection:
            row = connection.execute(select(SEALED).where(_named(owner, field))).mappings().first()
        return None if row is None else SealedValue(**row)

    def sealed_values(self) -> list[SealedValue]:
        """All sealed values, by owner and field.

        Raises:
            StoreError: the database cannot be used.
        """
        with self._database.read() as connection:
            rows = connection.execute(select(SEALED)).mappings().all()
        return sorted((SealedValue(**row) for row in rows), key=lambda sealed: sealed.name)

    def sealed_under(self) -> dict[str, int]:
        """How many values are sealed under each key, by the key's id.

        Raises:
            StoreError: the database cannot be used.
        """
        query = select(SEALED.c.key_id, func.count()).group_by(SEALED.c.key_id)
        with self._database.read() as connection:
            return {row[0]: int(row[1]) for row in connection.execute(query)}

    def replace_sealed(self, before: SealedValue, after: SealedValue) -> bool:
        """Put a re-wrapped value in place of what it was made of, in a transaction of its own.

        Returns:
            False where the value was set anew or removed meanwhile: that one stays as it is.

        Raises:
            StoreError: the database cannot be used.
        """
        same = and_(_named(*before.name), SEALED.c.wrapped_key == before.wrapped_key)
        changed = {"key_id": after.key_id, "wrapped_key": after.wrapped_key}
        with self._database.write() as connection:
            done = connection.execute(update(SEALED).where(same).values(**changed))
            return bool(done.rowcount)

    def remove_sealed(self, owner: str, field: str) -> bool:
        """Delete a sealed value.

        Returns:
            Whether there was one.

        Raises:
            StoreError: the database cannot be used.
        """
        with self._database.write() as connection:
            return bool(connection.execute(delete(SEALED).where(_named(owner, field))).rowcount)


def _named(owner: str, field: str) -> ColumnElement[bool]:
    return and_(SEALED.c.owner == owner, SEALED.c.field == field)
