"""Storm guard: what is more than a person can read in an hour is told as one mail."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from monitor.compose import outbox_row
from monitor.diagnose import Rulebook
from monitor.log import get
from monitor.mail.storms import StormLine
from monitor.model import OPERATOR, MailKind, OutboxMail, Probe, SenderHealth, TenantHealth
from monitor.recipients import Audience
from monitor.render import Renderer
from monitor.routes import OPERATOR_PATH, Paths, sender_of, tenant_path
from monitor.store import Store
from monitor.store.storms import MANY, Heap
from monitor.store.troubles import Trouble

log = get("lapsewatch.storms")
_UNANSWERED = ("dns", "tcp", "greeting", "starttls")  # stages that fail before a server speaks


@dataclass(frozen=True, slots=True)
class _Known:
    """What the alarms of all heaps are told by; senders by tenant and mailbox in lower case."""

    health: Mapping[str, TenantHealth]
    senders: Mapping[tuple[str, str], SenderHealth]
    troubles: Mapping[str, Trouble]
    paths: Paths
    rulebook: Rulebook

    def fix(self, cause: str | None, stage: str | None) -> str:
        """What to do about a cause, by what was asked; empty for one that no rule knows."""
        about = self.rulebook.causes.get(cause or "")
        return about.remedy(stage) if about else ""


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
        paths = self._paths()
        known = self._known(heaps, paths)
        for heap in heaps:
            mail = self._mail(heap, known, paths.domain(OPERATOR_PATH))
            if self._store.tell_together(mail, heap):
                log.info("alarms_gathered", to=heap.recipient, alarms=len(heap.mails))

    def _mail(self, heap: Heap, known: _Known, domain: str) -> OutboxMail:
        now = self._clock()
        lines = [_line(mail, known) for mail in heap.mails]
        mail = self._renderer.storm(lines, zone=self._zone(heap.recipient), now=now)
        names = tuple(dict.fromkeys(line.tenant for line in lines))
        row = outbox_row(mail, heap.recipient, names, OPERATOR_PATH, now, domain=domain, scope=MANY)
        return replace(row, not_before=heap.not_before)

    def _known(self, heaps: Sequence[Heap], paths: Paths) -> _Known:
        """What is known now, and of what is over what it was about."""
        over = {
            mail.scope
            for heap in heaps
            for mail in heap.mails
            if mail.scope and mail.mail.kind is MailKind.RECOVERED
        }
        return _Known(
            health=self._store.health(),
            # Scopes hold the mailbox in lower case.
            senders={
                (tenant, box.lower()): found
                for (tenant, box), found in self._store.sender_health().items()
            },
            troubles=self._store.troubles(over),
            paths=paths,
            rulebook=self._rulebook,
        )

    def _zone(self, address: str) -> ZoneInfo:
        known = {one.address.casefold(): one.time_zone for one in self._audience.recipients}
        return ZoneInfo(known.get(address.casefold()) or self._audience.time_zone)


def _line(mail: OutboxMail, known: _Known) -> StormLine:
    """What is to be said of one alarm, by what is known now."""
    name = mail.tenants[0] if mail.tenants else OPERATOR
    subject = sender_of(mail.scope or "")
    if mail.mail.kind is MailKind.RECOVERED:
        return _end(name, subject[1] if subject else "", known.troubles.get(mail.scope or ""))
    return _unread(name, known) if subject is None else _unsent(name, subject, known)


def _end(name: str, mailbox: str, over: Trouble | None) -> StormLine:
    line = StormLine(MailKind.RECOVERED, name, mailbox=mailbox)
    if over is None:
        return line
    return replace(line, cause=over.cause, since=over.since, until=over.until)


def _unread(name: str, known: _Known) -> StormLine:
    health = known.health.get(name)
    if health is None:
        return StormLine(MailKind.CANNOT_CHECK, name)
    return StormLine(
        MailKind.CANNOT_CHECK, name, health.cause, health.first_failure_at, health.problem or "",
        fix=known.fix(health.cause, "graph"),
    )  # fmt: skip


def _unsent(name: str, subject: tuple[str, str], known: _Known) -> StormLine:
    sender = known.senders.get(subject)
    line = StormLine(MailKind.CANARY_FAILED, name, mailbox=subject[1])
    if sender is None or sender.last is None:
        return line
    probe = sender.last
    return replace(
        line, cause=probe.cause, since=sender.first_failure_at, seen=_seen(probe, known.paths),
        fix=known.fix(probe.cause, probe.stage),
    )  # fmt: skip


def _seen(probe: Probe, paths: Paths) -> str:
    """The answer; where none came from the server, also which server was asked."""
    host, port, *_ = (*paths.identity.get(tenant_path(probe.tenant), ()), "", "")
    if probe.stage not in _UNANSWERED or not host or host in probe.evidence:
        return probe.evidence
    return f"{host}:{port}: {probe.evidence}"
