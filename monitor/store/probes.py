"""Canaries: each probe with its evidence, and what they come to for each sender."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from monitor.canary import counted
from monitor.model import (
    Arrival,
    CanaryResult,
    Confirmation,
    Examination,
    Probe,
    SenderHealth,
    StageTiming,
)
from monitor.routes import sender_scope
from monitor.store.alarms import AlarmWrite, apply_alarm, standing_alarms
from monitor.store.arrival_rows import expect_arrivals
from monitor.store.engine import Database, add, upsert
from monitor.store.examinations import keep_examination
from monitor.store.roster import hold_tenant
from monitor.store.setup_tables import CONFIRMATION
from monitor.store.tables import PROBE, SENDER_HEALTH
from monitor.store.text import dump, load


class Probes:
    """The part of the store that keeps the proofs of the mail paths."""

    _database: Database

    def record_probe(
        self,
        probe: Probe,
        alarm: AlarmWrite | None = None,
        *,
        examination: Examination | None = None,
        arrivals: Sequence[Arrival] = (),
    ) -> None:
        """Write a probe, the sender's health and its alarm in one transaction.

        Args:
            probe: what was tried and seen.
            alarm: an alarm to open or close together with it.
            examination: what the doctor found after a failure; one of an earlier failure goes.
            arrivals: what is to be looked for from now on.

        Raises:
            StoreError: the database cannot be used; nothing was written.
        """
        query = sender_row(probe.tenant, probe.mailbox).with_for_update()
        with self._database.write() as connection:
            probe_id = add(connection, PROBE, probe_row(probe))
            old = connection.execute(query).one_or_none()
            upsert(connection, SENDER_HEALTH, [health_row(probe, probe_id, old)])
            expect_arrivals(connection, probe_id, arrivals)
            keep_examination(connection, probe.tenant, "sending", examination)
            if alarm is not None:
                apply_alarm(connection, alarm)

    def probes(self, tenant: str | None = None, limit: int = 30) -> list[Probe]:
        """Probes with their stages, newest first.

        Args:
            tenant: only of this tenant's sender.
            limit: at most so many.

        Raises:
            StoreError: the database cannot be used.
        """
        query = select(PROBE).order_by(PROBE.c.id.desc()).limit(limit)
        if tenant is not None:
            query = query.where(PROBE.c.tenant == tenant)
        with self._database.read() as connection:
            return [probe_of(row) for row in connection.execute(query)]

    def sender_health(self) -> dict[tuple[str, str], SenderHealth]:
        """What the probes say about each sender that was ever probed, by tenant and mailbox.

        Raises:
            StoreError: the database cannot be used.
        """
        latest = select(PROBE).join(SENDER_HEALTH, SENDER_HEALTH.c.probe_id == PROBE.c.id)
        with self._database.read() as connection:
            alarms = standing_alarms(connection, "")
            asked = _confirmations(connection)
            probes = {row.id: probe_of(row) for row in connection.execute(latest)}
            return {
                (row.tenant, row.mailbox): replace(
                    _health(row),
                    last=probes.get(row.probe_id),
                    alarm_opened_at=alarms.get(sender_scope(row.tenant, row.mailbox)),
                    confirmation=asked.get((row.tenant, row.mailbox)),
                )
                for row in connection.execute(select(SENDER_HEALTH))
            }

    def health_of_sender(self, tenant: str, mailbox: str) -> SenderHealth:
        """What the probes say about one sender at this moment; nothing if it was never probed.

        Raises:
            StoreError: the database cannot be used.
        """
        with self._database.read() as connection:
            alarm = standing_alarms(connection, "").get(sender_scope(tenant, mailbox))
            row = connection.execute(sender_row(tenant, mailbox)).one_or_none()
            asked = _confirmations(connection).get((tenant, mailbox))
            if row is None:
                return SenderHealth(tenant, mailbox, alarm_opened_at=alarm, confirmation=asked)
            last = connection.execute(select(PROBE).where(PROBE.c.id == row.probe_id)).one()
        return replace(_health(row), last=probe_of(last), alarm_opened_at=alarm, confirmation=asked)

    def put_confirmation(self, confirmation: Confirmation) -> None:
        """Keep the question whether a test mail arrived, or its answer, in place of the last.

        Raises:
            StoreError: there is no such tenant (any more), or the database cannot be used.
        """
        row = {column.name: getattr(confirmation, column.name) for column in CONFIRMATION.c}
        with self._database.write() as connection:
            hold_tenant(connection, confirmation.tenant)
            upsert(connection, CONFIRMATION, [row])

    def next_canary_number(self, tenant: str, mailbox: str) -> int:
        """The number that follows the highest one recorded for a sender; the first is 1.

        Raises:
            StoreError: the database cannot be used.
        """
        query = select(SENDER_HEALTH.c.number).where(
            SENDER_HEALTH.c.tenant == tenant, SENDER_HEALTH.c.mailbox == mailbox
        )
        with self._database.read() as connection:
            return 1 + (connection.execute(query).scalar_one_or_none() or 0)


def _confirmations(connection: Connection) -> dict[tuple[str, str], Confirmation]:
    rows = connection.execute(select(CONFIRMATION)).mappings()
    found = [Confirmation(**row) for row in rows]
    return {(one.tenant, one.mailbox): one for one in found}


def sender_row(tenant: str, mailbox: str) -> Select[Any]:
    """The query of one sender's health."""
    return select(SENDER_HEALTH).where(
        SENDER_HEALTH.c.tenant == tenant, SENDER_HEALTH.c.mailbox == mailbox
    )


def _health(row: Row[Any]) -> SenderHealth:
    """What a row holds itself: neither the last probe nor the alarm."""
    return SenderHealth(
        tenant=row.tenant,
        mailbox=row.mailbox,
        last_ok=row.last_ok,
        failures=row.failures,
        first_failure_at=row.first_failure_at,
        counted_at=row.counted_at,
    )


def health_row(probe: Probe, probe_id: int, old: Row[Any] | None) -> dict[str, Any]:
    """What the health comes to with a probe in it; `probe_id` is the last one's."""
    before = SenderHealth(probe.tenant, probe.mailbox) if old is None else _health(old)
    known = counted(before, probe)
    return {
        "tenant": known.tenant,
        "mailbox": known.mailbox,
        "last_ok": known.last_ok,
        "failures": known.failures,
        "first_failure_at": known.first_failure_at,
        "counted_at": known.counted_at,
        "number": max(probe.number, 0 if old is None else old.number),
        "probe_id": probe_id,
    }


def probe_row(probe: Probe) -> dict[str, Any]:
    """All columns of a row but its number."""
    return {
        "tenant": probe.tenant,
        "mailbox": probe.mailbox,
        "started_at": probe.started_at,
        "finished_at": probe.finished_at,
        "result": probe.result.value,
        "stage": probe.stage,
        "cause": probe.cause,
        "evidence": probe.evidence,
        "timings": dump(probe.timings),
        "message_id": probe.message_id,
        "number": probe.number,
        "attempt": probe.attempt,
        "retry": probe.retry,
    }


def probe_of(row: Row[Any]) -> Probe:
    """The noun of a row."""
    return Probe(
        tenant=row.tenant,
        mailbox=row.mailbox,
        started_at=row.started_at,
        finished_at=row.finished_at,
        result=CanaryResult(row.result),
        stage=row.stage,
        cause=row.cause,
        evidence=row.evidence,
        timings=load(row.timings, tuple[StageTiming, ...]),
        message_id=row.message_id,
        number=row.number,
        attempt=row.attempt,
        retry=row.retry,
    )
