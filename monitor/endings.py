"""Who still has to hear that something is over, and what waits that is not so any more. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from monitor.model import Credential, NoticeKey, Recipient, Tenant
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


def untrue(
    waiting: Mapping[str, Sequence[NoticeKey]],
    credentials: Mapping[str, Sequence[Credential]],
    now: datetime,
) -> dict[str, bool]:
    """The waiting digests that say something which is not so any more.

    Args:
        waiting: the notices of each, by the mail's id.
        credentials: of each tenant that they speak about, removed ones too.
        now: the instant, aware UTC.

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
    for mail, notices in waiting.items():
        wrong = [is_out_of_date(notice, known, newer) for notice in notices]
        if any(wrong):
            found[mail] = all(wrong)
    return found
