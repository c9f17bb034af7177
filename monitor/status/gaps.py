"""Blind spots that settings and rules leave: who is not reached, what is not looked at. Pure.

The other blind spots are in `blindspots`, where each part of a report is asked for its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from monitor.model import (
    OPERATOR,
    SEVERITIES,
    ArrivalState,
    BlindKind,
    BlindSpot,
    CanaryResult,
    CredentialState,
)
from monitor.routes import channel_of
from monitor.routing import Router
from monitor.status.rows import CredentialRow, Facts, StatusReport

_NAMED = 3
_OWNERS = "owners: "  # how the router begins a reason about them
_NEAR = (
    CredentialState.LAPSED, CredentialState.CRITICAL,
    CredentialState.WARNING, CredentialState.UPCOMING,
)  # fmt: skip


def owners(report: StatusReport, facts: Facts) -> Iterator[BlindSpot]:
    """Where a rule asks for the owners of what is due, and none of them can be told."""
    if facts.router is None or not any("owners" in rule.to for rule in facts.router.policy.routes):
        return
    missed: dict[str, list[tuple[CredentialRow, str]]] = defaultdict(list)
    for row in report.credentials:
        quiet = row.ignored is not None or row.credential.managed_identity
        if row.state in _NEAR and not quiet and (why := _unreached(facts.router, row)):
            missed[row.tenant.name].append((row, why))
    for name, those in missed.items():
        shown = _some([f'"{row.credential.app_name}" ({why})' for row, why in those])
        words = f"A rule sends {_count(len(those), 'credential')} to owners who cannot be told: "
        fix = "Give it an owner who reads mail, or change the rule; lapsewatch explain CREDENTIAL"
        seen = min((r.credential.first_seen for r, _ in those if r.credential.first_seen),
                   default=None)  # fmt: skip
        yield BlindSpot(BlindKind.OWNER_UNREACHED, name, f"{words}{shown}.", fix, seen)


def _unreached(router: Router, row: CredentialRow) -> str:
    """Why a rule that asks for the owners of a credential yields nobody; "" where none does."""
    asks = [number for number, rule in enumerate(router.policy.routes, 1) if "owners" in rule.to]
    for severity in SEVERITIES:
        for step in router.route(row.credential, severity).steps:
            if step.outcome == "yields_nobody" and step.rule in asks:
                told = [each for each in step.why if each.startswith(_OWNERS)]
                return ", ".join(each.removeprefix(_OWNERS) for each in told[:_NAMED])
    return ""


def usage(report: StatusReport, facts: Facts) -> Iterator[BlindSpot]:
    """Where nobody can tell that an old credential is still used after its renewal."""
    by_reason: dict[str, list[str]] = defaultdict(list)
    for row in report.tenants:
        if row.tenant.active and (why := facts.usage_problems.get(row.tenant.name)):
            by_reason[why].append(row.tenant.name)
    for why, names in sorted(by_reason.items()):
        words = f"When credentials were last used is not known: {why.rstrip('.')}"
        fix = "Grant what is missing, or see which tenants can do without: lapsewatch doctor"
        yield _shared(BlindKind.USAGE_UNREADABLE, names, words, fix)


def ignored(report: StatusReport, _: Facts) -> Iterator[BlindSpot]:
    """What a rule keeps quiet."""
    for row in report.ignores:
        if row.credentials:
            words = (
                f"{_count(row.credentials, 'credential')} ignored by rule until and including "
                f"{row.rule.review:%Y-%m-%d}, by {row.rule.author}: {row.rule.reason}"
            )
            fix = "See whether the rule still holds: [[ignore]] in the settings file."
            yield BlindSpot(BlindKind.IGNORED, None, words, fix)


def fallback(_: StatusReport, facts: Facts) -> Iterator[BlindSpot]:
    """Where nothing but mail could say that mail is broken."""
    if facts.paths is None or not facts.tenants or any(map(channel_of, facts.paths)):
        return
    words = "Where mail is broken nothing else says so: no fallback channel is set."
    fix = "Set a [[channel]] and name it in fallback of [operator]."
    yield BlindSpot(BlindKind.NO_FALLBACK, None, words, fix)


def arrival(report: StatusReport, _: Facts) -> Iterator[BlindSpot]:
    """Senders whose test mails are accepted, and nobody knows whether they arrive."""
    unchecked: list[str] = []
    for row in report.canaries:
        if row.result is not CanaryResult.OK:
            continue  # named already
        if row.arrival.state is ArrivalState.NOT_CHECKED:
            unchecked.append(row.mailbox)
        elif row.arrival.state is ArrivalState.UNKNOWN:
            name = None if row.tenant == OPERATOR else row.tenant
            told = row.arrival.evidence[:200].rstrip(".")
            words = (
                f"{row.mailbox}: nobody could look whether its test mail arrived. {told}".strip()
            )
            fix = f"lapsewatch doctor{f' --tenant {name}' if name else ''}"
            yield BlindSpot(BlindKind.ARRIVAL_UNPROVEN, name, f"{words}.", fix, row.at)
    if unchecked:
        words = f"Test mails of {_some(unchecked)} are accepted; that they arrive is not looked at."
        fix = 'Set arrival = "graph" or "trace" with the sender.'
        yield BlindSpot(BlindKind.ARRIVAL_UNPROVEN, None, words, fix)


def _shared(kind: BlindKind, names: Sequence[str], words: str, fix: str) -> BlindSpot:
    """One line for all tenants with the same gap: hundreds of the same hide what differs."""
    if len(names) == 1:
        return BlindSpot(kind, names[0], f"{words}.", fix)
    return BlindSpot(kind, None, f"{words} ({_count(len(names), 'tenant')}: {_some(names)}).", fix)


def _some(names: Iterable[str]) -> str:
    known = list(names)
    more = f" and {len(known) - _NAMED} more" if len(known) > _NAMED else ""
    return f"{', '.join(known[:_NAMED])}{more}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
