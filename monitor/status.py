"""One StatusReport behind the page, the CLI, JSON, CSV and the metrics. Pure: rows and now in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from monitor.decide import tenant_state
from monitor.lifecycle import credential_state, days_left, successors
from monitor.model import (
    UNKNOWN_AFTER,
    CanaryResult,
    Credential,
    CredentialState,
    ObservedObject,
    OutboxMail,
    OutboxState,
    SenderHealth,
    Snooze,
    Tenant,
    TenantHealth,
    TenantState,
)

EXIT_FINE, EXIT_ACTION, EXIT_LAPSED, EXIT_UNKNOWN, EXIT_CANARY = 0, 3, 4, 5, 6
REMOVED_SHOWN_FOR = timedelta(days=30)
NEEDS_ACTION = (CredentialState.LAPSED, CredentialState.CRITICAL, CredentialState.WARNING)
_TENANT_ORDER = (
    TenantState.UNKNOWN,
    TenantState.STALE,
    TenantState.PENDING,
    TenantState.OK,
    TenantState.PAUSED,
)


@dataclass(frozen=True, slots=True)
class TenantRow:
    """One tenant as the report shows it. `problem` is None when there is none."""

    tenant: Tenant
    state: TenantState
    last_complete: datetime | None
    last_attempt: datetime | None
    problem: str | None
    cause: str | None
    failures: int
    credentials: int
    needs_action: int


@dataclass(frozen=True, slots=True)
class CredentialRow:
    """One credential as the report shows it. `as_of` is when Graph last showed it."""

    credential: Credential
    tenant: Tenant
    state: CredentialState
    days_left: int | None
    successor: Credential | None
    as_of: datetime | None
    stale: bool
    snooze: Snooze | None = None

    @property
    def needs_action(self) -> bool:
        """Whether somebody has to do something; Microsoft rotates managed identities itself."""
        return self.state in NEEDS_ACTION and not self.credential.managed_identity


@dataclass(frozen=True, slots=True)
class CanaryRow:
    """One sender and what its last test mail proved. `stale`: no good proof for 26 hours."""

    tenant: str
    mailbox: str
    result: CanaryResult
    stage: str | None
    cause: str | None
    at: datetime | None
    last_ok: datetime | None
    evidence: str | None
    seconds: float | None
    stale: bool


@dataclass(frozen=True, slots=True)
class StatusReport:
    """What needs action and what is unknown, at one instant."""

    generated_at: datetime
    verdict: str
    exit_code: int
    tenants: tuple[TenantRow, ...]
    credentials: tuple[CredentialRow, ...]
    canaries: tuple[CanaryRow, ...]
    waiting: tuple[OutboxMail, ...] = ()
    dead: tuple[OutboxMail, ...] = ()
    federated: tuple[tuple[str, ObservedObject], ...] = ()  # what trusts a foreign identity
    unheard: tuple[str, ...] = ()  # tenants whose warnings have no recipient at all
    beats: Mapping[str, datetime] = field(default_factory=dict)
    next_scan: datetime | None = None

    @property
    def action_rows(self) -> tuple[CredentialRow, ...]:
        """What needs action, soonest end first."""
        return tuple(row for row in self.credentials if row.needs_action)

    def tenant_counts(self) -> dict[str, int]:
        """How many tenants are in each state (only states that occur)."""
        return dict(Counter(str(row.state) for row in self.tenants))

    def credential_counts(self) -> dict[str, int]:
        """How many credentials are in each state (only states that occur)."""
        return dict(Counter(str(row.state) for row in self.credentials))

    def canary_counts(self) -> dict[str, int]:
        """How many senders have each result (only results that occur)."""
        return dict(Counter(str(row.result) for row in self.canaries))


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything a report is made of, as the store and the settings give it."""

    tenants: Sequence[Tenant]
    credentials: Sequence[Credential]
    health: Mapping[str, TenantHealth]
    senders: Sequence[tuple[str, str]]  # (tenant or "(operator)", mailbox) of every sender
    sender_health: Mapping[tuple[str, str], SenderHealth]
    snoozes: Mapping[tuple[str, str, int], Snooze]
    outbox: Sequence[OutboxMail]
    beats: Mapping[str, datetime]
    scan_every: timedelta
    federated: Sequence[tuple[str, ObservedObject]] = ()
    operator_listens: bool = True  # whether the operator has recipients for what has none


