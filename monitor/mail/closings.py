"""What digests say in words about turns: renewed, removed, and what should not be there."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.mail import guides, words
from monitor.mail.guides import Guide
from monitor.mail.views import DigestItem, Frame
from monitor.model import MailKind

TITLES = {
    MailKind.RENEWED: "What is done",
    MailKind.REMOVED: "What is gone",
    MailKind.UNEXPECTED: "What should not be there",
}
WORDS = {
    MailKind.RENEWED: "RENEWED",
    MailKind.REMOVED: "REMOVED",
    MailKind.UNEXPECTED: "UNEXPECTED",
}
TONES = {
    MailKind.RENEWED: "good",
    MailKind.REMOVED: "calm",
    MailKind.UNEXPECTED: "critical",
}
DONE = "Done since the last mail"


def ending(item: DigestItem, frame: Frame) -> str:
    """What became of one credential, for the subject of a mail about it alone."""
    new, kind = item.notice.successor, item.notice.kind
    if kind is MailKind.UNEXPECTED:
        return "should not be there"
    if kind is MailKind.REMOVED:
        return "is gone"
    if new is None or new.end is None:
        return "renewed, without an end date"
    return f"now valid to {words.short_date(new.end, frame.zone)}"


def counted(kind: MailKind, items: Sequence[DigestItem]) -> str:
    """How many of what, for the subject of a mail about several."""
    gone = [item for item in items if item.notice.kind is MailKind.REMOVED]
    if kind is not MailKind.RENEWED or not gone:
        return _number(items)
    new = [item for item in items if item.notice.kind is not MailKind.REMOVED]
    return f"{_number(new)}, {len(gone)} removed"


def _number(items: Sequence[DigestItem]) -> str:
    return words.counted([item.notice.credential.kind for item in items])


def verdict(kind: MailKind, items: Sequence[DigestItem], where: str, frame: Frame) -> str:
    """The first sentence."""
    if len(items) == 1:
        one = items[0].notice.credential
        app = words.defang(one.app_name) or "(no name)"
        what = f'{words.kind_word(one.kind)} of "{app}" in {words.defang(items[0].tenant.name)}'
        if kind is MailKind.UNEXPECTED:
            return f"There is a {what} that should not be there."
        said = "is gone, and no newer one is in its place"
        return f"The {what} {said if kind is MailKind.REMOVED else _renewed(items[0], frame)}."
    place = words.defang(where)
    if kind is MailKind.UNEXPECTED:
        return f"There are {_number(items)} in {place} that should not be there."
    if kind is MailKind.REMOVED:
        return f"{_number(items)} in {place} are gone, and no newer ones are in their place."
    gone = [item for item in items if item.notice.kind is MailKind.REMOVED]
    new = [item for item in items if item.notice.kind is not MailKind.REMOVED]
    are = "is" if len(new) == 1 else "are"
    rest = f" {_number(gone)} {'is' if len(gone) == 1 else 'are'} gone." if gone else ""
    return f"{_number(new)} in {place} {are} renewed.{rest}"


def _renewed(item: DigestItem, frame: Frame) -> str:
    return "is renewed" if item.notice.successor is None else f"is {ending(item, frame)}"


def action(kind: MailKind, items: Sequence[DigestItem]) -> str:
    """The second sentence: what is left to do."""
    if kind is MailKind.UNEXPECTED:
        if len(items) > 1:
            return "Find out who added them, and delete those that nobody can explain."
        return "Find out who added it, and delete it if nobody can say what it is for."
    if kind is MailKind.REMOVED:
        return "If this was meant, there is nothing to do. There are no more reminders."
    if any(_still_there(item) for item in items):
        which = "the old one is" if len(items) == 1 else "some old ones are"
        return f"No more reminders: but {which} still there. Remove what nothing uses any more."
    return "There are no more reminders. Nothing is left to do in Entra."


def steps(kind: MailKind, items: Sequence[DigestItem]) -> tuple[Guide, ...]:
    """What to do, where there is something."""
    kinds = {item.notice.credential.kind for item in items}
    word = words.kind_word(items[0].notice.credential.kind) if len(kinds) == 1 else "credential"
    if kind is MailKind.UNEXPECTED:
        return (Guide("unexpected", "", guides.unexpected_steps(word)),)
    found = []
    if left := [item for item in items if _still_there(item)]:
        own = all(item.notice.credential.own for item in left)
        found.append(Guide("renewed", "what is renewed", guides.renewed_steps(word, own)))
    if any(item.notice.kind is MailKind.REMOVED for item in items):
        found.append(Guide("removed", "what is gone", guides.removed_steps(word)))
    return tuple(found)


def _still_there(item: DigestItem) -> bool:
    one, new = item.notice.credential, item.notice.successor
    return one.removed_at is None and new is not None and new.uid != one.uid


def foot(kind: MailKind, *, one: bool = False) -> str:
    """The first line of the foot; `one` is for a mail about one only."""
    if kind is MailKind.UNEXPECTED:
        return "This is said once." if one else "This is said once about each of them."
    if kind is MailKind.REMOVED:
        return "If it comes back, the reminders go on."
    return "If the new one goes away again, the reminders go on."
