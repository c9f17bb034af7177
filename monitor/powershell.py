"""Values as PowerShell literals: the only way that a value gets into a script. Pure."""

from __future__ import annotations

import unicodedata

from monitor.errors import UsageError

# PowerShell ends a single-quoted string at any of these, and reads two in a row as one. Facts:
# CharTraits.IsSingleQuote in PowerShell's tokenizer.
QUOTES = "'\u2018\u2019\u201a\u201b"

# What PowerShell takes for the dash of a parameter (CharTraits.IsDash).
DASHES = "-\u2013\u2014\u2015"

_DOUBLED = str.maketrans({quote: quote * 2 for quote in QUOTES})
_REFUSED = {
    "Cc": "a control character",
    "Cf": "an invisible character",
    "Cs": "half a character",
    "Zl": "a line separator",
    "Zp": "a paragraph separator",
}


def literal(value: object) -> str:
    """`value` as a single-quoted literal that PowerShell reads back as exactly this text.

    Nothing is expanded in such a literal: no variable, no subexpression, no backtick.

    Raises:
        UsageError: the value holds what no script may hold: control characters (line breaks and
            NUL among them), invisible characters, or a leading dash.
    """
    text = checked(value, "a PowerShell script")
    return f"'{text.translate(_DOUBLED)}'"


def checked(value: object, where: str) -> str:
    """`value` as text that may stand in a script, not quoted yet.

    Raises:
        UsageError: it holds what no script may hold, as `literal` says.
    """
    text = str(value)
    if text[:1] in tuple(DASHES):
        raise _unfit(text, where, f'begins with "{text[0]}", and would be taken for a parameter')
    for place, char in enumerate(text, start=1):
        what = _REFUSED.get(unicodedata.category(char))
        if what is not None:
            raise _unfit(text, where, f"holds {what} (U+{ord(char):04X}) at place {place}")
    return text


def quoted_in_filter(value: str) -> str:
    """`value` as a text inside an Exchange (OPATH) filter; the filter is then quoted once more.

    Only the plain quote is doubled there. Facts: "RecipientRestrictionFilter" on
    https://learn.microsoft.com/powershell/module/exchangepowershell/new-managementscope
    """
    return "'" + value.replace("'", "''") + "'"


def file_bytes(script: str) -> bytes:
    """A script as a file: Windows PowerShell 5.1 reads one without the mark as ANSI."""
    return script.replace("\n", "\r\n").encode("utf-8-sig")


def _unfit(text: str, where: str, why: str) -> UsageError:
    shown = "".join(c if c.isprintable() else "?" for c in text[:60])
    return UsageError(
        f'"{shown}" cannot stand in {where}: it {why}.',
        remedy="Correct the value in the tenants file, and import it again.",
    )