def build_report(facts: Facts, *, now: datetime) -> StatusReport:
    """Judge all rows at `now` (aware UTC) and put them in the order people need.

    Unknown tenants come first; credentials that need action come first, soonest end first.
    """
    tenants = {tenant.name: tenant for tenant in facts.tenants}
    states = {
        name: tenant_state(tenant, facts.health.get(name), facts.scan_every, now)
        for name, tenant in tenants.items()
    }
    rows = _credential_rows(facts, tenants, states, now)
    tenant_rows = _tenant_rows(facts, states, rows)
    canaries = tuple(_canary_row(facts, key, now) for key in facts.senders)
    waiting = tuple(
        mail for mail in facts.outbox if mail.state in (OutboxState.PENDING, OutboxState.SENDING)
    )
    dead = tuple(mail for mail in facts.outbox if mail.state is OutboxState.DEAD)
    unheard = tuple(
        tenant.name
        for tenant in facts.tenants
        if not (tenant.recipients or facts.operator_listens or tenant.paused)
    )
    attempts = [row.last_attempt for row in tenant_rows if row.last_attempt]
    return StatusReport(
        generated_at=now,
        verdict=_verdict(tenant_rows, rows, canaries, _mail_parts(waiting, dead, unheard)),
        exit_code=_exit_code(
            tenant_rows, rows, canaries, bool(_mail_parts(waiting, dead, unheard))
        ),
        tenants=tenant_rows,
        credentials=rows,
        canaries=canaries,
        waiting=waiting,
        dead=dead,
        federated=tuple(facts.federated),
        unheard=unheard,
        beats=facts.beats,
        next_scan=min(attempts) + facts.scan_every if attempts else None,
    )


def _credential_rows(
    facts: Facts,
    tenants: Mapping[str, Tenant],
    states: Mapping[str, TenantState],
    now: datetime,
) -> tuple[CredentialRow, ...]:
    shown = [
        credential
        for credential in facts.credentials
        if credential.tenant in tenants
        and (credential.removed_at is None or now - credential.removed_at <= REMOVED_SHOWN_FOR)
    ]
    newer = successors(shown, now)
    zones = {name: ZoneInfo(tenant.time_zone) for name, tenant in tenants.items()}
    rows = []
    for credential in shown:
        tenant = tenants[credential.tenant]
        zone = zones[tenant.name]
        successor = newer.get((credential.tenant, credential.uid))
        snooze = facts.snoozes.get((credential.tenant, credential.uid, credential.life))
        rows.append(
            CredentialRow(
                credential=credential,
                tenant=tenant,
                state=credential_state(credential, successor, snooze, tenant.thresholds, now, zone),
                days_left=days_left(credential.end, now, zone),
                successor=successor,
                as_of=credential.observed_at,
                stale=states[tenant.name] is not TenantState.OK,
                snooze=snooze,
            )
        )
    rows.sort(key=_credential_order)
    return tuple(rows)


def _credential_order(row: CredentialRow) -> tuple[bool, bool, float, str, str, str]:
    end = row.credential.end
    seconds = end.timestamp() if end else float("inf")
    name = row.credential.app_name
    return (not row.needs_action, end is None, seconds, row.tenant.name, name, row.credential.uid)


def _tenant_rows(
    facts: Facts, states: Mapping[str, TenantState], rows: Sequence[CredentialRow]
) -> tuple[TenantRow, ...]:
    held = Counter(row.tenant.name for row in rows if row.state is not CredentialState.REMOVED)
    action = Counter(row.tenant.name for row in rows if row.needs_action)
    result = []
    for tenant in facts.tenants:
        health = facts.health.get(tenant.name)
        state = states[tenant.name]
        untried = health is None or health.last_attempt is None
        never = "Never read." if state is TenantState.UNKNOWN and untried else None
        result.append(
            TenantRow(
                tenant=tenant,
                state=state,
                last_complete=health.last_complete if health else None,
                last_attempt=health.last_attempt if health else None,
                problem=(health.problem if health and health.failures else never)
                or _age_problem(state, health),
                cause=health.cause if health and health.failures else None,
                failures=health.failures if health else 0,
                credentials=held[tenant.name],
                needs_action=action[tenant.name],
            )
        )
    result.sort(key=lambda row: (_TENANT_ORDER.index(row.state), row.tenant.name))
    return tuple(result)


def _age_problem(state: TenantState, health: TenantHealth | None) -> str | None:
    if state in (TenantState.STALE, TenantState.UNKNOWN) and health and health.last_complete:
        return f"Not read since {health.last_complete:%Y-%m-%d %H:%M} UTC."
    return None


