"""What to do: gathered from the items, and said before a long list of them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from monitor.mail import guides, legends, renewals
from monitor.mail.guides import Guide
from monitor.mail.views import DigestItem, Frame
from monitor.model import Kind, Note, Tenant

STEPS = 6  # so many are read before a list; more would bury its first lines
_FIRST = "Begin at the top: the most urgent come first."
_FIRST_LAPSED = "Begin at the top: the most urgent come first; of what has lapsed, the newest."
_RENEW = (
    "A secret or certificate: make the new one beside the old one, put it where the old one is "
    "used, and check that it signs in. Then delete the old one."
)


def split(
    found: Sequence[Guide], *, items: int, commands: bool, lapsed: bool = False
) -> tuple[tuple[Guide, ...], tuple[Guide, ...]]:
    """The guides that stand before the list, and those that stand after it.

    One item is short enough that its steps follow it. Few steps all stand before the list, with
    their commands after it. Many are summed up before it, and stand in full after it.

    Args:
        found: what to do about the items.
        items: how many of them there are.
        commands: whether commands follow the list.
        lapsed: whether several of them have lapsed.
    """
    if items <= 1 or not found:
        return (), tuple(found)
    if sum(len(guide.steps) for guide in found) <= STEPS:
        before = tuple(replace(guide, commands=(), legend="") for guide in found)
        return before, tuple(replace(guide, steps=()) for guide in found if guide.commands)
    rest = "The steps for each kind and the commands" if commands else "The steps for each kind"
    dates = all(guide.key.startswith((Kind.ITEM, Kind.GDAP)) for guide in found)
    first = _FIRST_LAPSED if lapsed else _FIRST
    steps = (first, *(() if dates else (_RENEW,)), f"{rest} stand after the list.")
    return (Guide("short", "", steps),), tuple(found)


def shared_guides(items: Sequence[DigestItem], *, few: int) -> tuple[Guide, ...]:
    """The steps for every sort of credential in the list, each once, in the list's order.

    Up to `few` items are shown as cards, and each has its own last step.
    """
    tenants = {item.tenant.name: item.tenant for item in items}
    only = next(iter(tenants.values())) if len(tenants) == 1 else None
    found: dict[str, Guide] = {}
    for item in items:
        # In a few cards each has its own last step; rows name the places beside each one.
        steps = _steps(item, only, item.note if len(items) <= few else None)
        found.setdefault(steps.key, steps)
    return tuple(found.values())


def _steps(item: DigestItem, only: Tenant | None = None, note: Note | None = None) -> Guide:
    one = item.notice.credential
    return guides.moving(one) if item.notice.still_used else guides.guide(only, one, note)


def with_forms(
    found: Sequence[Guide], items: Sequence[DigestItem], frame: Frame, *, file: str = ""
) -> tuple[Guide, ...]:
    """The guides with commands that hold for each of their items, once what differs is filled in.

    There is no room for the commands of each one beside its row. `items` are all that the mail is
    about, also those it tells in a line or in its `file` only.
    """
    made = []
    for guide in found:
        mine = [item for item in items if _steps(item).key == guide.key]
        lives = [item.longest for item in mine if item.longest is not None]
        ones = [item.notice.credential for item in mine]
        form = renewals.shared_form(ones, frame.now, min(lives, default=None))
        if all_used(mine):  # the newer one is there already
            form = ()
        told = legends.legend(form, [item.tenant for item in mine], file=file)
        made.append(replace(guide, commands=form, legend=told))
    return tuple(made)


def all_used(items: Sequence[DigestItem]) -> bool:
    """Whether it is all about old ones that are used after their renewal."""
    return bool(items) and all(item.notice.still_used for item in items)
