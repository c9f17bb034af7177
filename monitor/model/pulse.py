"""The heartbeat to whoever watches Lapsewatch from outside."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Pulse:
    """Whether a heartbeat is set, and how it goes.

    `last_ok` is when the other side last accepted one. `failing_since` is set while it does not,
    and `problem` says why, without the address, which is a secret.
    """

    configured: bool = False
    last_ok: datetime | None = None
    failing_since: datetime | None = None
    problem: str = ""
