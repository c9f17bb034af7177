"""What stands for the words in capitals of commands that several items share. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from monitor.mail.renewals import Command
from monitor.mail.words import defang, plain
from monitor.model import Tenant

LISTED = 10  # directories that are named with their ids, where a file has the rest
_STANDS = re.compile(r"\b[A-Z]+_[A-Z_]*[A-Z]\b")
_MEANS = {
    "APP_ID": "the app id that stands with each one",
    "OBJECT_ID": "the object id that stands with each one",
    "NEW_NAME": "any name",
}
_DIRECTORY = "DIRECTORY_ID"


def legend(commands: Sequence[Command], tenants: Sequence[Tenant], *, file: str = "") -> str:
    """What to put for each word in capitals that these commands hold; empty where there is none.

    Args:
        commands: as `renewals.shared_form` makes them.
        tenants: of all items that the commands are for, in any order.
        file: the attachment that has the id of every directory; without one all are named here.
    """
    held = {found for each in commands for line in each.lines for found in _STANDS.findall(line)}
    told = [f"{word}: {means}." for word, means in _MEANS.items() if word in held]
    if _DIRECTORY in held:
        told.append(f"{_DIRECTORY}: {_directories(tenants, file)}.")
    return " ".join(told)


def _directories(tenants: Sequence[Tenant], file: str) -> str:
    ids = {tenant.name: tenant.directory_id for tenant in tenants}
    names = sorted(ids)[: LISTED if file else None]
    shown = [f"{plain(ids[name], 36)} ({defang(name, 40)})" for name in names]
    more = len(ids) - len(shown)
    return ", ".join(shown) + (f" and {more} more: see {file}" if more else "")