def _canary_row(facts: Facts, key: tuple[str, str], now: datetime) -> CanaryRow:
    health = facts.sender_health.get(key)
    last = health.last if health else None
    last_ok = health.last_ok if health else None
    return CanaryRow(
        tenant=key[0],
        mailbox=key[1],
        result=last.result if last else CanaryResult.NEVER,
        stage=last.stage if last else None,
        cause=last.cause if last else None,
        at=last.finished_at if last else None,
        last_ok=last_ok,
        evidence=last.evidence if last else None,
        seconds=(last.finished_at - last.started_at).total_seconds() if last else None,
        stale=last is not None and (last_ok is None or now - last_ok > UNKNOWN_AFTER),
    )


def _exit_code(
    tenants: Sequence[TenantRow],
    rows: Sequence[CredentialRow],
    canaries: Sequence[CanaryRow],
    mail_in_trouble: bool,
) -> int:
    """The highest code that applies. Mail that nobody carries, or gets, needs action as well."""
    code = EXIT_FINE
    stale = any(row.state is TenantState.STALE for row in tenants)
    unproven = any(row.stale for row in canaries)
    if any(row.needs_action for row in rows) or stale or unproven or mail_in_trouble:
        code = EXIT_ACTION
    if any(row.state is CredentialState.LAPSED and row.needs_action for row in rows):
        code = EXIT_LAPSED
    if any(row.state is TenantState.UNKNOWN for row in tenants):
        code = EXIT_UNKNOWN
    if any(row.result is CanaryResult.FAILED for row in canaries):
        code = EXIT_CANARY
    return code


def _verdict(
    tenants: Sequence[TenantRow],
    rows: Sequence[CredentialRow],
    canaries: Sequence[CanaryRow],
    mail_parts: Sequence[str],
) -> str:
    if not tenants:
        return "No tenant is watched yet. Add some with: lapsewatch tenant import FILE"
    parts = [*_alarm_parts(tenants, rows, canaries), *mail_parts]
    if parts:
        return "; ".join(parts) + "."
    read = sum(row.state is TenantState.OK for row in tenants)
    if not read:
        return "Nothing is read: every tenant is paused or waits for consent."
    return f"All is well: {_count(read, 'tenant')} read, nothing needs action." + (
        f" {_count(len(canaries), 'mail path')} proven." if _all_proven(canaries) else ""
    )


def _all_proven(canaries: Sequence[CanaryRow]) -> bool:
    return bool(canaries) and all(
        row.result is CanaryResult.OK and not row.stale for row in canaries
    )


def _alarm_parts(
    tenants: Sequence[TenantRow], rows: Sequence[CredentialRow], canaries: Sequence[CanaryRow]
) -> list[str]:
    lapsed = sum(row.state is CredentialState.LAPSED and row.needs_action for row in rows)
    soon = sum(row.needs_action for row in rows) - lapsed
    unknown = sum(row.state is TenantState.UNKNOWN for row in tenants)
    stale = sum(row.state is TenantState.STALE for row in tenants)
    failed = sum(row.result is CanaryResult.FAILED for row in canaries)
    parts = []
    if lapsed:
        parts.append(f"{_count(lapsed, 'credential')} lapsed")
    if soon:
        more = f"{soon} more" if lapsed else _count(soon, "credential")
        parts.append(f"{more} {'needs' if soon == 1 else 'need'} action")
    if unknown:
        verb = "is" if unknown == 1 else "are"
        parts.append(f"{_count(unknown, 'tenant')} {verb} unknown (not fully read)")
    if stale:
        parts.append(f"{_count(stale, 'tenant')} not read recently")
    if failed:
        parts.append(f"the mail path fails for {failed} of {_count(len(canaries), 'sender')}")
    old = sum(row.stale and row.result is not CanaryResult.FAILED for row in canaries)
    if old:
        parts.append(f"{_count(old, 'mail path')} not proven for 26 hours")
    return parts


def _mail_parts(
    waiting: Sequence[OutboxMail], dead: Sequence[OutboxMail], unheard: Sequence[str]
) -> list[str]:
    stuck = sum(not mail.path for mail in waiting)
    parts = []
    if stuck:
        parts.append(f"{_count(stuck, 'mail')} waiting with no path to send by")
    if dead:
        parts.append(f"{_count(len(dead), 'mail')} could not be delivered")
    if unheard:
        some = ", ".join(unheard[:3]) + (" …" if len(unheard) > 3 else "")
        parts.append(f"nobody is told about {some} (no recipient is set)")
    return parts


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
