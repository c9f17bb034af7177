"""The status report as CSV for spreadsheets, and how hostile text is made safe to look at."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from typing import cast

from monitor.shape import as_json
from monitor.status import StatusReport

COLUMNS = (
    "tenant", "object_type", "object_id", "app_id", "app_name", "kind", "key_id", "name",
    "start", "end", "state", "days_left", "as_of", "stale", "owners", "own",
    "managed_identity", "needs_action", "successor_key_id", "removed_at", "uid",
    "last_used", "usage_as_of", "still_used", "disabled", "lifetime_allowed_days",
    "lives_too_long",
)  # fmt: skip

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


def to_csv(report: StatusReport) -> str:
    """One row per credential, as RFC 4180 says, under the names that the JSON has.

    A cell that a spreadsheet would run as a formula starts with an apostrophe.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for row in cast("list[Mapping[str, object]]", as_json(report)["credentials"]):
        writer.writerow(_cell(row[column]) for column in COLUMNS)
    return out.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)  # a number of ours, and no formula even where it is negative
    if isinstance(value, list):
        return _text("; ".join(map(str, value)) or "(none)")
    return _text(str(value))


def _text(raw: str) -> str:
    # Some spreadsheets trim spaces before they look for a formula.
    risky = raw[:1] in _FORMULA_STARTS or raw.lstrip()[:1] in _FORMULA_STARTS
    return ("'" if risky and raw else "") + visible(raw)
