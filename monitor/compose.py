"""What was decided becomes rows of the outbox: who is told, by which path, in which words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

from monitor.decide import Decision, Told, decide, tenant_state
from monitor.lifecycle import has_lapsed, successors
from monitor.model import (
    DEFAULT_SCAN_INTERVAL,
    Credential,
    Mail,
    MailKind,
    NoticeKey,
    OutboxMail,
    Recipient,
    Snooze,
    Tenant,
    TenantHealth,
    TenantState,
)
from monitor.render import DigestItem, Renderer
from monitor.routes import Paths, choose
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
    """Writes the digests of daily runs.

    Args:
        renderer: makes the words.
        audience: the operator: who gets alarms, in which zone, how old facts may be.
        domain: the domain of a path's mailbox, for Message-IDs.
    """

    def __init__(
        self,
        *,
        renderer: Renderer,
        audience: Audience,
        domain: Callable[[str], str],
    ) -> None:
        self._renderer = renderer
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
        blind = self._blind(tenants, known.health, now)
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
            blind=blind,
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
        named = {name for name, _ in said}
        for tenant in tenants:
            if any(pair[0] is tenant for pair in (*lapsed, *covered, *blind)):
                named.add(tenant.name)
        names = tuple(tenant.name for tenant in tenants if tenant.name in named)
        return outbox_row(
            mail,
            run.address,
            names,
            path,
            now,
            domain=self._domain(path),
            notices=keys,
            run_key=run.key(now),
        )

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


def outbox_row(
    mail: Mail,
    recipient: str,
    tenants: tuple[str, ...],
    path: str,
    now: datetime,
    *,
    domain: str,
    notices: tuple[NoticeKey, ...] = (),
    scope: str | None = None,
    run_key: str | None = None,
) -> OutboxMail:
    """A row for the outbox: here Message-ID and Date are fixed, once for all copies."""
    row_id = uuid4().hex
    return OutboxMail(
        id=row_id,
        mail=mail,
        recipient=recipient,
        tenants=tenants,
        path=path,
        message_id=f"<{row_id}@{domain}>",
        date=now.replace(microsecond=0),
        notices=notices,
        scope=scope,
        run_key=run_key,
    )


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
