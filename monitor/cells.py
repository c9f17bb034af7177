"""How hostile text is made safe to look at, on a page and in a spreadsheet's cell. Pure."""

from __future__ import annotations

import re

# What moves the text around it, hides, breaks the line or cannot be encoded: control and format
# characters, blank letters, lone surrogates, tags.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
    # Joiners are part of emoji and of Persian or Indic words, and of nothing in ASCII.
    "|[\u200c\u200d](?![^\x00-\x7f])|(?<![^\x00-\x7f])[\u200c\u200d]"
)
_FORMULA_STARTS = frozenset("=+-@\t\r\n＝＋－＠")


def visible(text: str) -> str:
    """`text` on one line, with every character that hides or moves others shown by a stand-in."""
    if text.isascii() and text.isprintable():  # nearly every text, and much faster
        return text
    return _UNSAFE.sub(_stand_in, text)


def _stand_in(match: re.Match[str]) -> str:
    # Unicode has pictures of control characters, but few fonts do.
    return f"⟨U+{ord(match[0]):04X}⟩"


def cell_text(raw: str) -> str:
    """A text as a cell of a CSV: one that a spreadsheet would run starts with an apostrophe."""
    # Some spreadsheets trim spaces before they look for a formula.
    risky = raw[:1] in _FORMULA_STARTS or raw.lstrip()[:1] in _FORMULA_STARTS
    return ("'" if risky and raw else "") + visible(raw)
