"""A tokenizer for PowerShell, written from its language specification and for tests only.

It shares nothing with the product, so that what the product quotes can be read back by something
that does not know how it was quoted. Facts: "Windows PowerShell Language Specification 3.0",
section 2.3 (tokens): all quote characters, here-strings, expandable strings, comments, variables.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

SINGLE = "'\u2018\u2019\u201a\u201b"
DOUBLE = '"\u201c\u201d\u201e'
DASHES = "-\u2013\u2014\u2015"
NEWLINES = "\r\n"
OPENING, CLOSING = "({[", ")}]"
_VARIABLE = re.compile(r"\$(?:\{[^}]+\}|[$?^])|[$@](?:[A-Za-z0-9_]+:)?[A-Za-z0-9_]+")
_BREAK = r"\s'\"\u2018-\u201e(){}\[\];,|&`$@=<>"
_WORD = re.compile(rf"[^{_BREAK}#][^{_BREAK}]*")

Kind = Literal["string", "expandable", "variable", "word", "parameter", "punctuation", "newline"]


class Unreadable(Exception):  # noqa: N818 (what it says)
    """The text is not PowerShell: a string, comment or bracket does not end."""


@dataclass(frozen=True)
class Token:
    """One token; `value` is what PowerShell would see (a string without its quotes)."""

    kind: Kind
    value: str
    start: int
    end: int


def tokens(text: str) -> list[Token]:
    """The tokens of a script, without comments.

    Raises:
        Unreadable: something does not end, or brackets do not match.
    """
    found, place = [], 0
    while place < len(text):
        token, place = _next(text, place)
        if token is not None:
            found.append(token)
    _match_brackets(found)
    return found


def _next(text: str, place: int) -> tuple[Token | None, int]:
    char = text[place]
    if text.startswith("<#", place):
        end = text.find("#>", place + 2)
        if end < 0:
            raise Unreadable("a block comment does not end")
        return None, end + 2
    if char == "#":
        return None, _line_end(text, place)
    if char == "`" and text[place + 1 : place + 2] in ("\r", "\n"):
        return None, place + (3 if text.startswith("\r\n", place + 1) else 2)
    if char in NEWLINES:
        return Token("newline", "\n", place, place + 1), place + 1
    if char.isspace():
        return None, place + 1
    return _solid(text, place)


def _solid(text: str, place: int) -> tuple[Token, int]:
    char = text[place]
    if char == "@" and text[place + 1 : place + 2] in tuple(SINGLE + DOUBLE):
        return _here_string(text, place)
    if char in SINGLE:
        return _verbatim(text, place)
    if char in DOUBLE:
        return _expandable(text, place)
    if (match := _VARIABLE.match(text, place)) is not None:
        return Token("variable", match[0], place, match.end()), match.end()
    if (match := _WORD.match(text, place)) is not None:
        parameter = char in DASHES and match[0][1:2].isalpha()
        kind: Kind = "parameter" if parameter else "word"
        return Token(kind, match[0], place, match.end()), match.end()
    return Token("punctuation", char, place, place + 1), place + 1


def _line_end(text: str, place: int) -> int:
    while place < len(text) and text[place] not in NEWLINES:
        place += 1
    return place


def _verbatim(text: str, start: int) -> tuple[Token, int]:
    """'…': any single quote ends it, two in a row (of whatever shape) are one."""
    value, place = [], start + 1
    while place < len(text):
        if text[place] in SINGLE:
            if text[place + 1 : place + 2] not in tuple(SINGLE):
                return Token("string", "".join(value), start, place + 1), place + 1
            place += 1
        value.append(text[place])
        place += 1
    raise Unreadable("a single-quoted string does not end")


def _expandable(text: str, start: int) -> tuple[Token, int]:
    """ "…": backticks escape, two double quotes are one, $( … ) is code of its own."""
    place = start + 1
    while place < len(text):
        if text[place] == "`":
            place += 2
        elif text.startswith("$(", place):
            place = _subexpression_end(text, place + 2)
        elif text[place] in DOUBLE:
            if text[place + 1 : place + 2] not in tuple(DOUBLE):
                inner = text[start + 1 : place]
                return Token("expandable", inner, start, place + 1), place + 1
            place += 2
        else:
            place += 1
    raise Unreadable("a double-quoted string does not end")


def _subexpression_end(text: str, place: int) -> int:
    depth = 1
    while place < len(text):
        token, place = _next(text, place)
        if token is not None and token.kind == "punctuation":
            depth += (token.value == "(") - (token.value == ")")
            if depth == 0:
                return place
    raise Unreadable("a subexpression does not end")


def _here_string(text: str, start: int) -> tuple[Token, int]:
    """@' or @" and a line break, up to a line that begins with the quote and @."""
    quotes = SINGLE if text[start + 1] in SINGLE else DOUBLE
    head = re.compile(r"[ \t]*(\r\n|\r|\n)").match(text, start + 2)
    if head is None:
        raise Unreadable("a here-string begins on the line of its quote")
    foot = re.compile(rf"(\r\n|\r|\n)[{quotes}]@").search(text, head.end() - len(head[1]))
    if foot is None:
        raise Unreadable("a here-string does not end")
    kind: Kind = "string" if quotes is SINGLE else "expandable"
    return Token(kind, text[head.end() : foot.start()], start, foot.end()), foot.end()


def _match_brackets(found: list[Token]) -> None:
    waiting: list[str] = []
    for token in found:
        if token.kind != "punctuation":
            continue
        if token.value in OPENING:
            waiting.append(CLOSING[OPENING.index(token.value)])
        elif token.value in CLOSING and (not waiting or waiting.pop() != token.value):
            raise Unreadable(f"{token.value} closes nothing")
    if waiting:
        raise Unreadable(f"{waiting[-1]} is missing")
