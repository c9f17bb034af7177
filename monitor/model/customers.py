"""A partner's customers, as its lists in Microsoft Graph name them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from monitor.errors import RemoteError


class Source(StrEnum):
    """The lists in which a partner's customers are found (names of Microsoft Graph)."""

    CONTRACTS = "contracts"
    CUSTOMERS = "delegatedAdminCustomers"
    RELATIONSHIPS = "delegatedAdminRelationships"


class Access(StrEnum):
    """What a GDAP relationship is worth today."""

    LIVE = "live"
    ENDED = "ended"
    TO_COME = "to_come"  # the customer has not approved it yet


@dataclass(frozen=True, slots=True)
class CustomerSeen:
    """One entry of one list: a customer, and for a GDAP relationship its name, state and dates.

    `object_id` is the entry's own id, `directory_id` the customer's, in lower case.
    """

    object_id: str
    directory_id: str
    name: str
    domain: str | None = None
    relationship: str | None = None
    access: Access | None = None
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class CustomerList:
    """One list as far as it was read: `error` says why it is not whole; None where it is."""

    source: Source
    entries: tuple[CustomerSeen, ...] = ()
    error: RemoteError | None = None


@dataclass(frozen=True, slots=True)
class LostAccess:
    """A discovered customer whom the last discovery did not find among the partner's any more."""

    tenant: str
    since: datetime
    problem: str
