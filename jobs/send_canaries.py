"""Prove every sender's mail path with a real mail; alarm by another path when one fails."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from monitor import process
from monitor.canary import after, due, next_retry
from monitor.log import get
from monitor.model import Probe, SenderHealth, Tenant
from monitor.senders import OAuthSender
from monitor.timetable import latest_daily
from monitor.wiring import App

JOB = "canary"
LEASE = timedelta(minutes=15)
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
    """
    tenants = {tenant.name: tenant for tenant in app.store.tenants()}
    health = app.store.sender_health()

    def one(sender: OAuthSender) -> Probe | None:
        known = health.get(_key(sender))
        slot = due_slot(app, sender, known)
        if stop() or (due_only and not take(app, sender, slot)):
            return None
        probe = app.carriers.probe(sender, app.alarms)
        record(app, sender, tenants.get(sender.tenant), known, probe)
        if due_only and slot is not None:
            app.store.finish_slot(JOB, sender.path, slot, app.clock())
        return probe

    chosen = [s for s in app.carriers.senders(tenants.values()) if only in (None, s.tenant)]
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="canary") as pool:
        futures = [pool.submit(one, sender) for sender in chosen]
    for sender, future in zip(chosen, futures, strict=True):
        if (fault := future.exception()) is not None:
            log.error("canary_crashed", tenant=sender.tenant, error=str(fault))
    return [probe for future in futures if (probe := future.result()) is not None]


def due_slot(app: App, sender: OAuthSender, health: SenderHealth | None) -> datetime | None:
    """The slot that is due: today's, or the retry of a passing failure; None when neither."""
    now = app.clock()
    daily = latest_daily(
        now, app.configuration.settings.defaults.canary_at, ZoneInfo(sender.time_zone)
    )
    if not due(health, daily, now):
        return None
    last = health.last if health else None
    return daily if daily and (last is None or last.started_at < daily) else next_retry(health)


def take(app: App, sender: OAuthSender, slot: datetime | None) -> bool:
    """Win the slot; False when another replica has it."""
    return slot is not None and app.store.take_slot(
        JOB, sender.path, slot, now=app.clock(), owner=app.owner, lease=LEASE,
        owner_is_dead=process.is_dead,
    )  # fmt: skip


def record(
    app: App, sender: OAuthSender, tenant: Tenant | None, before: SenderHealth | None, probe: Probe
) -> None:
    """Write the probe, and its alarm if it opens or closes one, in one transaction."""
    verdict = after(before, probe)
    alarm = None
    if verdict.alarm != "none":
        alarm = app.alarms.canary_alarm(
            sender, tenant, before, probe, app.diagnose(probe.evidence, probe.stage),
            opens=verdict.alarm == "open", paths=app.carriers.paths(), now=app.clock(),
        )  # fmt: skip
    app.store.record_probe(probe, alarm)
    log.info(
        "canary", tenant=sender.tenant, result=probe.result, stage=probe.stage,
        cause=probe.cause, alarm=verdict.alarm,
    )  # fmt: skip


def _key(sender: OAuthSender) -> tuple[str, str]:
    return (sender.tenant, sender.mailbox)
