"""Reading and storing a very large tenant stays within a small machine's memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from monitor.sandbox import Cloud, SandboxClock, demo_world

ROOT = Path(__file__).parents[2]
APPLICATIONS = 20_000
LIMIT_MIB = 250

SCAN_AND_STORE = """
import asyncio, sys
from pathlib import Path
from jobs.scan_tenants import scan_tenants
from monitor import log
from monitor.config import load
from monitor.roster import read
from monitor.wiring import App

settings = Path(sys.argv[1])
log.set_up(level="error")
with App(load(settings)) as app:
    app.make_database()
    for tenant in read(settings.parent / "tenants.toml", app.configuration).tenants:
        if tenant.name == "contoso":
            app.store.put_tenant(tenant, now=app.clock())
    for _ in range(2):
        (record,) = asyncio.run(scan_tenants(app))
        assert record.complete, record.problem
    # Not getrusage: its maximum includes the process that started this one, before the exec.
    peak = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) // 1024
    print(record.objects, record.credentials, peak)
"""


def test_twenty_thousand_applications_are_scanned_and_stored_in_250_mib(tmp_path: Path) -> None:
    """Twice in one process: the first load, and the quiet rescan that a service lives on."""
    clock = SandboxClock()
    world = demo_world(clock.now(), apps=APPLICATIONS)
    with Cloud(world, clock) as cloud:
        settings = cloud.write_settings(tmp_path)
        done = subprocess.run(
            [sys.executable, "-c", SCAN_AND_STORE, str(settings)],
            capture_output=True, text=True, cwd=ROOT, check=False, timeout=240,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    objects, credentials, peak = (int(word) for word in done.stdout.split())
    assert objects > APPLICATIONS
    assert credentials > APPLICATIONS
    assert peak < LIMIT_MIB, f"{peak} MiB"
