"""Storm guard: what is more than a person can read in an hour is told as one mail."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from monitor.compose import outbox_row
from monitor.diagnose import Rulebook
from monitor.log import get
from monitor.mail.storms import StormLine
from monitor.model import OPERATOR, OutboxMail, SenderHealth, TenantHealth
from monitor.recipients import Audience
from monitor.render import Renderer
from monitor.routes import OPERATOR_PATH, Paths, sender_of
from monitor.store import Store
from monitor.store.storms import MANY, Heap

log = get("lapsewatch.storms")


class StormGuard:
    """Lets alarms through one by one, and gathers what is too many.

    Args:
        store: the alarms that wait, and what went out lately.
        renderer: makes the words.
        rulebook: explains causes.
        audience: the operator: in which zone each address reads.
        paths: the sending paths, for the domain of Message-IDs.
        clock: the current instant, aware UTC.
        per_hour: how many alarm mails one recipient may get in an hour.
    """

    def __init__(
        self,
        store: Store,
        *,
        renderer: Renderer,
        rulebook: Rulebook,
        audience: Audience,
        paths: Callable[[], Paths],
        clock: Callable[[], datetime],
        per_hour: int,
    ) -> None:
        self._store = store
        self._renderer = renderer
        self._rulebook = rulebook
        self._audience = audience
        self._paths = paths
        self._clock = clock
        self._per_hour = per_hour

    def run(self) -> None:
        """Look at every alarm that waits, and write one mail for each heap of them.

        Raises:
            StoreError: the database cannot be used.
        """
        heaps = self._store.gather(self._clock(), per_hour=self._per_hour)
        if not heaps:
            return
        health, senders = self._store.health(), self._store.sender_health()
        domain = self._paths().domain(OPERATOR_PATH)
        for heap in heaps:
            mail = self._mail(heap, health, senders, domain)
            if self._store.tell_together(mail, heap):
                log.info("alarms_gathered", to=heap.recipient, alarms=len(heap.mails))

    def _mail(
        self,
        heap: Heap,
        health: Mapping[str, TenantHealth],
        senders: Mapping[tuple[str, str], SenderHealth],
        domain: str,
    ) -> OutboxMail:
        now = self._clock()
        lines = [_line(mail, health, senders) for mail in heap.mails]
        known = {line.cause for line in lines if line.cause in self._rulebook.causes}
        fixes = {cause: self._rulebook.describe(cause).fix for cause in known if cause is not None}
        mail = self._renderer.storm(lines, fixes=fixes, zone=self._zone(heap.recipient), now=now)
        names = tuple(dict.fromkeys(line.tenant for line in lines))
        row = outbox_row(mail, heap.recipient, names, OPERATOR_PATH, now, domain=domain, scope=MANY)
        return replace(row, not_before=heap.not_before)

    def _zone(self, address: str) -> ZoneInfo:
        known = {one.address.casefold(): one.time_zone for one in self._audience.recipients}
        return ZoneInfo(known.get(address.casefold()) or self._audience.time_zone)


def _line(
    mail: OutboxMail,
    health: Mapping[str, TenantHealth],
    senders: Mapping[tuple[str, str], SenderHealth],
) -> StormLine:
    """What is to be said of one alarm, by what is known now."""
    name = mail.tenants[0] if mail.tenants else OPERATOR
    subject = sender_of(mail.scope or "")
    if subject is None:
        known = health.get(name)
        if known is None:
            return StormLine(mail.mail.kind, name)
        return StormLine(
            mail.mail.kind, name, known.cause, known.first_failure_at, known.problem or ""
        )
    # Scopes hold the mailbox in lower case.
    of_sender = {(tenant, box.lower()): found for (tenant, box), found in senders.items()}
    sender = of_sender.get(subject)
    probe = sender.last if sender else None
    return StormLine(
        mail.mail.kind,
        name,
        probe.cause if probe else None,
        sender.first_failure_at if sender else None,
        probe.evidence if probe else "",
        subject[1],
    )
