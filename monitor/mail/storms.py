"""What one mail says in place of many: alarms about tenants and senders, gathered by cause."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from monitor.mail import words
from monitor.mail.alarms import AlarmView, Group
from monitor.mail.views import Fact
from monitor.model import OPERATOR, MailKind

SHOWN = (1000, 200, 20)  # names of each cause in the HTML part: fewer where it becomes too big
_NAMED = 3  # causes in the second sentence
_ANSWERS = 3  # different answers of one cause
_LINE = 1500  # characters of names in one line of the facts
_WORDS = {
    MailKind.CANNOT_CHECK: ("CANNOT CHECK", "cannot be read"),
    MailKind.CANARY_FAILED: ("CANARY FAILED", "cannot send mail"),
    MailKind.RECOVERED: ("RECOVERED", "works again"),
}
_WHY = "You get this mail because this address receives Lapsewatch's alarms."
_GATHERED = (
    "These were too many for one mail each: this one tells all of them, and no separate mails "
    "follow. Alarms that had a mail of their own before are not counted here."
)
_ENDS = "A mail says RECOVERED when they work again."


@dataclass(frozen=True, slots=True)
class StormLine:
    """One alarm that is told together with others.

    Args:
        kind: what it says: `cannot_check`, `canary_failed` or `recovered`.
        tenant: its name.
        cause: an id of the vocabulary; None where none is known. Of an end: what had failed.
        since: since when it failed, or had failed.
        seen: the answer that came, as it came.
        mailbox: the sender's, where it is about a sender.
        fix: what to do about it.
        until: of an end, since when it works again.
    """

    kind: MailKind
    tenant: str
    cause: str | None = None
    since: datetime | None = None
    seen: str = ""
    mailbox: str = ""
    fix: str = ""
    until: datetime | None = None


def leading_kind(lines: Sequence[StormLine]) -> MailKind:
    """The kind of a mail that tells all of these: the worst there is among them."""
    present = {line.kind for line in lines}
    return next(kind for kind in _WORDS if kind in present)


def storm_view(
    lines: Sequence[StormLine], *, zone: ZoneInfo, now: datetime, shown: int = SHOWN[0]
) -> AlarmView:
    """One mail for many alarms: the worst first, then cause by cause.

    Args:
        lines: what is told, at least one.
        zone: of the recipient.
        now: the instant, aware UTC.
        shown: how many names of each group the HTML part has room for.
    """
    kind = leading_kind(lines)
    main = [line for line in lines if line.kind is kind]
    over = kind is MailKind.RECOVERED
    said = f"{_counted(main)} {_does(kind, len(main))}"
    said += _after(main, ", after ") if over else _since(main, zone, now)
    return AlarmView(
        word=_WORDS[kind][0],
        tone="good" if over else "lapsed",
        subject=_subject(lines, kind, zone, now),
        where="",
        verdict=f"{said}{_beside(lines, kind)}.",
        action=_action(lines, kind),
        facts=(),
        groups=tuple(
            _group(cause, part, zone, shown)
            for cause, mine in _by_cause(lines)
            for part in _apart(mine)
        ),
        foot=(_GATHERED, *(() if over else (_ENDS,)), _WHY),
        many=True,
    )


def _subject(lines: Sequence[StormLine], kind: MailKind, zone: ZoneInfo, now: datetime) -> str:
    """Everybody who fails, senders too, and who works again as far as there is room."""
    ended = [line for line in lines if line.kind is MailKind.RECOVERED]
    failing = [line for line in lines if line.kind is not MailKind.RECOVERED]
    if not failing:
        return f"{_counted(ended)} {_does(kind, len(ended))}{_after(ended, ' after ', most=True)}"
    mixed = len({line.kind for line in failing}) > 1
    does = "fail" if mixed else _does(kind, len(failing))
    said = f"{_counted(failing)} {does}{_since(failing, zone, now)}"
    more = f", {len(ended)} {_does(MailKind.RECOVERED, len(ended))}" if ended else ""
    room = words.SUBJECT_CAP - len(f"[Lapsewatch] {_WORDS[kind][0]}: ")
    return said + more if len(said + more) <= room else said


def _since(lines: Sequence[StormLine], zone: ZoneInfo, now: datetime) -> str:
    known = [line.since for line in lines if line.since is not None]
    return f" since {_clock(min(known), zone, now)}" if known else ""


def _after(lines: Sequence[StormLine], before: str, *, most: bool = False) -> str:
    """How long they had failed: from the shortest to the longest, or `most` of all at the most."""
    lengths = sorted(
        line.until - line.since
        for line in lines
        if line.since is not None and line.until is not None
    )
    told = [words.span(length) for length in lengths]
    if not told:
        return ""
    if told[0] == told[-1]:
        return before + told[0]
    return f"{before}up to {told[-1]}" if most else f"{before}{told[0]} to {told[-1]}"


def _beside(lines: Sequence[StormLine], kind: MailKind) -> str:
    """What the mail tells beside its main kind."""
    others = {each: [line for line in lines if line.kind is each] for each in _WORDS}
    told = [
        f"{_counted(found)} {_does(each, len(found))}"
        for each, found in others.items()
        if found and each is not kind
    ]
    return "".join(f", and {each}" for each in told)


def _does(kind: MailKind, count: int) -> str:
    verb = _WORDS[kind][1]
    return "work again" if kind is MailKind.RECOVERED and count > 1 else verb


def _counted(lines: Sequence[StormLine]) -> str:
    """How many tenants and how many senders: "21 tenants and 1 sender"."""
    senders = sum(_is_sender(line) for line in lines)
    counts = [(len(lines) - senders, "tenant"), (senders, "sender")]
    return " and ".join(f"{n} {word}{'' if n == 1 else 's'}" for n, word in counts if n)


def _is_sender(line: StormLine) -> bool:
    return line.kind is MailKind.CANARY_FAILED or bool(line.mailbox)


def _by_cause(lines: Sequence[StormLine]) -> list[tuple[str, list[StormLine]]]:
    """The most common cause first, what works again last; in each the names in their order."""
    found: dict[tuple[bool, str], list[StormLine]] = {}
    for line in lines:
        over = line.kind is MailKind.RECOVERED
        found.setdefault((over, "" if over else line.cause or ""), []).append(line)

    def rank(entry: tuple[tuple[bool, str], list[StormLine]]) -> tuple[bool, int, str]:
        (over, cause), mine = entry
        return over, -len(mine), cause

    return [
        (cause, sorted(mine, key=lambda line: (_is_sender(line), _natural(line.tenant))))
        for (_, cause), mine in sorted(found.items(), key=rank)
    ]


def _natural(name: str) -> list[str | int]:
    """The order in which people count: 2 before 10."""
    parts = re.split("([0-9]{1,18})", name.casefold())
    return [int(part) if at % 2 else part for at, part in enumerate(parts)]


def _apart(lines: Sequence[StormLine]) -> list[list[StormLine]]:
    """Those of one cause, reading and sending apart: other hosts fail there, with other remedies.

    A sender whose token is refused needs what a tenant needs, so remedies are apart as well.
    """
    found: dict[tuple[bool, str], list[StormLine]] = {}
    for line in lines:
        found.setdefault((_is_sender(line), line.fix), []).append(line)
    return list(found.values())


def _action(lines: Sequence[StormLine], kind: MailKind) -> str:
    if kind is MailKind.RECOVERED:
        return "Nothing is left to do."
    failing = [line for line in lines if line.kind is not MailKind.RECOVERED]
    told = [f"{_cause(cause)} ({_counted(mine)})" for cause, mine in _by_cause(failing)]
    more = f" and {len(told) - _NAMED} more causes" if len(told) > _NAMED else ""
    return f"By cause: {', '.join(told[:_NAMED])}{more}. Many at once are mostly one fault."


def _cause(cause: str) -> str:
    return words.cause_words(cause) or "cause unknown"


def _group(cause: str, lines: Sequence[StormLine], zone: ZoneInfo, shown: int) -> Group:
    over = lines[0].kind is MailKind.RECOVERED
    told = _does(MailKind.RECOVERED, len(lines)) if over else _cause(cause)
    label = "Senders" if _is_sender(lines[0]) else "Tenants"
    return Group(
        title=f"{told[0].upper()}{told[1:]}: {_counted(lines)}",
        fix=() if over else tuple(words.lines(lines[0].fix)),
        facts=_ended(lines, zone) if over else _standing(lines, zone),
        names=_names(lines[:shown], label),
        rest=_names(lines[shown:], ""),
        more=max(len(lines) - shown, 0),
    )


def _standing(lines: Sequence[StormLine], zone: ZoneInfo) -> tuple[Fact, ...]:
    known = [line.since for line in lines if line.since is not None]
    seen = _counts((words.defang(line.seen, 160) for line in lines if line.seen), "answers")
    told = (Fact("Since", _span(known, zone) if known else ""), Fact("What was seen", seen))
    return tuple(fact for fact in told if fact.value)


def _ended(lines: Sequence[StormLine], zone: ZoneInfo) -> tuple[Fact, ...]:
    """What had failed, from when, until when and how long, as far as it is known."""
    begun = [line.since for line in lines if line.since is not None]
    ended = [line.until for line in lines if line.until is not None]
    had = (_cause(line.cause) for line in lines if line.cause)
    told = (
        Fact("What had failed", _counts(had, "causes")),
        Fact("Failed since", _span(begun, zone) if begun else ""),
        Fact("Working again since", _span(ended, zone) if ended else ""),
        Fact("For how long", _after(lines, "")),
    )
    return tuple(fact for fact in told if fact.value)


def _span(known: Sequence[datetime], zone: ZoneInfo) -> str:
    first, last = (words.long_date(when, zone) for when in (min(known), max(known)))
    return first if first == last else f"{first}, the last {last}"


def _counts(answers: Iterable[str], noun: str) -> str:
    """The answers that came most often, with how often where they differ."""
    found = Counter(answers)
    if len(found) < 2:
        return next(iter(found), "")
    told = [f"{answer} ({count})" for answer, count in found.most_common(_ANSWERS)]
    more = f"; and {len(found) - _ANSWERS} other {noun}" if len(found) > _ANSWERS else ""
    return "; ".join(told) + more


def _names(lines: Sequence[StormLine], label: str) -> tuple[Fact, ...]:
    """Who it is; a long list in several lines, of which the templates know that they go on."""
    chunks = _chunks([_name(line) for line in lines]) if lines else []
    return tuple(Fact("" if at else label, ", ".join(each)) for at, each in enumerate(chunks))


def _chunks(names: Sequence[str]) -> list[list[str]]:
    found: list[list[str]] = [[]]
    length = 0
    for name in names:
        if length + len(name) > _LINE:
            found.append([])
            length = 0
        found[-1].append(name)
        length += len(name) + 2
    return found


def _name(line: StormLine) -> str:
    who = "the operator" if line.tenant == OPERATOR else words.defang(line.tenant, 40)
    return f"{words.address(line.mailbox)} ({who})" if line.mailbox else who


def _clock(instant: datetime, zone: ZoneInfo, now: datetime) -> str:
    there, today = words.local(instant, zone), words.local(now, zone).date()
    return f"{there:%H:%M}" if there.date() == today else words.short_day(there.date(), today)
