"""A list in a digest: so many items in full, a line for each other, and where all of it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from monitor.mail import sheets
from monitor.mail.frames import ItemView


@dataclass(frozen=True, slots=True)
class Section:
    """A list; `more` counts what is not shown in full, and `brief` has a line for each of it.

    `lines` is how many of those lines the HTML part has room for; `all` is where the list is whole.
    """

    title: str
    lead: str
    items: tuple[ItemView, ...]
    more: int = 0
    brief: tuple[str, ...] = ()
    lines: int = 0
    all: str = ""


def section(title: str, lead: str, views: Sequence[ItemView], cap: int) -> Section:
    """A list with its cap; nothing is left out, but what is beyond the cap gets one line."""
    brief = tuple(_line(view) for view in views[cap:])
    return Section(title, lead, tuple(views[:cap]), len(brief), brief)


def _line(view: ItemView) -> str:
    """One of many, with the id that tells it apart from its namesakes and that commands need."""
    told = f"{view.when} ({view.date}): {view.app}, {view.what}"
    found = [(fact.label, fact.value) for fact in view.facts if fact.code]
    if not found and view.app_id not in ("", "none"):
        found = [("App id", view.app_id)]
    beside = [view.rest] if view.rest else []
    return ", ".join([told, *beside, *(f"{label.lower()} {value}" for label, value in found)])


def whole(part: Section, left: int) -> Section:
    """The list with where all of it is, if some of it is not shown in full."""
    total = len(part.items) + part.more
    return replace(part, all=sheets.pointer(total, left)) if part.more else part
