"""Alarms and canaries become mails: about a tenant that cannot be read, a path that is broken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import uuid4
from zoneinfo import ZoneInfo

from monitor.compose import Audience, outbox_row
from monitor.decide import AlarmChange
from monitor.diagnose import Diagnosis, Rulebook
from monitor.model import (
    OPERATOR,
    Mail,
    OutboxMail,
    Probe,
    ScanRecord,
    SenderHealth,
    Tenant,
    TenantHealth,
)
from monitor.render import Renderer
from monitor.routes import Paths, choose
from monitor.senders import OAuthSender
from monitor.store import AlarmWrite


@dataclass(frozen=True, slots=True)
class CanaryFacts:
    """What a canary mail says about the credential it was sent with."""

    token_expires: datetime | None = None
    credential_ends: datetime | None = None


class AlarmWriter:
    """Writes the mails that do not wait for a daily run.

    Args:
        renderer: makes the words.
        rulebook: explains causes.
        audience: the operator: who gets alarms, and in which zone.
        domain: the domain of a path's mailbox, for Message-IDs.
    """

    def __init__(
        self,
        *,
        renderer: Renderer,
        rulebook: Rulebook,
        audience: Audience,
        domain: Callable[[str], str],
    ) -> None:
        self._renderer = renderer
        self._rulebook = rulebook
        self._audience = audience
        self._domain = domain

    def scan_alarm(
        self,
        tenant: Tenant,
        before: TenantHealth | None,
        record: ScanRecord,
        change: AlarmChange,
        paths: Paths,
        now: datetime,
    ) -> AlarmWrite | None:
        """CANNOT CHECK or RECOVERED about one tenant, or None when nothing changed."""
        if change is AlarmChange.NONE:
            return None
        first = (before.first_failure_at if before else None) or record.started_at
        health = TenantHealth(
            tenant=tenant.name,
            last_complete=before.last_complete if before else None,
            last_attempt=record.finished_at,
            failures=(before.failures if before else 0) + 1,
            cause=record.cause,
            problem=record.problem,
            first_failure_at=first,
            record=record,
        )
        about = self._rulebook.describe(record.cause or "unknown")

        def render(zone: ZoneInfo) -> Mail:
            if change is AlarmChange.CLOSE:
                return self._renderer.recovered_tenant(
                    tenant, blind_since=first, zone=zone, now=now
                )
            return self._renderer.cannot_check(
                tenant,
                health=health,
                explanation=about.explanation,
                fix=about.fix,
                zone=zone,
                now=now,
            )

        mails = self._alarm_mails(render, tenant, f"tenant:{tenant.name}", paths, now)
        return _alarm_write(change is AlarmChange.OPEN, f"tenant:{tenant.name}", mails, now)

    def canary_alarm(
        self,
        sender: OAuthSender,
        tenant: Tenant | None,
        before: SenderHealth | None,
        probe: Probe,
        diagnosis: Diagnosis,
        *,
        opens: bool,
        paths: Paths,
        now: datetime,
    ) -> AlarmWrite:
        """CANARY FAILED or RECOVERED about one sender, by another path than the broken one."""
        about = self._rulebook.describe(probe.cause)

        def render(zone: ZoneInfo) -> Mail:
            if not opens:
                since = before.first_failure_at if before else None
                return self._renderer.recovered_sender(
                    tenant_name=sender.tenant,
                    mailbox=sender.mailbox,
                    broken_since=since or probe.started_at,
                    zone=zone,
                    now=now,
                )
            return self._renderer.canary_failed(
                tenant_name=sender.tenant,
                mailbox=sender.mailbox,
                probe=probe,
                title=about.title,
                explanation=diagnosis.explanation,
                fix=diagnosis.fix,
                also=[self._rulebook.describe(cause).title for cause in diagnosis.also],
                last_ok=before.last_ok if before else None,
                since=before.first_failure_at if before else None,
                tenant=tenant,
                zone=zone,
                now=now,
            )

        scope = f"sender:{sender.tenant}"
        mails = self._alarm_mails(
            render, tenant, scope, paths, now, about_sender=sender.path if opens else None
        )
        return _alarm_write(opens, scope, mails, now)

    def canary(
        self, sender: OAuthSender, recipient: str, *, number: int, facts: CanaryFacts, now: datetime
    ) -> OutboxMail:
        """The daily test mail of one sender; it is sent by the probe, not through the outbox."""
        canary_id = uuid4().hex
        mail = self._renderer.canary(
            tenant_name=sender.tenant,
            mailbox=sender.mailbox,
            host=sender.host,
            port=sender.port,
            number=number,
            canary_id=canary_id,
            token_expires=facts.token_expires,
            credential_ends=facts.credential_ends,
            zone=ZoneInfo(sender.time_zone),
            now=now,
        )
        domain = sender.mailbox.rpartition("@")[2]
        row = outbox_row(mail, recipient, (sender.tenant,), sender.path, now, domain=domain)
        return replace(row, id=canary_id, message_id=f"<{canary_id}@{domain}>")

    def _alarm_mails(
        self,
        render: Callable[[ZoneInfo], Mail],
        tenant: Tenant | None,
        scope: str,
        paths: Paths,
        now: datetime,
        about_sender: str | None = None,
    ) -> list[OutboxMail]:
        """The same alarm to each recipient of alarms, each in its own zone."""
        recipients = self._audience.recipients or (tenant.recipients if tenant else ())
        zone_name = (
            self._audience.time_zone
            if self._audience.recipients or not tenant
            else (tenant.time_zone)
        )
        names = (tenant.name if tenant else OPERATOR,)
        mails = []
        for recipient in recipients:
            mail = render(ZoneInfo(recipient.time_zone or zone_name))
            path = choose(mail.kind, names, paths, about_sender=about_sender)
            mails.append(
                outbox_row(
                    mail,
                    recipient.address,
                    names,
                    path,
                    now,
                    domain=self._domain(path),
                    scope=scope,
                )
            )
        return mails


def _alarm_write(opens: bool, scope: str, mails: Sequence[OutboxMail], now: datetime) -> AlarmWrite:
    return AlarmWrite(change="open" if opens else "close", scope=scope, at=now, mails=tuple(mails))
