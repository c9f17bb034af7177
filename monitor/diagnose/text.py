"""A text from outside in its normal form, with the codes found in it. Pure."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

# The start of a text holds the reply, the end holds the innermost error of a long trace.
EXAMINED_HEAD = 16_000
EXAMINED_TAIL = 8_000
SHOWN = 300

_INVISIBLE = dict.fromkeys([0xAD, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF])
_CONTROL = dict.fromkeys({*range(0x20), *range(0x7F, 0xA0)} - {ord("\r"), ord("\n")}, " ")
_QUOTES = {0x2018: "'", 0x2019: "'", 0x201C: '"', 0x201D: '"'}
_CLEAN = {**_CONTROL, **_INVISIBLE, **_QUOTES}

_ESCAPES = (("\\r", ""), ("\\n", "\n"), ("\\t", " "), ('\\"', '"'), ("\\'", "'"))
_BACKSLASHES = re.compile(r"\\{2,}")
_UNICODE_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
_REPLY_PREFIX = re.compile(r"\s{0,8}(?:([245]\d\d)[ -])?\s?([245]\.[0-7]\.\d{1,3})?(?=[\s-]|$)")
_HTML = re.compile(r"<!doctype html|<html|<head>|<body", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]{1,400}>")
_ENHANCED = re.compile(r"(?<![\w.@/])[45]\.[0-7]\.\d{1,3}(?!\.?\d)(?!\w)")
_AADSTS = re.compile(r"AADSTS[ :]?(\d{5,8})(?!\d)", re.IGNORECASE)
_ERROR_CODES = re.compile(r"(?i)error_codes\W{1,6}(\d[\d, ]{0,80})|error\?code=(\d{5,8})")
_WORD = re.compile(r"[A-Za-z]\w{4,63}")
_BASIC_CLASS = re.compile(r"^\W{0,4}([45])\d\d(?=[\s,:-]|$)|\bsmtp; ?([45])\d\d\b", re.IGNORECASE)
_SECRET = re.compile(
    r"(?i)(\b(?:bearer|client_secret|password)\W{1,4})[^\s'\"&,]{6,4000}|[\w+/=~.-]{60,4000}"
)


@dataclass(frozen=True, slots=True)
class Seen:
    """A text in its normal form, with the codes found in it (outermost first) and where."""

    text: str
    aadsts: dict[str, int]
    enhanced: dict[str, int]
    names: frozenset[str]


def reply_class(seen: Seen) -> str:
    """Return "4", "5" or "" for the class of the innermost enhanced code, else of the basic one."""
    if seen.enhanced:
        return next(reversed(seen.enhanced))[0]
    basic = _BASIC_CLASS.search(seen.text)
    return (basic[1] or basic[2]) if basic else ""


def shown(text: str) -> str:
    """Shorten a text for a reader, without what may be a token or a password."""
    masked = _SECRET.sub(lambda match: f"{match[1] or ''}[hidden]", text[: 4 * SHOWN])
    printable = "".join(c for c in masked if c.isprintable())
    return printable if len(printable) <= SHOWN else printable[:SHOWN].rstrip() + " …"


def look(text: str) -> Seen:
    """Bring a text into its normal form and find its codes."""
    normal = _normal(text)
    aadsts = {f"AADSTS{m[1]}": m.start() for m in _AADSTS.finditer(normal)}
    if not aadsts:
        for match in _ERROR_CODES.finditer(normal):
            digits = re.findall(r"\d{5,8}", match[1] or match[2])
            aadsts |= {f"AADSTS{number}": match.start() for number in digits}
    enhanced: dict[str, int] = {}
    for match in _ENHANCED.finditer(normal):
        # The last place counts: the order of the keys is from the outermost to the innermost.
        enhanced.pop(match[0], None)
        enhanced[match[0]] = match.start()
    names = frozenset(word.lower() for word in _WORD.findall(normal))
    return Seen(normal, aadsts, enhanced, names)


def _normal(text: str) -> str:
    """One line of plain text: escapes and entities undone, tags and control characters gone."""
    if len(text) > EXAMINED_HEAD + EXAMINED_TAIL:
        text = f"{text[:EXAMINED_HEAD]}\n{text[-EXAMINED_TAIL:]}"
    # A bytes-repr or JSON string spells its line ends and quotes.
    text = _BACKSLASHES.sub(r"\\", text)
    for spelled, meant in _ESCAPES:
        text = text.replace(spelled, meant)
    text = _UNICODE_ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)
    text = html.unescape(text).translate(_CLEAN)
    if _HTML.search(text):
        text = "<html> " + _TAG.sub(" ", text)
    return " ".join(" ".join(_joined(text.splitlines())).split())


def _joined(lines: Iterable[str]) -> Iterator[str]:
    """Drop a code that only repeats the line before: a multi-line reply is one sentence."""
    before = ""
    for line in lines:
        prefix = _REPLY_PREFIX.match(line)
        codes = prefix[0].strip().replace("-", " ") if prefix else ""
        yield line[prefix.end() :].lstrip(" -") if prefix and before == codes != "" else line
        before = codes
