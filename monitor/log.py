"""Structured logs for people or machines, with everything that looks like a secret removed."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

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


def redact(text: str) -> str:
    """`text` without tokens, passwords and control characters."""
    text = _SECRET_TEXT.sub(r"\1[hidden]", text)
    text = _JWT.sub("[hidden token]", text)
    text = _XOAUTH2.sub("[hidden token]", text)
    text = _ENTRA_SECRET.sub("[hidden]", text)
    text = _URL_PASSWORD.sub(r"\1:[hidden]@", text)
    return _CONTROL.sub("�", text)


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
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it narrates every start


def get(name: str) -> Any:
    """A logger; events are short constants, everything else goes into fields."""
    return structlog.stdlib.get_logger(name)
