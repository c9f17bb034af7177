"""What digests say in words about turns: renewed, removed, and what should not be there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from monitor.mail import guides, remains, words
from monitor.mail.guides import Guide
from monitor.mail.views import DigestItem, Frame
from monitor.model import Credential, Kind, MailKind

WORDS = {
    MailKind.RENEWED: "RENEWED",
    MailKind.REMOVED: "REMOVED",
    MailKind.UNEXPECTED: "UNEXPECTED",
}
MANY = 5  # so many gone by one scan are a cause to look, not the end of a reminder
NAMED = 3  # scans that the first sentence has room for


# --- what went, and what is left ------------------------------------------------------------------


def gone(items: Sequence[DigestItem]) -> list[DigestItem]:
    """Those that nothing took the place of."""
    return [item for item in items if item.notice.kind is MailKind.REMOVED]


def _renewals(items: Sequence[DigestItem]) -> list[DigestItem]:
    return [item for item in items if item.notice.kind is not MailKind.REMOVED]


def at_once(items: Sequence[DigestItem]) -> list[list[DigestItem]]:
    """Those of a tenant that were gone in one scan, for each scan where they are many.

    Watched dates were taken from a list of the operator's, and that by intent.
    """
    scans: dict[tuple[str, datetime | None], list[DigestItem]] = defaultdict(list)
    for item in gone(items):
        if item.notice.credential.kind is Kind.ITEM:
            continue
        scans[item.tenant.name, item.notice.credential.removed_at].append(item)
    return sorted((each for each in scans.values() if len(each) >= MANY), key=len, reverse=True)


def in_order(items: Sequence[DigestItem], room: int) -> list[DigestItem]:
    """What may be an accident first, then what leaves something to do, then the rest.

    What is gone takes no more than a third of the `room` that there is in full, unless there is
    more: a mail about renewals shows renewals.
    """
    lost, new = gone(items), sorted(_renewals(items), key=lambda each: not _left(each))
    few = max(room // 3, room - len(new))
    shown = room - min(few, len(lost))
    return [*lost[:few], *new[:shown], *lost[few:], *new[shown:]]


def _left(item: DigestItem) -> bool:
    """Whether the old one is still there beside the new one."""
    one, new = item.notice.credential, item.notice.successor
    return one.removed_at is None and new is not None and new.uid != one.uid


def _ones(items: Sequence[DigestItem]) -> list[Credential]:
    return [item.notice.credential for item in items]


# --- headlines ------------------------------------------------------------------------------------


def tone(kind: MailKind, items: Sequence[DigestItem]) -> str:
    """The colour of the banner: green is only for what is well."""
    if kind is MailKind.UNEXPECTED:
        return "critical"
    if at_once(items):
        return "warning"
    return "calm" if gone(items) else "good"


def title(kind: MailKind, items: Sequence[DigestItem]) -> str:
    """What stands above the list."""
    if kind is MailKind.UNEXPECTED:
        return "What should not be there"
    if kind is MailKind.REMOVED:
        return "What is gone"
    return "What changed" if gone(items) else "What is renewed"


def beside(items: Sequence[DigestItem]) -> tuple[str, str]:
    """What stands above the same in a mail about something else, and a sentence about it."""
    lead = "You were warned about these before."
    if not gone(items):
        return "Done since the last mail", lead
    fails = "What is removed has no newer one: whatever still used it fails."
    if scans := at_once(items):
        fails += f" {_many(scans)}: find out first who or what removed them."
    return "Changed since the last mail", f"{lead} {fails}"


def ending(items: Sequence[DigestItem], frame: Frame) -> str:
    """What became of them, for the subject: of one renewed alone its new end."""
    new, kind = items[0].notice.successor, items[0].notice.kind
    if kind is MailKind.UNEXPECTED:
        return "should not be there"
    if kind is MailKind.REMOVED:
        if len(items) == 1:
            return "is gone"
        return "are gone at once" if at_once(items) else "are gone"
    if new is None or new.end is None:
        return "renewed, without an end date"
    return f"now valid to {words.short_date(new.end, frame.zone)}"


def counted(kind: MailKind, items: Sequence[DigestItem]) -> str:
    """How many of what, for the subject of a mail about several."""
    lost = gone(items)
    if kind is not MailKind.RENEWED or not lost:
        return _number(items)
    return f"{_number(_renewals(items))}, {len(lost)} removed"


def _number(items: Sequence[DigestItem]) -> str:
    return words.counted([item.notice.credential.kind for item in items])


def verdict(kind: MailKind, items: Sequence[DigestItem], where: str, frame: Frame) -> str:
    """The first sentence."""
    if len(items) == 1:
        one = items[0].notice.credential
        app = words.defang(one.app_name) or "(no name)"
        what = f'{words.thing(one)} of "{app}" in {words.defang(items[0].tenant.name)}'
        if kind is MailKind.UNEXPECTED:
            return f"There is a {what} that should not be there."
        said = "is gone, and no newer one is in its place"
        return f"The {what} {said if kind is MailKind.REMOVED else _renewed(items[0], frame)}."
    place = words.defang(where)
    if kind is MailKind.UNEXPECTED:
        return f"There are {_number(items)} in {place} that should not be there."
    lost = gone(items)
    if kind is MailKind.REMOVED:
        told = f"{_number(items)} in {place} are gone, and no newer ones are in their place."
        return f"{told}{_together(items, frame)}"
    new = _renewals(items)
    told = f"{_number(new)} in {place} {'is' if len(new) == 1 else 'are'} renewed."
    if not lost:
        return told
    rest = "is gone, and no newer one is in its place."
    if len(lost) > 1:
        rest = "are gone, and no newer ones are in their place."
    return f"{told} {_number(lost)} {rest}{_together(items, frame)}"


def _together(items: Sequence[DigestItem], frame: Frame) -> str:
    """How many went within one scan, and which it was; empty where they are few."""
    scans = at_once(items)
    if not scans:
        return ""
    if len(scans) > 1:
        named = [f"{len(each)} of {words.defang(each[0].tenant.name, 40)}" for each in scans]
        more = f" and {len(named) - NAMED} more" if len(named) > NAMED else ""
        return f" {_many(scans, len(gone(items)))}: {', '.join(named[:NAMED])}{more}."
    one = scans[0][0]
    several = len({item.tenant.name for item in items}) > 1
    where = f" of {words.defang(one.tenant.name, 40)}" if several else ""
    at = one.notice.credential.removed_at
    when = f", seen on {words.long_date(at, frame.zone)}" if at else ""
    return f" {_many(scans, len(gone(items)))}{where}{when}."


def _many(scans: Sequence[Sequence[DigestItem]], of: int = 0) -> str:
    count = sum(len(each) for each in scans)
    which = "one scan" if len(scans) == 1 else f"{len(scans)} scans"
    return f"{'All' if count == of else count} of them went within {which}"


def _renewed(item: DigestItem, frame: Frame) -> str:
    return "is renewed" if item.notice.successor is None else f"is {ending([item], frame)}"


def action(kind: MailKind, items: Sequence[DigestItem]) -> str:
    """The second sentence: what is left to do."""
    if kind is MailKind.UNEXPECTED:
        if len(items) > 1:
            return "Find out who added them, and delete those that nobody can explain."
        return "Find out who added it, and delete it if nobody can say what it is for."
    if kind is MailKind.REMOVED:
        return _of_removed(items)
    found = []
    if lost := gone(items):
        which = "the one that is gone was" if len(lost) == 1 else f"the {len(lost)} that went were"
        found.append(f"Look first whether {which} meant to go.")
    if left := [item for item in items if _left(item)]:
        found.append(_of_left(len(left), len(items)))
    elif not lost:
        found.append(_nothing_left(_ones(items)))
    return " ".join(found)


def _of_removed(items: Sequence[DigestItem]) -> str:
    it = "it" if len(items) == 1 else "them"
    if at_once(items):
        return f"Find out first who or what removed {it}. There are no more reminders."
    need = "If nothing uses it" if len(items) == 1 else "Where nothing uses them"
    return f"There are no more reminders. {need} any more, there is nothing to do."


def _of_left(left: int, items: int) -> str:
    if items == 1:
        told = "There are no more reminders. The old one is still there: delete it"
    elif left == 1:
        told = "One old one is still there: delete it"
    else:
        told = f"{left} old ones are still there: delete each"
    return f"{told} after everything uses the new one."


def _nothing_left(ones: Sequence[Credential]) -> str:
    told = "There are no more reminders."
    if all(one.own for one in ones):
        return f"{told} Make sure that Lapsewatch has the new value."
    entra = not any(one.kind in (Kind.GDAP, Kind.ITEM) for one in ones)
    return f"{told} Nothing is left to do{' in Entra' if entra else ''}."


def steps(kind: MailKind, items: Sequence[DigestItem]) -> tuple[Guide, ...]:
    """What to do, where there is something; what may be an accident comes first."""
    if kind is MailKind.UNEXPECTED:
        kinds = {one.kind for one in _ones(items)}
        word = words.kind_word(_ones(items)[0].kind) if len(kinds) == 1 else "credential"
        return (Guide("unexpected", "", guides.unexpected_steps(word)),)
    found = []
    if lost := gone(items):
        todo = remains.removed_steps(_ones(lost), at_once=bool(at_once(items)))
        found.append(Guide("removed", "what is gone", todo))
    if left := [item for item in items if _left(item)]:
        found.append(Guide("renewed", "what is renewed", remains.renewed_steps(_ones(left))))
    return tuple(found)


def foot(kind: MailKind, items: Sequence[DigestItem]) -> str:
    """The first line of the foot."""
    one = len(items) == 1
    if kind is MailKind.UNEXPECTED:
        return "This is said once." if one else "This is said once about each of them."
    if kind is MailKind.REMOVED:
        return f"If {'it' if one else 'one'} comes back, {'the' if one else 'its'} reminders go on."
    if not any(_left(item) for item in items):
        return f"The reminders begin again before the new {'end' if one else 'ends'}."
    if one:
        return "If the new one goes away again, the reminders of the old one go on."
    return "If a new one goes away while its old one is there, the reminders go on."
