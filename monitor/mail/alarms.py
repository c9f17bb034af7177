"""What the mails about Lapsewatch's own work say: unreadable tenants and canaries."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from monitor.findings import VAGUE
from monitor.mail import pasting, words
from monitor.mail.views import Fact
from monitor.model import ARRIVAL_STAGE, OPERATOR, Finding, Probe, StageTiming, Tenant, TenantHealth

WHY = "You get this mail because this address receives Lapsewatch's alarms."
# A refusal at the start of the reply: an accepting one is no reason, and neither is a port number.
_CODE = re.compile(r"^\s*[45]\d\d(?:[ -][45]\.\d{1,3}\.\d{1,3})?\b|\bAADSTS\d{4,8}\b")
_ABOVE = "see the answer above"  # it is long, and it stands whole in the facts
_STAGE_WORDS = {"dns": "DNS", "tcp": "TCP", "ehlo": "EHLO", "starttls": "STARTTLS", "auth": "AUTH",
                "mail": "MAIL FROM", "rcpt": "RCPT TO", "data": "DATA",
                ARRIVAL_STAGE: "arrival"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class StageView:
    """One stage of a canary: what it is called, how long it took, what came back."""

    name: str
    result: str
    seconds: str
    reply: str
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Alarms with one cause: what to do about them, and whom they are about.

    `names` are told in both parts, the `more` ones of `rest` in the text part only.
    """

    title: str
    fix: tuple[str, ...]
    facts: tuple[Fact, ...]
    names: tuple[Fact, ...]
    rest: tuple[Fact, ...] = ()
    more: int = 0


@dataclass(frozen=True, slots=True)
class Waiting:
    """Something that waits until mail leaves again: what, when it ends, and for whom."""

    what: str
    end: str
    recipient: str


