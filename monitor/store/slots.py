"""Scheduled runs: each is done once, by whichever process takes its slot first."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, exists, func, select, update

from monitor.model import CLOCK_SLACK, HeldSlot, Slot
from monitor.store.engine import Database, insert_once, upsert
from monitor.store.tables import BEAT, SLOT


class Slots:
    """The part of the store that knows what ran, and that its parts are alive."""

    _database: Database

    def take_slot(
        self,
        job: str,
        scope: str,
        slot_at: datetime,
        *,
        now: datetime,
        owner: str,
        lease: timedelta,
        owner_is_dead: Callable[[str], bool],
    ) -> bool:
        """Try to become the one who does a scheduled run.

        A run that is taken over keeps the instant it was first taken at, so that one that fails
        time and again is seen to be late.

        Args:
            job: the kind of run.
            scope: for whom or what.
            slot_at: the time it was scheduled for.
            now: the instant that leases are measured with.
            owner: who wants it.
            lease: after so long an unfinished run may be taken over.
            owner_is_dead: whether an owner of a running lease is known to be gone. Called
                within the transaction, so it must not use the store.

        Returns:
            Whether the run is the caller's; False when it is done, or somebody is at it.

        Raises:
            StoreError: the database cannot be used.
        """
        key = {"job": job, "scope": scope, "slot_at": slot_at}
        mine = {"owner": owner, "lease_until": now + lease}
        new = {**key, **mine, "taken_at": now, "finished_at": None}
        with self._database.write() as connection:
            if insert_once(connection, SLOT, new, unique=[*key]):
                return True
            this = _is(job, scope, slot_at)
            held = connection.execute(select(SLOT).where(*this).with_for_update()).one_or_none()
            if held is None or not _may_be_taken(held, now, owner_is_dead):
                return False
            connection.execute(update(SLOT).where(*this).values(**mine))
            return True

    def finish_slot(self, job: str, scope: str, slot_at: datetime, now: datetime) -> None:
        """Record that a run is done; nobody takes it again.

        Raises:
            StoreError: the database cannot be used.
        """
        with self._database.write() as connection:
            finish(connection, job, scope, slot_at, now)

    def give_back_slot(self, job: str, scope: str, slot_at: datetime, *, until: datetime) -> None:
        """Let go of an unfinished run, so that it is tried again at `until`, lease or no lease.

        A finished run stays finished.

        Raises:
            StoreError: the database cannot be used.
        """
        with self._database.write() as connection:
            connection.execute(
                update(SLOT)
                .where(*_is(job, scope, slot_at), SLOT.c.finished_at.is_(None))
                .values(lease_until=until)
            )

    def unfinished_slots(self, since: datetime) -> list[Slot]:
        """Runs that were taken and never finished, by job, scope and time.

        One that a later finished run of the same job and scope has made up for is left out.

        Args:
            since: only those first taken after this instant.

        Raises:
            StoreError: the database cannot be used.
        """
        later = SLOT.alias("later")
        made_up = exists().where(
            later.c.job == SLOT.c.job,
            later.c.scope == SLOT.c.scope,
            later.c.slot_at > SLOT.c.slot_at,
            later.c.finished_at.is_not(None),
        )
        query = select(SLOT).where(SLOT.c.finished_at.is_(None), SLOT.c.taken_at > since, ~made_up)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(SLOT.c.job, SLOT.c.scope, SLOT.c.slot_at))
            return [Slot(**row) for row in rows.mappings()]

    def last_finished(self, job: str, scope: str) -> datetime | None:
        """When a job last finished for a scope (the instant, not the scheduled time).

        Raises:
            StoreError: the database cannot be used.
        """
        query = select(SLOT.c.finished_at).where(
            SLOT.c.job == job, SLOT.c.scope == scope, SLOT.c.finished_at.is_not(None)
        )
        with self._database.read() as connection:
            return connection.execute(
                query.order_by(SLOT.c.finished_at.desc()).limit(1)
            ).scalar_one_or_none()

    def last_slots(self, job: str) -> dict[str, datetime]:
        """The latest scheduled time of a job that is finished, by scope.

        Raises:
            StoreError: the database cannot be used.
        """
        query = (
            select(SLOT.c.scope, func.max(SLOT.c.slot_at).label("latest"))
            .where(SLOT.c.job == job, SLOT.c.finished_at.is_not(None))
            .group_by(SLOT.c.scope)
        )
        with self._database.read() as connection:
            return {row.scope: row.latest for row in connection.execute(query)}

    def slots(self, job: str | None = None, since: datetime | None = None) -> list[Slot]:
        """Scheduled runs, by time and scope.

        Args:
            job: only of this kind.
            since: only those scheduled for then or later.

        Raises:
            StoreError: the database cannot be used.
        """
        query = select(SLOT).order_by(SLOT.c.slot_at, SLOT.c.job, SLOT.c.scope)
        if job is not None:
            query = query.where(SLOT.c.job == job)
        if since is not None:
            query = query.where(SLOT.c.slot_at >= since)
        with self._database.read() as connection:
            return [Slot(**row) for row in connection.execute(query).mappings()]

    def beat(self, name: str, now: datetime) -> None:
        """Record a sign of life of a part of the service.

        Raises:
            StoreError: the database cannot be used.
        """
        with self._database.write() as connection:
            upsert(connection, BEAT, [{"name": name, "at": now}])

    def beats(self) -> dict[str, datetime]:
        """The last sign of life of each part.

        Raises:
            StoreError: the database cannot be used.
        """
        with self._database.read() as connection:
            return {row.name: row.at for row in connection.execute(select(BEAT))}


def finish(connection: Connection, job: str, scope: str, slot_at: datetime, now: datetime) -> None:
    """Finish a slot within a writing transaction; a finished one keeps its time."""
    connection.execute(
        update(SLOT)
        .where(*_is(job, scope, slot_at), SLOT.c.finished_at.is_(None))
        .values(finished_at=now)
    )


def is_held(connection: Connection, slot: HeldSlot) -> bool:
    """Whether an unfinished slot is still this owner's; it stays so until the transaction ends."""
    this = _is(slot.job, slot.scope, slot.slot_at)
    query = select(SLOT.c.owner).where(*this, SLOT.c.finished_at.is_(None))
    return bool(connection.execute(query.with_for_update()).scalar_one_or_none() == slot.owner)


def _may_be_taken(held: Row[Any], now: datetime, owner_is_dead: Callable[[str], bool]) -> bool:
    if held.finished_at is not None:
        return False
    ahead = held.taken_at > now + CLOCK_SLACK  # taken while the clock was wrong
    return bool(held.lease_until <= now or ahead or owner_is_dead(held.owner))


def _is(job: str, scope: str, slot_at: datetime) -> tuple[Any, ...]:
    return (SLOT.c.job == job, SLOT.c.scope == scope, SLOT.c.slot_at == slot_at)
