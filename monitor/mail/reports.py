"""The weekly report as plain words: the verdict, numbers, the week, what comes, what is blind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from monitor.mail import words
from monitor.mail.views import Fact
from monitor.model import BlindSpot, CanaryResult, CredentialState, MailKind, TenantState
from monitor.status import CanaryRow, CredentialRow, StatusReport, TenantRow, verdict
from monitor.weekly import AHEAD, ComingWeek, Weekly

# Rows of tenants and blind spots in the HTML part, and lines after them; see `digests.SHOWN`.
SHOWN = ((25, 400), (25, 100), (18, 40), (12, 0), (6, 0))
_HEADLINE = 3  # things that the headline names
_NAMED, _BARS = 3, 60  # a bar takes at most so many hundredths of the width
_TONES = {
    TenantState.OK: "good",
    TenantState.STALE: "warning",
    TenantState.UNKNOWN: "lapsed",
    TenantState.PENDING: "calm",
    TenantState.PAUSED: "calm",
}
_WARNED = (MailKind.REMINDER, MailKind.LAPSED, MailKind.COVERED, MailKind.WELCOME)


@dataclass(frozen=True, slots=True)
class BarView:
    """One week ahead: how many credentials end, as a number and as a bar (hundredths), and which.

    `rest` is what the bar leaves free. Weeks in a row in which nothing ends are one `BarView`.
    """

    week: str
    count: str
    width: int
    rest: int
    names: str


@dataclass(frozen=True, slots=True)
class RowView:
    """One tenant, or one blind spot: a name, a word for its state, and what is to be said."""

    name: str
    state: str
    tone: str
    lines: tuple[str, ...]

    @property
    def brief(self) -> str:
        """All of it in one line."""
        return f"{self.name}: {self.state}; {' '.join(self.lines)}"


@dataclass(frozen=True, slots=True)
class RowsView:
    """Rows in full, and a line for each of the others; `lines` are those the HTML has room for."""

    items: tuple[RowView, ...]
    brief: tuple[str, ...]
    lines: int

    @property
    def more(self) -> int:
        """How many are not shown in full."""
        return len(self.brief)


@dataclass(frozen=True, slots=True)
class ReportView:
    """A whole report."""

    word: str
    tone: str
    subject: str
    verdict: str
    action: str
    numbers: tuple[Fact, ...]
    past: tuple[Fact, ...]
    past_title: str
    coming: tuple[BarView, ...]
    coming_title: str
    tenants: RowsView
    blind: RowsView
    proof: str
    foot: tuple[str, ...]


def report_view(
    told: Weekly, recipient: str, zone: ZoneInfo, *, shown: int = 25, lines: int = 400
) -> ReportView:
    """Everything that one report says; `shown` and `lines` cap its HTML part."""
    spots = told.report.blind_spots
    word = "MONTHLY REPORT" if told.plan.monthly else "WEEKLY REPORT"
    days = told.plan.looks_back.days
    return ReportView(
        word=word,
        tone=_tone(told),
        subject=_subject(told),
        verdict=words.defang(_headline(told.report, zone), words.EVIDENCE_CAP * 2),
        action=_action(told),
        numbers=_numbers(told),
        past=_past(told),
        past_title=f"The last {days} days",
        coming=_bars(told.coming),
        coming_title=f"What ends in the next {AHEAD.days} days, by week",
        tenants=_rows(_tenants(told, zone), shown, lines),
        blind=_rows([_blind(spot, zone) for spot in spots], shown, lines),
        proof=_proof(len(spots)),
        foot=(
            f"As of {words.long_date(told.report.generated_at, zone)}.",
            f"You get this mail because {words.address(recipient)} receives Lapsewatch's reports.",
        ),
    )


def _headline(report: StatusReport, zone: ZoneInfo) -> str:
    """What is the matter, in the reader's zone: the gravest three, as the rest stands below."""
    return verdict(report, zone, most=_HEADLINE)


