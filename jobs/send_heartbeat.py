"""Look whether the cycle is complete, remember when it was, and tell something outside."""

from __future__ import annotations

from monitor import cycle
from monitor.wiring import App


def send_heartbeat(app: App) -> tuple[str, ...]:
    """Note a complete cycle and send the heartbeat that is due.

    Returns:
        What keeps the cycle from being complete; empty when it is.

    Raises:
        StoreError: the database cannot be used.
    """
    now, store = app.clock(), app.store
    missing = cycle.missing(
        store.tenants(), store.health(), store.known_since(), store.beats(),
        scan_every=app.scan_every, now=now,
    )  # fmt: skip
    if not missing:
        store.beat(cycle.CYCLE, now)
    app.heartbeat.beat(missing)
    return missing
