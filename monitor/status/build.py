"""Judges all rows at one instant and puts them in the order people need."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from monitor.cycle import CYCLE, late_since
from monitor.decide import tenant_state
from monitor.lifecycle import credential_state, days_left, successors
from monitor.model import (
    ARRIVAL_STAGE,
    CLOCK_SLACK,
    OPERATOR,
    SEVERITIES,
    UNKNOWN_AFTER,
    ArrivalNews,
    ArrivalState,
    CanaryResult,
    Credential,
    CredentialState,
    Examination,
    Ignore,
    Kind,
    Probe,
    SenderHealth,
    Side,
    Tenant,
    TenantHealth,
    TenantState,
)
from monitor.moving import needs_moving
from monitor.status.blindspots import find
from monitor.status.rows import (
    CanaryRow,
    CredentialRow,
    Facts,
    IgnoreRow,
    StatusReport,
    TenantRow,
)
from monitor.status.service import late_jobs, silent_since, unfinished_runs
from monitor.status.verdict import EXIT_FINE, exit_code, verdict

REMOVED_SHOWN_FOR = timedelta(days=30)
_A_TRY_TAKES = timedelta(minutes=30)
_TENANT_ORDER = (
    TenantState.UNKNOWN,
    TenantState.STALE,
    TenantState.PENDING,
    TenantState.OK,
    TenantState.PAUSED,
)


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
    tenant_rows = _tenant_rows(facts, states, rows, now)
    unheard = tuple(
        tenant.name
        for tenant in facts.tenants
        if not (tenant.recipients or facts.operator_listens or not tenant.active)
        and not _all_routed(facts, tenant, rows)
    )
    attempts = [row.last_attempt for row in tenant_rows if row.last_attempt]
    found = StatusReport(
        generated_at=now,
        verdict="",
        exit_code=EXIT_FINE,
        tenants=tenant_rows,
        credentials=rows,
        canaries=tuple(_canary_row(facts, key, now) for key in facts.senders),
        outbox=facts.outbox,
        mails=tuple(facts.mails),
        federated=tuple(facts.federated),
        unheard=unheard,
        beats=facts.beats,
        next_scan=min(attempts) + facts.scan_every if attempts else None,
        unfinished=unfinished_runs(facts, now),
        late_jobs=late_jobs(facts.beats, min(facts.known_since.values(), default=None)),
        silent_since=silent_since(facts.beats, now),
        ignores=_ignores(facts, rows, now),
        last_cycle=facts.beats.get(CYCLE),
        cycle_late_since=late_since(facts.beats, now),
        pulse=facts.pulse,
    )
    found = replace(found, blind_spots=find(found, facts))
    return replace(found, verdict=verdict(found), exit_code=exit_code(found))


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
                stale=states[tenant.name] is not TenantState.OK or _unread(credential),
                snooze=snooze,
                note=facts.notes.of(credential),
                ignored=_ignored(facts, credential, now),
                moving=needs_moving(credential, successor, snooze, tenant, now),
            )
        )
    rows.sort(key=_credential_order)
    return tuple(rows)


def _unread(credential: Credential) -> bool:
    """Whether the server of a watched date could not be read the last time."""
    return credential.kind is Kind.ITEM and not credential.proven


def _ignored(facts: Facts, credential: Credential, now: datetime) -> Ignore | None:
    """The rule that keeps a credential quiet which somebody would be told about else."""
    never = credential.removed_at or credential.managed_identity or credential.end is None
    return None if never or facts.router is None else facts.router.ignored_by(credential, now)


def _ignores(facts: Facts, rows: Sequence[CredentialRow], now: datetime) -> tuple[IgnoreRow, ...]:
    if facts.router is None:
        return ()
    held = Counter(id(row.ignored) for row in rows if row.ignored is not None)
    day = facts.router.today(now)
    return tuple(
        IgnoreRow(rule, held[id(rule)], due=day > rule.review)
        for rule in facts.router.policy.ignores
    )


def _all_routed(facts: Facts, tenant: Tenant, rows: Sequence[CredentialRow]) -> bool:
    """Whether rules send everything about a tenant without recipients to somebody."""
    if facts.router is None or not facts.router.policy.routes:
        return False
    mine = [row.credential for row in rows if row.tenant.name == tenant.name and not row.ignored]
    ends = [one for one in mine if one.removed_at is None and one.end is not None]
    return bool(ends) and all(
        facts.router.route(one, severity).listeners for one in ends for severity in SEVERITIES
    )


def _credential_order(row: CredentialRow) -> tuple[bool, bool, float, str, str, str]:
    end = row.credential.end
    seconds = end.timestamp() if end else float("inf")
    name = row.credential.app_name
    return (not row.needs_action, end is None, seconds, row.tenant.name, name, row.credential.uid)


def _tenant_rows(
    facts: Facts,
    states: Mapping[str, TenantState],
    rows: Sequence[CredentialRow],
    now: datetime,
) -> tuple[TenantRow, ...]:
    held = Counter(row.tenant.name for row in rows if row.state is not CredentialState.REMOVED)
    action = Counter(row.tenant.name for row in rows if row.needs_action)
    unread = _unread_dates(facts)
    result = []
    for tenant in facts.tenants:
        health = facts.health.get(tenant.name)
        state = states[tenant.name]
        untried = health is None or health.last_attempt is None
        never = "Never read." if state is TenantState.UNKNOWN and untried else None
        lost = facts.lost.get(tenant.name)
        in_the_way = _in_the_way(facts, state, health, now)
        result.append(
            TenantRow(
                tenant=tenant,
                state=state,
                last_complete=health.last_complete if health else None,
                last_attempt=health.last_attempt if health else None,
                problem=_pending_problem(tenant, state, in_the_way)
                or (health.problem if health and health.failures else never)
                or _age_problem(state, health, now)
                or (lost.problem if lost else None)
                or _unread_problem(unread.get(tenant.name, ()))
                or _other_problem(health),
                cause=health.cause if health and health.failures else None,
                failures=health.failures if health else 0,
                credentials=held[tenant.name],
                needs_action=action[tenant.name],
                lost=lost.problem if lost else None,
                blocked=bool(in_the_way),
                shadow_until=tenant.shadow_until if tenant.in_shadow(now) else None,
                examination=_examination(facts, tenant.name, "reading"),
                unread_dates=unread.get(tenant.name, ()) if tenant.active else (),
            )
        )
    result.sort(key=lambda row: (_TENANT_ORDER.index(row.state), row.tenant.name))
    return tuple(result)


def _unread_dates(facts: Facts) -> dict[str, tuple[str, ...]]:
    """The watched dates that are not known (any more), by tenant."""
    found: dict[str, tuple[str, ...]] = {}
    for kept in facts.items:
        if kept.unread:
            told = f"{kept.item.name} ({kept.item.host}): {kept.unread}"
            found[kept.item.tenant] = (*found.get(kept.item.tenant, ()), told)
    return found


def _unread_problem(unread: Sequence[str]) -> str | None:
    if not unread:
        return None
    more = f" And {len(unread) - 1} more." if len(unread) > 1 else ""
    return f"The end of a watched date is not known for sure. {unread[0].rstrip('.')}.{more}"


def _age_problem(state: TenantState, health: TenantHealth | None, now: datetime) -> str | None:
    """How old the facts are: a length of time, because each reader has a zone of its own."""
    if state in (TenantState.STALE, TenantState.UNKNOWN) and health and health.last_complete:
        hours = max(int((now - health.last_complete) / timedelta(hours=1)), 0)
        count, unit = (hours, "hour") if hours < 48 else (hours // 24, "day")
        return f"Not read in full for {count} {unit}{'' if count == 1 else 's'}."
    return None


def _in_the_way(
    facts: Facts, state: TenantState, health: TenantHealth | None, now: datetime
) -> str:
    """What of ours keeps a discovered customer waiting; empty where it is the consent alone."""
    if state is not TenantState.PENDING or health is None or not health.failures:
        return ""
    # Noted anew at each try; an older one is no longer what is the matter.
    age = now - health.last_attempt if health.last_attempt is not None else None
    recent = age is not None and age < facts.scan_every + _A_TRY_TAKES
    return health.problem or "" if recent else ""


def _pending_problem(tenant: Tenant, state: TenantState, in_the_way: str) -> str | None:
    """What a discovered customer waits for."""
    if state is not TenantState.PENDING:
        return None
    if in_the_way:
        return f"Nobody can tell whether its administrator has consented: {in_the_way}"
    show = f"lapsewatch tenant show {tenant.name}"
    return f"Its administrator has not consented yet. The link for that: {show}"


def _other_problem(health: TenantHealth | None) -> str | None:
    """What is missing although nothing failed."""
    return health.record.unseen if health and health.record else None


def _canary_row(facts: Facts, key: tuple[str, str], now: datetime) -> CanaryRow:
    health = facts.sender_health.get(key)
    last = health.last if health else None
    last_ok = health.last_ok if health else None
    doubt = health.doubt if health else ""
    arrival = _arrival(facts, key, last)
    result = _result(health, doubt, arrival)
    told = last.evidence if last else None
    return CanaryRow(
        tenant=key[0],
        mailbox=key[1],
        result=result,
        stage=last.stage if last else None,
        cause=last.cause if last else None,
        at=last.finished_at if last else None,
        last_ok=last_ok,
        evidence=doubt if result is CanaryResult.UNCONFIRMED else told,
        seconds=(last.finished_at - last.started_at).total_seconds() if last else None,
        stale=_is_unproven(facts, key[0], health, now),
        examination=_examination(facts, key[0], "sending"),
        arrival=arrival,
    )


def _arrival(facts: Facts, key: tuple[str, str], last: Probe | None) -> ArrivalNews:
    """What is known of the last test mail; of one that was never accepted nothing is."""
    known = facts.arrivals.get(key, ArrivalNews())
    if last is None or (last.result is CanaryResult.FAILED and last.stage != ARRIVAL_STAGE):
        return replace(ArrivalNews(), usual_s=known.usual_s)
    return known


def _result(health: SenderHealth | None, doubt: str, arrival: ArrivalNews) -> CanaryResult:
    """What the last test mail proved; while it is looked for, acceptance is what is known.

    A path that failed before stays failed for so long.
    """
    if health is None or health.last is None:
        return CanaryResult.NEVER
    looked_for = arrival.state in (ArrivalState.PENDING, ArrivalState.UNKNOWN)
    if looked_for and health.broken:
        return CanaryResult.FAILED
    accepted = health.last.result is CanaryResult.OK or looked_for
    return CanaryResult.OK if accepted and not doubt else _at_best(health.last.result)


def _at_best(result: CanaryResult) -> CanaryResult:
    return CanaryResult.UNCONFIRMED if result is CanaryResult.OK else result


def _examination(facts: Facts, name: str, side: Side) -> Examination | None:
    """What the doctor found, as long as that side of the tenant fails."""
    found = facts.examinations.get(name)
    return found if found is not None and side in found.sides else None


def _is_unproven(facts: Facts, tenant: str, health: SenderHealth | None, now: datetime) -> bool:
    """Whether there was no good proof in time; a sender that is new has as long for its first."""
    if health is not None and health.last is not None:
        pending = facts.arrivals.get((tenant, health.mailbox), ArrivalNews()).state
        waits = pending is ArrivalState.PENDING and health.last_ok is None
        proven = health.last.finished_at if waits else health.last_ok
        return proven is None or not -CLOCK_SLACK <= now - proven <= UNKNOWN_AFTER
    known = facts.known_since
    since = min(known.values(), default=None) if tenant == OPERATOR else known.get(tenant)
    return since is not None and now - since > UNKNOWN_AFTER
