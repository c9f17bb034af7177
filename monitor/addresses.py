"""Mail addresses: what is one, what its domain is, and those that an application's notes name."""

from __future__ import annotations

import re
from collections.abc import Iterable

BIDI_OR_HIDDEN = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
MOST_NOTED = 5  # addresses that one application's notes may name
_ADDRESS = re.compile(
    r"[^@\s\"<>(),:;\\\[\]\x00-\x20\x7f]{1,64}@[^@\s\"<>(),:;\\\[\]\x00-\x20\x7f]+"
)
# As other tools that read notes have it: NotifyEmail=a@contoso.example;b@contoso.example
_NOTED = re.compile(r"notify-?e?mails?\s*[=:]\s*([^\r\n]*)", re.IGNORECASE)


def is_address(text: str) -> bool:
    """Whether `text` is one mail address, without a display name."""
    text = text.strip()
    fits = _ADDRESS.fullmatch(text) and len(text) <= 254 and not text.startswith("-")
    if not fits or ".." in text or text[-1] == ".":
        return False
    # U+FFFD is what a terminal or a decoder put for a letter that it did not know.
    return text.isprintable() and not BIDI_OR_HIDDEN.search(text) and "\ufffd" not in text


def domain_of(address: str) -> str:
    """The domain of an address, in lower case."""
    return address.rpartition("@")[2].casefold()


def domains_of(addresses: Iterable[str | None]) -> frozenset[str]:
    """The domains of the addresses that there are."""
    return frozenset(domain_of(one) for one in addresses if one)


def noted(text: str) -> tuple[str, ...]:
    """The addresses behind `NotifyEmail=` in an application's notes, each once, in their order.

    Nothing else of the notes is kept: people write all sorts of things there. What is behind the
    first word that is no address is not read.
    """
    found: dict[str, str] = {}
    for match in _NOTED.finditer(text[:20_000]):
        for word in re.split(r"[;,\s]+", match[1].strip()):
            if not is_address(word):
                break
            found.setdefault(word.casefold(), word)
    return tuple(found.values())[:MOST_NOTED]
