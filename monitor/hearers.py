"""Who ever heard of which tenant, read anew only after something was written to somebody."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from monitor.store import Store

# A mail whose number was taken early may be committed late, and no number shows that.
OLDEST = timedelta(hours=1)


class Hearers:
    """Keeps the pairs of address and tenant, so that an idle tick does not ask for them.

    Args:
        store: the ledger.
        clock: the current instant, aware UTC.
    """

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock
        self._known: tuple[int, datetime, Sequence[tuple[str, str]]] | None = None

    def all(self) -> Sequence[tuple[str, str]]:
        """Address and tenant of everybody to whom a notice was sent.

        What was purged within the hour may still be among them.

        Raises:
            StoreError: the database cannot be used.
        """
        now, newest = self._clock(), self._store.newest_mail()
        if self._known is not None:
            seen, at, pairs = self._known
            if seen == newest and timedelta(0) <= now - at < OLDEST:
                return pairs
        pairs = self._store.heard_about()
        self._known = (newest, now, pairs)
        return pairs
