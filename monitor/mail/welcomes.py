"""What a `welcome` adds to a digest: which tenants are new, until when it is quiet, what to do."""

from __future__ import annotations

import re
from collections.abc import Sequence

from monitor.mail import firsts, words
from monitor.mail.views import DigestItem, Frame, is_lapsed
from monitor.model import Tenant

NAMED = 5  # so many tenants are named one by one; more make a list that nobody reads
FORESEEN_DAYS = 60
_TYPED = re.compile(r"(?!www\.)[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.IGNORECASE)


def verdict(items: Sequence[DigestItem], where: str, frame: Frame) -> str:
    """The first line: who is new, how much is lapsed and due there, and what ends first, when."""
    verb = "is" if len(_tenants(items)) == 1 else "are"
    told = f"{words.defang(where)} {verb} newly watched: {counted(items)}."
    _, due = _apart(items)
    return f"{told} {_first(due, len(items), frame)}" if due else told


def subject(items: Sequence[DigestItem], frame: Frame) -> str:
    """How many have expired, how many need renewal, and when the first ends: for a subject."""
    lapsed, due = _apart(items)
    if len(due) == 1:
        return ", ".join([*_expired(lapsed), f"{_number(due)} ends {firsts.when(due, frame)}"])
    told = counted(items)
    if not due:
        return told
    soon = f", first {firsts.when(firsts.soonest(due), frame)}"
    return told + (firsts.ends_today(due, frame) or soon)


def _first(due: Sequence[DigestItem], total: int, frame: Frame) -> str:
    """The sentence about those that end on the first day; `total` counts what has lapsed too."""
    found = firsts.soonest(due)
    many, when = len(found), firsts.when(found, frame)
    if total == 1:
        return f"It expires {when}."
    if many == len(due) or found[0].notice.days_left == 0:
        return f"{many} {'expires' if many == 1 else 'expire'} {when}."
    return f"The first expires {when}." if many == 1 else f"The first {many} expire {when}."


def counted(items: Sequence[DigestItem]) -> str:
    """How many have expired and how many need renewal, in words."""
    lapsed, due = _apart(items)
    parts = _expired(lapsed)
    if due:
        parts.append(f"{_number(due)} {'needs' if len(due) == 1 else 'need'} renewal")
    return ", ".join(parts)


def _apart(items: Sequence[DigestItem]) -> tuple[list[DigestItem], list[DigestItem]]:
    """What has lapsed, and what has not."""
    lapsed = [item for item in items if is_lapsed(item.notice)]
    return lapsed, [item for item in items if not is_lapsed(item.notice)]


def _expired(lapsed: Sequence[DigestItem]) -> list[str]:
    return [f"{_number(lapsed)} expired"] if lapsed else []


def _number(items: Sequence[DigestItem]) -> str:
    return words.counted([item.notice.credential.kind for item in items])


def quiet_until(items: Sequence[DigestItem], frame: Frame) -> str:
    """The second sentence: how long nothing more is said, in the recipient's zone."""
    tenants = _tenants(items)
    about = "it" if len(items) == 1 else "them"
    ends = sorted({tenant.shadow_until or frame.now for tenant in tenants})
    until = words.long_date(ends[0], frame.zone)
    if len(ends) > 1:
        until += f" (the last of them: {words.long_date(ends[-1], frame.zone)})"
    quiet = f"No further reminders about {about} come until {until}. Then they start by themselves."
    first = [item for item in items if _ends_before(item, frame)]
    if not first:
        return quiet
    some = "1 credential ends" if len(first) == 1 else f"{len(first)} credentials end"
    some = "It ends" if len(items) == 1 else some
    when = "that" if len(ends) == 1 else "their reminders start"
    return f"{quiet} {some} before {when}."


def _ends_before(item: DigestItem, frame: Frame) -> bool:
    """Whether it ends while its own tenant is in shadow."""
    end, until = item.notice.credential.end, item.tenant.shadow_until
    return end is not None and until is not None and frame.now < end < until


def next_steps(items: Sequence[DigestItem]) -> tuple[str, ...]:
    """What an admin can do about the silence, each with the command for it."""
    tenants = _tenants(items)
    names = [_typed(tenant.name) for tenant in tenants]
    one = names[0] if len(names) == 1 else "NAME"
    steps = [
        f"Known already? This keeps it quiet for everybody until it gets more urgent: "
        f"`lapsewatch ack --tenant {one}`",
        f"See what would follow: `lapsewatch forecast --days {FORESEEN_DAYS} --tenant {one}`",
        f"Start the reminders now: `lapsewatch tenant live {one}`",
    ]
    if len(names) > 1:
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        shown = [words.defang(tenant.name) for tenant in tenants[:NAMED]]
        spaced = any(" " in tenant.name for tenant in tenants)
        quoted = "; in quotes where it has a space" if spaced else ""
        steps.append(f"NAME stands for one of: {', '.join(shown)}{more}{quoted}")
    return tuple(steps)


def _tenants(items: Sequence[DigestItem]) -> list[Tenant]:
    return sorted({item.tenant.name: item.tenant for item in items}.values(), key=lambda t: t.name)


def _typed(name: str) -> str:
    """A name as it is typed; a stand-in for one that a mail program would make a link of."""
    return name if _TYPED.fullmatch(name) else "NAME"
