"""What happens on the clock: each job against real servers and a real store, hour by hour."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jobs.scan_tenants import FIRST, JOB, scan_tenants
from jobs.send_canaries import send_canaries
from jobs.send_warnings import PATIENCE, deliver, plan_warnings, send_warnings
from monitor import process
from monitor.config import Configuration, load
from monitor.model import OPERATOR, CanaryResult, CredentialRef, ScanRecord, TenantState
from monitor.roster import read
from monitor.sandbox import Cloud, Fault, SandboxClock, SmtpFault, Twist, World
from monitor.sandbox.draft import Draft
from monitor.sandbox.world import Operator
from monitor.sandbox.world import Tenant as WorldTenant
from monitor.wiring import App

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
SIX = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)  # 06:00 in Berlin, a Monday
DROP = Fault(path="/applications", twist=Twist.DROP)
BUSY = SmtpFault("MAIL", reply="451 4.7.500 Server busy. Please try again later")


@dataclass
class Stage:
    """The wired product in a folder of its own, the cloud that it watches, and the clock."""

    app: App
    cloud: Cloud
    clock: SandboxClock
    configuration: Configuration

    def at(self, instant: datetime) -> None:
        """Make it that instant."""
        self.clock.set(instant)

    def scan(self, **how: bool) -> dict[str, ScanRecord]:
        """One tick of the scan, or all at once."""
        how = how or {"due_only": True}
        return {found.tenant: found for found in asyncio.run(scan_tenants(self.app, **how))}

    def canaries(self) -> dict[str, CanaryResult]:
        """One tick of the canaries."""
        return {probe.tenant: probe.result for probe in send_canaries(self.app, due_only=True)}

    def warn(self) -> list[tuple[str, str]]:
        """One tick of the warnings: to whom, and of which kind."""
        return [
            (row.recipient, str(row.mail.kind)) for row in send_warnings(self.app, due_only=True)[0]
        ]

    def inbox(self, kind: str) -> list[str]:
        """Who got mails of a kind."""
        return [
            message.rcpt_to[0]
            for message in self.cloud.inbox.messages
            if message.header("X-Lapsewatch-Kind") == kind
        ]

    def restarted(self) -> Stage:
        """The same folder and cloud under a new process: the old one is gone."""
        return replace(self, app=App(self.configuration, clock=self.clock.now))


def story(name: str, now: datetime, *days: int, zone: str = "Europe/Berlin") -> WorldTenant:
    """A tenant with its own sender and secrets that end in so many days."""
    draft = Draft(name, name.title(), now, zone=zone)
    draft.monitor()
    draft.sender()
    for number in days:
        draft.app(f"App {number}", secrets=[draft.secret(f"App {number}", number)])
    return draft.tenant


def operator(now: datetime) -> Operator:
    """An operator with a sender of its own."""
    draft = Draft("msp", "MSP", now)
    draft.sender("noc")
    return Operator("MSP", ("noc@msp.example",), "Europe/Berlin", 8, draft.tenant)


@contextmanager
def stage(folder: Path, *tenants: WorldTenant, at: datetime = SIX) -> Iterator[Stage]:
    """The product over a world of these tenants, imported but not yet read."""
    clock = SandboxClock()
    clock.set(at)
    world = World(list(tenants), operator=operator(at))
    with Cloud(world, clock) as cloud:
        configuration = load(cloud.write_settings(folder))
        with App(configuration, clock=clock.now) as app:
            app.make_database()
            for tenant in read(folder / "tenants.toml", configuration).tenants:
                app.store.put_tenant(tenant)
            yield Stage(app, cloud, clock, configuration)


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
            show.app.store.put_tenant(replace(tenant, name=name, directory_id=guid))
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
        show.app.store.put_tenant(replace(tenant, paused=True))
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
        show.app.store.put_tenant(replace(contoso, time_zone="Africa/Atlantis", sender=None))
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


# --- canaries -------------------------------------------------------------------------------------


def test_a_sender_is_proven_once_a_day_at_its_own_hour(tmp_path: Path) -> None:
    """07:00 in the tenant's zone, whatever time it is elsewhere."""
    tokyo = story("fabrikam", SIX, zone="Asia/Tokyo")
    with stage(tmp_path, story("contoso", SIX), tokyo) as show:
        assert set(show.canaries()) == {"fabrikam"}  # there it is two in the afternoon
        show.at(SIX + HOUR)
        assert set(show.canaries()) == {"contoso", OPERATOR}
        assert show.canaries() == {}
        show.at(SIX + 25 * HOUR)
        assert set(show.canaries()) == {"contoso", "fabrikam", OPERATOR}