@dataclass(frozen=True, slots=True)
class AlarmView:
    """A mail about one tenant or one sender, or in `groups` about many.

    What waits is told in `waiting`, and the rest of it in a line each in the text part. `steps`
    are numbered, and the link stands at the first; `apart`: the subject ends with the tenant.
    """

    word: str
    tone: str
    subject: str
    where: str
    verdict: str
    action: str
    facts: tuple[Fact, ...]
    explanation: tuple[str, ...] = ()
    fix: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    stages: tuple[StageView, ...] = ()
    groups: tuple[Group, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    waiting_more: int = 0
    waiting_rest: tuple[str, ...] = ()
    foot: tuple[str, ...] = ()
    sender: bool = False
    many: bool = False
    link: str = ""
    link_label: str = ""
    commands: tuple[str, ...] = ()
    command_title: str = ""
    steps: tuple[str, ...] = ()
    apart: bool = False


def cannot_check_view(
    tenant: Tenant,
    health: TenantHealth,
    explanation: str,
    fix: str,
    *,
    zone: ZoneInfo,
    now: datetime,
    finding: Finding | None = None,
) -> AlarmView:
    """A tenant that cannot be read, so that nobody takes silence for good news."""
    name = words.plain(tenant.name, 40)
    since = health.first_failure_at or health.last_complete
    cause = words.cause_words(finding.cause if finding else health.cause)
    how_long = f"unreadable for {words.span(now - since)}" if since else "unreadable"
    if health.last_complete is None:
        how_long = "never read"
    facts = [
        Fact("Last read in full", _ago(health.last_complete, zone, now)),
        Fact("Failing since", _date(health.first_failure_at, zone, "not known")),
        Fact("Attempts since then", str(health.failures)),
        Fact("Directory id", words.plain(tenant.directory_id), code=True),
        Fact("Lapsewatch's app id", words.plain(tenant.client_id), code=True),
    ]
    if health.problem:
        facts.append(Fact("What was seen", words.defang(health.problem, words.EVIDENCE_CAP)))
    facts += _found(finding)
    return AlarmView(
        word="CANNOT CHECK",
        tone="lapsed",
        subject=how_long + (f" ({cause})" if cause else ""),
        where=name,
        verdict=f"{words.defang(name)} cannot be read{f': {cause}' if cause else ''}"
        f"{_since(health, zone, now)}.",
        action=_blind_action(health),
        facts=tuple(facts),
        explanation=tuple(words.lines(explanation)),
        steps=(*pasting.steps(fix), pasting.again("scan", name)),
        foot=("A mail says RECOVERED when the tenant can be read again.", WHY),
        commands=pasting.block(finding, tenant),
        command_title=pasting.title(finding),
    )


def _found(finding: Finding | None) -> list[Fact]:
    """What the doctor saw right after the failure."""
    if finding is None:
        return []
    shown = words.defang(finding.evidence, words.EVIDENCE_CAP)
    return [Fact("The doctor found", f"{finding.title}: {shown}")]


def _since(health: TenantHealth, zone: ZoneInfo, now: datetime) -> str:
    first = health.first_failure_at
    if first is None:
        return ""
    return f", since {words.long_date(first, zone)} ({words.span(now - first)})"


def _blind_action(health: TenantHealth) -> str:
    if health.last_complete is None:
        return "Nothing is known about its credentials. They may lapse without a warning."
    return "Reminders go on from the last facts. New and renewed credentials are not seen."


def _ago(instant: datetime | None, zone: ZoneInfo, now: datetime) -> str:
    if instant is None:
        return "never"
    return f"{words.long_date(instant, zone)} ({words.span(now - instant)} ago)"


def _date(instant: datetime | None, zone: ZoneInfo, otherwise: str) -> str:
    return otherwise if instant is None else words.long_date(instant, zone)


def recovered_view(
    name: str,
    mailbox: str | None,
    since: datetime,
    *,
    zone: ZoneInfo,
    now: datetime,
    cause: str | None = None,
) -> AlarmView:
    """The end of an alarm: of a sender where a mailbox is given, else of a tenant.

    `cause` is that of the last failure, where it is known.
    """
    where, length = words.plain(name, 40), words.span(now - since)
    sender = mailbox is not None
    failed = words.cause_words(cause)
    facts = (
        *((Fact("What had failed", failed),) if failed else ()),
        Fact("Failed since", words.long_date(since, zone)),
        Fact("Working again since", words.long_date(now, zone)),
    )
    again = "can send mail" if sender else "can be read"
    waited = "What waited for this mailbox alone leaves by itself now."
    caught_up = "Credentials that were renewed or removed meanwhile are up to date."
    return AlarmView(
        word="RECOVERED",
        tone="good",
        subject=f"{'canary OK' if sender else 'readable'} again after {length}",
        where=where,
        verdict=f"{_who(name)} {again} again, after {length}.",
        action="Nothing is left to do.",
        facts=(Fact("Mailbox", words.address(mailbox or "")), *facts) if sender else facts,
        foot=(waited if sender else caught_up, WHY),
        sender=sender,
    )


@dataclass(frozen=True, slots=True)
class CanaryFacts:
    """What a test mail carries: how it went out and how long that stays possible."""

    tenant_name: str
    mailbox: str
    host: str
    port: int
    number: int
    canary_id: str
    token_expires: datetime | None
    credential_ends: datetime | None
    mark: str = ""
    proof: str = ""


def canary_view(canary: CanaryFacts, *, zone: ZoneInfo, now: datetime) -> AlarmView:
    """The daily test mail: boring, so that rules and people can rely on it."""
    name = words.plain(canary.tenant_name, 40)
    there = words.local(now, zone)
    ends = "no end date known"
    if canary.credential_ends is not None:
        left = words.relative_days(words.days_between(canary.credential_ends, now, zone))
        ends = f"{words.long_date(canary.credential_ends, zone)} ({left})"
    return AlarmView(
        word="CANARY OK",
        tone="good",
        subject=f"{there.date().isoformat()} #{canary.number:04d} {canary.mark}".rstrip(),
        where=name,
        verdict=f"{_who(canary.tenant_name)} can send mail through OAuth SMTP.",
        action="Nothing is to be done. If this mail stops arriving, sending is broken.",
        facts=(
            Fact("Sent", f"{words.long_date(now, zone)} ({now:%H:%M:%S}Z)"),
            Fact("Mailbox", words.address(canary.mailbox)),
            Fact("Server", f"{words.plain(canary.host)}:{canary.port}, STARTTLS, XOAUTH2"),
            Fact("Token valid to", _date(canary.token_expires, zone, "not known")),
            Fact("The app's credential ends", ends),
            Fact("Number", f"#{canary.number:04d}"),
            Fact("Canary id", words.plain(canary.canary_id, 120), code=True),
            *((Fact("Arrival", words.plain(canary.proof)),) if canary.proof else ()),
        ),
        foot=("You get this mail because this address receives the daily canary.",),
    )


def canary_failed_view(
    name: str,
    mailbox: str,
    probe: Probe,
    title: str,
    explanation: str,
    fix: str,
    *,
    also: Sequence[str],
    last_ok: datetime | None,
    since: datetime | None,
    zone: ZoneInfo,
    now: datetime,
    path_note: str,
    finding: Finding | None = None,
    tenant: Tenant | None = None,
) -> AlarmView:
    """A mail path that is broken, with the server's own words as evidence."""
    where = words.plain(name, 40)
    start = since or probe.started_at
    stage = _stage(probe.stage)
    facts = [
        Fact("Mailbox", words.address(mailbox)),
        Fact("Failed at", stage or "not known"),
        Fact("The answer", words.defang(probe.evidence, words.EVIDENCE_CAP) or "none", code=True),
        Fact("Failing since", words.long_date(start, zone)),
        Fact("Last OK", _ago(last_ok, zone, now)),
        Fact("Tried", f"{words.long_date(probe.finished_at, zone)}, attempt {probe.attempt}"),
    ]
    facts[3:3] = _found(finding)
    steps = pasting.steps(filled(fix, mailbox))
    return AlarmView(
        word="CANARY FAILED",
        tone="lapsed",
        subject=_failed_subject(probe, finding, stage, f"{words.local(start, zone):%H:%M}", where),
        where=where,
        verdict=_failed_verdict(name, mailbox, title, arrival=probe.stage == ARRIVAL_STAGE),
        action=f"No warning leaves by this mailbox since {words.long_date(start, zone)}.",
        facts=tuple(facts),
        explanation=tuple(words.lines(explanation)),
        steps=(*steps, pasting.again("canary", name)),
        also=_also(also, name, examined=finding is not None),
        stages=tuple(_stage_view(timing, probe.evidence) for timing in probe.timings),
        foot=(*words.lines(path_note), "A mail says RECOVERED when the canary is OK again.", WHY),
        commands=pasting.block(finding, tenant),
        command_title=pasting.title(finding),
    )


def _failed_verdict(name: str, mailbox: str, title: str, *, arrival: bool) -> str:
    who, box = _who(name), words.address(mailbox)
    if arrival:
        return f"{who}, {box}: {_sentence(title)}"
    return f"{who} cannot send mail as {box}: {_sentence(title)}"


def _failed_subject(
    probe: Probe, finding: Finding | None, stage: str, start: str, where: str
) -> str:
    """The cause in plain words, as far as one is known; else the reply's code and its stage.

    A subject has little room: first the stage gives way, then the hour.
    """
    cause = finding.cause if finding and finding.cause else probe.cause
    code = _CODE.search(probe.evidence)
    told = words.cause_words(cause) if code is None or cause not in VAGUE else code.group().strip()
    at = f" at {stage}" if stage and probe.stage != ARRIVAL_STAGE else ""
    room = words.SUBJECT_CAP - len(f"[Lapsewatch] CANARY FAILED:  - {where}")
    tried = (f"{told}{at} since {start}", f"{told} since {start}")
    return next((line for line in tried if len(line) <= room), told)


def _also(also: Sequence[str], name: str, *, examined: bool) -> tuple[str, ...]:
    """What else it could be, with what tells them apart: the doctor, unless it has looked."""
    told = tuple(words.plain(other, words.EVIDENCE_CAP) for other in also)
    if not told or examined:
        return told
    command = f"lapsewatch doctor {pasting.option(name)}"
    return (*told, f"Which of them it is: `{command}` looks at each.")


def filled(fix: str, mailbox: str) -> str:
    """The fix with the mailbox in its commands, where no shell reads the address otherwise."""
    plain = re.fullmatch(r"[\w.+-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", mailbox, re.ASCII)
    return fix.replace("<mailbox>", mailbox) if plain and mailbox[0].isalnum() else fix


def _who(name: str) -> str:
    return "The operator" if name == OPERATOR else words.defang(name, 40)


def _sentence(title: str) -> str:
    shown = words.plain(title, 160)
    return shown if shown.endswith(".") else f"{shown}."


def _stage(stage: str | None) -> str:
    return _STAGE_WORDS.get(stage, words.plain(stage)) if stage else ""


def _stage_view(timing: StageTiming, evidence: str) -> StageView:
    told = bool(timing.reply) and timing.reply == evidence
    return StageView(
        name=_stage(timing.stage),
        result="ok" if timing.ok else "FAILED",
        seconds=f"{timing.seconds:.2f} s",
        failed=not timing.ok,
        reply=_ABOVE if told else words.defang(timing.reply, 160),
    )
