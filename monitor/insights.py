"""What a scan asks beside the lists, and how often. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from monitor.model import CLOCK_SLACK, Insight, Topic

# Once a day: an hour less, so that the same scan of the next day asks and not the one after it.
ASK_EVERY = timedelta(hours=23)


def topics_due(known: Insight, now: datetime, *, usage: bool = True) -> frozenset[Topic]:
    """Return what is to be asked for at `now` (aware UTC): each topic once a day at most.

    `usage` is the setting of that name; without it nobody asks for sign-ins.
    """
    asked = {Topic.POLICY: known.policy_asked_at}
    if usage:
        asked[Topic.USAGE] = known.usage_asked_at
    return frozenset(topic for topic, at in asked.items() if _is_due(at, now))


def usage_problems(known: Iterable[Insight]) -> dict[str, str]:
    """Why the last sign-ins are not known, by tenant; only of tenants that were read at all."""
    return {
        one.tenant: one.usage_problem or "it is switched off in the settings"
        for one in known
        if one.usage_at is None and (one.usage_asked_at or one.policy_asked_at) is not None
    }


def _is_due(asked: datetime | None, now: datetime) -> bool:
    """Whether a day is over; what was asked in the future was asked by a wrong clock."""
    return asked is None or not -CLOCK_SLACK <= now - asked < ASK_EVERY
