"""What happened in the days that a report looks back on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Week:
    """What was tested and sent since an instant (aware UTC).

    `canary_seconds` is the median of how long a good test mail took until it was accepted.
    `mails` counts what servers accepted, by kind; `warnings` the reminders and lapses in them.
    `waited` are the mails that took over an hour, `longest_wait` the longest of these.
    """

    since: datetime
    canaries: int = 0
    canaries_failed: int = 0
    canary_seconds: float | None = None
    mails: Mapping[str, int] = field(default_factory=dict)
    warnings: int = 0
    waited: int = 0
    longest_wait: timedelta | None = None
