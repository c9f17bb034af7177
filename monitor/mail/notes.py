"""What people keep about a credential, as words that nobody can make a link of. Pure."""

from __future__ import annotations

from monitor.mail import words
from monitor.model import Note

PLACES = 8  # places that are named; the others are counted
CAP = 120  # letters of each


def facts(note: Note | None, *, places: bool) -> tuple[tuple[str, str], ...]:
    """Labels and values for an item; `places`: those of the new value too, with what goes there."""
    if note is None:
        return ()
    found = [("Used by", ", ".join(words.defang(one, CAP) for one in note.used_by[:PLACES]))]
    if places:
        found += [
            ("Enter it at", _numbered(note)),
            ("Runbook", note.runbook or ""),
            ("Kept by", words.address(note.owner) if note.owner else ""),
        ]
    found.append(("Remark", words.defang(note.remark or "", 200)))
    return tuple((label, value) for label, value in found if value)


def enter(note: Note | None, what: str) -> str:
    """The step that puts the new value where it is used; empty where nothing says where.

    Args:
        note: what is kept.
        what: is entered: a value, a certificate.
    """
    if note is None or not (note.where or note.runbook or note.owner):
        return ""
    told = [f"Enter the new {what} at: {_numbered(note)}." if note.where else _unsaid(what)]
    if note.owner:
        told.append(f"Kept by {words.address(note.owner)}.")
    if note.runbook:  # checked to be one plain https address, so its host is what it shows
        told.append(f"Runbook: {note.runbook}")
    return " ".join(told)


def breaks(note: Note | None) -> str:
    """What the end of a watched date does, as far as somebody has noted it."""
    if note is not None and note.used_by:
        used = ", ".join(words.defang(one, CAP) for one in note.used_by[:PLACES])
        return f"Whatever relies on it: {used}."
    return "Nobody has noted what uses it."


def _numbered(note: Note) -> str:
    if len(note.where) == 1:
        return words.defang(note.where[0], CAP)
    shown = [f"{n}. {words.defang(one, CAP)}" for n, one in enumerate(note.where[:PLACES], start=1)]
    more = len(note.where) - len(shown)
    return "; ".join(shown) + (f" and {more} more: lapsewatch note list" if more else "")


def _unsaid(what: str) -> str:
    return f"Enter the new {what} where the old one is used."
