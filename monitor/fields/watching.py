"""`[operator]`: who watches Lapsewatch itself, and how often they are told."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, SecretStr

from monitor.fields import LOOPBACK, Interval, Strict
from monitor.references import reference

_WANTED = (
    "must be an https address like https://hc-ping.com/… (http only on this machine), or where it "
    "is found: env:NAME or file:PATH"
)


def heartbeat_problem(url: str) -> str | None:
    """What is wrong with the address of a heartbeat, without repeating it; None if nothing is."""
    try:
        parts = urlsplit(url)
        usable = parts.port != 0 and bool(parts.hostname)
    except ValueError:
        return _WANTED
    plain = parts.scheme == "http" and parts.hostname in LOOPBACK
    if not usable or not (parts.scheme == "https" or plain):
        return _WANTED
    if "@" in parts.netloc or parts.fragment or re.search(r"[\s\x00-\x20\x7f]", url):
        return _WANTED
    return None


def _heartbeat(value: Any) -> SecretStr:
    """Whoever knows the address can say that all is well, so it is kept like a password."""
    if isinstance(value, SecretStr):
        return value
    text = str(value).strip()
    if text.startswith(("env:", "file:")):
        return SecretStr(reference(text))
    if problem := heartbeat_problem(text):
        raise ValueError(problem)
    return SecretStr(text)


HeartbeatAddress = Annotated[SecretStr, BeforeValidator(_heartbeat)]


class WatchedOperator(Strict):
    """What `[operator]` says about being watched."""

    heartbeat_url: HeartbeatAddress | None = None
    heartbeat_every: Interval = timedelta(minutes=5)
    heartbeat_fail: bool = False
    report: Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun", "off"] = "mon"
    report_every: Literal["weekly", "monthly"] = "weekly"
