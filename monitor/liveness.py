"""Whether the service does its work: its database answers, and its clock ticked lately."""

from __future__ import annotations

from monitor import status
from monitor.errors import LapsewatchError
from monitor.wiring import App

SILENT_AFTER = status.SILENT_AFTER
BEAT = status.SCHEDULER


def why_not_ready(app: App) -> list[str]:
    """What keeps the service from doing its work; empty when all is well."""
    try:
        app.store.check()
        last = app.store.beats().get(BEAT)
    except LapsewatchError as error:
        return [f"the database cannot be used: {error}"]
    if last is None:
        return ["the scheduler has not ticked yet"]
    silent = app.clock() - last
    if silent > SILENT_AFTER:
        return [f"the scheduler has not ticked for {int(silent.total_seconds() // 60)} minutes"]
    return []
