"""One sender's canary, from the first stage to its record: sent, judged and written down."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from uuid import uuid4

from monitor.alarms import AlarmNews, AlarmWriter, CanaryLetter
from monitor.arrival import expected, settled
from monitor.canary import after
from monitor.carriers import Carriers, Diagnose
from monitor.errors import LapsewatchError
from monitor.log import get
from monitor.model import (
    OPERATOR,
    AlarmChange,
    Arrival,
    CanaryResult,
    Confirmation,
    Copy,
    Examination,
    Kind,
    Probe,
    SenderHealth,
    Tenant,
)
from monitor.pace import MailboxFullError, Pace
from monitor.routes import sender_scope
from monitor.senders import OAuthSender
from monitor.store import AlarmWrite, Store

log = get("lapsewatch.canary")


class Canaries:
    """Proves mail paths.

    Args:
        store: the proofs, the facts and the alarms.
        carriers: opens a sender's path.
        alarms: writes canaries, CANARY FAILED and RECOVERED.
        news: what holds at this moment for an alarm's scope.
        diagnose: names the cause behind a reply.
        clock: the current instant, aware UTC.
        pace: keeps mailboxes within their limits.
    """

    def __init__(
        self,
        store: Store,
        *,
        carriers: Carriers,
        alarms: AlarmWriter,
        news: Callable[[str], AlarmNews],
        diagnose: Diagnose,
        clock: Callable[[], datetime],
        pace: Pace,
    ) -> None:
        self._store = store
        self._pace = pace
        self._carriers = carriers
        self._alarms = alarms
        self._news = news
        self._diagnose = diagnose
        self._clock = clock

    def record(
        self,
        sender: OAuthSender,
        tenant: Tenant | None,
        probe: Probe,
        examination: Examination | None = None,
    ) -> None:
        """Judge a probe by what is known now, and write it with its alarm in one transaction.

        Args:
            sender: whose path.
            tenant: the sender's tenant; None for the operator's.
            probe: what was tried and seen.
            examination: what the doctor found, where it failed.

        Raises:
            StoreError: it could not be recorded.
        """
        # Read now and not before the probe: somebody may have run one by hand meanwhile.
        before = self._store.health_of_sender(sender.tenant, sender.mailbox)
        arrivals = []
        if sender.arrival is not None and probe.result is CanaryResult.OK:
            # The judgement waits until somebody has looked whether it arrived.
            arrivals = [expected(probe, copy, sender.arrival) for copy in probe.copies]
            probe = replace(probe, result=CanaryResult.UNCONFIRMED) if arrivals else probe
        alarm = self._judged(sender, tenant, before, probe, examination)
        self._store.record_probe(probe, alarm, examination=examination, arrivals=arrivals)

    def settle(
        self, sender: OAuthSender | None, tenant: Tenant | None, arrival: Arrival, now: datetime
    ) -> bool:
        """Judge an accepted canary once it is known of all its copies whether they arrived.

        Args:
            sender: whose path; None where it is none any more, and nobody is to be told.
            tenant: the sender's tenant; None for the operator's.
            arrival: one of the copies, as it is stored by now.
            now: the instant.

        Returns:
            Whether it was settled here and now.

        Raises:
            StoreError: it could not be recorded.
        """
        found = self._store.probe_of_arrival(arrival)
        if found is None:
            return False
        probe, arrivals = found
        before = self._store.health_of_sender(arrival.tenant, arrival.mailbox)
        failed_at = None
        if before.failures or before.alarm_opened_at is not None:
            failure = self._store.last_failure(arrival.tenant, arrival.mailbox)
            failed_at = failure.stage if failure else None
        known = settled(probe, arrivals, now, failed_at=failed_at)
        if known is None:
            return False
        last = before.last
        newest = last is None or last.message_id == probe.message_id
        # Of an earlier one only its loss counts, as long as no later one says otherwise.
        open_ = last is not None and last.result is CanaryResult.UNCONFIRMED
        counts = newest or (open_ and known.result is CanaryResult.FAILED)
        alarm = self._judged(sender, tenant, before, known) if counts and sender else None
        return self._store.settle_probe(arrival, known, alarm, counts=counts)

    def _judged(
        self,
        sender: OAuthSender,
        tenant: Tenant | None,
        before: SenderHealth,
        probe: Probe,
        examination: Examination | None = None,
    ) -> AlarmWrite | None:
        """The change of the sender's alarm that follows from a probe."""
        verdict = after(before, probe)
        alarm = None
        if verdict.alarm is not AlarmChange.NONE:
            scope = sender_scope(sender.tenant, sender.mailbox)
            diagnosis = self._diagnose(probe.evidence, probe.stage)
            alarm = self._alarms.canary_alarm(
                sender, tenant, before, probe, diagnosis,
                change=verdict.alarm, news=self._news(scope), examination=examination,
            )  # fmt: skip
        log.info(
            "canary", tenant=sender.tenant, result=probe.result, stage=probe.stage,
            cause=probe.cause, alarm=verdict.alarm, reason=verdict.reason,
        )  # fmt: skip
        return alarm

    def probe(self, sender: OAuthSender) -> Probe:
        """Send one canary, stage by stage; it never raises for trouble outside.

        With several canary recipients each gets its own, and the first failure is the verdict.

        Raises:
            MailboxFullError: the mailbox has sent all it may send in a minute.
            LapsewatchError: there is nobody to send it to, or the database cannot be used.
        """
        before = self._store.health_of_sender(sender.tenant, sender.mailbox)
        if sender.problem:
            return refusal(sender, before, self._clock())
        now = self._clock()
        until = self._pace.admit(self._carriers.rate(sender), now, len(sender.canary_to))
        if until is not None:
            raise MailboxFullError(sender.mailbox, until, now)
        letter = CanaryLetter(
            number=self._store.next_canary_number(sender.tenant, sender.mailbox),
            credential_ends=self._credential_end(sender),
        )
        verdict: Probe | None = None
        copies: tuple[Copy, ...] = ()
        for recipient in sender.canary_to:
            probe = self._probe(sender, recipient, letter, attempt=before.failures + 1)
            copies += probe.copies
            if verdict is None or probe.result is CanaryResult.FAILED:
                verdict = probe
            if probe.result is CanaryResult.FAILED:
                break
        if verdict is None:
            raise LapsewatchError(f"{sender.mailbox} has nobody to send its canary to.")
        return replace(verdict, copies=copies)

    def _probe(
        self,
        sender: OAuthSender,
        recipient: str,
        letter: CanaryLetter,
        *,
        attempt: int,
    ) -> Probe:
        from monitor.channels.message import build
        from monitor.channels.probe import run_probe

        mine = replace(letter, id=uuid4().hex)
        ends: list[datetime] = []

        def token() -> str:
            found = self._carriers.token(sender)
            ends.append(found.expires_at)
            return found.value

        def message() -> bytes:
            about = replace(mine, token_expires=ends[-1] if ends else None)
            return build(
                self._alarms.canary(sender, recipient, about, self._clock()),
                sender=sender.mailbox,
                canary_id=mine.id,
            )

        probe = run_probe(
            self._carriers.smtp_path(sender),
            tenant=sender.tenant,
            token=token,
            message=message,
            message_id=mine.message_id(sender.mailbox),
            number=mine.number,
            attempt=attempt,
            rcpt_to=recipient,
            diagnose=self._diagnose,
            now=self._clock,
            connect_s=self._carriers.seconds("connect"),
            reply_s=self._carriers.seconds("read"),
        )
        if probe.result is not CanaryResult.OK:
            return probe
        sent = Copy(mine.id, recipient, mine.message_id(sender.mailbox), probe.finished_at)
        return replace(probe, copies=(sent,))

    def _credential_end(self, sender: OAuthSender) -> datetime | None:
        """When the sending credential ends, as far as a scan has seen it."""
        if sender.tenant == OPERATOR:
            tenants = [
                t.name for t in self._store.tenants() if t.directory_id == sender.directory_id
            ]
        else:
            tenants = [sender.tenant]
        ends = [
            found.end
            for name in tenants
            for found in self._store.credentials(name)
            if found.own
            and found.app_id == sender.client_id
            and found.end is not None
            and found.kind in (Kind.SECRET, Kind.CERTIFICATE)
        ]
        return min(ends) if ends else None


