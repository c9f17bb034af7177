"""The timetable: frequent ticks that ask our own slots what is due; the page beside them.

APScheduler is only the clock here, with its memory job store. Whether something is due is
answered by the database, so a restart, a missed tick, a double tick, a change of the clocks and
several replicas all come down to one rule.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from apscheduler.schedulers.background import BackgroundScheduler

from jobs.find_canaries import JOB as ARRIVAL
from jobs.find_canaries import find_canaries
from jobs.scan_tenants import scan_tenants
from jobs.send_canaries import send_canaries
from jobs.send_heartbeat import send_heartbeat
from jobs.send_reports import send_reports
from jobs.send_warnings import deliver, send_warnings
from monitor import __version__
from monitor.cycle import STARTED
from monitor.errors import LapsewatchError
from monitor.liveness import BEAT, why_not_ready
from monitor.log import get
from monitor.web.act import act_pages
from monitor.web.app import create_app
from monitor.web.server import Server, listen
from monitor.web.setup import setup_pages
from monitor.wiring import App

if TYPE_CHECKING:
    from fastapi import FastAPI

TICK = timedelta(seconds=30)

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
        on_ready: called with the page's address once it can be asked.
        setup: whether tenants can be set up on the page.
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
        setup: bool = True,
    ) -> None:
        self._app = app
        self._host, self._port = host, port
        self._stopping = threading.Event()
        self._scheduler = BackgroundScheduler(timezone="UTC")
        self._tick = tick
        self._on_ready = on_ready
        page = web_app(app, banner=banner, inbox_url=inbox_url, host=host, setup=setup)
        self._server = Server(page, self._started, self._stopping.set)

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT; what is being sent is finished first.

        Raises:
            UsageError: nothing can listen at that address.
        """
        listener = listen(self._host, self._port)
        jobs: dict[str, Callable[[], object]] = {
            "scan": lambda: asyncio.run(self._scan()),
            "canary": lambda: send_canaries(self._app, due_only=True, stop=self._stopping.is_set),
            ARRIVAL: lambda: find_canaries(self._app, due_only=True, stop=self._stopping.is_set),
            "warn": self._warn,
            "deliver": lambda: deliver(self._app, stop=self._stopping.is_set),
            "report": lambda: send_reports(self._app, due_only=True),
            "heartbeat": lambda: send_heartbeat(self._app),
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
        self._app.store.beat(STARTED, self._app.clock())
        self._scheduler.start()
        log.info("service_started", version=__version__)
        try:
            with listener, self._signals():
                self._server.run(sockets=[listener])
        finally:
            self._stopping.set()
            self._scheduler.shutdown(wait=True)
            log.info("service_stopped")

    def stop(self) -> None:
        """Ask the service to stop, from another thread."""
        self._stopping.set()
        self._server.should_exit = True

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Let SIGTERM and SIGINT stop the service in good order, with exit code 0.

        The web server handles them first and raises them anew when it has ended; by then there
        is nothing left to do.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        names = (signal.SIGTERM, signal.SIGINT)
        before = {name: signal.signal(name, lambda *_: self.stop()) for name in names}
        try:
            yield
        finally:
            for name, handler in before.items():
                signal.signal(name, handler)

    async def _scan(self) -> None:
        """Read what is due. A stop ends it: what was not recorded is read after the next start."""
        work = asyncio.create_task(scan_tenants(self._app, due_only=True))
        while not work.done() and not self._stopping.is_set():
            await asyncio.wait({work}, timeout=0.5)
        if not work.done():
            work.cancel()
        await asyncio.wait({work})
        if not work.cancelled():
            work.result()

    def _warn(self) -> None:
        """Tell who is due. A digest that could not be written must not count as a good round."""
        _, outcome = send_warnings(self._app, due_only=True, stop=self._stopping.is_set)
        if outcome.unwritten:
            names = ", ".join(outcome.unwritten)
            raise LapsewatchError(f"The daily mail to {names} could not be written.")

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


def web_app(
    app: App, *, banner: str | None, inbox_url: str | None, host: str, setup: bool = True
) -> FastAPI:
    """The page over the wired product."""
    web = app.configuration.settings.web
    names = ["127.0.0.1", "localhost", "[::1]", host, *web.allowed_hosts]
    if outside := urlsplit(app.configuration.base_url or "").hostname:
        names.append(outside)  # the links in mails lead there
    return create_app(
        report=app.report,
        alive=lambda: why_not_ready(app),
        zone=ZoneInfo(app.configuration.operator_zone),
        operator_name=app.configuration.operator_name,
        banner=banner,
        inbox_url=inbox_url,
        allowed_hosts=["*"] if web.allowed_hosts == ("*",) else names,
        per_credential_metrics=web.metrics_per_credential,
        setup=setup_pages(app, lambda name: _read_once(app, name)) if setup else None,
        acts=act_pages(app),
    )


def _read_once(app: App, name: str) -> None:
    asyncio.run(scan_tenants(app, only=name))