def _tone(told: Weekly) -> str:
    if told.report.exit_code:
        lapsed = any(row.state is CredentialState.LAPSED for row in told.report.action_rows)
        return "lapsed" if lapsed else "warning"
    return "calm" if told.report.blind_spots else "good"


def _subject(told: Weekly) -> str:
    action, spots = len(told.report.action_rows), len(told.report.blind_spots)
    parts = [f"{action} {'needs' if action == 1 else 'need'} action"] if action else []
    if told.report.exit_code and not action:
        parts.append("not all is well")
    if spots:
        parts.append(_count(spots, "blind spot"))
    return ", ".join(parts) or f"{_count(told.counted, 'credential')}, all good"


def _action(told: Weekly) -> str:
    action, spots = len(told.report.action_rows), len(told.report.blind_spots)
    if action:
        return f"{_count(action, 'credential')} to be renewed or deleted: lapsewatch status"
    if told.report.exit_code:
        return "See what is the matter: lapsewatch status"
    return "Close what is blind, below." if spots else "Nothing is left to do."


def _proof(spots: int) -> str:
    if not spots:
        return "There is none. Silence is proof only while this list is empty, and it is."
    return (
        f"{_count(spots, 'thing')} could not have been warned about. Silence is proof only while "
        "this list is empty, and it is not."
    )


# --- numbers --------------------------------------------------------------------------------------


def _numbers(told: Weekly) -> tuple[Fact, ...]:
    report = told.report
    return (
        Fact("Tenants", _states(report.tenant_counts())),
        Fact("Credentials", _states(report.credential_counts())),
        Fact("Mail paths", _states(report.canary_counts())),
        Fact("Blind spots", str(len(report.blind_spots))),
    )


def _states(counts: Mapping[str, int]) -> str:
    shown = ", ".join(f"{number} {state}" for state, number in counts.items())
    return shown or "none"


def _past(told: Weekly) -> tuple[Fact, ...]:
    return (
        Fact("Renewed", _names(told.renewed)),
        Fact("Lapsed", _names(told.lapsed)),
        Fact("Removed", _names(told.removed)),
        Fact("Warnings sent", _warnings(told)),
        Fact("Mails that waited", _waited(told)),
        Fact("Test mails", _canaries(told)),
    )


def _names(rows: Sequence[CredentialRow]) -> str:
    if not rows:
        return "none"
    shown = [
        f'"{words.defang(row.credential.app_name) or "(no name)"}" in '
        f"{words.defang(row.tenant.name)}"
        for row in rows[:_NAMED]
    ]
    more = f" and {len(rows) - _NAMED} more" if len(rows) > _NAMED else ""
    return f"{len(rows)}: {', '.join(shown)}{more}"


def _warnings(told: Weekly) -> str:
    mails = sum(told.week.mails.get(kind.value, 0) for kind in _WARNED)
    if not mails:
        return "none"
    alarms = sum(told.week.mails.values()) - mails
    beside = f", and {_count(alarms, 'other mail')}" if alarms else ""
    return f"{told.week.warnings} in {_count(mails, 'mail')}{beside}"


def _waited(told: Weekly) -> str:
    week, still = told.week, told.report.outbox.waiting
    parts = []
    if week.waited:
        longest = f", the longest {words.span(week.longest_wait)}" if week.longest_wait else ""
        parts.append(f"{week.waited} for over an hour{longest}")
    if still:
        parts.append(f"{still} still waiting")
    if told.report.outbox.dead:
        parts.append(f"{told.report.outbox.dead} refused for good")
    return ", ".join(parts) or "none"


def _canaries(told: Weekly) -> str:
    week = told.week
    if not week.canaries:
        return "none"
    failed = f"{week.canaries_failed} failed" if week.canaries_failed else "none failed"
    median = week.canary_seconds
    took = f", accepted after {median:.1f} s (median)" if median is not None else ""
    return f"{week.canaries} sent, {failed}{took}"


