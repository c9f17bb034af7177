"""What one mail says in place of many: alarms about tenants and senders, gathered by cause."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
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
_GATHERED = "There were too many to send one mail each. None of them is told again."


@dataclass(frozen=True, slots=True)
class StormLine:
    """One alarm that is told together with others.

    Args:
        kind: what it says: `cannot_check`, `canary_failed` or `recovered`.
        tenant: its name.
        cause: an id of the vocabulary; None for an end, or where none is known.
        since: since when it failed.
        seen: the answer that came, as it came.
        mailbox: the sender's, where it is about a sender.
    """

    kind: MailKind
    tenant: str
    cause: str | None = None
    since: datetime | None = None
    seen: str = ""
    mailbox: str = ""


def leading_kind(lines: Sequence[StormLine]) -> MailKind:
    """The kind of a mail that tells all of these: the worst there is among them."""
    present = {line.kind for line in lines}
    return next(kind for kind in _WORDS if kind in present)


def storm_view(
    lines: Sequence[StormLine],
    fixes: Mapping[str, str],
    *,
    zone: ZoneInfo,
    now: datetime,
    shown: int = SHOWN[0],
) -> AlarmView:
    """One mail for many alarms: the worst first, then cause by cause.

    Args:
        lines: what is told, at least one.
        fixes: what to do, by cause.
        zone: of the recipient.
        now: the instant, aware UTC.
        shown: how many names of each cause the HTML part has room for.
    """
    kind = leading_kind(lines)
    main = [line for line in lines if line.kind is kind]
    known = [line.since for line in main if line.since is not None]
    since = (
        f" since {_clock(min(known), zone, now)}"
        if known and kind is not MailKind.RECOVERED
        else ""
    )
    said = f"{_counted(main, ' more')} {_does(kind, len(main))}{since}"
    return AlarmView(
        word=_WORDS[kind][0],
        tone="good" if kind is MailKind.RECOVERED else "lapsed",
        subject=said,
        where="",
        verdict=f"{said}{_beside(lines, kind)}.",
        action=_action(lines, kind),
        facts=(),
        groups=tuple(_group(*found, fixes, zone, shown) for found in _by_cause(lines)),
        foot=(_GATHERED, _WHY),
        many=True,
    )


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


def _counted(lines: Sequence[StormLine], more: str = "") -> str:
    """How many tenants and how many senders: "21 tenants and 1 sender"."""
    senders = sum(_is_sender(line) for line in lines)
    counts = [(len(lines) - senders, "tenant"), (senders, "sender")]
    told = [f"{n}{{}} {word}{'' if n == 1 else 's'}" for n, word in counts if n]
    return " and ".join(each.format("" if at else more) for at, each in enumerate(told))


def _is_sender(line: StormLine) -> bool:
    return line.kind is MailKind.CANARY_FAILED or bool(line.mailbox)


def _by_cause(lines: Sequence[StormLine]) -> list[tuple[str, list[StormLine]]]:
    """The most common cause first, what works again last; in each the names in their order."""
    found: dict[tuple[bool, str], list[StormLine]] = {}
    for line in lines:
        found.setdefault((line.kind is MailKind.RECOVERED, line.cause or ""), []).append(line)

    def rank(entry: tuple[tuple[bool, str], list[StormLine]]) -> tuple[bool, int, str]:
        (over, cause), mine = entry
        return over, -len(mine), cause

    return [
        (cause, sorted(mine, key=lambda line: (_is_sender(line), line.tenant)))
        for (_, cause), mine in sorted(found.items(), key=rank)
    ]


def _action(lines: Sequence[StormLine], kind: MailKind) -> str:
    if kind is MailKind.RECOVERED:
        return "Nothing is left to do."
    failing = [line for line in lines if line.kind is not MailKind.RECOVERED]
    told = [f"{_cause(cause)} ({_counted(mine)})" for cause, mine in _by_cause(failing)]
    more = f" and {len(told) - _NAMED} more causes" if len(told) > _NAMED else ""
    return f"By cause: {', '.join(told[:_NAMED])}{more}. Many at once are mostly one fault."


def _cause(cause: str) -> str:
    return words.cause_words(cause) or "cause unknown"


def _group(
    cause: str, lines: Sequence[StormLine], fixes: Mapping[str, str], zone: ZoneInfo, shown: int
) -> Group:
    over = lines[0].kind is MailKind.RECOVERED
    told = "works again" if over else _cause(cause)
    known = [line.since for line in lines if line.since is not None]
    facts = [Fact("Failed since" if over else "Since", _span(known, zone))] if known else []
    if seen := _seen(lines):
        facts.append(Fact("What was seen", seen))
    return Group(
        title=f"{told[0].upper()}{told[1:]}: {_counted(lines)}",
        fix=tuple(words.lines(fixes.get(cause, ""))),
        facts=tuple(facts),
        names=_names(lines[:shown]),
        rest=_names(lines[shown:]),
        more=max(len(lines) - shown, 0),
    )


def _span(known: Sequence[datetime], zone: ZoneInfo) -> str:
    first, last = (words.long_date(when, zone) for when in (min(known), max(known)))
    return first if first == last else f"{first}, the last {last}"


def _seen(lines: Sequence[StormLine]) -> str:
    """The answers that came most often, with how often where they differ."""
    answers = Counter(words.defang(line.seen, 160) for line in lines if line.seen)
    if len(answers) < 2:
        return next(iter(answers), "")
    told = [f"{answer} ({count})" for answer, count in answers.most_common(_ANSWERS)]
    more = f"; and {len(answers) - _ANSWERS} other answers" if len(answers) > _ANSWERS else ""
    return "; ".join(told) + more


def _names(lines: Sequence[StormLine]) -> tuple[Fact, ...]:
    """Who it is, tenants and senders apart; a long list in several lines."""
    facts = []
    for sender, label in ((False, "Tenants"), (True, "Senders")):
        names = [_name(line) for line in lines if _is_sender(line) is sender]
        chunks = _chunks(names) if names else []
        facts += [Fact("" if at else label, ", ".join(chunk)) for at, chunk in enumerate(chunks)]
    return tuple(facts)


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
