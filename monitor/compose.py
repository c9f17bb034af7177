"""What was decided becomes rows of the outbox: who is told, by which path, in which words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

from monitor.decide import AlarmChange, Decision, Told, decide, tenant_state
from monitor.diagnose import Diagnosis, Rulebook
from monitor.lifecycle import has_lapsed, successors
from monitor.model import (
    DEFAULT_SCAN_INTERVAL,
    OPERATOR,
    Credential,
    Mail,
    MailKind,
    NoticeKey,
    OutboxMail,
    Probe,
    Recipient,
    ScanRecord,
    SenderHealth,
    Snooze,
    Tenant,
    TenantHealth,
    TenantState,
)
from monitor.render import DigestItem, Renderer
from monitor.routes import Paths, choose, tenant_path
from monitor.senders import OAuthSender
from monitor.store import AlarmWrite
from monitor.timetable import next_daily

SnoozeKey = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Audience:
    """The operator, as far as mails care: who gets alarms, where and when, and what is stale."""

    recipients: tuple[Recipient, ...] = ()
    time_zone: str = "UTC"
    send_hour: int = 8
    scan_every: timedelta = DEFAULT_SCAN_INTERVAL


@dataclass(frozen=True, slots=True)
class RecipientRun:
    """One daily run: everything one address is told in one zone, at one local hour."""

    address: str
    zone: str
    send_hour: int
    tenants: tuple[Tenant, ...]

    @property
    def scope(self) -> str:
        """The name of this run among the slots."""
        return f"{self.address.lower()}|{self.zone}"

    def key(self, now: datetime) -> str:
        """The name of this run on the local date of `now`."""
        return f"{self.scope}|{now.astimezone(ZoneInfo(self.zone)).date()}"


def recipient_runs(tenants: Iterable[Tenant], audience: Audience) -> list[RecipientRun]:
    """Who has to be asked about daily: one address with two zones has two runs."""
    found: dict[tuple[str, str], tuple[str, int, list[Tenant]]] = {}
    for tenant in tenants:
        for recipient in tenant.recipients or audience.recipients:
            zone, hour = _zone_and_hour(recipient, tenant, audience)
            key = (recipient.address.lower(), zone)
            found.setdefault(key, (recipient.address, hour, []))[2].append(tenant)
    return [
        RecipientRun(address, zone, hour, tuple(dict.fromkeys(members)))
        for (_, zone), (address, hour, members) in sorted(found.items())
    ]


def _zone_and_hour(recipient: Recipient, tenant: Tenant, audience: Audience) -> tuple[str, int]:
    if tenant.recipients:
        zone, hour = tenant.time_zone, tenant.send_hour
    else:
        zone, hour = audience.time_zone, audience.send_hour
    own_hour = recipient.send_hour
    return recipient.time_zone or zone, hour if own_hour is None else own_hour


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What the store knows that a digest needs, for all tenants of one run."""

    credentials: Mapping[str, Sequence[Credential]]
    health: Mapping[str, TenantHealth]
    told: Mapping[SnoozeKey, tuple[int | None, bool]]
    snoozes: Mapping[SnoozeKey, Snooze]


