"""What the tests of `monitor.entra` share: a fake Microsoft, a reader, and a tenant to read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import pytest

from monitor.diagnose import Rulebook
from monitor.entra.graph import Deadlines, GraphReader
from monitor.entra.secrets import ResolvedCredential
from monitor.model import Cloud, CredentialRef, Scan, Tenant, Topic
from tests.integration.graph_server import DIRECTORY, GraphServer

APPS = "/v1.0/applications"
PRINCIPALS = "/v1.0/servicePrincipals"
SECRET = "Abc-secret-value"
SHORT = Deadlines(connect=2, read=0.5, token=2, tenant=10)
RULES = Path(__file__).parents[2] / "monitor" / "diagnose_rules.toml"
TENANT = Tenant(
    name="contoso",
    directory_id=DIRECTORY,
    cloud="lab",
    client_id="1f3e0000-0000-4000-8000-000000000001",
    credential=CredentialRef("secret", "env:CONTOSO"),
)


@dataclass
class Room:
    """A fake Microsoft and the settings to read it."""

    server: GraphServer
    cloud: Cloud

    @classmethod
    def on(cls, server: GraphServer) -> Self:
        """The cloud of a server that runs."""
        return cls(server, Cloud(
            name="lab", authority=server.authority, graph=server.graph,
            graph_scope="https://graph.microsoft.com/.default", smtp_host="127.0.0.1",
            smtp_port=2525, smtp_scope="https://outlook.office365.com/.default", portal="",
            ca_file=str(server.ca_file),
        ))  # fmt: skip

    async def scan(
        self,
        *,
        value: ResolvedCredential | None = None,
        deadlines: Deadlines = SHORT,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        tenant: Tenant = TENANT,
        topics: frozenset[Topic] = frozenset(),
        **cloud: Any,
    ) -> Scan:
        """Read the tenant once, with a reader of its own."""
        reader = GraphReader(deadlines=deadlines, diagnose=diagnose)
        try:
            return await reader.scan(
                tenant,
                replace(self.cloud, **cloud),
                value or ResolvedCredential.from_secret(SECRET),
                now=now,
                topics=topics,
            )
        finally:
            await reader.close()


_RULEBOOK = Rulebook.parse(RULES.read_text("utf-8"))


def diagnose(text: str, stage: str | None) -> Any:
    """The product's own diagnosis."""
    return _RULEBOOK.diagnose(text, stage=stage)


def app(number: int, *ends: str, **changes: Any) -> dict[str, Any]:
    """An application with a secret for each end."""
    secrets = [
        {
            "keyId": f"{number:08x}-0000-4000-8000-{index:012x}",
            "displayName": f"secret {index}",
            "startDateTime": "2024-01-01T00:00:00Z",
            "endDateTime": end,
            "hint": "abc",
        }
        for index, end in enumerate(ends)
    ]
    return {
        "id": f"{number:08x}-1111-4000-8000-000000000000",
        "appId": f"{number:08x}-2222-4000-8000-000000000000",
        "displayName": f"App {number}",
        "passwordCredentials": secrets,
        "keyCredentials": [],
        **changes,
    }


async def longest_pause(work: Any) -> float:
    """The longest time in seconds that the event loop was held while `work` ran.

    Time in which the machine ran other processes instead is not counted.
    """
    loop = asyncio.get_running_loop()
    longest = 0.0
    over = asyncio.Event()

    async def beat() -> None:
        nonlocal longest
        last = loop.time() - _waited_for_cpu()
        while not over.is_set():
            await asyncio.sleep(0.001)
            here = loop.time() - _waited_for_cpu()
            longest, last = max(longest, here - last), here

    heart = asyncio.create_task(beat())
    await asyncio.sleep(0)
    try:
        await work
    finally:
        over.set()
        await heart
    return longest


def _waited_for_cpu() -> float:
    """Seconds that this thread was ready to run and was not let (0 where nobody counts it)."""
    try:
        return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9
    except OSError:
        return 0.0


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    """A fake Microsoft of its own for each test."""
    with GraphServer(tmp_path) as server:
        yield Room.on(server)
