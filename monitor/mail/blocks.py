"""The commands of a few items, each block said once and named so that it can be told apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from monitor.mail.frames import ItemView
from monitor.mail.renewals import Command


@dataclass(frozen=True, slots=True)
class Block:
    """Commands to paste; `title` says which item they are for, empty where there is but one."""

    title: str
    commands: tuple[Command, ...]


def blocks(items: Sequence[ItemView]) -> tuple[Block, ...]:
    """The commands of these items; equal ones of one app are said once, with how often they count.

    An app's name is enough for a title where no other block bears it.
    """
    found: dict[tuple[str, tuple[Command, ...]], list[ItemView]] = {}
    for item in items:
        if item.commands:
            found.setdefault((item.app, item.commands), []).append(item)
    apps = Counter(app for app, _ in found)
    return tuple(
        Block(_title(mine, alone=apps[app] == 1) if len(items) > 1 else "", commands)
        for (app, commands), mine in found.items()
    )


def _title(mine: Sequence[ItemView], *, alone: bool) -> str:
    name = mine[0].app if alone else f"{mine[0].app}, {mine[0].what}"
    return name if len(mine) == 1 else f"{name}, once for each of the {len(mine)}"