# --- rows -----------------------------------------------------------------------------------------


def _bars(weeks: Sequence[ComingWeek]) -> tuple[BarView, ...]:
    most = max((len(week.rows) for week in weeks), default=0)
    found: list[BarView] = []
    for busy, group in groupby(weeks, key=lambda week: bool(week.rows)):
        those = list(group)
        found += [_bar(week, most) for week in those] if busy else [_quiet(those)]
    return tuple(found)


def _quiet(weeks: Sequence[ComingWeek]) -> BarView:
    """Weeks in a row in which nothing ends: from the first day to the last."""
    label = _label(weeks[0].monday)
    if len(weeks) > 1:
        label += f" to {_label(weeks[-1].monday + timedelta(days=6))}"
    return BarView(label, "none", 0, 100, "")


def _label(day: date) -> str:
    return f"{day.day} {words.MONTHS[day.month - 1]}"


def _bar(week: ComingWeek, most: int) -> BarView:
    count = len(week.rows)
    width = max(round(_BARS * count / most), 2)
    names = ", ".join(words.defang(row.credential.app_name, 40) or "(no name)"
                      for row in week.rows[:2])  # fmt: skip
    names += f" and {count - 2} more" if count > 2 else ""
    return BarView(_label(week.monday), str(count), width, 100 - width, names)


def _rows(rows: Sequence[RowView], shown: int, lines: int) -> RowsView:
    return RowsView(tuple(rows[:shown]), tuple(row.brief for row in rows[shown:]), lines)


def _tenants(told: Weekly, zone: ZoneInfo) -> list[RowView]:
    """A row for each tenant, unknown ones first."""
    ends: dict[str, datetime] = {}
    for week in reversed(told.coming):
        for one in reversed(week.rows):
            ends[one.tenant.name] = one.credential.end or told.report.generated_at
    paths = {row.tenant: row for row in told.report.canaries}
    spots = Counter(spot.tenant for spot in told.report.blind_spots)
    found = []
    for row in told.report.tenants:
        name = row.tenant.name
        lines = [f"{_held(row, zone)}."]
        if name in ends:
            lines.append(f"Next end: {words.day(words.local(ends[name], zone).date())}.")
        lines.append(f"Mail path: {_path(paths.get(name))}.")
        if spots[name]:
            lines.append(f"{_count(spots[name], 'blind spot')}.")
        found.append(RowView(words.defang(name), str(row.state), _TONES[row.state], tuple(lines)))
    return found


def _held(row: TenantRow, zone: ZoneInfo) -> str:
    """What it has; of a tenant that is not read as it should be nobody can say: nothing to do."""
    if row.last_complete is None:
        return "Never read"
    said = [_count(row.credentials, "credential")]
    if row.needs_action:
        said.append(f"{row.needs_action} {'needs' if row.needs_action == 1 else 'need'} action")
    if row.state in (TenantState.UNKNOWN, TenantState.STALE):
        said.append(f"as of {words.day(words.local(row.last_complete, zone).date())}")
    elif not row.needs_action:
        said.append("nothing to do")
    return ", ".join(said)


def _path(row: CanaryRow | None) -> str:
    if row is None:
        return "no sender of its own"
    if row.stale and row.result is CanaryResult.OK:
        return "not proven lately"
    return "never proven" if row.result is CanaryResult.NEVER else str(row.result)


def _blind(spot: BlindSpot, zone: ZoneInfo) -> RowView:
    lines = [words.defang(spot.words, words.EVIDENCE_CAP)]
    if spot.since is not None:
        lines.append(f"Since {words.day(words.local(spot.since, zone).date())}.")
    lines.append(f"To do: {words.defang(spot.fix, words.EVIDENCE_CAP)}")
    name = words.defang(spot.tenant) if spot.tenant else "All tenants"
    return RowView(name, str(spot.kind).replace("_", " "), "warning", tuple(lines))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
