"""`lapsewatch serve` as a process: it answers, ticks, stops in good order and comes back."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from jobs.scheduler import Service
from monitor.config import load
from monitor.liveness import SILENT_AFTER, why_not_ready
from monitor.roster import read
from monitor.sandbox import Cloud, Fault, SandboxClock, World
from monitor.sandbox.draft import Draft
from monitor.sandbox.world import Tenant
from monitor.wiring import App

ROOT = Path(__file__).parents[2]
PATIENCE = 40  # seconds; far more than anything here takes


def until(what: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """The first truthy answer; polls, with a deadline."""
    end = time.monotonic() + patience
    while not (found := what()):
        assert time.monotonic() < end, f"still not: {what}"
        time.sleep(0.02)
    return found


@dataclass
class Serving:
    """A running `lapsewatch serve`."""

    process: subprocess.Popen[str]
    lines: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""

    def listen(self) -> None:
        """Read the log to its end; each line is one JSON object."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(json.loads(line))

    def events(self) -> list[str]:
        """What was logged."""
        return [str(line["event"]) for line in self.lines]

    def get(self, path: str) -> httpx.Response:
        """One answer of the page."""
        return httpx.get(self.url + path, timeout=10, trust_env=False)

    def end(self, sign: signal.Signals) -> tuple[int, float]:
        """Send a signal; the exit code, and after how many seconds it came."""
        begun = time.monotonic()
        self.process.send_signal(sign)
        return self.process.wait(PATIENCE), time.monotonic() - begun


def command(settings: Path, *arguments: str) -> list[str]:
    """The command line."""
    return [sys.executable, "-m", "monitor", "--config", str(settings), *arguments]


@contextmanager
def serving(settings: Path) -> Iterator[Serving]:
    """Start it on a free port and wait until it listens; end it whatever happens."""
    process = subprocess.Popen(
        command(settings, "--log-level", "info", "serve", "--port", "0"),
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        env={"PATH": os.environ["PATH"], "NO_PROXY": "127.0.0.1"},
    )  # fmt: skip
    service = Serving(process)
    listener = threading.Thread(target=service.listen)
    listener.start()
    try:
        ready = until(lambda: next(
            (line for line in service.lines if line["event"] == "page_ready"),
            process.poll() is not None,
        ))  # fmt: skip
        assert isinstance(ready, dict), service.lines
        service.url = str(ready["url"]).rstrip("/")
        yield service
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        listener.join()
        if process.stderr:
            process.stderr.close()


def contoso() -> Tenant:
    """A tenant with a sender, and a secret that ends in five days."""
    draft = Draft("contoso", "Contoso", SandboxClock().now(), zone="UTC")
    draft.monitor()
    draft.sender()
    draft.app("Invoice mail", secrets=[draft.secret("Invoice mail", 5)])
    return draft.tenant


