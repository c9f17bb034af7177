"""Look for the canaries that were accepted, and alarm about those that did not arrive."""

from __future__ import annotations

from collections.abc import Callable

from monitor.errors import LapsewatchError
from monitor.wiring import App

JOB = "arrival"


def find_canaries(
    app: App,
    *,
    only: str | None = None,
    due_only: bool = False,
    stop: Callable[[], bool] = lambda: False,
) -> None:
    """Look for accepted canaries (all, one tenant's, or those whose look is due).

    Raises:
        LapsewatchError: some could not be looked for or recorded; all the others were.
    """
    faults = app.readbacks.look(only=only, due_only=due_only, stop=stop)
    if faults:
        raise LapsewatchError(
            f"Not every test mail could be looked for. {' '.join(sorted(faults))}",
            remedy="The others were; `lapsewatch status` shows them.",
        )
