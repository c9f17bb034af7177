"""Alarms and canaries become mails: about a tenant that cannot be read, a path that is broken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from monitor.arrival import promise, subject_mark
from monitor.compose import outbox_row
from monitor.diagnose import Diagnosis, Rulebook
from monitor.findings import explains
from monitor.model import (
    OPERATOR,
    AlarmChange,
    Examination,
    Mail,
    OutboxMail,
    Probe,
    Recipient,
    ScanRecord,
    SenderHealth,
    Tenant,
    TenantHealth,
)
from monitor.recipients import Audience
from monitor.render import Renderer
from monitor.routes import Paths, choose, sender_scope
from monitor.senders import OAuthSender
from monitor.store import AlarmWrite


@dataclass(frozen=True, slots=True)
class CanaryLetter:
    """What a canary says of itself: its id and number, and how long token and credential hold."""

    number: int
    credential_ends: datetime | None
    token_expires: datetime | None = None
    id: str = ""

    def message_id(self, mailbox: str) -> str:
        """The Message-ID of the canary that this mailbox sends."""
        return f"<{self.id}@{mailbox.rpartition('@')[2]}>"


@dataclass(frozen=True, slots=True)
class AlarmNews:
    """What holds at the moment an alarm is written.

    Args:
        paths: the sending paths, and which are broken.
        now: the instant, aware UTC.
        heard: the addresses that were told of the alarm that stands.
    """

    paths: Paths
    now: datetime
    heard: tuple[str, ...] = ()


class AlarmWriter:
    """Writes the mails that do not wait for a daily run.

    Args:
        renderer: makes the words.
        rulebook: explains causes.
        audience: the operator: who gets alarms, and in which zone.
    """

    def __init__(
        self,
        *,
        renderer: Renderer,
        rulebook: Rulebook,
        audience: Audience,
    ) -> None:
        self._renderer = renderer
        self._rulebook = rulebook
        self._audience = audience

    def scan_alarm(
        self,
        tenant: Tenant,
        before: TenantHealth | None,
        record: ScanRecord,
        change: AlarmChange,
        news: AlarmNews,
        examination: Examination | None = None,
    ) -> AlarmWrite | None:
        """CANNOT CHECK or RECOVERED about one tenant, or None when there is nothing to say.

        The doctor's cause is told where it is more precise than that of the reply.
        """
        if change is AlarmChange.NONE:
            return None
        first = (before.first_failure_at if before else None) or record.started_at
        health = _failing(tenant, before, record, first)
        about = self._rulebook.describe(record.cause or "unknown")
        told = explains(examination, "reading", record.cause or "unknown")

        def render(zone: ZoneInfo) -> Mail:
            if change is AlarmChange.CLOSE:
                return self._renderer.recovered_tenant(
                    tenant, blind_since=first, zone=zone, now=news.now,
                    cause=before.cause if before else None,
                )  # fmt: skip
            return self._renderer.cannot_check(
                tenant,
                health=health,
                explanation=told.explanation if told else about.explanation,
                fix=told.fix if told else about.fix,
                finding=told,
                zone=zone,
                now=news.now,
            )

        mails = self._alarm_mails(render, tenant, f"tenant:{tenant.name}", change, news)
        return AlarmWrite(change, f"tenant:{tenant.name}", news.now, tuple(mails))

    def canary_alarm(
        self,
        sender: OAuthSender,
        tenant: Tenant | None,
        before: SenderHealth | None,
        probe: Probe,
        diagnosis: Diagnosis,
        *,
        change: AlarmChange,
        news: AlarmNews,
        examination: Examination | None = None,
    ) -> AlarmWrite | None:
        """CANARY FAILED or RECOVERED about one sender, by another path than the broken one.

        None when there is nothing to say. The doctor's cause is told where it is more precise
        than that of the reply.
        """
        if change is AlarmChange.NONE:
            return None
        told = explains(examination, "sending", probe.cause, diagnosis.also)
        about = self._rulebook.describe((told.cause if told else None) or probe.cause)
        also = told.also if told else diagnosis.also
        since = before.first_failure_at if before else None

        def render(zone: ZoneInfo) -> Mail:
            if change is AlarmChange.CLOSE:
                return self._recovered(sender, before, since or probe.started_at, zone, news.now)
            return self._renderer.canary_failed(
                tenant_name=sender.tenant,
                mailbox=sender.mailbox,
                probe=probe,
                title=about.title,
                explanation=told.explanation if told else diagnosis.explanation,
                fix=told.fix if told else diagnosis.fix,
                also=[self._explained(cause) for cause in also],
                finding=told,
                last_ok=before.last_ok if before else None,
                since=since,
                tenant=tenant,
                zone=zone,
                now=news.now,
            )

        scope = sender_scope(sender.tenant, sender.mailbox)
        broken = None if change is AlarmChange.CLOSE else sender.path
        mails = self._alarm_mails(render, tenant, scope, change, news, about_sender=broken)
        return AlarmWrite(change, scope, news.now, tuple(mails))

    def _explained(self, cause: str) -> str:
        """A cause as one of several, with what it is: a bare name tells nobody how to look."""
        about = self._rulebook.describe(cause)
        return f"{about.title}. {about.explanation}"

    def _recovered(
        self,
        sender: OAuthSender,
        before: SenderHealth | None,
        broken_since: datetime,
        zone: ZoneInfo,
        now: datetime,
    ) -> Mail:
        last = before.last if before else None
        return self._renderer.recovered_sender(
            tenant_name=sender.tenant,
            mailbox=sender.mailbox,
            broken_since=broken_since,
            zone=zone,
            now=now,
            cause=last.cause if last else None,
        )

    def canary(
        self, sender: OAuthSender, recipient: str, letter: CanaryLetter, now: datetime
    ) -> OutboxMail:
        """The daily test mail of one sender; it is sent by the probe, not through the outbox."""
        mail = self._renderer.canary(
            tenant_name=sender.tenant,
            mailbox=sender.mailbox,
            host=sender.host,
            port=sender.port,
            number=letter.number,
            canary_id=letter.id,
            token_expires=letter.token_expires,
            credential_ends=letter.credential_ends,
            zone=ZoneInfo(sender.time_zone),
            now=now,
            mark=subject_mark(letter.id) if sender.arrival else "",
            proof=promise(sender.arrival),
        )
        row = outbox_row(mail, recipient, (sender.tenant,), sender.path, now, domain="")
        return replace(row, id=letter.id, message_id=letter.message_id(sender.mailbox))

    def _alarm_mails(
        self,
        render: Callable[[ZoneInfo], Mail],
        tenant: Tenant | None,
        scope: str,
        change: AlarmChange,
        news: AlarmNews,
        about_sender: str | None = None,
    ) -> list[OutboxMail]:
        """The same alarm to each recipient of alarms, each in its own zone.

        The end is also for who heard of the beginning and is no recipient any more.
        """
        own = not self._audience.recipients and tenant is not None
        zone_name = tenant.time_zone if own and tenant else self._audience.time_zone
        recipients = tenant.recipients if own and tenant else self._audience.recipients
        if change is AlarmChange.CLOSE:
            listed = {recipient.address.lower() for recipient in recipients}
            former = (address for address in news.heard if address.lower() not in listed)
            recipients = (*recipients, *(Recipient(address) for address in former))
        names = (tenant.name if tenant else OPERATOR,)
        mails = []
        for recipient in recipients:
            wished = self._audience.policy.wishes(recipient).time_zone
            mail = render(ZoneInfo(wished or zone_name))
            path = choose(mail.kind, names, news.paths, about_sender=about_sender)
            domain = news.paths.domain(path)
            mails.append(
                outbox_row(
                    mail, recipient.address, names, path, news.now, domain=domain, scope=scope
                )
            )
        return mails


def _failing(
    tenant: Tenant, before: TenantHealth | None, record: ScanRecord, first: datetime
) -> TenantHealth:
    """The tenant's health with this failed attempt in it, as the mail shows it."""
    return TenantHealth(
        tenant=tenant.name,
        last_complete=before.last_complete if before else None,
        last_attempt=record.finished_at,
        failures=(before.failures if before else 0) + 1,
        cause=record.cause,
        problem=record.problem,
        first_failure_at=first,
        record=record,
    )
