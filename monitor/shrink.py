"""A tenant that loses many credentials at once: an accident, or a reader that sees less. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from monitor.lifecycle import has_lapsed
from monitor.model import Credential, Kind, ObservedCredential, Scan

CAUSE = "scan_shrunk"
AT_LEAST = 5  # fewer are an ordinary day in a small tenant
ACCEPTED_FOR = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Loss:
    """How many of the present credentials a scan did not see, and how many there were."""

    gone: int
    before: int

    def is_too_much(self, percent: int) -> bool:
        """Whether that is more than so many percent, and no handful; 0 percent asks never."""
        return percent > 0 and self.gone >= AT_LEAST and 100 * self.gone > percent * self.before


def loss(known: Sequence[Credential], seen: Collection[str], scan: Scan) -> Loss:
    """Compare what was there with what a complete scan saw.

    One that was renewed is not lost: on its object there is a valid one of its kind that ends
    later. What hangs on objects that the scan could not look at is left out.

    Args:
        known: the present credentials of the tenant, as the store has them.
        seen: the uids of what the scan saw.
        scan: the scan.
    """
    now = scan.record.finished_at
    there = {thing.object_id: thing.credentials for thing in scan.objects}
    before = [
        one
        for one in known
        if one.kind is not Kind.ITEM  # no scan sees a watched date, and none removes one
        and (one.object_type not in scan.unread or one.object_id in there)
    ]
    gone = [
        one
        for one in before
        if one.uid not in seen
        and not any(_renews(new, one, now) for new in there.get(one.object_id, ()))
    ]
    return Loss(len(gone), len(before))


def _renews(new: ObservedCredential, old: Credential, now: datetime) -> bool:
    if new.kind is not old.kind or has_lapsed(new.end, now):
        return False
    if new.start is not None and new.start > now:
        return False
    return new.end is None or (old.end is not None and new.end > old.end)


def held(scan: Scan, found: Loss) -> Scan:
    """The same scan as one that proves nothing: facts are only added, and the operator is asked."""
    problem = (
        f"{found.gone} of {found.before} credentials are gone since the last complete scan. "
        "Nothing was removed or resolved."
    )
    return replace(
        scan,
        record=replace(
            scan.record, complete=False, cause=CAUSE, problem=problem, retry="after_fix"
        ),
    )
