"""The sandbox's own clock: real UTC plus an offset, so that a demo can travel in time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Lock


class SandboxClock:
    """Tells the time that Entra, Graph and Exchange of the sandbox live in."""

    def __init__(self) -> None:
        self._offset = timedelta()
        self._lock = Lock()

    def now(self) -> datetime:
        """The sandbox's instant, aware and in UTC."""
        with self._lock:
            return datetime.now(UTC) + self._offset

    def advance(self, step: timedelta) -> None:
        """Move the clock, forward or (a negative step) back."""
        with self._lock:
            self._offset += step

    def set(self, instant: datetime) -> None:
        """Make it `instant` now; from there the clock runs on."""
        if instant.tzinfo is None:
            msg = "the sandbox clock needs an aware datetime"
            raise ValueError(msg)
        with self._lock:
            self._offset = instant - datetime.now(UTC)
