"""Prove every sender's mail path with a real mail; alarm by another path when one fails."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from monitor import process
from monitor.canary import due_slot
from monitor.errors import LapsewatchError
from monitor.log import get
from monitor.model import Probe, SenderHealth, Tenant
from monitor.routes import sender_scope
from monitor.senders import OAuthSender
from monitor.wiring import App

JOB = "canary"
LEASE = timedelta(minutes=15)
AGAIN = timedelta(minutes=5)  # what crashed or could not be recorded is probed again so soon
AT_ONCE = 8

log = get("lapsewatch.canary")


def send_canaries(
    app: App,
    *,
    only: str | None = None,
    due_only: bool = False,
    stop: Callable[[], bool] = lambda: False,
) -> list[Probe]:
    """Probe the senders (all, one tenant's, or those that are due), several side by side.

    Each is recorded as soon as it is known, so that a slow one holds up no alarm of another.

    Raises:
        LapsewatchError: some probe crashed or could not be recorded; all the others were.
    """
    tenants = {tenant.name: tenant for tenant in app.store.tenants()}
    health, since = app.store.sender_health(), app.store.known_since()
    faults: dict[str, str] = {}

    def one(sender: OAuthSender) -> Probe | None:
        known = health.get((sender.tenant, sender.mailbox))
        try:
            slot = due(app, sender, known, since.get(sender.tenant)) if due_only else None
            if stop() or (due_only and not take(app, sender, slot)):
                return None
            return prove(app, sender, tenants.get(sender.tenant), slot)
        except Exception as error:  # one sender never stops the others
            foreseen = isinstance(error, LapsewatchError)
            why = str(error) if foreseen else f"a fault of the program ({type(error).__name__})."
            log.error("canary_crashed", tenant=sender.tenant, error=why, exc_info=not foreseen)
            faults[sender.tenant] = why
            return None

    chosen = [s for s in app.carriers.senders(tenants.values()) if only in (None, s.tenant)]
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="canary") as pool:
        probes = [probe for probe in pool.map(one, chosen) if probe is not None]
    if faults:
        each = " ".join(f"{name}: {why}" for name, why in sorted(faults.items()))
        raise LapsewatchError(
            f"Not every canary could be sent and recorded. {each}",
            remedy="The others were; `lapsewatch status` shows them.",
        )
    return probes


def due(
    app: App, sender: OAuthSender, known: SenderHealth | None, changed_at: datetime | None
) -> datetime | None:
    """The slot of a sender that is due; None when it is not."""
    return due_slot(
        known or SenderHealth(sender.tenant, sender.mailbox),
        daily_at=app.configuration.settings.defaults.canary_at,
        zone=ZoneInfo(sender.time_zone), changed_at=changed_at, now=app.clock(),
    )  # fmt: skip


def take(app: App, sender: OAuthSender, slot: datetime | None) -> bool:
    """Win the slot; False when there is none, or another replica has it."""
    return slot is not None and app.store.take_slot(
        JOB, _scope(sender), slot, now=app.clock(), owner=app.owner, lease=LEASE,
        owner_is_dead=process.is_dead,
    )  # fmt: skip


def prove(app: App, sender: OAuthSender, tenant: Tenant | None, slot: datetime | None) -> Probe:
    """Probe and record; give the slot back where that fails, so that it is soon done anew."""
    try:
        probe = app.canaries.prove(sender, tenant)
    except Exception:
        if slot is not None:
            app.store.give_back_slot(JOB, _scope(sender), slot, until=app.clock() + AGAIN)
        raise
    if slot is not None:
        app.store.finish_slot(JOB, _scope(sender), slot, app.clock())
    return probe


def _scope(sender: OAuthSender) -> str:
    return sender_scope(sender.tenant, sender.mailbox)
