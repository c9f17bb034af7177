"""How much a credential matters beyond its date, and in words why. Pure.

It orders what people read and adds a reason; it never takes a warning away, and no stage depends
on it. The one exception adds warnings: an old credential that is still in use after its renewal.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import IntEnum

from monitor.model import Credential, Kind

SUCCESSOR_SETTLED = timedelta(days=2)  # so long a successor must be valid: moving takes a while
MOVED_WITHIN = timedelta(days=1)  # a sign-in with the old one so soon after is part of the move
# A monthly job is the rarest use that this sees; whatever signed in before then has moved.
IN_USE_WITHIN = timedelta(days=31)
UNUSED_AFTER = timedelta(days=90)
STILL_USED_DAYS = 14  # an old credential that is still used is warned about from here on

# Sign-ins with the others are not in Entra's report.
_REPORTED = (Kind.SECRET, Kind.CERTIFICATE)


class Severity(IntEnum):
    """The classes in which things are told, the gravest first."""

    OWN = 0  # Lapsewatch signs in with it: without it nothing else is seen
    NORMAL = 1
    LOW = 2  # its end breaks nothing, as far as is known


def severity(one: Credential, successor: Credential | None) -> Severity:
    """Return the class of a credential.

    Args:
        one: the credential.
        successor: the valid newer one, where there is one.
    """
    if one.own:
        return Severity.OWN
    if successor is not None and not still_used(one, successor):
        return Severity.LOW
    idle = is_unused(one) or (one.enabled is False and not _in_use(one))
    return Severity.LOW if idle else Severity.NORMAL


def still_used(old: Credential, successor: Credential) -> bool:
    """Return whether something signs in with a superseded credential after it was renewed.

    So it is when its last sign-in came more than a day after its successor began, and is no
    older than a month by the report. When usage is unknown the answer is no.
    """
    used, began = _known_use(old), successor.start
    if used is None or began is None:
        return False
    return used > began + MOVED_WITHIN and _in_use(old)


def warns_still_used(old: Credential, successor: Credential, now: datetime) -> bool:
    """Return whether supersession does not silence a credential, because it is still used.

    `now` is the run's instant (aware, UTC); the successor must have been there for two days.
    """
    began = successor.start
    settled = began is not None and now - began >= SUCCESSOR_SETTLED
    return settled and still_used(old, successor)


def is_unused(one: Credential) -> bool:
    """Return whether the last sign-in on record is more than 90 days old.

    One that the report does not list is not called unused: the report does not reach back for
    ever, and not all sign-ins are in it.
    """
    used = _known_use(one)
    return used is not None and one.usage_at is not None and one.usage_at - used > UNUSED_AFTER


def lives_too_long(one: Credential) -> bool:
    """Return whether a credential lives longer than its tenant's policy allows for a new one."""
    if one.limit is None or one.start is None:
        return False
    if one.limit.since is not None and one.start < one.limit.since:
        return False  # made before the rule
    return one.end is None or one.end - one.start > one.limit.longest


def policy_words(one: Credential) -> str:
    """Say by how much a credential outlives the policy; empty where it does not."""
    if one.limit is None or one.start is None or not lives_too_long(one):
        return ""
    life = "without an end" if one.end is None else f"{(one.end - one.start).days} days"
    return f"lives longer than the policy allows: {life}, {one.limit.longest.days} allowed"


def use_words(one: Credential, days: int | None) -> str:
    """Say when a credential was last used; empty for kinds whose sign-ins nobody reports.

    Args:
        one: the credential.
        days: whole local days since its last sign-in; None without one.
    """
    if one.kind not in _REPORTED or one.managed_identity:
        return ""
    if one.usage_at is None:
        return "not known"
    if days is None:
        return "no sign-in on record"
    if is_unused(one):
        return f"not used for {max(days, 0)} days: ask whether it can be deleted instead of renewed"
    when = {0: "today", 1: "yesterday"}
    return when.get(max(days, 0)) or f"{days} days ago"


def why(one: Credential) -> str:
    """Say what makes a credential matter more or less than others; empty where nothing does."""
    if one.enabled is False:
        return "the app is disabled in this directory: sign-ins to it fail already"
    return ""


def _in_use(one: Credential) -> bool:
    """Whether something signed in with it lately; no where that is not known."""
    used = _known_use(one)
    return used is not None and one.usage_at is not None and one.usage_at - used <= IN_USE_WITHIN


def _known_use(one: Credential) -> datetime | None:
    """The last sign-in, where that is known at all."""
    return one.last_used if one.kind in _REPORTED and one.usage_at is not None else None