class Composer:
    """Writes outbox rows.

    Args:
        renderer: makes the words.
        rulebook: explains causes.
        audience: the operator: who gets alarms, in which zone, how old facts may be.
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

    def digests(
        self, run: RecipientRun, known: Knowledge, paths: Paths, now: datetime
    ) -> tuple[list[OutboxMail], list[Decision]]:
        """One digest per sending path that has something to say, and every decision made."""
        zone = ZoneInfo(run.zone)
        told = {key: Told(level, covered) for key, (level, covered) in known.told.items()}
        decisions: dict[str, list[Decision]] = {
            tenant.name: decide(
                known.credentials.get(tenant.name, ()),
                tenant=tenant,
                zone=zone,
                told=told,
                snoozes=known.snoozes,
                now=now,
            )
            for tenant in run.tenants
        }
        by_path: dict[str, list[Tenant]] = {}
        for tenant in run.tenants:
            path = choose(MailKind.REMINDER, [tenant.name], paths)
            by_path.setdefault(path, []).append(tenant)
        mails = []
        for path, tenants in by_path.items():
            mail = self._digest(run, path, tenants, decisions, known, now)
            if mail is not None:
                mails.append(mail)
        return mails, [decision for found in decisions.values() for decision in found]

    def _digest(
        self,
        run: RecipientRun,
        path: str,
        tenants: Sequence[Tenant],
        decisions: Mapping[str, Sequence[Decision]],
        known: Knowledge,
        now: datetime,
    ) -> OutboxMail | None:
        zone = ZoneInfo(run.zone)
        items = [
            DigestItem(tenant, decision.notice)
            for tenant in tenants
            for decision in decisions[tenant.name]
            if decision.notice is not None
        ]
        if not items:
            return None
        said = {(item.tenant.name, item.notice.credential.uid) for item in items}
        lapsed, covered = _also_worth_saying(tenants, decisions, said, now)
        mail = self._renderer.digest(
            items,
            recipient=run.address,
            zone=zone,
            now=now,
            as_of={
                name: health.facts_at
                for name, health in known.health.items()
                if health.facts_at is not None
            },
            covered=covered,
            still_lapsed=lapsed,
            blind=self._blind(tenants, known.health, now),
            next_run=next_daily(now, time(run.send_hour), zone),
        )
        keys = tuple(
            NoticeKey(
                tenant=item.tenant.name,
                uid=item.notice.credential.uid,
                life=item.notice.credential.life,
                recipient=run.address,
                stage=str(item.notice.stage),
                level=item.notice.level,
                kind=item.notice.kind,
            )
            for item in items
        )
        names = tuple(tenant.name for tenant in tenants)
        return self._row(mail, run.address, names, path, now, notices=keys, run_key=run.key(now))

    def _blind(
        self, tenants: Sequence[Tenant], health: Mapping[str, TenantHealth], now: datetime
    ) -> list[tuple[Tenant, TenantHealth]]:
        found = []
        for tenant in tenants:
            known = health.get(tenant.name)
            state = tenant_state(tenant, known, self._audience.scan_every, now)
            if known is not None and state in (TenantState.STALE, TenantState.UNKNOWN):
                found.append((tenant, known))
        return found

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
        row = self._row(mail, recipient, (sender.tenant,), sender.path, now)
        domain = sender.mailbox.rpartition("@")[2]
        return _with_id(row, canary_id, domain)

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
            mails.append(self._row(mail, recipient.address, names, path, now, scope=scope))
        return mails

    def _row(
        self,
        mail: Mail,
        recipient: str,
        tenants: tuple[str, ...],
        path: str,
        now: datetime,
        *,
        notices: tuple[NoticeKey, ...] = (),
        scope: str | None = None,
        run_key: str | None = None,
    ) -> OutboxMail:
        row_id = uuid4().hex
        return OutboxMail(
            id=row_id,
            mail=mail,
            recipient=recipient,
            tenants=tenants,
            path=path,
            message_id=f"<{row_id}@{self._domain(path)}>",
            date=now.replace(microsecond=0),
            notices=notices,
            scope=scope,
            run_key=run_key,
        )


@dataclass(frozen=True, slots=True)
class CanaryFacts:
    """What a canary mail says about the credential it was sent with."""

    token_expires: datetime | None = None
    credential_ends: datetime | None = None


def _with_id(row: OutboxMail, canary_id: str, domain: str) -> OutboxMail:
    return replace(row, id=canary_id, message_id=f"<{canary_id}@{domain}>")


def _alarm_write(opens: bool, scope: str, mails: Sequence[OutboxMail], now: datetime) -> AlarmWrite:
    return AlarmWrite(change="open" if opens else "close", scope=scope, at=now, mails=tuple(mails))


def _also_worth_saying(
    tenants: Sequence[Tenant],
    decisions: Mapping[str, Sequence[Decision]],
    said: set[tuple[str, str]],
    now: datetime,
) -> tuple[list[tuple[Tenant, Credential]], list[tuple[Tenant, Credential, Credential]]]:
    """What a digest repeats without a notice: the long lapsed, and what a newer one covers."""
    lapsed: list[tuple[Tenant, Credential]] = []
    covered: list[tuple[Tenant, Credential, Credential]] = []
    for tenant in tenants:
        present = [
            decision.credential
            for decision in decisions[tenant.name]
            if decision.credential.removed_at is None and not decision.credential.managed_identity
        ]
        newer = successors(present, now)
        silent = {
            decision.credential.uid for decision in decisions[tenant.name] if decision.silenced
        }
        for credential in present:
            if (tenant.name, credential.uid) in said or credential.uid in silent:
                continue
            successor = newer.get((credential.tenant, credential.uid))
            if successor is not None:
                covered.append((tenant, credential, successor))
            elif credential.end is not None and has_lapsed(credential.end, now):
                lapsed.append((tenant, credential))
    return lapsed, covered


__all__ = ["CanaryFacts", "Composer", "Knowledge", "RecipientRun", "recipient_runs", "tenant_path"]
