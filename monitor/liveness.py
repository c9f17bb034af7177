"""Whether the service does its work: its database answers, and its clock ticked lately."""

from __future__ import annotations

from monitor import status
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
    return []
