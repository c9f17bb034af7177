"""What reading costs: the event loop's time, memory, and imports."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from monitor.entra.graph import Deadlines, GraphReader
from monitor.entra.secrets import ResolvedCredential
from tests.integration.entra_room import (
    APPS,
    SECRET,
    TENANT,
    Room,
    app,
    diagnose,
    longest_pause,
    room,
)
from tests.integration.graph_server import Reply

__all__ = ["room"]  # a fixture

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

FOLDER = Path(__file__).parents[2]
HEAVY = ("msgraph", "kiota_http", "azure", "msal", "httpx", "aiohttp", "requests")
MEMORY = """
import asyncio, json, sys
from datetime import UTC, datetime
from monitor.entra.graph import Deadlines, GraphReader
from monitor.entra.secrets import ResolvedCredential
from tests.integration.entra_room import TENANT, diagnose
from monitor.model import Cloud

async def main(cloud):
    reader = GraphReader(deadlines=Deadlines(), diagnose=diagnose)
    value = ResolvedCredential.from_secret("x" * 40)
    found = await reader.scan(TENANT, cloud, value, now=lambda: datetime.now(UTC))
    await reader.close()
    print(json.dumps({
        "complete": found.record.complete, "objects": len(found.objects),
        "problem": found.record.problem,
        # Not getrusage: its maximum includes the process that started this one, before the exec.
        "mib": int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) / 1024,
    }))

asyncio.run(main(Cloud(**json.loads(sys.argv[1]))))
"""


def big_page(first: int, size: int) -> list[object]:
    """Applications with two secrets, a certificate and a federated credential each."""
    certificate = {
        "customKeyIdentifier": "2iD8ppbE+D6Kmu1ZvjM2jtQh88E=", "displayName": "CN=app",
        "endDateTime": "2031-01-01T00:00:00Z", "startDateTime": "2024-01-01T00:00:00Z",
        "type": "AsymmetricX509Cert", "usage": "Verify", "key": None,
    }  # fmt: skip
    trust = {"id": "f", "name": "gh", "issuer": "https://i", "subject": "s", "audiences": ["a"]}
    return [
        app(
            number,
            "2031-01-01T00:00:00.1234567Z",
            "2032-01-01T00:00:00Z",
            keyCredentials=[certificate | {"keyId": f"{number:08x}-3333-4000-8000-000000000000"}],
            federatedIdentityCredentials=[trust],
        )
        for number in range(first, first + size)
    ]


async def test_a_page_of_999_applications_never_holds_the_event_loop_for_50_ms(room: Room) -> None:
    """Reading, splitting and decoding all of it, and several tenants at once."""
    body = json.dumps({"value": big_page(0, 999)}).encode()
    room.server.script[APPS] = [Reply(body)]
    value = ResolvedCredential.from_secret(SECRET)
    reader = GraphReader(deadlines=Deadlines(), diagnose=diagnose)
    await reader.load()

    async def scan() -> None:
        found = await reader.scan(TENANT, room.cloud, value, now=lambda: datetime.now(UTC))
        assert found.record.complete, found.record.problem
        assert found.record.credentials == 3 * 999

    # The middle one of three, because a container may be paused from outside.
    alone = sorted([await longest_pause(scan()) for _ in range(3)])[1]
    together = sorted(
        [await longest_pause(asyncio.gather(*(scan() for _ in range(4)))) for _ in range(3)]
    )[1]
    await reader.close()
    assert alone < 0.050
    assert together < 0.050


def test_20_000_applications_fit_into_250_mib(room: Room) -> None:
    """Measured in a process of its own."""
    step = 999
    for first in range(0, 20_000, step):
        page: dict[str, object] = {"value": big_page(first, min(step, 20_000 - first))}
        if first + step < 20_000:
            page["@odata.nextLink"] = f"{room.server.graph}{APPS}?$skiptoken={first}"
        room.server.script[APPS].append(Reply(json.dumps(page).encode()))
    cloud = {name: getattr(room.cloud, name) for name in room.cloud.__slots__}
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, json.dumps(cloud)],
        cwd=FOLDER, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["complete"], result
    assert result["objects"] == 20_000
    assert result["mib"] < 250, result


def test_the_room_is_entered_without_loading_what_is_heavy() -> None:
    """Commands that read no tenant do not pay for the SDK."""
    code = (
        "import sys, monitor.entra, monitor.entra.graph, monitor.entra.auth; "
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=FOLDER, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
