"""Puts a StatusReport in the order in which the page tells it: alarms first, proof last."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from monitor.lifecycle import CRITICAL_DAYS
from monitor.model import CanaryResult, CredentialState, OutboxMail, OutboxState, TenantState
from monitor.status import (
    EXIT_ACTION,
    EXIT_FINE,
    SCHEDULER,
    CanaryRow,
    CredentialRow,
    StatusReport,
    TenantRow,
    UnfinishedRun,
)

FOLDED_ROWS = 500  # of one group; the rest is in the CSV and the JSON
LISTED_MAILS = 100
OPEN_TENANTS = 30  # beyond this the list of all tenants starts folded
LISTED_RUNS = 100


@dataclass(frozen=True, slots=True)
class Mood:
    """The verdict in one word; `kind` picks its colour and shape."""

    kind: str
    word: str


@dataclass(frozen=True, slots=True)
class Tile:
    """A number people look for, and where on the page its rows are."""

    kind: str
    value: int
    label: str
    target: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """Credentials that need nothing, folded. `total` counts those that are cut off, too."""

    key: str
    title: str
    note: str
    rows: tuple[CredentialRow, ...]
    total: int


@dataclass(frozen=True, slots=True)
class PageView:
    """All parts of the page, in its order."""

    mood: Mood
    verdict_head: str
    verdict_rest: str
    tiles: tuple[Tile, ...]
    blind: tuple[TenantRow, ...]
    action: tuple[CredentialRow, ...]
    canaries: tuple[CanaryRow, ...]
    mails: tuple[OutboxMail, ...]
    mails_total: int
    unfinished: tuple[UnfinishedRun, ...]
    undone: int
    groups: tuple[Group, ...]
    tenants_open: bool
    oldest_facts: datetime | None
    newest_facts: datetime | None
    never_read: int
    heartbeat: datetime | None


def arrange(report: StatusReport) -> PageView:
    """Sort the rows of a report into the parts of the page; decides no state itself."""
    watched = [row for row in report.tenants if row.tenant.active]
    read = [row.last_complete for row in watched if row.last_complete]
    verdict_head, _, verdict_rest = report.verdict.partition("; ")
    return PageView(
        mood=_mood(report),
        verdict_head=verdict_head,
        verdict_rest=verdict_rest,
        tiles=_tiles(report),
        blind=tuple(
            row for row in report.tenants if row.state in (TenantState.UNKNOWN, TenantState.STALE)
        ),
        action=report.action_rows,
        canaries=tuple(sorted(report.canaries, key=_canary_order)),
        mails=report.mails[:LISTED_MAILS],
        mails_total=report.outbox.waiting + report.outbox.dead,
        unfinished=report.unfinished[:LISTED_RUNS],
        undone=len(report.late_jobs) + len(report.unfinished),
        groups=_groups(report),
        tenants_open=len(report.tenants) <= OPEN_TENANTS,
        oldest_facts=min(read, default=None),
        newest_facts=max(read, default=None),
        never_read=sum(row.last_complete is None for row in watched),
        heartbeat=report.beats.get(SCHEDULER),
    )


def mail_word(mail: OutboxMail, now: datetime) -> str:
    """Say what is the matter with a mail that has not gone out."""
    if mail.state is OutboxState.DEAD:
        return "undeliverable"
    if not mail.path:
        return "no path"
    return "overdue" if mail.is_overdue(now) else "waiting"


def run_word(run: UnfinishedRun) -> str:
    """Say what was not finished."""
    words = {
        "warn": "the daily mail to",
        "scan": "the scan of the tenant",
        "canary": "the test of the mail path of",
    }
    return words.get(run.job, run.job)


def canary_word(row: CanaryRow) -> str:
    """Say the result; an old success is not a success."""
    if row.stale and row.result is CanaryResult.OK:
        return "stale"
    return "never tested" if row.result is CanaryResult.NEVER else str(row.result)


def _canary_order(row: CanaryRow) -> tuple[int, str, str]:
    words = ("failed", "stale", "unconfirmed", "never tested", "ok")
    return words.index(canary_word(row)), row.tenant, row.mailbox


def _mood(report: StatusReport) -> Mood:
    if not report.tenants:
        return Mood("neutral", "Start here")
    if report.exit_code == EXIT_FINE:
        # Paused and pending tenants alone prove nothing, so they do not make the page green.
        fresh = any(row.state is TenantState.OK for row in report.tenants)
        return Mood("ok", "Nothing to do") if fresh else Mood("neutral", "Nothing is read")
    lapsed = any(row.state is CredentialState.LAPSED for row in report.action_rows)
    if lapsed or any(row.result is CanaryResult.FAILED for row in report.canaries):
        return Mood("bad", "Act now")
    if report.exit_code == EXIT_ACTION:
        return Mood("attention", "Needs action")
    return Mood("blind", "Not everything is known")


def _tiles(report: StatusReport) -> tuple[Tile, ...]:
    def in_state(state: CredentialState) -> int:
        return sum(_as_grave_as(row) is state for row in report.action_rows)

    return (
        Tile("lapsed", in_state(CredentialState.LAPSED), "Lapsed", "#action"),
        Tile("critical", in_state(CredentialState.CRITICAL), "7 days or less", "#action"),
        Tile("warning", in_state(CredentialState.WARNING), "8 to 30 days", "#action"),
        _trust_tile(report),
    )


def _as_grave_as(row: CredentialRow) -> CredentialState:
    """The state whose tile counts a row: the days left of what must be moved count as any."""
    if not row.moving:
        return row.state
    near = row.days_left is not None and row.days_left <= CRITICAL_DAYS
    return CredentialState.CRITICAL if near else CredentialState.WARNING


def _trust_tile(report: StatusReport) -> Tile:
    """How many tenants and mail paths the page cannot vouch for."""
    unknown = sum(row.state is TenantState.UNKNOWN for row in report.tenants)
    stale = sum(row.state is TenantState.STALE for row in report.tenants)
    failing = sum(row.result is CanaryResult.FAILED for row in report.canaries)
    unproven = sum(canary_word(row) != "ok" for row in report.canaries) - failing
    notes = [
        f"{number} {words}"
        for number, words in (
            (unknown, "unknown " + ("tenant" if unknown == 1 else "tenants")),
            (stale, "stale " + ("tenant" if stale == 1 else "tenants")),
            (failing, "failing mail " + ("path" if failing == 1 else "paths")),
            (unproven, "unproven mail " + ("path" if unproven == 1 else "paths")),
        )
        if number
    ]
    target = "#blind" if unknown or stale else "#mail"
    label = "Unknown or failing"
    return Tile("blind", unknown + stale + failing + unproven, label, target, tuple(notes))


_Test = Callable[[CredentialRow], bool]


def _of(state: CredentialState) -> _Test:
    return lambda row: row.state is state


# The first group that fits takes the row.
_GROUPS: Sequence[tuple[str, str, str, _Test]] = (
    ("removed", "Removed", "No longer in the tenant; shown for 30 days.",
     _of(CredentialState.REMOVED)),
    ("managed", "Rotated by Microsoft",
     "Certificates of managed identities: Microsoft renews them, nobody has to act.",
     lambda row: row.credential.managed_identity),
    ("ignored", "Ignored by rule", "A rule in the settings says that nobody is told about these.",
     lambda row: row.ignored is not None),
    ("snoozed", "Snoozed", "Somebody has said that these need no warning for now.",
     _of(CredentialState.SNOOZED)),
    ("upcoming", "Upcoming", "More than 30 days left, and within the warning thresholds.",
     _of(CredentialState.UPCOMING)),
    ("superseded", "Superseded",
     "A newer one on the same object is valid. Move what still uses the old one, then remove it.",
     _of(CredentialState.SUPERSEDED)),
    ("ok", "Ok", "Ends later than every warning threshold, or never.", _of(CredentialState.OK)),
)  # fmt: skip
_SHOWN_ORDER = ("ignored", "snoozed", "upcoming", "superseded", "ok", "managed", "removed")


def _groups(report: StatusReport) -> tuple[Group, ...]:
    held: dict[str, list[CredentialRow]] = {key: [] for key in _SHOWN_ORDER}
    for row in report.credentials:
        if not row.needs_action:
            key = next((key for key, _, _, fits in _GROUPS if fits(row)), "ok")
            held[key].append(row)
    about = {key: (title, note) for key, title, note, _ in _GROUPS}
    return tuple(
        Group(key, *about[key], rows=tuple(held[key][:FOLDED_ROWS]), total=len(held[key]))
        for key in _SHOWN_ORDER
        if held[key]
    )
