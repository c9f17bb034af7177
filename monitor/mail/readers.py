"""What a mail says to somebody who is not the operator: whom to ask, in place of a command."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from monitor.mail import words
from monitor.mail.digests import DigestView
from monitor.mail.guides import Guide

# What only the operator can do: a command of ours, the settings file, a table of a file of theirs.
_OURS = re.compile(r"`?\blapsewatch(?:\.toml| [a-z])|`?\[\[[a-z]+\]\]")
_LEAD = re.compile(r".*[:?.](?=\s)")  # as far as it is for everybody
# The steps of a welcome are commands, each and all: one sentence asks for them.
_WELCOMED = "Known already, or shall the reminders start now? Ask {}."
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
        steps=(_WELCOMED.format(asked),) if view.steps else (),
        guides=_guides(view.guides, asked),
        before=_guides(view.before, asked),
    )


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
    ours = _OURS.search(step)
    if ours is None:
        return step
    lead = _LEAD.match(step[: ours.start()])
    if lead is None:
        return f"Ask {asked}."
    return f"{lead.group()} {'ask' if lead.group().endswith(':') else 'Ask'} {asked}."
