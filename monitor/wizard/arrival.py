"""The test mail that ends a set-up, and the question whether it arrived."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from monitor.canaries import Canaries
from monitor.errors import UsageError
from monitor.model import CanaryResult, Confirmation, Probe, Tenant
from monitor.senders import OAuthSender
from monitor.store import Store


class Arrivals:
    """Sends test mails, and keeps what people say about them.

    Args:
        store: the probes and the confirmations.
        canaries: sends and records.
        sender: a tenant's sender, if it has one.
    """

    def __init__(
        self,
        store: Store,
        *,
        canaries: Canaries,
        sender: Callable[[Tenant], OAuthSender | None],
    ) -> None:
        self._store = store
        self._canaries = canaries
        self._sender = sender

    def send_test(self, entry: Tenant, now: datetime) -> Probe:
        """Send a test mail, record it, and hold the sender for unconfirmed until it is seen.

        Raises:
            UsageError: there is no sender.
            LapsewatchError: it could not be recorded.
        """
        sender = self._tested(entry)
        # Before the mail: whatever happens, nobody takes the sender for confirmed.
        asked = Confirmation(entry.name, sender.mailbox, now, ", ".join(sender.canary_to))
        self._store.put_confirmation(asked)
        return self._prove(sender, entry)

    def prove(self, entry: Tenant) -> Probe:
        """Send a test mail as the daily one, without asking anybody about it.

        Raises:
            UsageError: there is no sender.
            LapsewatchError: it could not be recorded.
        """
        return self._prove(self._tested(entry), entry)

    def _tested(self, entry: Tenant) -> OAuthSender:
        sender = self._sender(entry)
        if sender is None:
            raise UsageError(f"{entry.name} has no mail path of its own, so there is no test mail.")
        return sender

    def confirm(self, entry: Tenant, *, arrived: bool, by: str, now: datetime) -> Confirmation:
        """Keep the answer whether the test mail arrived.

        Raises:
            UsageError: there is no sender, or no test mail of it was accepted.
            StoreError: the database cannot be used.
        """
        sender = self._sender(entry)
        if sender is None:
            raise UsageError(f"{entry.name} has no mail path of its own.")
        health = self._store.health_of_sender(entry.name, sender.mailbox)
        accepted = (CanaryResult.OK, CanaryResult.UNCONFIRMED)
        if arrived and (health.last is None or health.last.result not in accepted):
            raise UsageError(
                f"The last test mail of {entry.name} was not accepted, so none can have arrived.",
                remedy=f"Find out why: lapsewatch doctor --tenant {entry.name}",
            )
        asked = health.confirmation.asked_at if health.confirmation else now
        told = Confirmation(
            entry.name, sender.mailbox, asked, ", ".join(sender.canary_to),
            "arrived" if arrived else "lost", now, by,
        )  # fmt: skip
        self._store.put_confirmation(told)
        return told

    def _prove(self, sender: OAuthSender, entry: Tenant) -> Probe:
        probe = self._canaries.probe(sender)
        self._canaries.record(sender, entry, probe)
        return probe
