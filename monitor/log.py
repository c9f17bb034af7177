"""Structured logs for people or machines, with everything that looks like a secret removed."""

from __future__ import annotations

import base64
import json
import logging
import re
import sys
from collections.abc import Iterable, Iterator, MutableMapping
from html.entities import codepoint2name
from typing import Any
from urllib.parse import quote, quote_plus

import structlog

_SECRET_KEYS = re.compile(
    r"(?i)(secret|password|passwd|token|assertion|authorization|credential_value|api_?key|cookie)"
)
_NAMES = r"client_secret|client_assertion|(?:access|refresh|id)_token|password|passwd|api_?key"
_SECRET_TEXT = re.compile(
    rf"(?i)((?:{_NAMES})[\\\"']*\s*(?:=|:|%3D)\s*[\\\"']*|"
    r"authorization[\\\"']*\s*[:=]\s*[\\\"']*(?:basic\s+|bearer\s+)?+|bearer\s+|"
    r"auth (?:xoauth2|plain|login)\s+)(?!\[hidden)[^\s\"'\\&,}]+"
)
_JWT = re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
_XOAUTH2 = re.compile(r"\bdXNlcj[A-Za-z0-9+/=_-]{20,}")  # base64 of "user="
# What Entra makes today: 40 characters with 8Q~ (or 7Q~) after the third.
_ENTRA_SECRET = re.compile(r"(?<![\w.~-])[\w.~-]{3}[78]Q(?:~|%7E)[\w.~-]{31,37}(?![\w.~-])")
_URL_PASSWORD = re.compile(r"(?<=://)([^:/@\s]*):[^@/\s]+@")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f\x80-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_TRACES = ("exception", "stack", "stack_info")

HIDDEN = "[hidden]"
# A shorter value is found in ordinary words, so that hiding it would hide the whole reply.
SHORTEST_VALUE = 4
# As many characters of a value in a row count as the value: servers cut what they repeat.
_PIECE = 12
# Longer values are tokens. They need no escapes, and spelling each letter out would take long.
_LONGEST_SPELT = 200
_ESCAPES = r"\\{0,4}"
_WORD = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=_.~%-")


def redact(text: str) -> str:
    """`text` without tokens, passwords and control characters."""
    text = _SECRET_TEXT.sub(r"\1[hidden]", text)
    text = _JWT.sub("[hidden token]", text)
    text = _XOAUTH2.sub("[hidden token]", text)
    text = _ENTRA_SECRET.sub("[hidden]", text)
    text = _URL_PASSWORD.sub(r"\1:[hidden]@", text)
    return _CONTROL.sub("�", text)


class Hider:
    """Takes known secret values out of texts, in every form in which a server may repeat them.

    That is plain, percent-encoded, escaped for JSON, HTML or Python, in base64, and cut off.
    `redact` knows what secrets look like; this one knows what they are, whatever they look like.

    Args:
        values: what must not show; one of less than `SHORTEST_VALUE` characters is ignored.
    """

    def __init__(self, values: Iterable[str]) -> None:
        known = sorted({v for v in values if len(v) >= SHORTEST_VALUE}, key=len, reverse=True)
        forms = {form for value in known for form in _forms(value)}
        spelt = [_spelling(value) for value in known]
        spelt += [re.escape(form) for form in forms if SHORTEST_VALUE < len(form) < _PIECE]
        self._whole = [re.compile(pattern) for pattern in spelt]
        self._pieces = frozenset(
            form[i : i + _PIECE] for form in forms for i in range(len(form) - _PIECE + 1)
        )

    def hide(self, text: str) -> str:
        """`text` without the values, and without longer pieces of them."""
        for pattern in self._whole:
            text = pattern.sub(HIDDEN, text)
        return "".join(self._without_pieces(text)) if self._pieces else text

    def _without_pieces(self, text: str) -> Iterator[str]:
        done = at = 0
        while at + _PIECE <= len(text):
            if text[at : at + _PIECE] not in self._pieces:
                at += 1
                continue
            start, end = at, at + _PIECE
            while text[end - _PIECE + 1 : end + 1] in self._pieces:
                end += 1
            # The rest of a word goes with its piece: it may be the rest of a longer encoding.
            while start > done and {text[start], text[start - 1]} <= _WORD:
                start -= 1
            while end < len(text) and {text[end - 1], text[end]} <= _WORD:
                end += 1
            yield text[done:start] + HIDDEN
            done = at = end
        yield text[done:]


