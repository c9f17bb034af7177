"""The room of a partner: an MSP that watches itself, its customers in Graph, and its clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs.scan_tenants import scan_tenants
from monitor.config import load
from monitor.discoveries import Discovered
from monitor.model import CredentialState, Kind, ScanRecord
from monitor.roster import read
from monitor.sandbox import Cloud, Fault, SandboxClock, Twist, partner_world
from monitor.sandbox.partner_stories import READS
from monitor.sandbox.world import Tenant as WorldTenant
from monitor.status import StatusReport
from monitor.wiring import App
from tests.integration.stage import SIX, operator

CUSTOMERS = "/tenantRelationships/delegatedAdminCustomers"
RELATIONSHIPS = "/tenantRelationships/delegatedAdminRelationships"


class Msp:
    """The product over a partner's world, and ways to move it on."""

    def __init__(self, app: App, cloud: Cloud, clock: SandboxClock) -> None:
        self.app, self.cloud, self.clock = app, cloud, clock

    @property
    def partner(self) -> WorldTenant:
        """The MSP in the world."""
        return self.cloud.world.tenant("northwind")

    def may(self, *roles: str) -> None:
        """Let the MSP's app have these permissions at home from now on."""
        assert self.partner.monitor is not None
        self.partner.principal_of(self.partner.monitor.client_id).graph_roles = roles

    def discover(self, **how: Any) -> Discovered:
        """One discovery."""
        entry = self.app.store.tenant("northwind")
        assert entry is not None
        [shared] = self.app.store.shared_apps()

        async def run() -> Discovered:
            async with self.app.graph() as reader:
                return await self.app.discoveries.run(reader, entry, shared, **how)

        return asyncio.run(run())

    def scan(self, **how: Any) -> dict[str, ScanRecord]:
        """One tick of the scan, or one tenant's."""
        how = how or {"due_only": True}
        return {one.tenant: one for one in asyncio.run(scan_tenants(self.app, **how))}

    def report(self) -> StatusReport:
        """The status now."""
        return self.app.report()

    def states(self) -> dict[str, str]:
        """The state of each tenant."""
        return {row.tenant.name: str(row.state) for row in self.report().tenants}

    def gdap(self) -> dict[str, CredentialState]:
        """The state of each GDAP relationship, by the customer's name."""
        rows = self.report().credentials
        return {str(r.credential.name): r.state for r in rows if r.credential.kind is Kind.GDAP}


@pytest.fixture
def msp(tmp_path: Path) -> Iterator[Msp]:
    """An MSP that watches itself, and nobody else yet."""
    clock = SandboxClock()
    clock.set(SIX)
    world = partner_world(SIX)
    world.operator = operator(SIX)
    with Cloud(world, clock) as cloud:
        configuration = load(cloud.write_settings(tmp_path))
        found = read(tmp_path / "tenants.toml", configuration)
        with App(configuration, clock=clock.now) as app:
            app.make_database()
            app.store.put_roster(found.apps, found.tenants, now=clock.now())
            yield Msp(app, cloud, clock)


BREAKS: dict[str, Callable[[Msp], None]] = {
    "permission_missing": lambda msp: msp.may(*READS, "Directory.Read.All"),
    "throttled": lambda msp: _fault(msp, status=429, headers={"Retry-After": "9999"}),
    "malformed_page": lambda msp: _fault(msp, twist=Twist.TRUNCATE),
    "scan_incomplete": lambda msp: _fault(msp, twist=Twist.FOREIGN_NEXT),
    "html_instead_of_json": lambda msp: _fault(msp, twist=Twist.HTML),
}


def _fault(msp: Msp, **how: Any) -> None:
    msp.partner.faults += [Fault(RELATIONSHIPS, **how), Fault(CUSTOMERS, **how)]
