"""What a partner's lists come to: customers to be watched, and those who are lost. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from monitor.model import Tenant
from monitor.model.customers import Access, CustomerList, CustomerSeen, LostAccess, Source

_NAME_LENGTH = 40
_GONE = "It is in none of the partner's lists of customers any more."
_ENDED = "All of the partner's GDAP relationships with it have ended."
_WHAT_NOW = (
    "If it is no customer any more: lapsewatch tenant remove, or purge. Else renew the "
    "relationship in Partner Center, and run: lapsewatch tenant discover"
)


@dataclass(frozen=True, slots=True)
class Customer:
    """One customer, as all lists together know it.

    `gdap_end` is the last end of its live GDAP relationships. `ended` says that it had some and
    that none is live. `certain` customers have a contract or a live relationship, or stand in a
    list that says no more than that they are one.
    """

    directory_id: str
    name: str
    domain: str | None
    sources: tuple[Source, ...]
    gdap_end: datetime | None = None
    ended: bool = False
    certain: bool = True


def merged(lists: Iterable[CustomerList]) -> list[Customer]:
    """The customers of a partner's lists, each once, by name and directory id."""
    found: dict[str, Customer] = {}
    live: set[str] = set()
    for part in lists:
        for entry in part.entries:
            old = found.get(entry.directory_id)
            if entry.access is Access.LIVE:
                live.add(entry.directory_id)
            known_end = old.gdap_end if old else None
            ends = [end for end in (known_end, _live_end(entry)) if end is not None]
            sources = old.sources if old else ()
            found[entry.directory_id] = Customer(
                entry.directory_id,
                (old.name if old else "") or entry.name,
                (old.domain if old else None) or entry.domain,
                sources if part.source in sources else (*sources, part.source),
                max(ends, default=None),
                ended=(old is not None and old.ended) or entry.access is Access.ENDED,
            )
    customers = (_judged(one, one.directory_id in live) for one in found.values())
    return sorted(customers, key=lambda one: (one.name.casefold(), one.directory_id))


def _live_end(entry: CustomerSeen) -> datetime | None:
    return entry.end if entry.access is Access.LIVE else None


def _judged(one: Customer, live: bool) -> Customer:
    ended = one.ended and not live
    return replace(one, ended=ended, certain=not ended or Source.CONTRACTS in one.sources)


def newcomers(
    customers: Iterable[Customer], watched: Sequence[Tenant], blank: Tenant
) -> list[Tenant]:
    """The customers that nobody watches yet, as pending tenants with short names of their own.

    Args:
        customers: of `merged`; those whose access has ended are left out.
        watched: all tenants there are, to find known directories and taken names.
        blank: what they all have in common: app, cloud, defaults, and the partner's name.
    """
    known = {tenant.directory_id.lower() for tenant in watched}
    names = {tenant.name.casefold() for tenant in watched}
    found = []
    for one in customers:
        if one.directory_id in known or not one.certain:
            continue
        name = short_name(one, names)
        names.add(name.casefold())
        found.append(replace(blank, name=name, directory_id=one.directory_id, pending=True))
    return found


def short_name(customer: Customer, taken: Collection[str]) -> str:
    """A name for a tenant, of its domain or display name, that is not in `taken` (small letters).

    ASCII letters, digits and dashes; where nothing is left of the name, of the directory's id.
    """
    first = (customer.domain or "").partition(".")[0]
    stem = _slug(first) or _slug(customer.name) or f"customer-{customer.directory_id[:8]}"
    name, number = stem, 1
    while name.casefold() in taken:
        number += 1
        name = f"{stem}-{number}"
    return name


def _slug(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_NAME_LENGTH].strip("-")


def lost(
    customers: Iterable[Customer],
    lists: Iterable[CustomerList],
    watched: Iterable[Tenant],
    partner: str,
) -> dict[str, str]:
    """The customers discovered earlier who are none any more, by name, with what that means.

    Nobody is taken for lost because a list could not be read whole.

    Args:
        customers: of `merged`.
        lists: what they were made of.
        watched: all tenants there are.
        partner: the name of the partner's tenant.
    """
    unread = {part.source for part in lists if part.error is not None}
    known = {one.directory_id: one for one in customers}
    found = {}
    for tenant in watched:
        if tenant.discovered_from != partner:
            continue
        one = known.get(tenant.directory_id.lower())
        if one is None and not unread:
            found[tenant.name] = f"{_GONE} {_WHAT_NOW}"
        elif one is not None and one.ended and Source.RELATIONSHIPS not in unread:
            found[tenant.name] = f"{_ENDED} {_WHAT_NOW}"
    return found


def judged(
    customers: Iterable[Customer],
    lists: Iterable[CustomerList],
    watched: Iterable[Tenant],
    partner: str,
) -> set[str]:
    """The discovered customers about whom the lists say for sure whether they are lost.

    All of them where every list is whole; else those that were found, as long as the list of the
    relationships is whole.
    """
    unread = {part.source for part in lists if part.error is not None}
    found = {one.directory_id for one in customers}
    return {
        tenant.name
        for tenant in watched
        if tenant.discovered_from == partner
        and Source.RELATIONSHIPS not in unread
        and (not unread or tenant.directory_id.lower() in found)
    }


def standing(lost: Mapping[str, LostAccess], watched: Iterable[Tenant]) -> dict[str, LostAccess]:
    """The losses that still mean something: of customers whose partner is watched.

    Where nobody asks the partner any more, nobody would ever take one back.
    """
    tenants = list(watched)
    names = {tenant.name for tenant in tenants}
    partner = {tenant.name: tenant.discovered_from for tenant in tenants}
    return {name: one for name, one in lost.items() if partner.get(name) in names}
