"""What happens on the clock: each job against real servers and a real store, hour by hour."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from jobs.scan_tenants import JOB
from jobs.send_canaries import send_canaries
from jobs.send_warnings import deliver, plan_warnings, send_warnings
from monitor import process
from monitor.model import OPERATOR, CredentialRef, TenantState
from monitor.recipients import PATIENCE
from monitor.sandbox import Fault, Twist
from monitor.timetable import FIRST
from tests.integration.stage import HOUR, MINUTE, SIX, stage, story

DROP = Fault(path="/applications", twist=Twist.DROP)


# --- scan -----------------------------------------------------------------------------------------


def test_a_tenant_is_read_at_once_and_then_at_its_interval(tmp_path: Path) -> None:
    """Ticks in between find nothing to do, and a second tick never finds anything."""
    with stage(tmp_path, story("contoso", SIX)) as show:
        assert show.scan()["contoso"].complete
        assert show.scan() == {}
        show.clock.advance(6 * HOUR - MINUTE)
        assert show.scan() == {}
        show.clock.advance(MINUTE + timedelta(seconds=30))
        assert show.scan()["contoso"].complete
        assert show.scan() == {}


def test_a_passing_failure_is_tried_again_after_a_quarter_of_an_hour(tmp_path: Path) -> None:
    """And alarms at the second in a row; its end is told as well."""
    tenant = story("contoso", SIX)
    with stage(tmp_path, tenant) as show:
        assert show.scan()["contoso"].complete
        show.clock.advance(6 * HOUR + MINUTE)
        tenant.faults.append(DROP)
        assert show.scan()["contoso"].retry == "later"
        assert show.app.store.outbox() == []
        show.clock.advance(14 * MINUTE)
        assert show.scan() == {}
        show.clock.advance(2 * MINUTE)
        assert not show.scan()["contoso"].complete
        deliver(show.app)
        assert show.inbox("cannot_check") == ["noc@msp.example"]
        tenant.faults.clear()
        show.clock.advance(16 * MINUTE)
        assert show.scan()["contoso"].complete
        deliver(show.app)
        assert show.inbox("recovered") == ["noc@msp.example"]


def test_a_definite_failure_is_tried_again_after_an_hour(tmp_path: Path) -> None:
    """Somebody may be mending it; the alarm went at once, and only once."""
    tenant = story("contoso", SIX)
    for principal in tenant.principals:
        principal.graph_roles = ()
    with stage(tmp_path, tenant) as show:
        assert show.scan()["contoso"].retry == "after_fix"
        deliver(show.app)
        show.clock.advance(59 * MINUTE)
        assert show.scan() == {}
        show.clock.advance(2 * MINUTE)
        assert show.scan()["contoso"].retry == "after_fix"
        deliver(show.app)
        assert show.inbox("cannot_check") == ["noc@msp.example"]


def test_a_scan_that_a_dead_process_had_taken_is_done_by_the_next(tmp_path: Path) -> None:
    """What a living one is at is left to it, until its lease ends."""
    with stage(tmp_path, story("contoso", SIX)) as show:
        place, pid, _ = process.identity().split("/")

        def take(owner: str) -> bool:
            return show.app.store.take_slot(
                JOB, "contoso", FIRST, now=show.clock.now(), owner=owner, lease=HOUR,
                owner_is_dead=process.is_dead,
            )  # fmt: skip

        assert take("elsewhere/1/1")
        assert show.scan() == {}
        show.clock.advance(61 * MINUTE)
        assert take(f"{place}/{pid}/1")
        assert show.scan()["contoso"].complete


def test_a_tenant_that_cannot_be_read_stops_no_other(tmp_path: Path) -> None:
    """Its cloud is gone from the settings, its secret's file is missing, its reference is odd."""
    with stage(tmp_path, story("contoso", SIX), story("fabrikam", SIX)) as show:
        plain = next(t for t in show.app.store.tenants() if t.name == "fabrikam")
        odd = {
            "homeless": replace(plain, cloud="gone"),
            "keyless": replace(plain, credential=CredentialRef("secret", "file:/nowhere/x")),
            "wordless": replace(plain, credential=CredentialRef("secret", "nonsense")),
            "nul": replace(plain, credential=CredentialRef("certificate", "file:a\0b")),
        }
        for number, (name, tenant) in enumerate(odd.items()):
            guid = f"7b1c0000-0000-4000-8000-00000000000{number}"
            other = replace(tenant, name=name, directory_id=guid)
            show.app.store.put_tenant(other, now=show.clock.now())
        found = show.scan()
        assert {name for name, record in found.items() if record.complete} == {
            "contoso", "fabrikam",
        }  # fmt: skip
        assert "know no cloud" in (found["homeless"].problem or "")
        for name in ("keyless", "wordless", "nul"):
            assert found[name].cause == "secret_missing"
        report = show.app.report()
        states = {row.tenant.name: row.state for row in report.tenants}
        assert all(states[name] is TenantState.UNKNOWN for name in odd)
        deliver(show.app)
        assert show.inbox("cannot_check") == ["noc@msp.example"] * len(odd)
        assert set(show.canaries()) <= {"contoso", "fabrikam", *odd, OPERATOR}


