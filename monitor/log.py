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
_SECRET_TEXT = re.compile(
    r"(?i)(bearer\s+|client_secret=|client_assertion=|access_token[\"']?\s*[:=]\s*[\"']?|"
    r"password=|auth xoauth2\s+|auth plain\s+)[^\s\"'&,}]+"
)
_JWT = re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
_XOAUTH2 = re.compile(r"\bdXNlcj[A-Za-z0-9+/=]{20,}")
_URL_PASSWORD = re.compile(r"(?<=://)([^:/@\s]+):[^@/\s]+@")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]")


def redact(text: str) -> str:
    """`text` without tokens, passwords and control characters."""
    text = _SECRET_TEXT.sub(r"\1[hidden]", text)
    text = _JWT.sub("[hidden token]", text)
    text = _XOAUTH2.sub("[hidden token]", text)
    text = _URL_PASSWORD.sub(r"\1:[hidden]@", text)
    return _CONTROL.sub("�", text)


def _clean(value: Any, key: str = "") -> Any:
    if key and _SECRET_KEYS.search(key) and isinstance(value, str | bytes):
        return "[hidden]"
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, bytes):
        return redact(value.decode("utf-8", "replace"))
    if isinstance(value, dict):
        return {name: _clean(inner, str(name)) for name, inner in value.items()}
    if isinstance(value, list | tuple | set):
        return [_clean(inner) for inner in value]
    return value


def _redact_event(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    return {key: _clean(value, key) for key, value in event.items()}


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
    # These describe every request with its headers; at info they are noise, at debug a risk.
    for name in ("azure", "msal", "httpx", "httpcore", "aiohttp", "urllib3", "apscheduler"):
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


def get(name: str) -> Any:
    """A logger; events are short constants, everything else goes into fields."""
    return structlog.stdlib.get_logger(name)
