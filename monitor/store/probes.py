"""Canaries: each probe with its evidence, and what they come to for each sender."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, select

from monitor.model import CanaryResult, Probe, SenderHealth, StageTiming
from monitor.store.alarms import AlarmWrite, apply_alarm, standing_alarms
from monitor.store.engine import Database, add, upsert
from monitor.store.tables import PROBE, SENDER_HEALTH
from monitor.store.text import dump, load


class Probes:
    """The part of the store that keeps the proofs of the mail paths."""

    _database: Database

    def record_probe(self, probe: Probe, alarm: AlarmWrite | None = None) -> None:
        """Write a probe, the sender's health and its alarm in one transaction.

        Args:
            probe: what was tried and seen.
            alarm: an alarm to open or close together with it.

        Raises:
            StoreError: the database cannot be used; nothing was written.
        """
        this = (
            SENDER_HEALTH.c.tenant == probe.tenant,
            SENDER_HEALTH.c.mailbox == probe.mailbox,
        )
        with self._database.write() as connection:
            number = add(connection, PROBE, _row(probe))
            query = select(SENDER_HEALTH).where(*this).with_for_update()
            old = connection.execute(query).one_or_none()
            upsert(connection, SENDER_HEALTH, [_health_row(probe, number, old)])
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
            return [_probe(row) for row in connection.execute(query)]

    def sender_health(self) -> dict[tuple[str, str], SenderHealth]:
        """What the probes say about each sender that was ever probed, by tenant and mailbox.

        Raises:
            StoreError: the database cannot be used.
        """
        latest = select(PROBE).join(SENDER_HEALTH, SENDER_HEALTH.c.probe_id == PROBE.c.id)
        with self._database.read() as connection:
            alarms = standing_alarms(connection, "sender:")
            probes = {row.id: _probe(row) for row in connection.execute(latest)}
            return {
                (row.tenant, row.mailbox): SenderHealth(
                    tenant=row.tenant,
                    mailbox=row.mailbox,
                    last=probes.get(row.probe_id),
                    last_ok=row.last_ok,
                    failures=row.failures,
                    first_failure_at=row.first_failure_at,
                    alarm_opened_at=alarms.get(row.tenant),
                )
                for row in connection.execute(select(SENDER_HEALTH))
            }

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


def _health_row(probe: Probe, number: int, old: Row[Any] | None) -> dict[str, Any]:
    good = probe.result is CanaryResult.OK
    since = None if old is None else old.first_failure_at
    return {
        "tenant": probe.tenant,
        "mailbox": probe.mailbox,
        "last_ok": probe.finished_at if good else (None if old is None else old.last_ok),
        "failures": 0 if good else 1 + (0 if old is None else old.failures),
        "first_failure_at": None if good else (since or probe.finished_at),
        "number": max(probe.number, 0 if old is None else old.number),
        "probe_id": number,
    }


def _row(probe: Probe) -> dict[str, Any]:
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


def _probe(row: Row[Any]) -> Probe:
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
