"""What is most urgent in a digest, in words for its first lines: how many, and when. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from monitor.mail import words
from monitor.mail.frames import DigestItem, Frame
from monitor.mail.views import is_lapsed
from monitor.model import Credential, Tenant, TenantHealth

_NUMBER = re.compile(r"(\d+)")


def soonest(items: Sequence[DigestItem]) -> list[DigestItem]:
    """Those that end on the first day, local to the recipient; they need not be the gravest."""
    day = min(item.notice.days_left for item in items)
    return [item for item in items if item.notice.days_left == day]


def latest(items: Sequence[DigestItem]) -> list[DigestItem]:
    """Those that ended on the last day of all."""
    day = max(item.notice.days_left for item in items)
    return [item for item in items if item.notice.days_left == day]


def subject(items: Sequence[DigestItem], frame: Frame) -> str:
    """When the first end, for a subject: "first in 3 days", "25 today at 09:00"."""
    found = soonest(items)
    if len(found) == 1 or found[0].notice.days_left > 1:
        return f"first {when(found, frame)}"
    return f"{'all' if len(found) == len(items) else len(found)} {when(found, frame)}"


def sentence(items: Sequence[DigestItem], frame: Frame, verbs: tuple[str, str]) -> str:
    """The same as a sentence; `verbs` are for one and for several: expires, expire."""
    told = first(items, frame, verbs)
    return f"{told[0].upper()}{told[1:]}."


def first(items: Sequence[DigestItem], frame: Frame, verbs: tuple[str, str] | None = None) -> str:
    """How many end first, and when, to follow their number; with a verb where one is given."""
    found = soonest(items)
    some = "all" if len(found) == len(items) else str(len(found))
    who = "the first" if len(found) == 1 else f"{some} of them"
    verb = verbs[len(found) > 1] if verbs else ""
    return " ".join(filter(None, (who, verb, when(found, frame))))


def today(items: Sequence[DigestItem], frame: Frame) -> tuple[int, str]:
    """How many end later today, and when in words; none and no words where none do."""
    due = [item for item in items if item.notice.days_left == 0]
    return (len(due), when(due, frame)) if due else (0, "")


def ends_today(due: Sequence[DigestItem], frame: Frame) -> str:
    """How many of what has not lapsed end later today, for a subject; empty where none do."""
    count, hour = today(due, frame)
    return f", {count} {'ends' if count == 1 else 'end'} {hour}" if count else ""


def others(due: Sequence[DigestItem], frame: Frame) -> str:
    """A sentence about what has not lapsed, after one about what has; empty where there is none."""
    if not due:
        return ""
    count, hour = today(due, frame)
    if count == len(due):
        return f" {count} more {'expires' if count == 1 else 'expire'} {hour}."
    told = f" {len(due)} more {'needs' if len(due) == 1 else 'need'} renewal"
    return f"{told}, {count} of them {hour}." if count else f"{told}."


def ending(item: DigestItem, frame: Frame) -> str:
    """What the end of one does and when."""
    if is_lapsed(item.notice):
        return words.ending(item.notice.days_left, lapsed=True)
    return f"expires {when([item], frame)}"


def since(items: Sequence[DigestItem], frame: Frame) -> str:
    """When the last of several lapsed, for a subject: "expired, 3 yesterday"."""
    last = latest(items)
    if len(last) == len(items):
        return f"expired {_lapsed(last[0], frame)}"
    if last[0].notice.days_left >= -1:
        return f"expired, {len(last)} {words.relative_days(last[0].notice.days_left)}"
    return f"expired, the last on {_day(last[0], frame)}"


def expired(items: Sequence[DigestItem], frame: Frame) -> str:
    """When several lapsed, to follow their number in a sentence."""
    last = latest(items)
    day = _lapsed(last[0], frame)
    if len(last) == len(items):
        return f"expired {day}"
    return f"have expired, the last {'one' if len(last) == 1 else f'{len(last)} of them'} {day}"


def beside(
    still_lapsed: Sequence[tuple[Tenant, Credential]],
    blind: Sequence[tuple[Tenant, TenantHealth]],
) -> str:
    """What stands at the end of a mail and would be missed there; empty where nothing does."""
    told = []
    if still_lapsed:
        many = len(still_lapsed)
        told.append(f"{many} {'other is' if many == 1 else 'others are'} still lapsed")
    if blind:
        who = words.defang(blind[0][0].name) if len(blind) == 1 else f"{len(blind)} tenants"
        told.append(f"{who} could not be read")
    return f"{' and '.join(told)}: see the end of this mail." if told else ""


def by_number(name: str) -> tuple[str | tuple[int, str], ...]:
    """The key that puts app 9 before app 10."""
    parts = _NUMBER.split(name.casefold())  # every second one is a number
    return tuple(
        (len(part.lstrip("0")), part.lstrip("0")) if place % 2 else part
        for place, part in enumerate(parts)
    )


def when(items: Sequence[DigestItem], frame: Frame) -> str:
    """The day on which all of these end; when it is today the hour counts too."""
    day = words.relative_days(items[0].notice.days_left)
    ends = [item.notice.credential.end for item in items]
    hours = sorted({f"{words.local(end, frame.zone):%H:%M}" for end in ends if end is not None})
    if items[0].notice.days_left != 0 or not hours:
        return day
    return f"{day} at {hours[0]}" if len(hours) == 1 else f"{day} from {hours[0]} on"


def _lapsed(item: DigestItem, frame: Frame) -> str:
    return f"{words.relative_days(item.notice.days_left)} ({_day(item, frame)})"


def _day(item: DigestItem, frame: Frame) -> str:
    end = item.notice.credential.end
    if end is None:
        return "no end date"
    now = words.local(frame.now, frame.zone).date()
    return words.short_day(words.local(end, frame.zone).date(), now)
