"""Runs the sandbox as a process of its own: `python -m monitor.sandbox --folder DIR`."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from pathlib import Path

from .clock import SandboxClock
from .cloud import Cloud
from .stories import demo_world


def main() -> None:
    """Write the settings, say where everything is, and run until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m monitor.sandbox", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where the settings go")
    parser.add_argument("--apps", type=int, default=0, help="so many more apps for contoso")
    options = parser.parse_args()
    folder: Path = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    threading.Thread(target=_wait_for_the_end_of_stdin, args=(stop,), daemon=True).start()
    clock = SandboxClock()
    world = demo_world(clock.now(), apps=options.apps)
    with Cloud(world, clock, inbox_journal=folder / "inbox.jsonl") as cloud:
        addresses = {
            "settings": str(cloud.write_settings(folder)),
            "tenants": str(folder / "tenants.toml"),
            "entra_url": cloud.entra_url,
            "graph_url": cloud.graph_url,
            "smtp_host": cloud.smtp_host,
            "smtp_port": cloud.smtp_port,
            "inbox_url": cloud.inbox_url,
            "inbox_file": str(folder / "inbox.jsonl"),
        }
        sys.stdout.write(json.dumps(addresses) + "\n")
        sys.stdout.flush()
        stop.wait()


def _wait_for_the_end_of_stdin(stop: threading.Event) -> None:
    """Who started this process holds its standard input; when that closes, they are gone."""
    while os.read(sys.stdin.fileno(), 4096):
        pass
    stop.set()


if __name__ == "__main__":
    main()
