"""Canaries that are looked for, on both databases: what is kept, taken, settled and confirmed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from alembic import command
from sqlalchemy import text

from monitor.arrival import expected, seen, settled
from monitor.clouds import PRESETS
from monitor.model import (
    Arrival,
    ArrivalState,
    CanaryResult,
    Copy,
    CredentialRef,
    Probe,
    ReadBack,
    Sighting,
)
from monitor.store import Store
from monitor.store.engine import Database
from monitor.store.schema import _config

MAILBOX = "m@contoso.example"
READ_BACK = ReadBack(
    "graph", timedelta(minutes=30), "d", "c", CredentialRef("secret", "env:X"), PRESETS["global"]
)
KEY = ("contoso", MAILBOX)


def accepted(store: Store, make, number: int, *, minutes: int = 0) -> Arrival:
    """Record a canary that was accepted and is looked for."""
    at = make.now + timedelta(minutes=minutes)
    copy = Copy(f"canary-{number}", "it@contoso.example", f"<{number}@contoso.example>", at)
    probe = Probe(
        *KEY, at, at, CanaryResult.UNCONFIRMED, "data", "ok", "250", message_id=copy.message_id,
        number=number, copies=(copy,),
    )  # fmt: skip
    arrival = expected(probe, copy, READ_BACK)
    store.record_probe(probe, arrivals=[arrival])
    return arrival


def found(store: Store, arrival: Arrival, *, seconds: float = 4) -> bool:
    """Find it, and settle its canary."""
    at = arrival.copy.accepted_at + timedelta(seconds=seconds)
    known = seen(arrival, Sighting(at, "inbox", "header"), at)
    store.keep_arrival(known)
    opened = store.probe_of_arrival(known)
    if opened is None:
        return False
    probe = settled(opened[0], opened[1], at, failed_at=None)
    assert probe is not None
    return store.settle_probe(known, probe, None, counts=True)


def test_what_is_looked_for_comes_back_as_it_was_kept(store: Store, make) -> None:
    """And is due at its next look, not before."""
    waits = accepted(store, make, 1)
    assert store.waiting_arrivals() == [waits]
    assert store.waiting_arrivals(make.now + timedelta(seconds=14)) == []
    assert store.waiting_arrivals(make.now + timedelta(seconds=15)) == [waits]


def test_a_look_is_taken_once(store: Store, make) -> None:
    """By whoever still sees the time that it was due at."""
    waits = accepted(store, make, 1)
    later = make.now + timedelta(minutes=1)
    assert [store.take_look(waits, until=later) for _ in range(2)] == [True, False]


def test_a_canary_is_settled_once_and_gives_the_sender_its_proof(store: Store, make) -> None:
    """The health, the row and the record say the same; the second time nothing is written."""
    waits = accepted(store, make, 1)
    assert store.health_of_sender(*KEY).last_ok is None
    assert found(store, waits)
    assert not found(store, waits)
    health = store.health_of_sender(*KEY)
    assert (health.last_ok, health.failures) == (make.now, 0)
    assert health.last is not None
    assert health.last.result is CanaryResult.OK
    assert health.last.timings[-1].stage == "arrival"
    assert len(store.probes()) == 1
    assert store.waiting_arrivals() == []
    assert store.arrivals_of_senders(make.now)[KEY].latency_s == 4


def test_the_median_is_that_of_seven_days_without_the_newest(store: Store, make) -> None:
    """Older ones are history."""
    day = 24 * 60
    for number, (days, seconds) in enumerate(((-9, 900), (-3, 5), (-2, 9), (-1, 7), (0, 60))):
        found(store, accepted(store, make, number, minutes=days * day), seconds=seconds)
    told = store.arrivals_of_senders(make.now)[KEY]
    assert (told.latency_s, told.usual_s) == (60, 7)
    assert told.state is ArrivalState.PROVEN


def test_of_a_sender_that_is_removed_nothing_is_looked_for(store: Store, make) -> None:
    """Its rows go with the canaries that they belong to."""
    store.put_tenant(make.tenant(), now=make.now)
    accepted(store, make, 1)
    assert store.remove_tenant("contoso")
    assert store.waiting_arrivals() == []


@pytest.mark.parametrize("seconds", [None, 0.25])
def test_a_latency_keeps_its_fraction_and_may_be_missing(
    store: Store, make, seconds: float | None
) -> None:
    """A trace tells none."""
    waits = accepted(store, make, 1)
    store.keep_arrival(replace(waits, state=ArrivalState.PROVEN, latency_s=seconds))
    opened = store.probe_of_arrival(waits)
    assert opened is not None
    assert opened[1][0].latency_s == seconds


def test_a_database_that_had_canaries_gets_the_table_and_keeps_them(empty_url: str, make) -> None:
    """Migrated with a probe in it; none of the old ones is looked for."""
    database = Database(empty_url)
    database.create_file()
    config = _config()
    with database.write(foreign_keys=False) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0007")
        at = "'2026-01-01 00:00:00+00:00'"
        connection.execute(text(
            "INSERT INTO probe (id, tenant, mailbox, started_at, finished_at, result, stage, cause,"
            " evidence, timings, message_id, number, attempt, retry) VALUES (7, 'contoso',"
            f" '{MAILBOX}', {at}, {at}, 'ok', 'data', 'ok', '250', '[]', NULL, 1, 1, 'never')"
        ))  # fmt: skip
    database.close()
    with Store.open(empty_url) as opened:
        opened.upgrade()
        assert [probe.number for probe in opened.probes()] == [1]
        assert opened.waiting_arrivals() == []
        assert opened.arrivals_of_senders(make.now) == {}
