"""Counts what was asked, so that a test can say how often."""

from __future__ import annotations

from collections import Counter
from fnmatch import fnmatch
from threading import Lock


class Calls:
    """Counters by tenant and call; a call is a verb and a path, as in "GET /applications"."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._lock = Lock()

    def add(self, tenant: str, call: str) -> None:
        """Count one call."""
        with self._lock:
            self._counts[tenant, call] += 1

    def snapshot(self) -> dict[tuple[str, str], int]:
        """All counters as they are now: (tenant, call) -> how often."""
        with self._lock:
            return dict(self._counts)

    def count(self, tenant: str = "*", call: str = "*") -> int:
        """How often the calls that fit these shell patterns were made."""
        return sum(
            number
            for (who, what), number in self.snapshot().items()
            if fnmatch(who, tenant) and fnmatch(what, call)
        )

    def clear(self) -> None:
        """Begin again at nothing."""
        with self._lock:
            self._counts.clear()