def refusal(sender: OAuthSender, before: SenderHealth, now: datetime) -> Probe:
    """The probe of a sender with a `problem`: it fails where a token would be needed, unsent."""
    return Probe(
        tenant=sender.tenant,
        mailbox=sender.mailbox,
        started_at=now,
        finished_at=now,
        result=CanaryResult.FAILED,
        stage="token",
        cause="unknown",
        evidence=sender.problem,
        attempt=before.failures + 1,
        retry="after_fix",
    )


def as_of_now(
    known: Mapping[tuple[str, str], SenderHealth], senders: Iterable[OAuthSender], now: datetime
) -> dict[tuple[str, str], SenderHealth]:
    """What is known of the senders as they are at this moment.

    One with a `problem` has failed: its last canary may have been good, but was sent before the
    settings were changed. Of one whose mail goes elsewhere by now, nobody has seen it there.
    """
    seen = dict(known)
    for sender in senders:
        key = (sender.tenant, sender.mailbox)
        health = seen.get(key, SenderHealth(*key))
        told = health.last.evidence if health.last else ""
        if sender.problem and told != sender.problem:
            seen[key] = replace(health, last=refusal(sender, health, now))
        elif asked := health.confirmation:
            sent_to = ", ".join(sender.canary_to)
            if asked.sent_to != sent_to:
                anew = Confirmation(*key, asked.asked_at, sent_to)
                seen[key] = replace(health, confirmation=anew)
    return seen
