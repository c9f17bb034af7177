"""The stage that jobs are tested on: the product, wired, over a simulated cloud with its clock."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from jobs.scan_tenants import scan_tenants
from jobs.send_canaries import send_canaries
from jobs.send_warnings import send_warnings
from monitor.config import Configuration, load
from monitor.model import CanaryResult, ScanRecord
from monitor.roster import read
from monitor.sandbox import Cloud, SandboxClock, World
from monitor.sandbox.draft import Draft
from monitor.sandbox.world import Operator
from monitor.sandbox.world import Tenant as WorldTenant
from monitor.wiring import App

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
SIX = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)  # 06:00 in Berlin, a Monday


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
def stage(
    folder: Path, *tenants: WorldTenant, at: datetime = SIX, rules: str = ""
) -> Iterator[Stage]:
    """The product over a world of these tenants, imported but not yet read.

    `rules` are more lines of its settings.
    """
    clock = SandboxClock()
    clock.set(at)
    world = World(list(tenants), operator=operator(at))
    with Cloud(world, clock) as cloud:
        settings = cloud.write_settings(folder)
        settings.write_text(settings.read_text() + rules)
        configuration = load(settings)
        with App(configuration, clock=clock.now) as app:
            app.make_database()
            for tenant in read(folder / "tenants.toml", configuration).tenants:
                app.store.put_tenant(tenant, now=clock.now())
            yield Stage(app, cloud, clock, configuration)
