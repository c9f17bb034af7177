"""Files that people wrote: read whole, or refused with a word about what is wrong with them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from monitor.errors import SettingsError

_LARGEST_FILE = 64_000_000  # bytes; 100,000 tenants have a quarter of that
# The time that tomllib takes for a.a.a.… grows with the square of its parts.
_DEEPEST = 100
_PART = r"""[\w"'-]+[ \t]*"""
_DEEP_KEY = re.compile(rf"""(?<![\w"'.-])(?:{_PART}\.[ \t]*){{{_DEEPEST}}}""")


def read_text(file: Path) -> str:
    """The text of a file that people wrote.

    Raises:
        SettingsError: it cannot be read, or is not UTF-8.
    """
    try:
        with file.open("rb") as opened:  # a pipe or a device says no size
            data = opened.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise SettingsError([f"{file} cannot be read: {error.strerror}."]) from error
    if len(data) > _LARGEST_FILE:
        told = f"{file} has more than {_LARGEST_FILE // 1_000_000} MB. Is it the right file?"
        raise SettingsError([told])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        told = f"{file} is not UTF-8 text (byte {error.start}). Save it as UTF-8."
        raise SettingsError([told]) from None


def parse_toml(text: str, file: Path) -> dict[str, Any]:
    """The tables of a TOML file.

    Raises:
        SettingsError: it is not TOML; says in which line.
    """
    if deep := _DEEP_KEY.search(text):
        line = text.count("\n", 0, deep.start()) + 1
        told = f"{file} is not valid TOML: a key has more than {_DEEPEST} parts (at line {line})."
        raise SettingsError([told])
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise SettingsError([f"{file} is not valid TOML: {error}."]) from error
