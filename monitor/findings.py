"""What an examination says about a failure: its first cause, or a more precise one. Pure."""

from __future__ import annotations

from collections.abc import Collection

from monitor.model import Examination, Finding, Side

# What a check is about; every other one (clock, sign-in host, directory) concerns both sides.
_ONLY: dict[Side, tuple[str, ...]] = {
    "reading": ("graph.",),
    "sending": ("smtp.", "mailbox", "exchange.", "service_principal", "object_id"),
}
# A reply with one of these says that it failed, but hardly why.
VAGUE = frozenset(
    {
        "unknown", "generic_oauth_failure", "transient", "transient_backend", "permission_missing",
        "html_instead_of_json", "not_authenticated",
    }
)  # fmt: skip
# What only looks at more than one reply can tell apart.
_REFINED = {
    "tenant_not_found": {"wrong_cloud"},
    "bad_tenant_id": {"wrong_cloud"},
    "tls_untrusted": {"tls_intercepted"},
}
# The doctor itself did not come to its end: that is no cause of what failed.
_NO_CAUSE = "program"


def failed(examination: Examination, side: Side) -> tuple[Finding, ...]:
    """What had failed of all that one side rests on, in the order of the way."""
    others = tuple(text for other, text in _ONLY.items() if other != side)
    not_mine = tuple(text for texts in others for text in texts)
    return tuple(
        found
        for found in examination.findings
        if found.status == "failed" and not found.check.startswith(not_mine)
    )


def first_failed(examination: Examination, side: Side) -> Finding | None:
    """The first thing that had failed; what comes later often only follows from it."""
    return next(iter(failed(examination, side)), None)


def explains(
    examination: Examination | None, side: Side, cause: str | None, also: Collection[str] = ()
) -> Finding | None:
    """The finding that says more of a failure than the reply that ended it; None if none does.

    A reply that names its cause clearly is believed, because the failure itself is the better
    witness: what the doctor adds is then its evidence, fix and command for the same cause.

    Args:
        examination: what the doctor found right after the failure, if it looked.
        side: what had failed.
        cause: the reply's.
        also: what the reply may mean as well.
    """
    if examination is None or cause is None:
        return None
    found = [
        one
        for one in failed(examination, side)
        if one.cause not in (None, "unknown") and one.check != _NO_CAUSE
    ]
    if cause not in VAGUE and (same := [one for one in found if one.cause == cause]):
        return same[0]
    wanted = {*also, *_REFINED.get(cause, ())}
    return next((one for one in found if cause in VAGUE or one.cause in wanted), None)


def summary(examination: Examination | None, side: Side) -> dict[str, object] | None:
    """What an examination says of one side, in the shape that scripts and people read."""
    if examination is None:
        return None
    found = first_failed(examination, side)
    well = "" if examination.note else "Nothing that it looked at had failed."
    return {
        "at": examination.at,
        "check": found.check if found else None,
        "title": found.title if found else None,
        "cause": found.cause if found else None,
        "evidence": found.evidence if found else well or None,
        "fix": (found.fix or None) if found else None,
        "command": found.command if found else None,
        "note": examination.note or None,
    }
