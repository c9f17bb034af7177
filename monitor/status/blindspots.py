"""The blind spots: everything that could not have been warned about. Pure.

Silence is proof only while this list is empty. A new sort of blind spot is a kind in
`monitor.model.blind` and either a function here or in `gaps`, if `Facts` and rows say it, or an
entry in `Facts.blind`, if another room finds it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime

from monitor.model import (
    CLOCK_SLACK,
    OPERATOR,
    BlindKind,
    BlindSpot,
    CanaryResult,
    Credential,
    CredentialState,
    TenantState,
)
from monitor.routes import OPERATOR_PATH, tenant_path
from monitor.status import gaps
from monitor.status.rows import CanaryRow, CredentialRow, Facts, StatusReport, TenantRow

_NAMED = 3
_ORDER = {kind: place for place, kind in enumerate(BlindKind)}
_EVIDENCE = 200


def find(report: StatusReport, facts: Facts) -> tuple[BlindSpot, ...]:
    """Every blind spot of a report, the gravest kind first, then by tenant.

    Args:
        report: the rows, as they are judged.
        facts: what they were made of, and `facts.blind` from other rooms.
    """
    spots = [spot for part in _PARTS for spot in part(report, facts)]
    spots += facts.blind
    return tuple(sorted(spots, key=_order))


def _order(spot: BlindSpot) -> tuple[int, str, str]:
    return _ORDER[spot.kind], spot.tenant or "", spot.words


def _service(report: StatusReport, _: Facts) -> Iterator[BlindSpot]:
    fix = "Start `lapsewatch serve` again and read its log."
    if report.silent_since is not None:
        words = "The service does not run: nothing is read and nothing is sent."
        yield BlindSpot(BlindKind.SERVICE, None, words, fix, report.silent_since)
    for job in report.late_jobs:
        words = f"The job {job.name} does not come round."
        read = "Read the service's log: look for tick_failed and tick_crashed."
        yield BlindSpot(BlindKind.SERVICE, None, words, read, job.last)
    for run in report.unfinished:
        name = None if run.job == "warn" or run.name == OPERATOR else run.name
        words = f"The {run.job} run of {run.name} was begun and not finished."
        read = "Read the service's log: it says what stops it."
        yield BlindSpot(BlindKind.SERVICE, name, words, read, run.taken_at)


def _clock(report: StatusReport, facts: Facts) -> Iterator[BlindSpot]:
    now, fix = report.generated_at, "Set this machine's clock; then: lapsewatch doctor"
    for name, at in sorted(facts.beats.items()):
        if at > now + CLOCK_SLACK:
            words = f"The service's part {name} noted a time that is still to come."
            yield BlindSpot(BlindKind.CLOCK, None, words, fix, at)
    for row in report.tenants:
        if row.last_attempt is not None and row.last_attempt > now + CLOCK_SLACK:
            words = "It was read at a time that is still to come."
            yield BlindSpot(BlindKind.CLOCK, row.tenant.name, words, fix, row.last_attempt)


def _recipients(report: StatusReport, facts: Facts) -> Iterator[BlindSpot]:
    for name in report.unheard:
        words = "Nobody is told: no recipient is set."
        fix = "Name recipients in the tenants file and import it again, or set [operator]."
        since = facts.known_since.get(name)
        yield BlindSpot(BlindKind.NO_RECIPIENT, name, words, fix, since)
    for one in facts.refused:
        tenant = one.tenants[0] if len(one.tenants) == 1 else None
        words = f"Mails to {one.address} are refused for good: {one.error[:_EVIDENCE]}"
        fix = "Mend the address in the tenants file or in [operator], and import it again."
        yield BlindSpot(BlindKind.BAD_ADDRESS, tenant, words, fix, one.since)


def _paths(report: StatusReport, facts: Facts) -> Iterator[BlindSpot]:
    if facts.paths is None:
        return
    for tenant in facts.tenants:
        if tenant.active and not {tenant_path(tenant.name), OPERATOR_PATH} & set(facts.paths):
            words = "No sender can carry its warnings: they are written and wait."
            fix = "Give it a sender in the tenants file, or set one in [operator]."
            yield BlindSpot(BlindKind.NO_PATH, tenant.name, words, fix)
    waiting = report.outbox.overdue + report.outbox.without_path
    if waiting:
        oldest = min((m.date for m in report.mails if m.is_overdue(report.generated_at)
                      or not m.path), default=None)  # fmt: skip
        words = f"{waiting} {'mail waits' if waiting == 1 else 'mails wait'} that should have gone."
        fix = "See `lapsewatch status`: each stuck mail has its last error."
        yield BlindSpot(BlindKind.MAIL_STUCK, None, words, fix, oldest)


def _senders(report: StatusReport, _: Facts) -> Iterator[BlindSpot]:
    for row in report.canaries:
        found = _sender(row)
        if found is None:
            continue
        kind, words, fix = found
        name = None if row.tenant == OPERATOR else row.tenant
        shown = f"{row.mailbox}: {words}"
        yield BlindSpot(kind, name, shown, fix, row.last_ok)


def _sender(row: CanaryRow) -> tuple[BlindKind, str, str] | None:
    own = row.tenant == OPERATOR
    name = f"'{row.tenant}'" if own else row.tenant
    if row.result is CanaryResult.FAILED:
        words = f"the last test mail failed{f' at {row.stage}' if row.stage else ''}."
        return BlindKind.SENDER_FAILING, words, f"lapsewatch doctor --tenant {name}"
    if row.result is CanaryResult.UNCONFIRMED:
        words = "nothing confirms that its test mail arrived."
        prove = "lapsewatch run canary" if own else f"lapsewatch tenant verify {name}"
        return BlindKind.SENDER_UNCONFIRMED, words, prove
    if row.result is CanaryResult.NEVER or row.stale:
        words = "never proven by a test mail." if row.last_ok is None else "not proven lately."
        return BlindKind.SENDER_UNPROVEN, words, "lapsewatch run canary"
    return None


def _tenants(report: StatusReport, facts: Facts) -> Iterator[BlindSpot]:
    for row in report.tenants:
        name, known = row.tenant.name, facts.known_since.get(row.tenant.name)
        if row.state is TenantState.PAUSED:
            fix = 'Take "paused" out of the tenants file and import it again.'
            yield BlindSpot(BlindKind.PAUSED, name, "Nothing is read.", fix, known)
            continue
        if row.state is TenantState.PENDING:
            fix = f"Its consent link: lapsewatch tenant show {name}"
            words = "Its administrator has not consented: nothing is read."
            yield BlindSpot(BlindKind.PENDING, name, words, fix, known)
        yield from _facts_of(row, facts)
        if row.lost is not None:
            fix = "Ask the customer, or: lapsewatch tenant remove"
            yield BlindSpot(BlindKind.ACCESS_LOST, name, row.lost, fix, row.last_complete)
        if row.shadow_until is not None:
            words = f"No reminders until {_day(row.shadow_until)}."
            fix = f"Start them now: lapsewatch tenant live {name}"
            yield BlindSpot(BlindKind.SHADOW, name, words, fix, known)


def _facts_of(row: TenantRow, facts: Facts) -> Iterator[BlindSpot]:
    name, health = row.tenant.name, facts.health.get(row.tenant.name)
    doctor = f"lapsewatch doctor --tenant {name}"
    incomplete = health is not None and bool(health.failures) and health.last_incomplete
    if incomplete and row.state is not TenantState.PENDING:
        words = f"The last scan did not reach its end. {row.problem or ''}".strip()
        yield BlindSpot(BlindKind.SCAN_INCOMPLETE, name, words, doctor, row.last_complete)
    elif row.state is TenantState.UNKNOWN:
        words = f"It cannot be read. {row.problem or ''}".strip()
        yield BlindSpot(BlindKind.FACTS_UNKNOWN, name, words, doctor, row.last_complete)
    elif row.state is TenantState.STALE:
        words = "It was not read lately: what is new there is not known."
        yield BlindSpot(BlindKind.FACTS_STALE, name, words, doctor, row.last_complete)
    unseen = health.record.unseen if health is not None and health.record else None
    if unseen:
        yield BlindSpot(BlindKind.UNSEEN, name, unseen, doctor, row.last_complete)


def _credentials(report: StatusReport, _: Facts) -> Iterator[BlindSpot]:
    endless: dict[str, list[Credential]] = defaultdict(list)
    for row in report.credentials:
        one = row.credential
        if row.state is CredentialState.SNOOZED:
            yield from _snoozed(row)
        alive = row.state is not CredentialState.REMOVED and not one.managed_identity
        if one.end is None and alive:
            endless[row.tenant.name].append(one)
    for name, those in endless.items():
        shown = ", ".join(f'"{one.app_name}"' for one in those[:_NAMED])
        more = f" and {len(those) - _NAMED} more" if len(those) > _NAMED else ""
        words = f"{_count(len(those), 'credential')} without an end date: {shown}{more}."
        fix = "Replace them by ones that end, or delete what nobody uses."
        if len(those) == 1:
            fix = "Replace it by one that ends, or delete it where nobody uses it."
        seen = min((one.first_seen for one in those if one.first_seen), default=None)
        yield BlindSpot(BlindKind.NO_END, name, words, fix, seen)


def _snoozed(row: CredentialRow) -> Iterator[BlindSpot]:
    snooze, end = row.snooze, row.credential.end
    if snooze is None or snooze.acked_urgency is not None:
        return
    if snooze.until is not None and (end is None or snooze.until <= end):
        return
    until = "without an end" if snooze.until is None else f"until {_day(snooze.until)}"
    words = (
        f'"{row.credential.app_name}" is snoozed {until}, past its own end, by {snooze.author}: '
        f"{snooze.reason}"
    )
    fix = f"Snooze it anew for less: lapsewatch snooze {row.credential.key_id or 'CREDENTIAL'}"
    yield BlindSpot(BlindKind.SNOOZED, row.tenant.name, words, fix, snooze.created_at)


def _operator(report: StatusReport, facts: Facts) -> Iterator[BlindSpot]:
    if not facts.operator_listens:
        words = "Nobody gets the alarms about Lapsewatch's own work, nor the report."
        yield BlindSpot(BlindKind.NO_OPERATOR, None, words, "Set recipients in [operator].")
    elif facts.paths is not None and OPERATOR_PATH not in facts.paths and facts.tenants:
        words = (
            "An alarm about a tenant can only go by that tenant's own sender, and a report about "
            "several tenants cannot go at all."
        )
        yield BlindSpot(BlindKind.NO_OPERATOR_PATH, None, words, "Set a sender in [operator].")
    pulse = report.pulse
    if not pulse.configured:
        words = "Nothing outside notices when Lapsewatch itself stops: no heartbeat is set."
        yield BlindSpot(BlindKind.NO_HEARTBEAT, None, words, "Set heartbeat_url in [operator].")
    elif pulse.failing_since is not None:
        words = f"The heartbeat cannot be sent: {pulse.problem}"
        fix = "Check heartbeat_url in [operator], and the way there."
        yield BlindSpot(BlindKind.HEARTBEAT_FAILING, None, words, fix, pulse.failing_since)


_PARTS: tuple[Callable[[StatusReport, Facts], Iterator[BlindSpot]], ...] = (
    _service, _clock, _recipients, _paths, _senders, _tenants, _credentials, _operator,
    gaps.owners, gaps.usage, gaps.ignored, gaps.fallback, gaps.arrival,
)  # fmt: skip


def _day(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
