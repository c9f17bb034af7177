"""The timetable: frequent ticks that ask our own slots what is due; the page beside them.

APScheduler is only the clock here, with its memory job store. Whether something is due is
answered by the database, so a restart, a missed tick, a double tick, a change of the clocks and
several replicas all come down to one rule.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import uvicorn
from apscheduler.schedulers.background import BackgroundScheduler

from jobs.scan_tenants import scan_tenants
from jobs.send_canaries import send_canaries
from jobs.send_warnings import deliver, send_warnings
from monitor import __version__
from monitor.errors import LapsewatchError
from monitor.log import get
from monitor.wiring import App

if TYPE_CHECKING:
    from fastapi import FastAPI

TICK = timedelta(seconds=30)
SILENT_AFTER = timedelta(minutes=5)
BEAT = "scheduler"

log = get("lapsewatch.service")


class Service:
    """The whole service: ticks in threads, the page in the main thread.

    Args:
        app: the wired product.
        host: address to listen on.
        port: port to listen on; 0 takes a free one.
        tick: how often to ask what is due.
        banner: a line above the page, for the demo.
        inbox_url: where the demo's mails can be read.
    """

    def __init__(
        self,
        app: App,
        *,
        host: str,
        port: int,
        tick: timedelta = TICK,
        banner: str | None = None,
        inbox_url: str | None = None,
        on_ready: Callable[[str], None] | None = None,
    ) -> None:
        self._app = app
        self._stopping = threading.Event()
        self._scheduler = BackgroundScheduler(timezone="UTC")
        self._tick = tick
        self._on_ready = on_ready
        config = uvicorn.Config(
            web_app(app, banner=banner, inbox_url=inbox_url, host=host),
            host=host,
            port=port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=10,
        )
        self._server = _Server(config, self._started)

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT; what is being sent is finished first."""
        jobs: dict[str, Callable[[], object]] = {
            "scan": lambda: asyncio.run(scan_tenants(self._app, due_only=True)),
            "canary": lambda: send_canaries(self._app, due_only=True),
            "warn": lambda: send_warnings(self._app, due_only=True),
            "deliver": lambda: deliver(self._app, stop=self._stopping.is_set),
            BEAT: lambda: None,
        }
        for name, job in jobs.items():
            self._scheduler.add_job(
                self._guarded,
                "interval",
                args=(name, job),
                id=name,
                seconds=self._tick.total_seconds(),
                next_run_time=datetime.now(UTC),
                max_instances=1,
                coalesce=True,
                misfire_grace_time=None,
            )
        self._scheduler.start()
        log.info("service_started", version=__version__)
        try:
            self._server.run()
        finally:
            self._stopping.set()
            self._scheduler.shutdown(wait=True)
            log.info("service_stopped")

    def stop(self) -> None:
        """Ask the service to stop, from another thread."""
        self._stopping.set()
        self._server.should_exit = True

    def _guarded(self, name: str, job: Callable[[], object]) -> None:
        """Run one tick; a fault is logged and the next tick comes all the same."""
        if self._stopping.is_set():
            return
        try:
            job()
            self._app.store.beat(name, self._app.clock())
        except LapsewatchError as error:
            log.error("tick_failed", job=name, error=str(error))
        except Exception:  # the clock must not stop, whatever one tick ran into
            log.exception("tick_crashed", job=name)

    def _started(self, url: str) -> None:
        log.info("page_ready", url=url)
        if self._on_ready is not None:
            self._on_ready(url)


class _Server(uvicorn.Server):
    """A server that says when, and on which port, it is ready."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[str], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[Any] | None = None) -> None:
        """Start listening, then tell."""
        await super().startup(sockets=sockets)
        for server in getattr(self, "servers", []):
            for socket in server.sockets:
                host, port = socket.getsockname()[:2]
                self._ready(f"http://{host}:{port}/")


def web_app(app: App, *, banner: str | None, inbox_url: str | None, host: str) -> FastAPI:
    """The page over the wired product."""
    from monitor.web.app import create_app

    web = app.configuration.settings.web
    names = ["127.0.0.1", "localhost", "[::1]", host, *web.allowed_hosts]
    return create_app(
        report=app.report,
        alive=lambda: why_not_ready(app),
        zone=ZoneInfo(app.configuration.operator_zone),
        operator_name=app.configuration.operator_name,
        banner=banner,
        inbox_url=inbox_url,
        allowed_hosts=["*"] if web.allowed_hosts == ("*",) else names,
    )


def why_not_ready(app: App) -> list[str]:
    """What keeps the service from doing its work; empty when all is well."""
    try:
        app.store.check()
        last = app.store.beats().get(BEAT)
    except LapsewatchError as error:
        return [f"the database cannot be used: {error}"]
    if last is None:
        return ["the scheduler has not ticked yet"]
    silent = app.clock() - last
    if silent > SILENT_AFTER:
        return [f"the scheduler has not ticked for {int(silent.total_seconds() // 60)} minutes"]
    return []