@pytest.fixture
def settings(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """Settings, secrets and an imported tenant, with its cloud running."""
    tenant = contoso()
    tenant.faults += getattr(request, "param", ())
    with Cloud(World([tenant]), SandboxClock()) as cloud:
        file = cloud.write_settings(tmp_path)
        done = subprocess.run(
            command(file, "tenant", "import", str(tmp_path / "tenants.toml")),
            capture_output=True, text=True, cwd=ROOT, check=False, timeout=PATIENCE,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        yield file


def health(settings: Path) -> tuple[int, str]:
    """What the container's health check says."""
    done = subprocess.run(
        command(settings, "health"), capture_output=True, text=True, cwd=ROOT, check=False,
        timeout=PATIENCE,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout.strip()


def test_the_service_reads_answers_and_stops_on_sigterm(settings: Path) -> None:
    """Every address answers, the first scan is on the page, health is 0, the exit code is 0."""
    assert health(settings) == (1, "the scheduler has not ticked yet")
    with serving(settings) as service:
        until(lambda: service.get("/readyz").status_code == 200)
        assert service.get("/livez").status_code == 200
        until(lambda: "tenant_scanned" in service.events())
        report = service.get("/api/v1/status").json()
        assert [(row["name"], row["state"]) for row in report["tenants"]] == [("contoso", "ok")]
        assert any(row["app_name"] == "Invoice mail" for row in report["credentials"])
        page = service.get("/").text
        assert "Invoice mail" in page
        assert 'lapsewatch_tenant_up{tenant="contoso"} 1.0' in service.get("/metrics").text
        assert health(settings) == (0, "alive")
        code, seconds = service.end(signal.SIGTERM)
    assert code == 0
    assert seconds < 10
    assert service.events()[-1] == "service_stopped"
    assert not {"tick_failed", "tick_crashed"} & set(service.events())


def test_it_comes_back_after_a_stop_and_after_a_kill(settings: Path) -> None:
    """SIGINT is a stop as well; a kill leaves nothing that stands in the way."""
    with serving(settings) as service:
        until(lambda: "tenant_scanned" in service.events())
        assert service.end(signal.SIGINT)[0] == 0
    with serving(settings) as service:
        until(lambda: service.get("/readyz").status_code == 200)
        assert service.end(signal.SIGKILL)[0] == -signal.SIGKILL
    with serving(settings) as service:
        until(lambda: service.get("/readyz").status_code == 200)
        assert service.get("/api/v1/status").json()["tenants"][0]["state"] == "ok"
        assert service.end(signal.SIGTERM)[0] == 0


@pytest.mark.parametrize(
    "settings", [[Fault(path="/applications", delay=120)]], indirect=True, ids=["hanging"]
)
def test_a_scan_that_hangs_does_not_hold_up_the_stop(settings: Path, tmp_path: Path) -> None:
    """It is left; whoever starts next reads the tenant again."""
    with serving(settings) as service:
        configuration = load(settings)
        with App(configuration) as app:
            until(lambda: app.store.slots("scan"))
            until(lambda: service.get("/readyz").status_code == 200)
            code, seconds = service.end(signal.SIGTERM)
            assert code == 0
            assert seconds < 10
            (slot,) = app.store.slots("scan")
            assert slot.finished_at is None
            assert app.store.health()["contoso"].last_attempt is None


def test_a_taken_port_is_one_clear_message(settings: Path) -> None:
    """And exit code 1."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = subprocess.run(
            command(settings, "serve", "--port", str(taken.getsockname()[1])),
            capture_output=True, text=True, cwd=ROOT, check=False, timeout=PATIENCE,
        )  # fmt: skip
    assert done.returncode == 1
    assert "Address already in use" in done.stderr
    assert "--port" in done.stderr
    assert "service_started" not in done.stderr
    assert "Traceback" not in done.stderr


def test_it_does_not_listen_beyond_this_machine_without_a_word(settings: Path) -> None:
    """The page has no sign-in yet; the message says what to do."""
    done = subprocess.run(
        command(settings, "serve", "--host", "0.0.0.0", "--port", "0"),
        capture_output=True, text=True, cwd=ROOT, check=False, timeout=PATIENCE,
    )  # fmt: skip
    assert done.returncode in (1, 2)
    assert "allow_without_sign_in" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_service_within_a_process_can_be_stopped_from_another_thread(
    settings: Path, tmp_path: Path
) -> None:
    """As the demo and the tests use it; no signal handler is touched there."""
    before = signal.getsignal(signal.SIGTERM)
    urls: list[str] = []
    with App(load(settings)) as app:
        service = Service(
            app, host="127.0.0.1", port=0, tick=timedelta(seconds=0.2), on_ready=urls.append
        )
        runner = threading.Thread(target=service.run)
        runner.start()
        try:
            until(lambda: urls)
            until(
                lambda: set(app.store.beats()) >= {"scan", "warn", "canary", "arrival", "deliver"}
            )
            assert why_not_ready(app) == []
        finally:
            service.stop()
            runner.join(PATIENCE)
    assert not runner.is_alive()
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_silent_scheduler_and_a_lost_database_are_not_ready(tmp_path: Path) -> None:
    """What a load balancer and a container's health check go by."""
    clock = SandboxClock()
    with Cloud(World([contoso()]), clock) as cloud:
        configuration = load(cloud.write_settings(tmp_path))
    with App(configuration, clock=clock.now) as app:
        app.make_database()
        assert read(tmp_path / "tenants.toml", configuration).errors == ()
        assert why_not_ready(app) == ["the scheduler has not ticked yet"]
        app.store.beat("scheduler", clock.now())
        assert why_not_ready(app) == []
        clock.advance(SILENT_AFTER + timedelta(seconds=1))
        assert why_not_ready(app) == ["the scheduler has not ticked for 5 minutes"]
        app.store.close()
        for file in tmp_path.glob("lapsewatch.db*"):
            file.unlink()
        (reason,) = why_not_ready(app)
        assert reason.startswith("the database cannot be used")
