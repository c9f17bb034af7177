"""How long a mailbox's limit stretches what is to come: when each mail has left by. Pure.

It counts as `monitor.pace` does: a mail leaves when fewer than so many left in the minute before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.mailings import Foreseen
from monitor.model import MailKind
from monitor.routes import Paths, Rate, choose, tenant_path

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Departure:
    """When a mail is due, and by when it has left; `rate` is None where there is no limit.

    What waits has left within the minute in which there is room again, as sending takes a while.
    """

    at: datetime
    leaves_by: datetime
    rate: Rate | None = None


@dataclass(frozen=True, slots=True)
class Stretch:
    """A run that a mailbox's limit stretches: so many mails at once, and when the last has left."""

    at: datetime
    mails: int
    leaves_by: datetime
    rate: Rate


def departures(coming: Iterable[Foreseen], paths: Paths) -> dict[int, Departure]:
    """When each mail leaves, by its number; nothing fails and no path changes until then.

    Args:
        coming: what is foreseen, in the order of time.
        paths: the sending paths as they are now, with their limits.
    """
    left: dict[str, list[datetime]] = defaultdict(list)
    found: dict[int, Departure] = {}
    for one in coming:
        if one.mail in found:
            continue
        rate = paths.rates.get(_path(one, paths))
        leaves = one.at
        if rate is not None:
            before = left[rate.mailbox]
            if len(before) >= rate.per_minute:
                leaves = max(leaves, before[-rate.per_minute] + MINUTE)
            before.append(leaves)
        by = leaves if leaves == one.at else leaves + MINUTE
        found[one.mail] = Departure(one.at, by, rate)
    return found


def stretched(leaving: Mapping[int, Departure]) -> Sequence[Stretch]:
    """The runs that take longer than a moment, in the order of time."""
    runs: dict[tuple[datetime, str], list[Departure]] = defaultdict(list)
    for one in leaving.values():
        if one.rate is not None:
            runs[one.at, one.rate.mailbox].append(one)
    found = []
    for (at, _), mails in sorted(runs.items(), key=lambda run: run[0]):
        last, rate = max(one.leaves_by for one in mails), mails[0].rate
        if rate is not None and last > at:
            found.append(Stretch(at, len(mails), last, rate))
    return found


def _path(one: Foreseen, paths: Paths) -> str:
    """The path that a mail takes; a canary always goes by the sender that it tests."""
    if one.kind is MailKind.CANARY:
        return tenant_path(one.tenant)
    kind = one.kind if one.kind is MailKind.REPORT else MailKind.REMINDER
    return choose(kind, [one.tenant] if one.tenant else [], paths)
