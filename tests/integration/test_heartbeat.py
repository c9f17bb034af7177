"""The heartbeat: a real request after each complete cycle, and what a refusal leaves behind."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jobs.send_heartbeat import send_heartbeat
from monitor.channels.ping import ping
from monitor.config import Configuration, load, parse
from monitor.cycle import JOBS
from monitor.errors import RemoteError, SettingsError, StoreError
from monitor.liveness import why_not_ready
from monitor.model import Pulse
from monitor.sandbox import SandboxClock
from monitor.shape import as_json
from monitor.store import Store
from monitor.wiring import App
from tests.integration.outsider import Outsider, outsider

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
SECRET = "secret-part"


@pytest.fixture
def outside() -> Iterator[Outsider]:
    """Whoever waits for the heartbeat."""
    with outsider() as found:
        yield found


@pytest.fixture
def clock() -> SandboxClock:
    """A clock that a test can set forward; at its start a turn of five minutes has just begun."""
    found = SandboxClock()
    found.set(datetime(2026, 11, 23, 7, tzinfo=UTC))
    return found


def settings(tmp_path: Path, url: str, store_url: str, **more: object) -> Configuration:
    """Settings with a heartbeat."""
    table = {
        "database": {"url": store_url},
        "operator": {"recipients": ["noc@msp.example"], "heartbeat_url": url, **more},
    }
    return parse(table, tmp_path, None)


@pytest.fixture
def app(tmp_path: Path, store_url: str, outside: Outsider, clock: SandboxClock) -> Iterator[App]:
    """An installation whose jobs all have just come round."""
    with App(settings(tmp_path, outside.url, store_url), clock=clock.now) as found:
        came_round(found)
        yield found


def came_round(app: App) -> None:
    """All jobs did their work."""
    for job in (*JOBS, "scheduler"):
        app.store.beat(job, app.clock())


def tick(app: App, clock: SandboxClock, after: timedelta) -> tuple[str, ...]:
    """One tick later."""
    clock.advance(after)
    came_round(app)
    return send_heartbeat(app)


def test_a_complete_cycle_is_told_once_in_five_minutes(
    app: App, outside: Outsider, clock: SandboxClock
) -> None:
    """Ticks come every half minute; the database says whose turn it is, for all replicas."""
    for _ in range(41):
        assert tick(app, clock, MINUTE / 2) == ()
    assert {(method, body) for method, _, body in outside.asked} == {("GET", "")}
    assert 4 <= len(outside.asked) <= 6
    pulse = app.report().pulse
    assert pulse.configured
    assert pulse.failing_since is None
    assert pulse.last_ok is not None
    assert clock.now() - pulse.last_ok <= 5 * MINUTE
    assert app.report().last_cycle is not None


def test_two_replicas_send_one_heartbeat(
    app: App, tmp_path: Path, store_url: str, outside: Outsider, clock: SandboxClock
) -> None:
    """Whoever takes the slot first has it."""
    with App(settings(tmp_path, outside.url, store_url), clock=clock.now) as other:
        send_heartbeat(app)
        send_heartbeat(other)
    assert len(outside.asked) == 1


def test_a_cycle_that_is_not_complete_is_not_told(
    app: App, outside: Outsider, clock: SandboxClock
) -> None:
    """Silence is what whoever waits outside reacts to; failures are told only where asked for."""
    clock.advance(2 * HOUR)
    assert send_heartbeat(app) != ()
    assert outside.asked == []


def test_a_failed_cycle_is_told_where_that_is_wanted(
    tmp_path: Path, store_url: str, outside: Outsider, clock: SandboxClock
) -> None:
    """A POST to /fail with a short text; the good one of the same five minutes still goes."""
    wanted = settings(tmp_path, outside.url, store_url, heartbeat_fail=True)
    with App(wanted, clock=clock.now) as app:
        send_heartbeat(app)
        send_heartbeat(app)
        came_round(app)
        send_heartbeat(app)
    (failed, good) = outside.asked
    assert failed[:2] == ("POST", "/8f3b6c1e-secret-part/fail")
    assert failed[2].startswith("the job scan has not finished a round yet")
    assert good == ("GET", "/8f3b6c1e-secret-part", "")


def test_a_refused_heartbeat_is_said_and_stops_nothing(
    app: App, outside: Outsider, clock: SandboxClock
) -> None:
    """Status, verdict and JSON say since when; the next one is tried a minute later."""
    outside.status = 503
    assert send_heartbeat(app) == ()
    since = clock.now()
    tick(app, clock, MINUTE / 2)
    assert len(outside.asked) == 1
    tick(app, clock, MINUTE)
    assert len(outside.asked) == 2
    report = app.report()
    assert report.pulse.failing_since is not None
    assert abs(report.pulse.failing_since - since) < MINUTE / 2
    assert "the heartbeat could not be sent since" in report.verdict.lower()
    assert report.pulse.problem == "the answer was 503"
    assert SECRET not in str(as_json(report))
    assert why_not_ready(app) == []  # who restarts a service does not mend another one's server
    outside.status = 200
    tick(app, clock, 2 * MINUTE)
    assert app.report().pulse.failing_since is None
    assert "heartbeat" not in app.report().verdict


def test_slots_of_heartbeats_do_not_pile_up(app: App, clock: SandboxClock) -> None:
    """288 a day are kept for a day; those of other jobs stay."""
    send_heartbeat(app)
    for _ in range(3):
        tick(app, clock, timedelta(days=1))
    assert len(app.store.slots("heartbeat")) <= 2


def test_a_heartbeat_that_is_set_no_more_leaves_no_trouble(
    app: App, outside: Outsider, tmp_path: Path, store_url: str, clock: SandboxClock
) -> None:
    """What failed once is not told for ever."""
    outside.status = 404
    send_heartbeat(app)
    without = parse({"database": {"url": store_url}}, tmp_path, None)
    with App(without, clock=clock.now) as other:
        assert other.report().pulse == Pulse()
        assert send_heartbeat(other) == ()


def test_readiness_ends_when_no_cycle_becomes_complete(app: App, clock: SandboxClock, make) -> None:
    """The clock ticks and the jobs come round, and yet a tenant is never tried."""
    send_heartbeat(app)
    assert why_not_ready(app) == []
    app.store.put_tenant(make.tenant(), now=clock.now())
    tick(app, clock, HOUR - MINUTE)
    assert why_not_ready(app) == []
    tick(app, clock, HOUR + MINUTE)
    first, *why = why_not_ready(app)
    assert first.startswith("no cycle was complete since ")
    assert why == ["not tried for 7 h: contoso"]
    assert "no cycle was complete since" in app.report().verdict.lower()


def test_readiness_ends_when_a_job_ticks_in_vain(app: App, clock: SandboxClock) -> None:
    """The scheduler's own beat is fresh; the scan's is not."""
    send_heartbeat(app)
    clock.advance(2 * HOUR + MINUTE)
    for job in ("scheduler", "canary", "arrival", "warn", "deliver"):
        app.store.beat(job, clock.now())
    assert send_heartbeat(app) != ()
    assert any("the job scan" in reason for reason in why_not_ready(app))


# --- the request itself ---------------------------------------------------------------------------


def test_a_redirect_is_not_followed(outside: Outsider) -> None:
    """Nobody sends the secret address on to another server."""
    outside.status, outside.location = 302, "http://127.0.0.1:9/elsewhere"
    with pytest.raises(RemoteError, match="the answer was 302, and redirects are not followed"):
        ping(outside.url)
    assert len(outside.asked) == 1


def test_a_server_that_never_answers_costs_no_more_than_the_deadline(outside: Outsider) -> None:
    """Ten seconds in earnest; a tenth of one here."""
    outside.hold = threading.Event()
    with pytest.raises(RemoteError, match=r"no answer within 0\.1 s"):
        ping(outside.url, deadline_s=0.1)


def test_no_error_names_the_address(outside: Outsider) -> None:
    """Whoever knows it can say that all is well."""
    with outsider() as gone:
        dead = gone.url
    for url in (dead, f"http://{SECRET}.invalid:99999/x", "http://["):
        with pytest.raises(RemoteError) as caught:
            ping(url)
        assert SECRET not in str(caught.value)


def test_the_address_may_stand_in_a_file(
    tmp_path: Path, store_url: str, outside: Outsider, clock: SandboxClock
) -> None:
    """Read anew each time; where it is missing or wrong, the status says so without showing it."""
    file = tmp_path / "heartbeat"
    with App(settings(tmp_path, "file:heartbeat", store_url), clock=clock.now) as app:
        tick(app, clock, MINUTE)
        assert "There is no file" in app.report().pulse.problem
        file.write_text(f"http://{SECRET}.example/x\n")
        tick(app, clock, 2 * MINUTE)
        assert "must be an https address" in app.report().pulse.problem
        assert SECRET not in app.report().pulse.problem
        file.write_text(outside.url + "\n")
        tick(app, clock, 2 * MINUTE)
        assert len(outside.asked) == 1


# --- settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        f"http://{SECRET}.example/x",  # in clear text
        f"https://user:{SECRET}@example.org/",
        f"ftp://{SECRET}/",
        f"https://{SECRET}.example/a b",
        SECRET,
    ],
)
def test_only_https_is_taken_unless_it_is_this_machine(tmp_path: Path, url: str) -> None:
    """And what is refused is not repeated: it may be the secret address with a slip."""
    with pytest.raises(SettingsError) as caught:
        parse({"operator": {"heartbeat_url": url}}, tmp_path, None)
    assert "operator.heartbeat_url: must be an https address" in str(caught.value)
    assert SECRET not in str(caught.value)


def test_the_address_is_masked_wherever_settings_are_shown(tmp_path: Path) -> None:
    """In a repr, which ends up in tracebacks and debug output."""
    file = tmp_path / "lapsewatch.toml"
    file.write_text(f'[operator]\nheartbeat_url = "https://hc-ping.com/{SECRET}"\n')
    held = load(file)
    assert held.heartbeat == f"https://hc-ping.com/{SECRET}"
    assert SECRET not in repr(held.settings)
    assert SECRET not in str(held.settings.model_dump())


def test_a_database_that_is_gone_is_one_error(app: App) -> None:
    """The tick is logged as failed, and the next one comes all the same."""
    with Store.open("sqlite:////nowhere/at/all.db") as lost, pytest.raises(StoreError):
        lost.pulse()
