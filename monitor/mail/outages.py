"""What the fallback says: which mail path is broken, why, and whom nobody could tell what."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from monitor.mail import repairs, sheets, words
from monitor.mail.alarms import AlarmView, Waiting
from monitor.mail.repairs import SendingApp
from monitor.mail.views import Fact
from monitor.model import OPERATOR, Attachment
from monitor.routes import OPERATOR_PATH, tenant_of

LISTED = 25  # what waits, in full; the rest follows in a line each, in the text part
LINES = 500  # so many lines; a channel may have no attachments, but nobody reads more
COLUMNS = ("recipient", "what", "end", "days_left")
_WHY = (
    "You get this another way than usual because mail {} broken: whoever set up Lapsewatch chose "
    "this way for then (fallback under [operator] in lapsewatch.toml)."
)
_WHY_OWN = (
    "You get this another way than usual because mail {} broken: this way was chosen for your "
    "address (its fallback in the settings of Lapsewatch)."
)
_ENDED = "LAPSED"


@dataclass(frozen=True, slots=True)
class BrokenPath:
    """A path that accepts nothing: since when, what it said last, what that means.

    `app` is what it signs in with, where it does; `server` is host and port.
    """

    path: str
    mailbox: str
    since: datetime
    cause: str
    title: str
    fix: str
    said: str
    app: SendingApp | None = None
    server: str = ""

    @property
    def whose(self) -> str | None:
        """The tenant whose path it is, or "(operator)"; None for what is no sender's."""
        return OPERATOR if self.path == OPERATOR_PATH else tenant_of(self.path)


@dataclass(frozen=True, slots=True)
class WaitingItem:
    """What waits for one recipient: a credential and its end, or the subject of a mail.

    `alarm`: the mail says that something is blind or broken now.
    """

    recipient: str
    what: str
    end: datetime | None = None
    alarm: bool = False


def most_urgent_first(waiting: Iterable[WaitingItem]) -> list[WaitingItem]:
    """Alarms, which are few as many become one; then the soonest end; then what has no end.

    Whoever is told by a channel sees the first ones only, and behind an alarm is what nobody can
    see or send at all.
    """
    return sorted(waiting, key=_rank)


def _rank(item: WaitingItem) -> tuple[bool, bool, float]:
    return not item.alarm, item.end is None, item.end.timestamp() if item.end else 0.0


def outage_view(
    broken: Sequence[BrokenPath],
    waiting: Sequence[WaitingItem],
    mails: int,
    *,
    zone: ZoneInfo,
    now: datetime,
    own: bool = False,
    asked: str = "",
) -> AlarmView:
    """The message that mail is broken.

    Args:
        broken: the paths, the one that has been broken longest first; at least one.
        waiting: what waits, the most urgent first.
        mails: how many mails wait.
        zone: of the operator.
        now: the instant, aware UTC.
        own: it is for one recipient, of what waits for that one alone.
        asked: whom that one has to ask, where it is not the operator.
    """
    whom, why = (" for you", _WHY_OWN) if own else ("", _WHY)
    first = broken[0]
    since = words.local(first.since, zone)
    there = f"{since:%H:%M}" if since.date() == words.local(now, zone).date() else (
        words.short_day(since.date(), words.local(now, zone).date())
    )  # fmt: skip
    many = f"{mails} mail{'s' if mails != 1 else ''}"
    rest = [_line(item, zone, now) for item in waiting[LISTED:]]
    return AlarmView(
        word="MAIL PATH BROKEN",
        tone="lapsed",
        subject=f"{many} waiting{whom} since {there} ({words.cause_words(first.cause)})",
        where="",
        verdict=f"No mail leaves by {_name(first)} since {words.long_date(first.since, zone)}: "
        f"{words.plain(first.title, 160)}.",
        action=f"{many} waiting{whom}. {_gravest(waiting, zone, now)}"
        + ("What they tell stands below." if own else "Nobody else was told what stands below."),
        facts=tuple(fact for path in broken for fact in _facts(path, zone, asked)),
        steps=_steps(broken, asked),
        waiting=tuple(_waiting(item, zone, now) for item in waiting[:LISTED]),
        waiting_more=len(rest),
        waiting_rest=tuple(_bounded(rest)),
        foot=(
            why.format("is"),
            "It is said again each day until mail works, and once when it does.",
        ),
        link=first.app.link if first.app and _shows_app(first, asked) else "",
        link_label=first.app.link_label if first.app else "",
    )


def _gravest(waiting: Sequence[WaitingItem], zone: ZoneInfo, now: datetime) -> str:
    """What of it cannot wait: how many have ended, and when the next ones do."""
    ends = [item.end for item in waiting if item.end is not None]
    lapsed = sum(end <= now for end in ends)
    told = [f"{lapsed} {'has' if lapsed == 1 else 'have'} lapsed"] if lapsed else []
    if to_come := [end for end in ends if end > now]:
        left = words.days_between(min(to_come), now, zone)
        many = sum(words.days_between(end, now, zone) == left for end in to_come)
        told.append(f"{many} {'ends' if many == 1 else 'end'} {words.relative_days(left)}")
    return f"Of what they tell, {' and '.join(told)}. " if told else ""


