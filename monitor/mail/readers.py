"""What a mail says to somebody who is not the operator: whom to ask, in place of a command."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from monitor.mail import words
from monitor.mail.digests import DigestView
from monitor.mail.frames import Fact, ItemView
from monitor.mail.guides import Guide
from monitor.mail.sections import Section

# What only the operator can do: a command of ours, the settings file, a table of a file of theirs.
_OURS = re.compile(r"`?\blapsewatch(?:\.toml| [a-z])|`?\[\[[a-z]+\]\]")
_LEAD = re.compile(r".*[:?.](?=\s)")  # as far as it is for everybody
# The steps of a welcome are commands, each and all: one sentence asks for them.
_WELCOMED = "Known already, or shall the reminders start now? Ask {}."
# The task of whoever has the machine, when what Lapsewatch itself signs in with is renewed.
_PUT = re.compile(r"\b([Pp])ut (the new value (?:into|where) Lapsewatch)")
_ASK = {"P": "Ask", "p": "ask"}
_SAFELY = "Hand it over by a safe way, not by mail."
_PROVEN = re.compile(r"Run `lapsewatch run scan .*Go on only when|Go on only when it says")
_GO_ON = "Go on only when they say that Lapsewatch signs in with the new one."
_ENTERED = "Enter the new "  # what follows are places as people call them
_LISTED = "more: lapsewatch note list"
_EXPLAINS = "NAME stands for"  # of no use where no command is left


@dataclass(frozen=True, slots=True)
class Operator:
    """Who runs Lapsewatch: their name, and the addresses they are known by."""

    name: str = ""
    addresses: Collection[str] = ()

    def asked_by(self, recipient: str) -> str:
        """Whom this reader has to ask: "Example MSP, who run Lapsewatch".

        Empty for the operator's own people (an address of theirs, or one of the same domain), and
        where no address of the operator is known.
        """
        if not self.addresses or _domain(recipient) in map(_domain, self.addresses):
            return ""
        name = words.defang(self.name)
        return f"{name}, who run Lapsewatch" if name else "whoever runs Lapsewatch"


def _domain(address: str) -> str:
    return address.rpartition("@")[2].strip().lower()


def told(view: DigestView, asked: str) -> DigestView:
    """The same digest for a reader who has to ask, with `asked`, for what only the operator can do.

    Nothing changes where `asked` is empty: that is the operator.
    """
    if not asked:
        return view
    return replace(
        view,
        head=replace(view.head, action=_put(view.head.action, asked)),
        main=_section(view.main, asked),
        aside=tuple(_section(part, asked) for part in view.aside),
        unread=replace(view.unread, step=_line(view.unread.step, asked)),
        steps=(_WELCOMED.format(asked),) if view.steps else (),
        guides=_guides(view.guides, asked),
        before=_guides(view.before, asked),
    )


def _section(part: Section, asked: str) -> Section:
    return replace(part, items=tuple(_item(item, asked) for item in part.items))


def _item(item: ItemView, asked: str) -> ItemView:
    return replace(item, facts=tuple(_fact(fact, asked) for fact in item.facts))


def _fact(fact: Fact, asked: str) -> Fact:
    """The two facts that hold a task of the operator's or a command; the others are as they are."""
    says = {"Take care": _put, "Enter it at": _listed}.get(fact.label)
    return replace(fact, value=says(fact.value, asked)) if says else fact


def _put(text: str, asked: str) -> str:
    """A text in which the operator is asked to put the new value where Lapsewatch reads it."""
    who = f"{asked}," if "," in asked else asked
    return _PUT.sub(lambda found: f"{_ASK[found[1]]} {who} to put {found[2]}", text)


def _listed(text: str, asked: str) -> str:
    return text.replace(_LISTED, f"more: ask {asked}")


def _guides(guides: Sequence[Guide], asked: str) -> tuple[Guide, ...]:
    return tuple(replace(guide, steps=lines(guide.steps, asked)) for guide in guides)


def lines(steps: Sequence[str], asked: str) -> tuple[str, ...]:
    """Steps in which a command or a file of the operator's is replaced by whom to ask.

    What stands before it up to a colon, a question mark or a full stop stays: "It may stay? Ask
    Example MSP, who run Lapsewatch."
    """
    found = [_line(step, asked) for step in steps]
    changed = found != list(steps)
    return tuple(step for step in found if not (changed and step.startswith(_EXPLAINS)))


def _line(step: str, asked: str) -> str:
    if step.startswith(_ENTERED):  # a place may be called as it likes, and is no command
        return _listed(step, asked)
    if step.startswith("Run `lapsewatch tenant update "):
        step = "Put the new value into Lapsewatch."
    if _PUT.match(step):
        return f"{_put(step.partition(':')[0].rstrip('.'), asked)}. {_SAFELY}"
    if _PROVEN.match(step):
        return _GO_ON
    ours = _OURS.search(step)
    if ours is None:
        return step
    lead = _LEAD.match(step[: ours.start()])
    if lead is None:
        return f"Ask {asked}."
    return f"{lead.group()} {'ask' if lead.group().endswith(':') else 'Ask'} {asked}."
