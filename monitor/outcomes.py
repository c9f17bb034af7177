"""What a look at one credential comes to, in words. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from monitor.lifecycle import has_lapsed, successors
from monitor.mail.words import kind_word, long_date, plain
from monitor.model import CanaryResult, Credential, Probe, stage_label

Result = Literal["renewed", "removed", "same", "unread"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was seen. `over` says that nobody needs to be reminded any more."""

    result: Result
    words: tuple[str, ...]
    over: bool = False


def outcome(
    uid: str, life: int, found: Sequence[Credential], now: datetime, zone: ZoneInfo
) -> Outcome:
    """Judge a credential by what its object holds now.

    Args:
        uid: of the credential.
        life: that was warned about.
        found: all of the tenant's credentials that are known, removed ones too.
        now: the instant, aware UTC.
        zone: of the dates in the words.
    """
    one = next((each for each in found if each.uid == uid), None)
    if one is None:
        return Outcome("removed", ("It is not there any more.",), over=True)
    word = kind_word(one.kind)
    newer = successors(found, now, include_own=True).get((one.tenant, one.uid))
    if one.removed_at is not None:
        left = _valid(one, found, now)
        rest = f" In its place is {_called(left, zone)}." if left else " No other one is valid."
        return Outcome("removed", (f"The {word} is gone from Entra.{rest}",), over=True)
    if one.life > life:
        return Outcome("renewed", (f"Renewed: it is {_valid_to(one, zone)} now.",), over=True)
    if newer is None:
        return Outcome("same", (_nothing_new(one, word, _coming(one, found, now), zone),))
    seen = f"Seen: new {_called(newer, zone)}. The old one is still there"
    if one.own:
        told = f"{seen}, and Lapsewatch itself signs in with it: give Lapsewatch the new value."
        return Outcome("same", (told,))
    return Outcome("renewed", (f"{seen}: remove it once nothing uses it.",), over=True)


def unread(message: str, fix: str) -> Outcome:
    """Nobody can say: the object could not be read."""
    told = f"It cannot be read just now: {message}"
    return Outcome("unread", tuple(filter(None, (told, fix))))


def mail_path(mailbox: str, probe: Probe) -> str:
    """What a test of the sender that uses this app showed."""
    if probe.result is CanaryResult.OK:
        return f"Mail path: a test mail from {mailbox} was accepted."
    where = f" at {stage_label(probe.stage)}" if probe.stage else ""
    said = plain(probe.evidence, 300) or probe.cause
    return f"Mail path: a test mail from {mailbox} was not accepted{where}: {said}"


def _valid(one: Credential, found: Sequence[Credential], now: datetime) -> Credential | None:
    """The credential of the same object and kind that lasts longest."""
    alike = [
        each
        for each in found
        if (each.object_id, each.kind) == (one.object_id, one.kind)
        and each.removed_at is None
        and not has_lapsed(each.end, now)
    ]
    return max(alike, key=lambda each: (each.end is None, each.end or now), default=None)


def _called(one: Credential, zone: ZoneInfo) -> str:
    name = f' "{plain(one.name)}"' if one.name else ""
    return f"{kind_word(one.kind)}{name}, {_valid_to(one, zone)}"


def _valid_to(one: Credential, zone: ZoneInfo) -> str:
    return "without an end date" if one.end is None else f"valid to {long_date(one.end, zone)}"


def _coming(one: Credential, found: Sequence[Credential], now: datetime) -> Credential | None:
    """A newer one that is not valid yet, so that it cannot take over."""
    start = {
        each.start: each
        for each in found
        if (each.object_id, each.kind) == (one.object_id, one.kind)
        and each.removed_at is None
        and each.start is not None
        and each.start > now
    }
    return start[min(start)] if start else None


def _nothing_new(one: Credential, word: str, coming: Credential | None, zone: ZoneInfo) -> str:
    if coming is not None and coming.start is not None:
        begins = long_date(coming.start, zone)
        return f"Not yet: there is a new {_called(coming, zone)}, but it starts on {begins} only."
    end = "has no end date" if one.end is None else f"ends on {long_date(one.end, zone)}"
    return (
        f"Nothing new yet: the {word} {end}, and there is no newer one beside it. Entra can take "
        "some minutes to show a new one; look again then."
    )
