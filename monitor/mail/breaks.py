"""Where the line of a command may break on a narrow screen, so that it can still be read.

A browser breaks after any hyphen, also the one that a parameter begins with. What is copied must
stay what was written, so no character is put in: the template sets the words apart.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

FITS = 38  # characters of a command that a line of 360 pixels has room for
# What is quoted is a value: a name that looks like a cmdlet must not change how a mail is built.
# Quoted parts side by side are one value with a quote in it; PowerShell's type goes with its value.
_QUOTED = re.compile(r"""((?:\[datetime\])?(?:'[^']*'|"[^"]*")+)""")
_DAY = r"\d{4}-\d{2}-\d{2}(?:T[\d:]+Z)?"
_ID = r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
_WORD = re.compile(rf"(?<!\S)(--?[A-Za-z][\w-]*|[A-Z][a-z]+-[A-Z]\w+|(?:{_DAY}|{_ID})(?!\S))")
_DATUM = re.compile(
    rf"(?:\[datetime\])?'(?:{_DAY}|{_ID})'"
)  # what no name can be that others chose
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Run:
    """A part of a command: `whole`: no line ends in it; `ends`: a line may end behind it.

    `spaced` has a blank before it, as a template's output is trimmed at its ends.
    """

    text: str
    spaced: bool
    whole: bool = False
    ends: bool = False


def runs(command: str) -> list[Run]:
    """A command taken apart: parameters, cmdlets, dates and ids stay whole.

    A cmdlet that is too long breaks at a hump.
    """
    found: list[Run] = []
    spaced = False
    for part in _parts(command):
        if part.strip():
            found += _parted(part.strip(), spaced=spaced or part[0] == " ")
        spaced = part[-1:] == " " if part else spaced
    return found


def _parts(command: str) -> list[str]:
    found: list[str] = []
    for part in _QUOTED.split(command):
        found += [part] if _QUOTED.fullmatch(part) else _WORD.split(part)
    return found


def _parted(part: str, *, spaced: bool) -> list[Run]:
    if _DATUM.fullmatch(part):
        return [Run(part, spaced, whole=True)]
    if not _WORD.fullmatch(part):
        return [Run(part, spaced)]
    if len(part) <= FITS:
        return [Run(part, spaced, whole=True)]
    first, *others = _HUMP.split(part)
    parted = [Run(first, spaced), *(Run(one, spaced=False) for one in others)]
    return [*(replace(one, ends=True) for one in parted[:-1]), parted[-1]]