def test_a_tenant_that_is_removed_during_its_scan_stops_no_other(tmp_path: Path) -> None:
    """Nothing about it is recorded, everything about the others is."""
    gone, slower = story("contoso", SIX), story("fabrikam", SIX)
    gone.faults.append(Fault(path="/applications", delay=0.5, times=1))
    slower.faults.append(Fault(path="/applications", delay=1.5, times=1))
    with stage(tmp_path, gone, slower) as show:

        def remove() -> None:
            end = time.monotonic() + 20
            while not show.cloud.calls.count("contoso", "GET /applications*"):
                assert time.monotonic() < end
                time.sleep(0.005)  # a poll with a deadline
            show.app.store.remove_tenant("contoso")

        remover = threading.Thread(target=remove)
        remover.start()
        with pytest.raises(Exception, match="no tenant named contoso"):
            show.scan()
        remover.join()
        assert set(show.app.store.health()) == {"fabrikam"}
        assert show.app.store.health()["fabrikam"].last_complete is not None


def test_a_paused_tenant_is_left_alone(tmp_path: Path) -> None:
    """Not read, not proven, not spoken about."""
    with stage(tmp_path, story("contoso", SIX, 5)) as show:
        (tenant,) = show.app.store.tenants()
        show.app.store.put_tenant(replace(tenant, paused=True), now=show.clock.now())
        show.at(SIX + 3 * HOUR)
        assert show.scan() == {}
        assert set(show.canaries()) == {OPERATOR}
        assert show.warn() == []


def test_a_dry_run_reads_and_stores_nothing(tmp_path: Path) -> None:
    """And a plan writes nothing."""
    with stage(tmp_path, story("contoso", SIX, 5)) as show:
        assert show.scan(dry_run=True)["contoso"].complete
        assert show.app.store.health()["contoso"].last_attempt is None
        (row,) = show.app.report().tenants
        assert (row.state, row.problem) == (TenantState.UNKNOWN, "Never read.")
        show.scan()
        ((planned, decisions),) = plan_warnings(show.app)
        assert planned.recipient == "it@contoso.example"
        assert decisions
        assert show.app.store.outbox() == []


# --- warn -----------------------------------------------------------------------------------------


def test_a_recipient_is_told_once_a_day_at_their_hour(tmp_path: Path) -> None:
    """Not before it, not twice, and not again until a stage is reached."""
    with stage(tmp_path, story("contoso", SIX, 5)) as show:
        show.scan()
        show.at(SIX + 2 * HOUR - MINUTE)
        assert show.warn() == []
        show.at(SIX + 2 * HOUR)
        assert show.warn() == [("it@contoso.example", "reminder")]
        assert show.warn() == []
        show.at(SIX + 26 * HOUR)
        show.scan()
        assert show.warn() == []
        show.at(SIX + 50 * HOUR)  # three days left
        show.scan()
        assert show.warn() == [("it@contoso.example", "reminder")]
        assert show.inbox("reminder") == ["it@contoso.example"] * 2


def test_a_missed_run_is_made_up_on_the_same_local_date(tmp_path: Path) -> None:
    """At half past eleven at night it is still today."""
    with stage(tmp_path, story("contoso", SIX, 5)) as show:
        show.scan()
        show.at(SIX + 17.5 * HOUR)
        show.scan()
        assert show.warn() == [("it@contoso.example", "reminder")]


