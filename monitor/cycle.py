"""Whether the service came round: every tenant tried, every job done, and lately. Pure.

A tenant that cannot be read is told about elsewhere and does not break the cycle. What does is
work that is not even tried, or is tried in vain.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit, urlunsplit

from monitor.model import CLOCK_SLACK, Tenant, TenantHealth

JOBS = ("scan", "canary", "arrival", "warn", "deliver")
CYCLE = "cycle"  # the beat of complete cycles
STARTED = "started"  # and that of the last start of a service
ROUND_TAKES = timedelta(hours=1)  # a round over many tenants, some of which hang, may be long
LATE_AFTER = timedelta(hours=1)  # while all is well, a cycle is complete at every tick
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_NAMED = 3


def missing(
    tenants: Iterable[Tenant],
    health: Mapping[str, TenantHealth],
    known_since: Mapping[str, datetime],
    beats: Mapping[str, datetime],
    *,
    scan_every: timedelta,
    now: datetime,
) -> tuple[str, ...]:
    """What keeps the cycle from being complete, in words; empty when it is complete.

    Args:
        tenants: all tenants; paused and pending ones are not waited for.
        health: what is known of each, by name.
        known_since: when each tenant's entry last changed; a new one has an hour to be tried.
        beats: the last good round of each job.
        scan_every: how often each tenant is to be tried.
        now: the current instant.
    """
    found = [
        f"the job {name} has not finished a round {_since(beats.get(name))}"
        for name in JOBS
        if not _recent(beats.get(name), ROUND_TAKES, now)
    ]
    most = scan_every + ROUND_TAKES
    untried = []
    for tenant in tenants:
        known = health.get(tenant.name)
        last = known.last_attempt if known else None
        fresh = _recent(last, most, now) if last else _recent(
            known_since.get(tenant.name), ROUND_TAKES, now
        )  # fmt: skip
        if tenant.active and not fresh:
            untried.append(tenant.name)
    if untried:
        more = f" and {len(untried) - _NAMED} more" if len(untried) > _NAMED else ""
        names = ", ".join(untried[:_NAMED])
        found.append(f"not tried for {_hours(most)}: {names}{more}")
    return tuple(found)


def late_since(beats: Mapping[str, datetime], now: datetime) -> datetime | None:
    """When a cycle was last complete (or the service was started), if that is too long ago.

    None as long as all is well, and where no service has ever run.
    """
    # What lies ahead was written while the clock was wrong.
    known = [beats[name] for name in (CYCLE, STARTED) if name in beats]
    known = [at for at in known if at <= now + CLOCK_SLACK]
    last = max(known, default=None)
    return last if last is not None and now - last > LATE_AFTER else None


def turn(now: datetime, every: timedelta) -> datetime:
    """The slot (UTC) of the heartbeat that is due at `now`: the same for every replica."""
    return now - (now - _EPOCH) % every


def failure_address(url: str) -> str:
    """Where a failed cycle is told: the address with /fail, as healthchecks.io has it."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/fail"))


def _recent(at: datetime | None, most: timedelta, now: datetime) -> bool:
    return at is not None and -CLOCK_SLACK <= now - at <= most


def _since(at: datetime | None) -> str:
    return f"since {at:%Y-%m-%d %H:%M} UTC" if at else "yet"


def _hours(length: timedelta) -> str:
    return f"{length.total_seconds() / 3600:g} h"
