"""Tells something outside that a cycle was complete, at most every few minutes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from monitor import process
from monitor.cycle import failure_address, turn
from monitor.errors import RemoteError
from monitor.fields.watching import heartbeat_problem
from monitor.log import get
from monitor.model import CredentialRef, Pulse
from monitor.store import Store

JOB = "heartbeat"
GOOD, BAD = "operator", "operator/fail"  # the scopes of the slots
LEASE = timedelta(minutes=2)
AGAIN = timedelta(minutes=1)  # what was not accepted is sent again so soon
KEPT = timedelta(days=1)  # of slots that are done
_SHORT = 500

log = get("lapsewatch.heartbeat")


class Send(Protocol):
    """Sends one request; see `monitor.channels.ping`."""

    def __call__(self, url: str, text: str | None = None) -> None:
        """Ask for `url`.

        Raises:
            RemoteError: it was not accepted.
        """
        ...


class Heartbeat:
    """The heartbeat to the outside.

    Args:
        store: its slots, and how it goes.
        address: the address, or where it is found; None where no heartbeat is set.
        every: at most so often.
        tell_failures: whether a failed cycle is told at <address>/fail.
        read: resolves a reference.
        send: sends one request.
        clock: the current instant, aware UTC.
        owner: who takes the slots; see `monitor.process`.
    """

    def __init__(
        self,
        store: Store,
        *,
        address: str | None,
        every: timedelta,
        tell_failures: bool,
        read: Callable[[CredentialRef], str],
        send: Send,
        clock: Callable[[], datetime],
        owner: str,
    ) -> None:
        self._store = store
        self._address = address
        self._every = every
        self._tell_failures = tell_failures
        self._read = read
        self._send = send
        self._clock = clock
        self._owner = owner

    def pulse(self) -> Pulse:
        """How the heartbeat goes; nothing of one that is set no more.

        Raises:
            StoreError: the database cannot be used.
        """
        if self._address is None:
            return Pulse()
        return replace(self._store.pulse(), configured=True)

    def beat(self, missing: Sequence[str]) -> bool | None:
        """Tell what came of a cycle, if that is due.

        Args:
            missing: what keeps the cycle from being complete; empty when it is complete.

        Returns:
            Whether it was accepted; None when nothing was to be sent.

        Raises:
            StoreError: the database cannot be used.
        """
        if self._address is None or (missing and not self._tell_failures):
            return None
        now = self._clock()
        slot, scope = turn(now, self._every), BAD if missing else GOOD
        if not self._store.take_slot(
            JOB, scope, slot, now=now, owner=self._owner, lease=LEASE,
            owner_is_dead=process.is_dead,
        ):  # fmt: skip
            return None
        try:
            self._tell(missing)
        except RemoteError as error:
            self._store.heartbeat_failed(str(error), self._clock())
            self._store.give_back_slot(JOB, scope, slot, until=self._clock() + AGAIN)
            log.warning("heartbeat_not_sent", error=str(error))
            return False
        self._store.heartbeat_sent(self._clock())
        self._store.finish_slot(JOB, scope, slot, self._clock())
        self._store.forget_slots(JOB, now - KEPT)
        log.info("heartbeat_sent", complete=not missing)
        return True

    def _tell(self, missing: Sequence[str]) -> None:
        url = self._url()
        if missing:
            self._send(failure_address(url), "; ".join(missing)[:_SHORT])
        else:
            self._send(url)

    def _url(self) -> str:
        """The address itself, read anew each time, so that a new one holds at once.

        Raises:
            RemoteError: it is not there or cannot be used.
        """
        address = self._address or ""
        if not address.startswith(("env:", "file:")):
            return address
        url = self._read(CredentialRef("secret", address))
        if problem := heartbeat_problem(url):
            raise RemoteError(f"What is in {address.partition(':')[0]}: {problem}", cause="unknown")
        return url
