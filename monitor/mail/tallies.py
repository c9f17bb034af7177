"""The numbers of a report: what is counted adds up, and what is counted aside says why. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from monitor.mail import words
from monitor.model import OPERATOR, CanaryResult, CredentialState, TenantState
from monitor.status import CanaryRow, CredentialRow, StatusReport

# What needs action comes before the others; the gravest first.
_ORDER = (
    CredentialState.LAPSED, CredentialState.CRITICAL, CredentialState.WARNING,
    CredentialState.UPCOMING, CredentialState.SNOOZED, CredentialState.SUPERSEDED,
    CredentialState.OK,
)  # fmt: skip
_USED = "superseded and still used"
_MANAGED = "of managed identities (Microsoft renews them)"
_IGNORED = "ignored by rule"


def count(number: int, noun: str) -> str:
    """How many of what: "1 tenant", "4 tenants"."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def need(number: int) -> str:
    """How many of those just named need action: "1 needs action", "4 need action"."""
    return f"{number} {'needs' if number == 1 else 'need'} action"


def named(rows: Sequence[CredentialRow], most: int, *, where: bool = False) -> str:
    """Credentials by their apps, at most so many and how many more; `where` adds the tenants."""
    shown = [
        f'"{words.defang(row.credential.app_name) or "(no name)"}"'
        + (f" in {words.defang(row.tenant.name)}" if where else "")
        for row in rows[:most]
    ]
    return ", ".join(shown) + (f" and {len(rows) - most} more" if len(rows) > most else "")


def tenants(report: StatusReport) -> str:
    """How many tenants are in which state; one that was read is not for that all right."""
    counts = Counter(state_word(row.state) for row in report.tenants)
    return _list(counts) or "none"


def state_word(state: TenantState) -> str:
    """What a tenant's state is called beside what is known of it: `ok` only says that it is."""
    return "read" if state is TenantState.OK else str(state)


def credentials(report: StatusReport) -> str:
    """All that are watched, and of these what needs action; the same numbers as in the subject."""
    alive = [row for row in report.credentials if row.state is not CredentialState.REMOVED]
    action = Counter(_sort(row) for row in alive if row.needs_action)
    rest = Counter(_sort(row) for row in alive if not row.needs_action)
    total = action.total()
    said = [f"{need(total)} ({_list(_sorted(action))})"] if total else []
    said += [_list(_sorted(rest))] if rest else []
    removed = len(report.credentials) - len(alive)
    beside = f"; not counted: {removed} removed in the last 30 days" if removed else ""
    return (f"{len(alive)}: {', '.join(said)}" if said else "none") + beside


def _sort(row: CredentialRow) -> str:
    if row.credential.managed_identity:
        return _MANAGED
    if row.ignored is not None:
        return _IGNORED
    return _USED if row.moving else str(row.state)


def _sorted(counts: Mapping[str, int]) -> dict[str, int]:
    order = [*map(str, _ORDER[:3]), _USED, *map(str, _ORDER[3:]), _MANAGED, _IGNORED]
    return {word: counts[word] for word in order if counts.get(word)}


def paths(report: StatusReport) -> str:
    """How many mail paths are how, in the words of the tenants' rows; the operator's own beside."""
    theirs = [row for row in report.canaries if row.tenant != OPERATOR]
    said = [_list(Counter(map(path_word, theirs)))] if theirs else []
    said += [f"the operator's own: {path_word(r)}" for r in report.canaries if r.tenant == OPERATOR]
    without = len(report.tenants) - len({row.tenant for row in theirs})
    if without > 0:
        said.append(f"{count(without, 'tenant')} without a sender of {_own(without)}")
    return "; ".join(said) or "none"


def _own(number: int) -> str:
    return "its own" if number == 1 else "their own"


def path_word(row: CanaryRow) -> str:
    """What is known of a mail path; what was good too long ago proves nothing."""
    if row.stale and row.result is CanaryResult.OK:
        return "not proven lately"
    return "never proven" if row.result is CanaryResult.NEVER else str(row.result)


def _list(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {word}" for word, number in counts.items())