def _steps(broken: Sequence[BrokenPath], asked: str) -> tuple[str, ...]:
    first = broken[0]
    if asked:
        return repairs.asking(first.fix, first.mailbox, first.whose, first.app, asked)
    return repairs.steps(
        first.fix, first.cause, first.mailbox, first.whose, first.app, others=len(broken) > 1
    )


def _shows_app(path: BrokenPath, asked: str) -> bool:
    """Somebody who has to ask the operator can do nothing with the operator's app."""
    return not asked or path.whose != OPERATOR


def mended_view(
    since: datetime, sent: int, *, zone: ZoneInfo, now: datetime, own: bool = False
) -> AlarmView:
    """The message that mail works again; of one recipient alone: that nothing waits any more."""
    if own:
        return _own_end(since, sent, zone, now)
    many = f"{sent} mail{'s were' if sent != 1 else ' was'} sent"
    return AlarmView(
        word="MAIL WORKS AGAIN",
        tone="good",
        subject=f"mail works again after {words.span(now - since)}; {many}",
        where="",
        verdict=f"Mail works again; {many}.",
        action="Nothing is left to do. Everybody gets the current state, not what had piled up.",
        facts=(
            Fact("Broken since", words.long_date(since, zone)),
            Fact("Working again since", words.long_date(now, zone)),
        ),
        foot=(_WHY.format("was"),),
        many=True,
    )


def _own_end(since: datetime, sent: int, zone: ZoneInfo, now: datetime) -> AlarmView:
    """What waited may have become untrue meanwhile, so that no mail went: nothing is claimed."""
    if sent:
        subject = f"mail works again after {words.span(now - since)}; look into your mailbox"
        verdict = f"Mail works again; {sent} mail{'s' if sent != 1 else ''} went to you."
    else:
        subject = "nothing waits for you any more"
        verdict = "What waited for you is settled: nothing of it is left to be told."
    return AlarmView(
        word="MAIL WORKS AGAIN" if sent else "NOTHING WAITS",
        tone="good",
        subject=subject,
        where="",
        verdict=verdict,
        action="The mails tell the current state, not what had piled up." if sent else "",
        facts=(
            Fact("Told since", words.long_date(since, zone)),
            Fact("Over since", words.long_date(now, zone)),
        ),
        foot=(_WHY_OWN.format("was"),),
        many=True,
    )


def _name(path: BrokenPath) -> str:
    who = tenant_of(path.path)
    whose = "the operator" if path.path == OPERATOR_PATH else words.defang(who or "no sender", 40)
    return f"{words.address(path.mailbox)} ({whose})" if path.mailbox else whose


def _facts(path: BrokenPath, zone: ZoneInfo, asked: str) -> tuple[Fact, ...]:
    said = words.defang(path.said, words.EVIDENCE_CAP)
    return (
        Fact("Broken path", _name(path)),
        *(repairs.facts(path.app, path.server) if _shows_app(path, asked) else ()),
        Fact("Since", words.long_date(path.since, zone)),
        *((Fact("The answer", said, code=True),) if said else ()),
    )


def _waiting(item: WaitingItem, zone: ZoneInfo, now: datetime) -> Waiting:
    end, ended = "", item.end is not None and item.end <= now
    if item.end is not None:
        left = words.days_between(item.end, now, zone)
        verb = "ended" if ended else "ends"
        end = f"{verb} {words.relative_days(left)}, {words.long_date(item.end, zone)}"
    what, who = words.defang(item.what, 160), words.address(item.recipient)
    return Waiting(what, end, who, _ENDED if ended else "")


def _line(item: WaitingItem, zone: ZoneInfo, now: datetime) -> str:
    told = _waiting(item, zone, now)
    line = ", ".join(part for part in (told.what, told.end, f"for {told.recipient}") if part)
    return f"{told.mark}: {line}" if told.mark else line


def _bounded(lines: Sequence[str]) -> Sequence[str]:
    if len(lines) <= LINES:
        return lines
    return [*lines[:LINES], f"and {len(lines) - LINES} more, which the status page shows"]


def waiting_sheet(
    waiting: Sequence[WaitingItem], *, zone: ZoneInfo, now: datetime
) -> tuple[Attachment, ...]:
    """All that waits as a file, where the mail shows only some of it in full."""
    if len(waiting) <= LISTED:
        return ()
    rows: list[list[str | int]] = [
        [
            item.recipient,
            item.what[:200],
            sheets.iso(item.end),
            "" if item.end is None else words.days_between(item.end, now, zone),
        ]
        for item in waiting
    ]
    return (sheets.table("lapsewatch-waiting.csv", COLUMNS, rows),)
