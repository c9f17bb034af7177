"""What one mail says in place of many: alarms about tenants and senders, gathered by cause."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from monitor.mail import words
from monitor.mail.alarms import AlarmView
from monitor.mail.views import Fact
from monitor.model import OPERATOR, MailKind

IN_FULL = 25
_EXPLAINED = 3
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
    lines: Sequence[StormLine], fixes: Mapping[str, str], *, zone: ZoneInfo, now: datetime
) -> AlarmView:
    """One mail for many alarms: the worst first, then cause by cause.

    Args:
        lines: what is told, at least one.
        fixes: what to do, by cause.
        zone: of the recipient.
        now: the instant, aware UTC.
    """
    kind = leading_kind(lines)
    ordered = _by_cause(lines)
    main = [line for line in lines if line.kind is kind]
    known = [line.since for line in main if line.since is not None]
    since = (
        f" since {_clock(min(known), zone, now)}"
        if known and kind is not MailKind.RECOVERED
        else ""
    )
    what = "senders" if kind is MailKind.CANARY_FAILED else "tenants"
    does = "work again" if kind is MailKind.RECOVERED else _WORDS[kind][1]
    verdict = f"{len(main)} more {what} {does}{since}."
    return AlarmView(
        word=_WORDS[kind][0],
        tone="good" if kind is MailKind.RECOVERED else "lapsed",
        subject=verdict.removesuffix("."),
        where="",
        verdict=verdict,
        action=_action(lines, kind),
        facts=(*_in_full(ordered[:IN_FULL], zone), *_by_name(ordered[IN_FULL:])),
        fix=_fixes(lines, fixes),
        foot=(_GATHERED, _WHY),
        many=True,
    )


def _by_cause(lines: Sequence[StormLine]) -> list[StormLine]:
    """The worst kind first; in it the most common cause; in that the names in their order."""
    order = list(_WORDS)
    common = Counter((line.kind, line.cause) for line in lines)

    def rank(line: StormLine) -> tuple[int, int, str, str]:
        count = common[line.kind, line.cause]
        return order.index(line.kind), -count, line.cause or "", line.tenant

    return sorted(lines, key=rank)


def _action(lines: Sequence[StormLine], kind: MailKind) -> str:
    others = Counter(line.kind for line in lines if line.kind is not kind)
    told = [f"{count} {_WORDS[other][1]}" for other, count in others.items()]
    if kind is MailKind.RECOVERED:
        return "Nothing is left to do."
    causes = Counter(words.cause_words(line.cause) for line in lines if line.kind is kind)
    common = ", ".join(f"{cause or 'cause unknown'} ({n})" for cause, n in causes.most_common(3))
    beside = f" Beside them: {', '.join(told)}." if told else ""
    return f"By cause: {common}. Many at once are mostly one fault.{beside}"


def _in_full(lines: Sequence[StormLine], zone: ZoneInfo) -> list[Fact]:
    return [Fact(_name(line), _sentence(line, zone)) for line in lines]


def _sentence(line: StormLine, zone: ZoneInfo) -> str:
    said = _WORDS[line.kind][1]
    if line.mailbox:
        said = f"{words.address(line.mailbox)} {said}"
    if line.since is not None:
        gone = "; it failed" if line.kind is MailKind.RECOVERED else ""
        said += f"{gone} since {words.long_date(line.since, zone)}"
    cause = words.cause_words(line.cause)
    seen = words.defang(line.seen, 160)
    return ": ".join(part for part in (said, cause, seen) if part)


def _by_name(lines: Sequence[StormLine]) -> list[Fact]:
    """The rest by name only, cause by cause; a long list in several lines."""
    groups: dict[tuple[MailKind, str | None], list[str]] = {}
    for line in lines:
        groups.setdefault((line.kind, line.cause), []).append(_name(line))
    facts = []
    for (kind, cause), names in groups.items():
        said = words.cause_words(cause) or _WORDS[kind][1]
        label = f"{said} ({len(names)} more)"
        for start, chunk in enumerate(_chunks(names)):
            facts.append(Fact(label if not start else "", ", ".join(chunk)))
    return facts


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


def _fixes(lines: Sequence[StormLine], fixes: Mapping[str, str]) -> tuple[str, ...]:
    common = Counter(line.cause for line in lines if line.cause is not None)
    told = []
    for cause, count in common.most_common(_EXPLAINED):
        if fix := fixes.get(cause):
            told += words.lines(f"{words.cause_words(cause)} ({count}): {fix}")
    return tuple(told)


def _name(line: StormLine) -> str:
    return "The operator" if line.tenant == OPERATOR else words.defang(line.tenant, 40)


def _clock(instant: datetime, zone: ZoneInfo, now: datetime) -> str:
    there, today = words.local(instant, zone), words.local(now, zone).date()
    return f"{there:%H:%M}" if there.date() == today else words.short_day(there.date(), today)
