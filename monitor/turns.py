"""The turns of a credential's life: what was warned about and is over, what should not be there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from fnmatch import fnmatchcase
from zoneinfo import ZoneInfo

from monitor.lifecycle import days_left, has_lapsed, successors
from monitor.model import (
    CLOSINGS,
    COVERED_DAYS,
    Credential,
    Forbid,
    Kind,
    MailKind,
    Notice,
    NoticeKey,
    Stage,
    Tenant,
    Told,
)
from monitor.severity import warns_still_used

Key = tuple[str, str, int]  # tenant, uid, life
Newer = Mapping[tuple[str, str], Credential]  # (tenant, uid) -> what took its place

# Below every threshold: what carries this level is no stage, and silences none.
NO_LEVEL = Stage.threshold(1_000_000).urgency


# --- what is over ---------------------------------------------------------------------------------


def in_its_place(
    credentials: Sequence[Credential], now: datetime
) -> dict[tuple[str, str], Credential]:
    """What took the place of each credential, by tenant and uid; see `lifecycle.successors`.

    Removed ones have a successor too, if one of their kind on their object would supersede them
    now. Beside our own credentials the newer one is named, as `include_own` does.
    """
    found = successors(credentials, now, include_own=True)
    present: dict[tuple[str, str, Kind], list[Credential]] = defaultdict(list)
    for one in credentials:
        if one.removed_at is None:
            present[_group(one)].append(one)
    for one in credentials:
        beside = present.get(_group(one))
        if one.removed_at is None or not beside:
            continue
        # As if it were still there; what is gone signs nothing any more.
        back = replace(one, removed_at=None, proven=False, active=False)
        newer = successors([*beside, back], now, include_own=True)
        if (one.tenant, one.uid) in newer:
            found[one.tenant, one.uid] = newer[one.tenant, one.uid]
    return found


def _group(one: Credential) -> tuple[str, str, Kind]:
    return one.tenant, one.object_id, one.kind


def closing(
    one: Credential,
    newer: Credential | None,
    told: Mapping[Key, Told],
    now: datetime,
    zone: ZoneInfo,
) -> Notice | None:
    """The word to somebody who was told a stage of a credential that this is over; else None.

    It is over when the same key has begun a newer life, when a newer one supersedes it (never so
    for what Lapsewatch itself signs in with: the new value is not in Lapsewatch yet; and not while
    something still signs in with the old one), and when it is gone. `newer` is what
    `in_its_place` says; `told` is the recipient's.
    """
    life = last_told(one, told)
    if life is None or not told[one.tenant, one.uid, life].open or one.managed_identity:
        return None
    ended = replace(one, life=life)
    if one.removed_at is None and (newer is None or one.own):
        anew = Notice(ended, MailKind.RENEWED, Stage.threshold(0), NO_LEVEL, 0, one)
        return anew if life < one.life else None
    if one.removed_at is None and newer is not None and warns_still_used(one, newer, now):
        return None
    days = days_left(one.end, now, zone) or 0
    kind = MailKind.REMOVED if newer is None else MailKind.RENEWED
    level = NO_LEVEL if has_lapsed(one.end, now) else Stage.threshold(days).urgency
    return Notice(ended, kind, Stage.threshold(max(days, 0)), level, days, newer)


def last_told(one: Credential, told: Mapping[Key, Told]) -> int | None:
    """Return the newest life of which a stage was told: no earlier one is spoken of again."""
    for life in range(one.life, 0, -1):
        known = told.get((one.tenant, one.uid, life))
        if known is not None and known.level is not None:
            return life
    return None


def is_out_of_date(
    notice: NoticeKey, known: Mapping[tuple[str, str], Credential], newer: Newer, now: datetime
) -> bool:
    """Whether a notice that still waits says what is not so any more.

    A warning about what is over; or that something is over which is not; or that something is
    going to end which has ended meanwhile.

    Args:
        notice: of a mail that waits.
        known: the credentials of its tenant, removed ones too, by tenant and uid.
        newer: what `in_its_place` says of them.
        now: the instant, aware UTC.
    """
    if notice.kind is MailKind.UNEXPECTED:
        return False
    one = known.get((notice.tenant, notice.uid))
    if one is None:  # nothing is known about it, so nothing is known against it
        return False
    superseded = (notice.tenant, notice.uid) in newer and not one.own
    over = one.removed_at is not None or one.life > notice.life
    if notice.kind is MailKind.COVERED:
        return over or not superseded
    if notice.kind is MailKind.REMINDER and has_lapsed(one.end, now):
        return True
    return (over or superseded) is not (notice.kind in CLOSINGS)


def heard(told: Told, notice: Notice) -> Told:
    """What is told once a server accepted the notice."""
    if notice.kind is MailKind.COVERED:
        return replace(told, covered=True)
    if notice.kind is MailKind.UNEXPECTED:
        return replace(told, unexpected=True)
    if notice.kind in CLOSINGS:
        soon = notice.kind is MailKind.RENEWED and -COVERED_DAYS <= notice.level <= 0
        return replace(told, closed=True, covered=told.covered or soon)
    level = notice.level if told.level is None else max(notice.level, told.level)
    return replace(told, level=level, closed=False)


# --- what should not be there ---------------------------------------------------------------------


def unexpected(
    credentials: Iterable[Credential],
    tenant: Tenant,
    forbids: Sequence[Forbid],
    told: Mapping[Key, Told],
    now: datetime,
    zone: ZoneInfo,
) -> list[Notice]:
    """A notice about each present credential that a rule forbids, if it was not told yet.

    What has lapsed opens nothing any more, and is left out. The first rule that fits is named.
    """
    if not forbids:
        return []
    found = []
    for one in credentials:
        known = told.get((one.tenant, one.uid, one.life))
        rule = None if known and known.unexpected else forbidden_by(one, tenant, forbids)
        if rule is None or one.removed_at is not None or has_lapsed(one.end, now):
            continue
        days = days_left(one.end, now, zone) or 0
        stage = Stage.threshold(max(days, 0))
        notice = Notice(one, MailKind.UNEXPECTED, stage, NO_LEVEL, days, reason=rule.reason)
        found.append(notice)
    return found


def forbidden_by(one: Credential, tenant: Tenant, forbids: Sequence[Forbid]) -> Forbid | None:
    """The first rule that fits a credential; None where it may be there."""
    return next((rule for rule in forbids if _fits(rule, one, tenant)), None)


def _fits(rule: Forbid, one: Credential, tenant: Tenant) -> bool:
    return (
        (rule.kind is None or rule.kind is one.kind)
        and _like(rule.tenant, (tenant.name,))
        and _like(rule.tag, tenant.tags)
        and _like(rule.app, (one.app_name, one.app_id or ""))
    )


def _like(pattern: str | None, values: Iterable[str]) -> bool:
    """Whether one of the values fits; only `*` has a meaning, because names hold brackets."""
    if pattern is None:
        return True
    literal = pattern.casefold().replace("[", "[[]").replace("?", "[?]")
    return any(fnmatchcase(value.casefold(), literal) for value in values)
