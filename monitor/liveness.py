"""Whether the service works: its database answers, its clock ticks, its cycles are complete."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from monitor import status
from monitor.cycle import late_since, missing
from monitor.errors import LapsewatchError
from monitor.wiring import App

BEAT = status.SCHEDULER
SILENT_AFTER = status.SILENT_AFTER


def why_not_ready(app: App) -> list[str]:
    """What keeps the service from doing its work; empty when all is well."""
    try:
        app.store.check()
        beats = app.store.beats()
    except LapsewatchError as error:
        return [f"the database cannot be used: {error}"]
    if BEAT not in beats:
        return ["the scheduler has not ticked yet"]
    since = status.silent_since(beats, app.clock())
    if since is not None:
        minutes = int((app.clock() - since).total_seconds() // 60)
        return [f"the scheduler has not ticked for {minutes} minutes"]
    late = late_since(beats, app.clock())
    if late is not None:
        return [f"no cycle was complete since {late:%Y-%m-%d %H:%M} UTC", *_why_not(app, beats)]
    return []


def _why_not(app: App, beats: Mapping[str, datetime]) -> tuple[str, ...]:
    """What keeps the cycles from being complete now; empty where the next tick will do."""
    store = app.store
    return missing(
        store.tenants(), store.health(), store.known_since(), beats,
        scan_every=app.scan_every, now=app.clock(),
    )  # fmt: skip
