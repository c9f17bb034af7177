"""How a recipient wants to be told: the parts of a recipient beside address, zone and hour."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator

from monitor.model import Mode

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MODES: dict[str, Mode] = {"digest": "digest", "single": "single", "ticket": "ticket"}
_CHANNEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def working_days(value: Any) -> tuple[int, ...]:
    """The days of a list like ["mon", "fri"], as numbers (0 is Monday); every day is ().

    Raises:
        ValueError: a word is no day, or there is none.
    """
    words = value if isinstance(value, list | tuple) else [value]
    try:
        days = {
            word if word in range(7) and not isinstance(word, bool)
            else DAYS.index(str(word).strip().lower()[:3])
            for word in words
        }  # fmt: skip
    except ValueError:
        days = set()
    if not days:
        raise ValueError('must be days, like ["mon", "tue", "wed", "thu", "fri"]')
    return () if len(days) == len(DAYS) else tuple(sorted(days))


def day_names(days: tuple[int, ...]) -> list[str]:
    """What `working_days` made such numbers of."""
    return [DAYS[day] for day in days]


def mode(value: Any) -> Mode:
    """One of the modes of a recipient.

    Raises:
        ValueError: it is none.
    """
    if (word := str(value).strip().lower()) not in _MODES:
        raise ValueError('must be "digest", "single" or "ticket"')
    return _MODES[word]


def on_off(value: Any) -> bool:
    """A switch.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def channel_names(value: Any) -> tuple[str, ...]:
    """The names of the channels to fall back to, in their order.

    Raises:
        ValueError: one cannot be a name.
    """
    names = tuple(
        str(one).strip() for one in (value if isinstance(value, list | tuple) else [value])
    )
    if not all(_CHANNEL.fullmatch(name) for name in names):
        raise ValueError("must be names of channels: letters, digits, dot, dash, underscore")
    return names


WorkingDays = Annotated[tuple[int, ...], BeforeValidator(working_days)]
ModeField = Annotated[Mode, BeforeValidator(mode)]
ChannelNames = Annotated[tuple[str, ...], BeforeValidator(channel_names)]
