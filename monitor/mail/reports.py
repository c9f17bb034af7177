"""The weekly report as plain words: the verdict, numbers, the week, what comes, what is blind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from monitor.mail import standings, tallies, words
from monitor.mail.standings import RowsView
from monitor.mail.tallies import count, named, need
from monitor.mail.views import Fact
from monitor.model import CredentialState, MailKind
from monitor.status import CredentialRow, StatusReport, verdict
from monitor.weekly import AHEAD, ComingWeek, Weekly

# Rows of tenants and blind spots in the HTML part, and lines after them (None: one for each with
# something to do). What has nothing to do goes first, then fewer are shown in full.
SHOWN = (
    (25, 400), (25, None), (20, None), (12, None), (6, None), (6, 100), (6, 40), (6, 0),
)  # fmt: skip
_HEADLINE = 3  # things that the headline names
_NAMED, _LAPSED = 3, 12  # so many that are renewed or removed are named, so many that lapsed
_BARS = 60  # a bar takes at most so many hundredths of the width
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
    told: Weekly, recipient: str, zone: ZoneInfo, *, shown: int = 25, lines: int | None = 400
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
        tenants=standings.rows(standings.tenants(told, zone), shown, lines),
        blind=standings.rows(standings.blind(told, zone), shown, lines),
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
    parts = [need(action)] if action else []
    if told.report.exit_code and not action:
        parts.append("not all is well")
    if spots:
        parts.append(count(spots, "blind spot"))
    return ", ".join(parts) or f"{count(told.counted, 'credential')}, all good"


def _action(told: Weekly) -> str:
    action, spots = len(told.report.action_rows), len(told.report.blind_spots)
    if action:
        todo = f"{count(action, 'credential')} to be renewed or deleted"
        return f"{todo}. All that is the matter: `lapsewatch status`"
    if told.report.exit_code:
        return "See what is the matter: `lapsewatch status`"
    return "Close what is blind, below." if spots else "Nothing is left to do."


def _proof(spots: int) -> str:
    if not spots:
        return "None. Silence is proof only while this list is empty, and it is."
    return (
        f"{count(spots, 'thing')} could not have been warned about. Silence is proof only while "
        "this list is empty, and it is not."
    )


# --- numbers --------------------------------------------------------------------------------------


def _numbers(told: Weekly) -> tuple[Fact, ...]:
    report = told.report
    return (
        Fact("Tenants", tallies.tenants(report)),
        Fact("Credentials", tallies.credentials(report)),
        Fact("Mail paths", tallies.paths(report)),
        Fact("Blind spots", str(len(report.blind_spots))),
    )


def _past(told: Weekly) -> tuple[Fact, ...]:
    return (
        Fact("Renewed", _names(told.renewed)),
        Fact("Lapsed", _names(told.lapsed, _LAPSED)),
        Fact("Removed", _names(told.removed)),
        Fact("Warnings sent", _warnings(told)),
        Fact("Mails that waited", _waited(told)),
        Fact("Test mails", _canaries(told)),
    )


def _names(rows: Sequence[CredentialRow], most: int = _NAMED) -> str:
    return f"{len(rows)}: {named(rows, most, where=True)}" if rows else "none"


def _warnings(told: Weekly) -> str:
    mails = sum(told.week.mails.get(kind.value, 0) for kind in _WARNED)
    if not mails:
        return "none"
    alarms = sum(told.week.mails.values()) - mails
    beside = f", and {count(alarms, 'other mail')}" if alarms else ""
    return f"{told.week.warnings} in {count(mails, 'mail')}{beside}"


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
    return BarView(_label(weeks[0], weeks[-1]), "none", 0, 100, "")


def _label(first: ComingWeek, last: ComingWeek) -> str:
    """From the first day of the one to the last of the other: an end is on any day of a week."""
    return f"{_short(first.monday)} to {_short(last.monday + timedelta(days=6))}"


def _short(day: date) -> str:
    return f"{day.day} {words.MONTHS[day.month - 1]}"


def _bar(week: ComingWeek, most: int) -> BarView:
    number = len(week.rows)
    width = max(round(_BARS * number / most), 2)
    names = ", ".join(words.defang(row.credential.app_name, 40) or "(no name)"
                      for row in week.rows[:2])  # fmt: skip
    names += f" and {number - 2} more" if number > 2 else ""
    return BarView(_label(week, week), str(number), width, 100 - width, names)