def hide(text: str, values: Iterable[str]) -> str:
    """`text` without these secret values; see `Hider`, which is quicker for several texts."""
    return Hider(values).hide(text)


def _forms(value: str) -> set[str]:
    """The forms of a value of which a cut-off piece is recognised."""
    if len(value) > _LONGEST_SPELT:
        return {value}
    raw = value.encode("utf-8", "surrogatepass")
    encoded = {quote(raw), quote_plus(raw), json.dumps(value)[1:-1]}
    for before in range(3):
        # Where the value stands in what was encoded shifts its base64. What depends on its
        # neighbours, too, is left out.
        whole = base64.b64encode(b"\0" * before + raw).decode()
        core = whole[(0, 2, 3)[before] : (before + len(raw)) * 8 // 6]
        encoded |= {core, core.replace("+", "-").replace("/", "_")}
    return {value} | encoded


def _spelling(value: str) -> str:
    """A pattern for a value in any mixture of escapes; all repeats have a bound."""
    if len(value) > _LONGEST_SPELT:
        return re.escape(value)
    found = []
    for run in re.finditer(r"\\+|\s+|.", value, re.DOTALL):
        text = run[0]
        if text[0] == "\\":
            found.append(rf"(?:\\|%(?:25){{0,3}}5[Cc]|&#92;|&bsol;){{{len(text)},{4 * len(text)}}}")
        elif text.isspace():
            space = r"\s|\+|%(?:25){0,3}(?:20|09|2[Bb])|\\{1,4}u0020|&#32;|&nbsp;"
            found.append(f"(?:{space}){{1,{8 * len(text)}}}")
        else:
            found.append(f"(?:{'|'.join(_ways_to_write(text))})")
    return "".join(found)


def _ways_to_write(char: str) -> list[str]:
    code, raw = ord(char), char.encode("utf-8", "surrogatepass")
    units = char.encode("utf-16-be", "surrogatepass").hex()
    name = codepoint2name.get(code, f"#{code}")
    ways = [
        re.escape(char) if char.isalnum() else _ESCAPES + re.escape(char),
        "".join(f"%(?:25){{0,3}}(?i:{byte:02x})" for byte in raw),
        "".join(rf"\\{{1,4}}u(?i:{units[i : i + 4]})" for i in range(0, len(units), 4)),
        "".join(rf"\\{{1,4}}x(?i:{byte:02x})" for byte in raw),
        f"&(?:amp;){{0,3}}(?:#0{{0,3}}{code}|#[xX]0{{0,3}}(?i:{code:x})|{name});",
    ]
    # What a decoder leaves of a letter that it does not know.
    return ways if char.isascii() else [*ways, "\ufffd{1,4}", r"\?"]


def _clean(value: Any, key: str = "") -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, dict):
        inner = {str(name): found for name, found in value.items()}
        hidden = _SECRET_KEYS.search(key)
        return {redact(name): _clean(inner[name], key if hidden else name) for name in inner}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(inner, key) for inner in value]
    if _SECRET_KEYS.search(key):
        return "[hidden]"
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    # One event is one line, whatever a name holds; only a traceback has several.
    return redact(text) if key in _TRACES else redact(text).replace("\n", "\\n")


def _redact_event(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    # What begins with an underscore is structlog's own and is never printed.
    return {key: value if key[:1] == "_" else _clean(value, key) for key, value in event.items()}


def set_up(*, level: str = "info", form: str = "auto") -> None:
    """Send all logs, ours and the libraries', to standard error.

    Args:
        level: debug, info, warning or error.
        form: console, json, or auto (json unless standard error is a terminal).
    """
    as_json = form == "json" or (form == "auto" and not sys.stderr.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _redact_event,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # These describe requests with headers and refusals with bodies: noise at info, a risk at
    # debug, and at warning they repeat what we say ourselves.
    for name in ("azure", "msal", "httpx", "httpcore", "aiohttp", "urllib3", "apscheduler"):
        logging.getLogger(name).setLevel(logging.ERROR)
    # Its only error is a token answer that is no JSON, with the whole answer.
    logging.getLogger("msal").setLevel(logging.CRITICAL + 1)
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it narrates every start


def get(name: str) -> Any:
    """A logger; events are short constants, everything else goes into fields."""
    return structlog.stdlib.get_logger(name)
