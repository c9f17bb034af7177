"""A process that has imported the product and forks a victim for each line it reads.

Each line is an instant (ISO 8601). The victim does one round of work at that instant (scan, then
send) and ends; the nursery prints its pid at once and how it ended afterwards. Forking saves the
second that importing the product takes, so that most of a victim's life is work worth killing.
"""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import datetime
from pathlib import Path

from jobs.scan_tenants import scan_tenants
from jobs.send_warnings import send_warnings
from monitor import log
from monitor.channels import relay, smtp_oauth  # noqa: F401 (imported before the fork)
from monitor.config import load
from monitor.entra import auth, graph, sdk  # noqa: F401
from monitor.wiring import App
from tests.faults.mark_first import mark_first


def main() -> None:
    """Fork a victim per line of standard input."""
    log.set_up(level="error")
    settings, variant = Path(sys.argv[1]), sys.argv[2]
    print("ready", flush=True)
    for line in sys.stdin:
        now = datetime.fromisoformat(line.strip())
        pid = os.fork()
        if pid == 0:
            work(settings, variant, now)
            os._exit(0)
        print(f"pid {pid}", flush=True)
        _, status = os.waitpid(pid, 0)
        print(f"ended {os.waitstatus_to_exitcode(status)}", flush=True)


def work(settings: Path, variant: str, now: datetime) -> None:
    """One round, as the clock would do it."""
    with App(load(settings), clock=lambda: now) as app:
        if variant == "mark-first":
            mark_first(app)
        asyncio.run(scan_tenants(app))
        send_warnings(app)


if __name__ == "__main__":
    main()