def test_a_passing_failure_is_proven_again_and_alarms_at_the_third(tmp_path: Path) -> None:
    """After 15 minutes, after an hour, then the alarm, by the operator's path; then its end."""
    tenant = story("contoso", SIX)
    tenant.mailboxes[0].faults.append(BUSY)
    with stage(tmp_path, tenant) as show:
        show.at(SIX + HOUR)
        assert show.canaries()["contoso"] is CanaryResult.FAILED
        for wait, probed in ((14, False), (2, True), (40, False), (6, True)):
            assert show.inbox("canary_failed") == []
            show.clock.advance(wait * MINUTE)
            assert ("contoso" in show.canaries()) is probed
            deliver(show.app)
        assert show.inbox("canary_failed") == ["noc@msp.example"]
        (alarm,) = [
            message
            for message in show.cloud.inbox.messages
            if message.header("X-Lapsewatch-Kind") == "canary_failed"
        ]
        assert alarm.auth_user == "noc@msp.example"
        show.clock.advance(3 * HOUR)
        assert show.canaries() == {}  # the alarm stands; the next proof is tomorrow's
        tenant.mailboxes[0].faults.clear()
        show.at(SIX + 25 * HOUR)
        assert show.canaries()["contoso"] is CanaryResult.OK
        deliver(show.app)
        assert show.inbox("recovered") == ["noc@msp.example"]
        show.at(SIX + 49 * HOUR)
        show.canaries()
        deliver(show.app)
        assert show.inbox("recovered") == ["noc@msp.example"]


def test_a_definite_failure_alarms_at_once_and_once(tmp_path: Path) -> None:
    """SMTP AUTH is off: waiting does not help, and saying it daily neither."""
    tenant = story("contoso", SIX)
    tenant.smtp_auth_disabled = True
    with stage(tmp_path, tenant) as show:
        for day in range(3):
            show.at(SIX + HOUR + day * timedelta(days=1))
            assert show.canaries()["contoso"] is CanaryResult.FAILED
            deliver(show.app)
            show.clock.advance(2 * HOUR)
            assert show.canaries() == {}
        assert show.inbox("canary_failed") == ["noc@msp.example"]


def test_a_sender_that_cannot_sign_in_stops_no_other(tmp_path: Path) -> None:
    """Its secret's file is missing: that is a failed proof with its cause, not a crash."""
    with stage(tmp_path, story("contoso", SIX), story("fabrikam", SIX)) as show:
        (tmp_path / "secrets" / "contoso-sender").unlink()
        show.at(SIX + HOUR)
        assert show.canaries() == {
            "contoso": CanaryResult.FAILED, "fabrikam": CanaryResult.OK, OPERATOR: CanaryResult.OK,
        }  # fmt: skip
        rows = {row.tenant: row for row in show.app.report().canaries}
        assert (rows["contoso"].stage, rows["contoso"].cause) == ("token", "secret_missing")


def test_while_its_canary_fails_a_tenants_warnings_go_by_the_operator(tmp_path: Path) -> None:
    """And come back to its own path when that works again."""
    tenant = story("contoso", SIX, 5)
    tenant.smtp_auth_disabled = True
    with stage(tmp_path, tenant) as show:
        show.scan()
        show.at(SIX + 2 * HOUR)
        show.canaries()
        assert show.warn() == [("it@contoso.example", "reminder")]
        (reminder,) = [m for m in show.cloud.inbox.messages if "it@contoso" in m.rcpt_to[0]]
        assert reminder.auth_user == "noc@msp.example"


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
