"""A browser that may change something: the session behind its cookie."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

IDLE = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class WebSession:
    """One browser's permission to use the set-up pages; the store knows it by a digest only.

    Args:
        started_at: when its link was opened.
        seen_at: when it was last used, to the minute.
        expires_at: when it ends, however busy it is.
    """

    started_at: datetime
    seen_at: datetime
    expires_at: datetime

    def holds(self, now: datetime) -> bool:
        """Whether it still counts at `now`: neither ended nor left alone for `IDLE`."""
        return now < self.expires_at and now - self.seen_at < IDLE
