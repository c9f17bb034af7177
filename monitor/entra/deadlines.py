"""How long things may take, and what is left of a tenant's time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds: to connect, between two pieces of an answer, for a token, for a tenant, a page.

    A tenant gets `tenant` plus `page` for each page that was read.
    """

    connect: float = 10.0
    read: float = 30.0
    token: float = 20.0
    tenant: float = 180.0
    page: float = 1.0


class TenantClock:
    """The time one tenant's scan has left; each page that is read adds some."""

    def __init__(self, deadlines: Deadlines) -> None:
        self._page = deadlines.page
        self._ends = asyncio.get_running_loop().time() + deadlines.tenant
        self._allowed = deadlines.tenant
        self._timeout = asyncio.timeout_at(self._ends)

    @property
    def allowed(self) -> float:
        """Seconds that the scan has had in all."""
        return self._allowed

    def scope(self) -> asyncio.Timeout:
        """The context in which the time runs out (once only)."""
        return self._timeout

    def extras(self) -> asyncio.Timeout:
        """The context for what may be left out when time is short; pages prolong it as well."""
        self._timeout = asyncio.timeout_at(self._ends)
        return self._timeout

    def add_page(self) -> None:
        """A page was read: extend the deadline."""
        self._ends += self._page
        self._allowed += self._page
        self._timeout.reschedule(self._ends)

    def fits(self, seconds: float) -> bool:
        """Whether a wait would end before the deadline."""
        return asyncio.get_running_loop().time() + seconds < self._ends
