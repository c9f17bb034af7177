"""The whole product against the simulated cloud, in a folder of its own; nothing leaves it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from monitor.config import load
from monitor.model import OutboxState
from monitor.roster import read
from monitor.timetable import next_daily
from monitor.wiring import App

if TYPE_CHECKING:
    from monitor.sandbox import Cloud, SandboxClock, World

SAYS_SO = "Sandbox: fictional tenants on this machine only. Nothing leaves it."


@dataclass(frozen=True, slots=True)
class Demo:
    """The wired product and the simulated cloud that it watches."""

    app: App
    cloud: Cloud
    world: World
    clock: SandboxClock
    folder: Path


@contextmanager
def demo(database_url: str | None = None) -> Iterator[Demo]:
    """Start the simulated cloud, write real settings for it and import its tenants.

    The same files and commands do it for real tenants: only the addresses differ.

    Args:
        database_url: an empty database to use; None makes one that goes with the demo.
    """
    from monitor.sandbox import Cloud, SandboxClock, demo_world

    _keep_proxies_out()
    clock = SandboxClock()
    world = demo_world(clock.now())
    with TemporaryDirectory(prefix="lapsewatch-demo-") as name, Cloud(world, clock) as cloud:
        folder = Path(name)
        configuration = load(cloud.write_settings(folder))
        if database_url is not None:
            configuration = configuration.on_database(database_url)
        with App(configuration, clock=clock.now) as app:
            app.make_database()
            roster = read(folder / "tenants.toml", configuration)
            for shared in roster.apps:
                app.store.put_shared_app(shared, now=app.clock())
            for tenant in roster.tenants:
                app.store.put_tenant(tenant, now=app.clock())
            app.store.replace_notes(roster.notes)
            zones = {tenant.name: ZoneInfo(tenant.time_zone) for tenant in roster.tenants}
            app.store.replace_items(roster.items, zones=zones, now=app.clock())
            yield Demo(app, cloud, world, clock, folder)


def _keep_proxies_out() -> None:
    """A proxy set for this machine must not be asked for loopback addresses."""
    for name in ("NO_PROXY", "no_proxy"):
        os.environ[name] = ",".join(filter(None, [os.environ.get(name), "127.0.0.1,localhost"]))


def sent_mails(app: App) -> list[dict[str, Any]]:
    """Every mail a server accepted so far: canaries and the outbox, oldest first."""
    rows = [
        (row.sent_at, str(row.mail.kind), row.recipient, row.mail.subject, list(row.tenants))
        for row in app.store.outbox(states=[OutboxState.SENT], limit=10_000)
    ]
    mails = [
        {
            "kind": kind,
            "to": recipient,
            "subject": subject,
            "tenant": tenants[0] if len(tenants) == 1 else None,
            "tenants": tenants,
            "at": at,
        }
        for at, kind, recipient, subject, tenants in rows
    ]
    return sorted(mails, key=lambda mail: str(mail["at"]))


def one_cycle(show: Demo) -> None:
    """Scan everything, prove every mail path, tell everybody: what the clock does in a day."""
    from jobs.find_canaries import find_canaries
    from jobs.scan_tenants import scan_tenants
    from jobs.send_canaries import send_canaries
    from jobs.send_warnings import send_warnings

    asyncio.run(scan_tenants(show.app))
    send_canaries(show.app)
    find_canaries(show.app)
    send_warnings(show.app)


def day_by_day(show: Demo, days: int) -> Iterator[tuple[Any, list[Any]]]:
    """Live through `days` days; yields each day and the mails that arrived on it.

    The first begins with one cycle at once. From then on everything happens at its hour, as the
    clock of a service would have it; the directories are read once a day.
    """
    from jobs.scan_tenants import scan_tenants
    from jobs.send_reports import send_reports

    for number in range(days):
        before = len(show.cloud.inbox.messages)
        if number:
            _a_day(show)
            asyncio.run(scan_tenants(show.app))
        else:
            one_cycle(show)
            send_reports(show.app, due_only=True)
        yield show.clock.now(), list(show.cloud.inbox.messages)[before:]


def _a_day(show: Demo) -> None:
    """Let a day go by, from one hour that something is due at to the next."""
    from jobs.send_canaries import send_canaries
    from jobs.send_reports import send_reports
    from jobs.send_warnings import send_warnings

    app, end = show.app, show.clock.now() + timedelta(days=1)
    while (at := _next(app, show.clock.now())) <= end:
        show.clock.set(at)
        send_canaries(app, due_only=True)
        send_warnings(app, due_only=True)
        send_reports(app, due_only=True)
    show.clock.set(end)


def _next(app: App, now: datetime) -> datetime:
    """The next instant at which a canary or a daily mail is due."""
    daily_at = app.configuration.settings.defaults.canary_at
    senders = app.carriers.senders(app.store.tenants())
    proofs = [next_daily(now, daily_at, ZoneInfo(one.time_zone)) for one in senders]
    runs = [*app.runs.standing().runs, *app.reports.runs()]
    return min([run.next_slot(now) for run in runs] + proofs)
