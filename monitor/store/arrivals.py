"""Canaries that are looked for where they should have arrived, and what became of them."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, select, update

from monitor import arrival as judge
from monitor.model import Arrival, ArrivalNews, ArrivalState, CanaryResult, Probe
from monitor.store.alarms import AlarmWrite, apply_alarm
from monitor.store.arrival_rows import ARRIVAL, arrival_of, arrival_values
from monitor.store.engine import Database, upsert
from monitor.store.probes import health_row, probe_of, probe_row, sender_row
from monitor.store.setup_tables import CONFIRMATION
from monitor.store.tables import PROBE, SENDER_HEALTH

MEDIAN_OF = timedelta(days=7)
READ_BACK = "the read-back"  # who confirms a test mail that was found


class Arrivals:
    """The part of the store that knows which canaries arrived."""

    _database: Database

    def waiting_arrivals(self, now: datetime | None = None) -> list[Arrival]:
        """Copies of canaries that are still looked for, the oldest first.

        Args:
            now: only those whose next look is due.

        Raises:
            StoreError: the database cannot be used.
        """
        query = select(ARRIVAL).where(ARRIVAL.c.next_at.is_not(None))
        if now is not None:
            query = query.where(ARRIVAL.c.next_at <= now)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(ARRIVAL.c.accepted_at, ARRIVAL.c.id))
            return [arrival_of(row) for row in rows]

    def take_look(self, arrival: Arrival, *, until: datetime) -> bool:
        """Try to become the one who looks: the next look of anybody is at `until`.

        So a look that a crash cut short is made up for by the next one.

        Raises:
            StoreError: the database cannot be used.
        """
        this = (ARRIVAL.c.id == arrival.id) & (ARRIVAL.c.next_at == arrival.next_at)
        with self._database.write() as connection:
            done = connection.execute(update(ARRIVAL).where(this).values(next_at=until))
            return bool(done.rowcount)

    def keep_arrival(self, arrival: Arrival) -> None:
        """Keep what a look came to; what is settled already stays as it is.

        Raises:
            StoreError: the database cannot be used.
        """
        with self._database.write() as connection:
            _keep(connection, arrival)

    def probe_of_arrival(self, arrival: Arrival) -> tuple[Probe, list[Arrival]] | None:
        """The canary that a copy belongs to, with all its copies; None where it is settled.

        Raises:
            StoreError: the database cannot be used.
        """
        mine = select(ARRIVAL.c.probe_id).where(ARRIVAL.c.id == arrival.id).scalar_subquery()
        with self._database.read() as connection:
            row = connection.execute(select(PROBE).where(PROBE.c.id == mine)).one_or_none()
            if row is None or row.result != CanaryResult.UNCONFIRMED.value:
                return None
            return probe_of(row), _copies(connection, row.id)

    def last_failure(self, tenant: str, mailbox: str) -> Probe | None:
        """The last canary of a sender that failed.

        Raises:
            StoreError: the database cannot be used.
        """
        query = select(PROBE).where(
            PROBE.c.tenant == tenant,
            PROBE.c.mailbox == mailbox,
            PROBE.c.result == CanaryResult.FAILED.value,
        )
        with self._database.read() as connection:
            row = connection.execute(query.order_by(PROBE.c.id.desc()).limit(1)).one_or_none()
        return None if row is None else probe_of(row)

    def settle_probe(
        self, arrival: Arrival, probe: Probe, alarm: AlarmWrite | None, *, counts: bool
    ) -> bool:
        """Write what became of a canary, with the sender's health and its alarm, all or nothing.

        Args:
            arrival: one of its copies.
            probe: as it is now.
            alarm: an alarm to open or close together with it.
            counts: it says something about the sender as it is now; not where a later canary did.

        Returns:
            False where somebody else has settled it before; nothing was written then.

        Raises:
            StoreError: the database cannot be used; nothing was written.
        """
        mine = select(ARRIVAL.c.probe_id).where(ARRIVAL.c.id == arrival.id).scalar_subquery()
        open_ = PROBE.c.result == CanaryResult.UNCONFIRMED.value
        with self._database.write() as connection:
            row = connection.execute(
                select(PROBE).where(PROBE.c.id == mine, open_).with_for_update()
            ).one_or_none()
            if row is None:
                return False
            connection.execute(update(PROBE).where(PROBE.c.id == row.id).values(**probe_row(probe)))
            if counts:
                query = sender_row(probe.tenant, probe.mailbox).with_for_update()
                old = connection.execute(query).one_or_none()
                last = old.probe_id if old is not None else row.id
                upsert(connection, SENDER_HEALTH, [health_row(probe, last, old)])
            if alarm is not None and counts:
                apply_alarm(connection, alarm)
            # Of a canary that failed nobody needs to know about the other copies any more.
            left = (ARRIVAL.c.probe_id == row.id) & ARRIVAL.c.next_at.is_not(None)
            connection.execute(update(ARRIVAL).where(left).values(next_at=None))
            if all(one.state is ArrivalState.PROVEN for one in _copies(connection, row.id)):
                _confirm(connection, probe)
        return True

    def arrivals_of_senders(self, now: datetime) -> dict[tuple[str, str], ArrivalNews]:
        """What is known of the arrival of each sender's last canary, by tenant and mailbox.

        Raises:
            StoreError: the database cannot be used.
        """
        last = select(SENDER_HEALTH.c.probe_id)
        recent = select(ARRIVAL).where(
            (ARRIVAL.c.accepted_at > now - MEDIAN_OF) | ARRIVAL.c.probe_id.in_(last)
        )
        with self._database.read() as connection:
            newest = set(connection.execute(last).scalars())
            rows = connection.execute(recent).all()
        found: dict[tuple[str, str], ArrivalNews] = {}
        for key in {(row.tenant, row.mailbox) for row in rows}:
            mine = [row for row in rows if (row.tenant, row.mailbox) == key]
            earlier = [
                row.latency_s
                for row in mine
                if row.probe_id not in newest and row.latency_s is not None
            ]
            found[key] = judge.news([arrival_of(r) for r in mine if r.probe_id in newest], earlier)
        return found


def _keep(connection: Connection, arrival: Arrival) -> None:
    row = arrival_values(arrival)
    open_ = (ARRIVAL.c.id == arrival.id) & (ARRIVAL.c.state == ArrivalState.PENDING.value)
    # Whoever took the look has set the next one: it stands until the whole canary is settled, so
    # that a crash between here and there is made up for.
    del row["next_at"]
    connection.execute(update(ARRIVAL).where(open_).values(**row))


def _confirm(connection: Connection, probe: Probe) -> None:
    """Answer the question whether the test mail arrived: it was found."""
    asked = (CONFIRMATION.c.tenant == probe.tenant) & (CONFIRMATION.c.mailbox == probe.mailbox)
    before = CONFIRMATION.c.asked_at <= probe.finished_at
    connection.execute(
        update(CONFIRMATION)
        .where(asked, before, CONFIRMATION.c.answer.is_distinct_from("arrived"))
        .values(answer="arrived", answered_at=probe.finished_at, answered_by=READ_BACK)
    )


def _copies(connection: Connection, probe_id: int) -> list[Arrival]:
    query = select(ARRIVAL).where(ARRIVAL.c.probe_id == probe_id).order_by(ARRIVAL.c.id)
    return [arrival_of(row) for row in connection.execute(query)]
