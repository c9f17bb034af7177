"""How fast a mailbox sends: Exchange's limits, kept over restarts and by all replicas."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from monitor.errors import LapsewatchError
from monitor.routes import Rate
from monitor.store import Store

MINUTE = timedelta(minutes=1)
HELD = timedelta(seconds=5)  # how long mails wait for a mailbox that another thread sends by


class MailboxFullError(LapsewatchError):
    """A mailbox has sent what it may send in a minute; `until` is when there is room again."""

    def __init__(self, mailbox: str, until: datetime, now: datetime) -> None:
        seconds = max(int((until - now).total_seconds()), 1)
        super().__init__(
            f"{mailbox} has sent what it may send in a minute.",
            remedy=f"Try again in {seconds} seconds.",
        )
        self.until = until


class Pace:
    """Keeps mailboxes within their limits.

    Exchange Online takes 30 messages a minute and 3 connections at a time from a mailbox
    (https://learn.microsoft.com/exchange/mail-flow-best-practices/how-to-set-up-a-multifunction-device-or-application-to-send-email-using-microsoft-365-or-office-365).
    A process sends mails over one connection to a mailbox at a time, beside its daily canary; so
    two replicas stay within three.

    Args:
        store: what every process has sent lately.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._guard = threading.Lock()
        self._in_use: set[str] = set()

    def admit(self, rate: Rate, now: datetime, count: int = 1) -> datetime | None:
        """Take room for so many mails of a mailbox; None, or when there will be room.

        Raises:
            StoreError: the database cannot be used; then nothing may be sent.
        """
        scope = f"mailbox:{rate.mailbox}"
        return self._store.reserve(
            scope, now=now, limit=rate.per_minute, period=MINUTE, count=count
        )

    @contextmanager
    def alone(self, rate: Rate | None) -> Iterator[bool]:
        """Whether no other thread sends by this mailbox; none does until the block ends."""
        if rate is None:
            yield True
            return
        with self._guard:
            free = rate.mailbox not in self._in_use
            self._in_use.add(rate.mailbox)
        try:
            yield free
        finally:
            if free:
                with self._guard:
                    self._in_use.discard(rate.mailbox)
