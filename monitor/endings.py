"""Who still has to hear that something is over, and what waits that is not so any more. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from monitor.decide import Decision, Reason
from monitor.model import (
    CLOSINGS,
    Credential,
    MailKind,
    NoticeKey,
    Recipient,
    Tenant,
    WaitingMail,
)
from monitor.recipients import Audience, RecipientRun, listener
from monitor.severity import warns_still_used
from monitor.turns import in_its_place, is_out_of_date


def unserved(
    heard: Iterable[tuple[str, str]], runs: Iterable[RecipientRun], tenants: Iterable[Tenant]
) -> dict[str, set[str]]:
    """Who was told about a tenant that none of their runs speaks about any more.

    Args:
        heard: address and tenant of everybody who was ever told something.
        runs: the daily runs there are.
        tenants: all tenants; of one that is paused or pending nothing is said.

    Returns:
        The names of such tenants, by address.
    """
    served = {(run.address.casefold(), name) for run in runs for name in run.names}
    active = {tenant.name for tenant in tenants if tenant.active}
    found: dict[str, set[str]] = {}
    for address, name in heard:
        if name in active and (address.casefold(), name) not in served:
            found.setdefault(address, set()).add(name)
    return found


def with_endings(
    runs: Sequence[RecipientRun],
    owed: Mapping[str, Collection[str]],
    tenants: Iterable[Tenant],
    audience: Audience,
) -> list[RecipientRun]:
    """The daily runs, and what they, or runs of their own, add for those who only hear of ends.

    They hear it in the zone and at the hour of the tenant.

    Args:
        runs: the daily runs there are.
        owed: the tenants about which somebody is told only what is over, by address.
        tenants: all tenants.
        audience: the operator.
    """
    known = {tenant.name: tenant for tenant in tenants}
    found = {(run.address.casefold(), run.zone): run for run in runs}
    for address, names in sorted(owed.items()):
        for name in sorted(names):
            tenant = known[name]
            place = tenant if tenant.recipients else None
            one = listener(Recipient(address), place, audience)
            key = (address.casefold(), one.zone)
            run = found.get(key) or RecipientRun(address, one.zone, one.hour, ())
            also = (*run.tenants, tenant)
            found[key] = replace(run, tenants=also, ends=run.ends | {name})
    return [found[key] for key in sorted(found)]


@dataclass(frozen=True, slots=True)
class Hush:
    """What is kept from an address now, by tenant and uid: its stages, and that it is odd."""

    stages: frozenset[tuple[str, str]] = frozenset()
    odd: frozenset[tuple[str, str]] = frozenset()


NO_HUSH = Hush()
_QUIET = (
    Reason.SNOOZED, Reason.ACKNOWLEDGED, Reason.IGNORED, Reason.NOT_ROUTED, Reason.IN_SHADOW,
    Reason.NO_RECIPIENT,
)  # fmt: skip


def hushed(decisions: Iterable[Decision]) -> Hush:
    """What somebody asked to keep from an address, given everything that is decided for it now.

    Not what merely is not due: a clock that was set back, or a rule about days, takes no warning
    away that was right when it was written.

    Args:
        decisions: of all runs of the address; what one of them says is not kept from it.
    """
    said: dict[bool, set[tuple[str, str]]] = {True: set(), False: set()}
    quiet, withheld = set(), set()
    for one in decisions:
        key = (one.credential.tenant, one.credential.uid)
        if one.notice is not None:
            said[one.notice.kind is MailKind.UNEXPECTED].add(key)
            continue
        if one.reason in _QUIET:
            quiet.add(key)
        if one.withheld:
            withheld.add(key)
    return Hush(frozenset(quiet - said[False]), frozenset(withheld - said[True]))


def untrue(
    waiting: Sequence[WaitingMail],
    notices: Mapping[str, Sequence[NoticeKey]],
    credentials: Mapping[str, Sequence[Credential]],
    now: datetime,
    *,
    hushes: Mapping[str, Hush] | None = None,
    in_shadow: Collection[str] = (),
) -> dict[str, bool]:
    """The waiting digests that say something which would not be said any more.

    Args:
        waiting: digests that no server accepted.
        notices: what each says, by the mail's id.
        credentials: of each tenant that they speak about, removed ones too.
        now: the instant, aware UTC.
        hushes: what is kept from each address (casefolded) now.
        in_shadow: the tenants whose stages are told in a welcome, or not at all.

    Returns:
        By the mail's id: whether all of it is untrue.
    """
    known = {(one.tenant, one.uid): one for held in credentials.values() for one in held}
    newer = {}
    for held in credentials.values():
        for key, one in in_its_place(held, now).items():
            old = known[key]
            if old.removed_at is not None or not warns_still_used(old, one, now):
                newer[key] = one
    found = {}
    for mail in waiting:
        hush = (hushes or {}).get(mail.recipient.casefold(), NO_HUSH)
        late = () if mail.kind is MailKind.WELCOME else in_shadow
        wrong = [
            is_out_of_date(notice, known, newer, now) or _is_kept(notice, hush, late)
            for notice in notices.get(mail.id, ())
        ]
        if any(wrong):
            found[mail.id] = all(wrong)
    return found


def _is_kept(notice: NoticeKey, hush: Hush, in_shadow: Collection[str]) -> bool:
    """Whether a notice is not for its reader now; that something is over always is."""
    key = (notice.tenant, notice.uid)
    if notice.kind is MailKind.UNEXPECTED:
        return key in hush.odd
    if notice.kind in CLOSINGS:
        return False
    return key in hush.stages or notice.tenant in in_shadow
