"""The report of a whole application over a real database: what is stuck there is never silent."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from monitor import process
from monitor.config import parse
from monitor.model import CanaryResult, OutboxState, Probe, Recipient, Sender
from monitor.wiring import App

RUN = "ann@contoso.example|UTC"


@pytest.fixture
def app(store_url: str, tmp_path: Path, make) -> Iterator[App]:
    """One tenant that is read and proven, and a service that works."""
    table = {"database": {"url": store_url}}
    with App(parse(table, tmp_path, None), clock=lambda: make.now) as app:
        tenant = make.tenant(
            recipients=(Recipient("Ann@contoso.example"),), sender=Sender("m@contoso.example")
        )
        app.store.put_tenant(tenant, now=make.now - timedelta(days=9))
        app.store.record_scan(make.scan(), zone=make.zone)
        prove(app, make.now)
        for name in ("scheduler", "scan", "canary", "arrival", "warn", "deliver"):
            app.store.beat(name, make.now)
        yield app


def prove(app: App, at: datetime) -> None:
    """A good test of the tenant's sender."""
    good = Probe("contoso", "m@contoso.example", at, at, CanaryResult.OK, "data", "ok", "250")
    app.store.record_probe(good)


def begin(app: App, job: str, scope: str, at: datetime) -> None:
    """Take a slot, as a run does that then crashes."""
    app.store.take_slot(
        job, scope, at, now=at, owner=app.owner, lease=timedelta(minutes=10),
        owner_is_dead=process.is_dead,
    )  # fmt: skip


def test_a_service_that_does_its_work_is_well(app: App) -> None:
    """So that the other tests see what their trouble alone changes."""
    assert (app.report().exit_code, app.report().verdict) == (
        0, "All is well: 1 tenant read, nothing needs action. 1 mail path proven.",
    )  # fmt: skip


def test_no_trouble_hides_behind_many_newer_mails(app: App, make) -> None:
    """One mail that waits without a path, then hundreds that are on their way."""
    lost, dead = make.mail(path=""), make.mail(state=OutboxState.DEAD)
    app.store.enqueue([lost, dead, *(make.mail() for _ in range(300))])
    found = app.report()
    assert found.exit_code == 3
    assert (found.outbox.without_path, found.outbox.dead, found.outbox.pending) == (1, 1, 300)
    assert [mail.id for mail in found.mails][:2] == [dead.id, lost.id]
    assert len(found.mails) < 100


def test_a_daily_run_that_crashed_is_told_until_it_is_done(app: App, make) -> None:
    """Also while it is tried again and again."""
    begun = make.now - timedelta(minutes=20)
    begin(app, "warn", RUN, begun)
    app.store.give_back_slot("warn", RUN, begun, until=make.now)
    app.store.take_slot(
        "warn", RUN, begun, now=make.now, owner="next", lease=timedelta(minutes=10),
        owner_is_dead=process.is_dead,
    )  # fmt: skip
    found = app.report()
    assert found.verdict == "The daily mail of 1 recipient could not be written."
    assert [(run.name, run.taken_at) for run in found.unfinished] == [
        ("ann@contoso.example", begun)
    ]
    app.store.finish_slot("warn", RUN, begun, make.now)
    assert app.report().exit_code == 0


def test_a_run_for_somebody_who_is_told_no_more_is_no_matter(app: App, make) -> None:
    """The recipient was removed since."""
    begin(app, "warn", "gone@contoso.example|UTC", make.now - timedelta(hours=1))
    assert app.report().exit_code == 0


def test_scans_and_tests_that_crashed_are_told(app: App, make) -> None:
    """Whatever name the test's slot has: that of the path, or that of the mailbox."""
    begun = make.now + timedelta(minutes=1)
    for job, scope in (("scan", "contoso"), ("canary", "tenant:contoso")):
        begin(app, job, scope, begun)
    app.clock = lambda: begun + timedelta(minutes=46)
    app.store.beat("scheduler", app.clock())
    assert app.report().verdict == (
        "The scan of 1 tenant was not finished; the test of 1 mail path was not finished."
    )


def test_a_sender_that_was_never_proven_is_told_by_the_age_of_its_tenant(app: App, make) -> None:
    """The tenant's entry was changed: another mailbox, which nobody has tried."""
    tenant = make.tenant(recipients=(Recipient("ann@contoso.example"),), sender=Sender("new@x.y"))
    app.store.put_tenant(tenant, now=make.now - timedelta(hours=26))
    assert app.report().verdict.endswith(" 1 mail path not proven yet.")
    app.store.put_tenant(make.tenant(sender=Sender("new@x.y")), now=make.now - timedelta(hours=27))
    assert "1 mail path not proven for 26 hours" in app.report().verdict


def test_a_job_that_crashes_at_every_tick_is_told(app: App, make) -> None:
    """Its beat is what tells; without a service there is none, and nothing to miss."""
    later = make.now + timedelta(hours=2)
    for name in ("scheduler", "scan", "arrival", "warn", "deliver"):
        app.store.beat(name, later)
    app.clock = lambda: later
    assert app.report().verdict == (
        "The job canary has not finished a round since 2026-03-02 07:00 UTC."
    )