def test_a_missed_run_is_dropped_when_its_date_is_over(tmp_path: Path) -> None:
    """Nobody gets yesterday's warning at midnight; the next run tells the most urgent."""
    with stage(tmp_path, story("contoso", SIX, 5)) as show:
        show.scan()
        show.at(SIX + 18.5 * HOUR)  # 00:30 of the next day
        show.scan()
        assert show.warn() == []
        show.at(SIX + 26 * HOUR)
        show.scan()
        assert show.warn() == [("it@contoso.example", "reminder")]


def test_a_run_that_a_dead_process_had_begun_is_done_by_the_next(tmp_path: Path) -> None:
    """Killed between taking the slot and writing the mails."""
    with stage(tmp_path, story("contoso", SIX, 5)) as show:
        show.scan()
        show.at(SIX + 2 * HOUR)
        place, pid, _ = process.identity().split("/")
        assert show.app.store.take_slot(
            "warn", "it@contoso.example|Europe/Berlin", SIX + 2 * HOUR, now=show.clock.now(),
            owner=f"{place}/{pid}/1", lease=HOUR, owner_is_dead=process.is_dead,
        )  # fmt: skip
        assert show.warn() == [("it@contoso.example", "reminder")]


def test_after_a_start_the_run_waits_for_the_first_scans(tmp_path: Path) -> None:
    """What was renewed meanwhile must not be warned about."""
    with stage(tmp_path, story("contoso", SIX, 5)) as show:
        show.scan()
        show.at(SIX + 3 * HOUR + timedelta(days=2))
        back = show.restarted()
        assert back.warn() == []
        back.scan()
        assert back.warn() == [("it@contoso.example", "reminder")]


def test_a_run_does_not_wait_for_ever_for_a_tenant_that_hangs(tmp_path: Path) -> None:
    """After a quarter of an hour it tells what is known, with its age."""
    with stage(tmp_path, story("contoso", SIX, 5)) as show:
        show.scan()
        show.at(SIX + 3 * HOUR + timedelta(days=2))
        back = show.restarted()
        back.clock.advance(PATIENCE - MINUTE)
        assert back.warn() == []
        back.clock.advance(2 * MINUTE)
        assert back.warn() == [("it@contoso.example", "reminder")]


def test_a_run_that_crashes_stops_no_other(tmp_path: Path) -> None:
    """A zone that this machine does not know, in a database restored from another."""
    with stage(tmp_path, story("contoso", SIX, 5), story("fabrikam", SIX, 5)) as show:
        show.scan()
        contoso = show.app.store.tenant("contoso")
        assert contoso is not None
        odd = replace(contoso, time_zone="Africa/Atlantis", sender=None)
        show.app.store.put_tenant(odd, now=show.clock.now())
        show.at(SIX + 2 * HOUR)
        assert show.warn() == [("it@fabrikam.example", "reminder")]


def test_a_stop_writes_no_further_digest(tmp_path: Path) -> None:
    """The slot stays free, so that the next start takes it."""
    with stage(tmp_path, story("contoso", SIX, 5)) as show:
        show.scan()
        show.at(SIX + 2 * HOUR)
        assert send_warnings(show.app, due_only=True, stop=lambda: True)[0] == []
        assert send_canaries(show.app, due_only=True, stop=lambda: True) == []
        assert show.warn() == [("it@contoso.example", "reminder")]


# --- all together ---------------------------------------------------------------------------------


def test_a_day_of_ticks_tells_the_same_as_one_tick_an_hour(tmp_path: Path) -> None:
    """Every job is idempotent: how often the clock asks changes nothing."""
    told: list[list[tuple[str, str]]] = []
    for name, step in (("often", 10 * MINUTE), ("seldom", HOUR)):
        folder = tmp_path / name
        folder.mkdir()
        with stage(folder, story("contoso", SIX, 5)) as show:
            ticks: list[Callable[[], object]] = [show.scan, show.canaries, show.warn]
            now = SIX
            while now < SIX + 8 * HOUR:
                show.at(now)
                for tick in ticks:
                    tick()
                now += step
            told.append(sorted(
                (message.rcpt_to[0], message.header("X-Lapsewatch-Kind") or "")
                for message in show.cloud.inbox.messages
            ))  # fmt: skip
    assert told[0] == told[1]
    assert ("it@contoso.example", "reminder") in told[0]
