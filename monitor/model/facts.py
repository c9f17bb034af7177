"""What a scan read, and what complete scans have proved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Literal

from monitor.model.insights import Limit, PolicyFound, UsageFound
from monitor.model.routing import Owner
from monitor.model.words import Kind, ObjectType

DEFAULT_SCAN_INTERVAL = timedelta(hours=6)
UNKNOWN_AFTER = timedelta(hours=26)
# By how much the clocks of two machines may differ. What lies further ahead was written while
# a clock was wrong.
CLOCK_SLACK = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class ObservedCredential:
    """A credential as one scan saw it.

    `slot` tells credentials of one object and kind apart: the keyId, or a stand-in made of
    start, end and name where Graph gives no keyId. `thumbprint` is upper-case hex.
    `active` is for SAML signing certificates: whether the application signs with it.
    """

    kind: Kind
    slot: str
    key_id: str | None
    name: str | None
    start: datetime | None
    end: datetime | None
    thumbprint: str | None = None
    hint: str | None = None
    active: bool | None = None


@dataclass(frozen=True, slots=True)
class FederatedCredential:
    """A workload identity federation entry: it has no end, and no secret."""

    id: str
    name: str
    issuer: str
    subject: str
    audience: str | None = None


@dataclass(frozen=True, slots=True)
class ObservedObject:
    """An application or service principal as one scan saw it.

    `owners` is None when they were not asked for or could not be read, and () when there is
    none; `people` are the same ones as far as mail can reach them. `notify` are the addresses
    that the notes name. `managed_identity` objects are rotated by Microsoft and never warned
    about.
    """

    object_type: ObjectType
    object_id: str
    app_id: str | None
    name: str
    credentials: tuple[ObservedCredential, ...] = ()
    federated: tuple[FederatedCredential, ...] = ()
    owners: tuple[str, ...] | None = None
    enabled: bool | None = None
    managed_identity: bool = False
    home_tenant: str | None = None
    people: tuple[Owner, ...] | None = None
    notify: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ScanRecord:
    """The ledger row of one attempt to read a tenant.

    `complete` is True only when the last page of every collection was read and nothing was
    left out. `problem` is the sentence people read; `notes` name what was odd but kept. `unseen`
    says what lies outside of that and could not be looked at, and why: the ends of a partner's
    GDAP relationships, which need a permission of their own.
    """

    tenant: str
    started_at: datetime
    finished_at: datetime
    complete: bool
    cause: str | None = None
    problem: str | None = None
    retry: Literal["never", "later", "after_fix"] | None = None
    pages: int = 0
    objects: int = 0
    credentials: int = 0
    calls: Mapping[str, int] = field(default_factory=dict)  # HTTP status -> how often
    request_ids: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    unseen: str | None = None


@dataclass(frozen=True, slots=True)
class Scan:
    """The outcome of one attempt: the ledger row, and what was read.

    A scan that broke off has no objects. One that read every page, but could not make out some
    entry, has the others: what is new among them is worth a warning, but nothing is proven.
    Of the types in `unread` not all was looked at: what is known of them stays, and is not proven
    anew. `policy` and `usage` are None where they were not asked for.
    """

    record: ScanRecord
    objects: tuple[ObservedObject, ...] = ()
    unread: frozenset[ObjectType] = frozenset()
    policy: PolicyFound | None = None
    usage: UsageFound | None = None


def credential_uid(object_id: str, kind: Kind, slot: str) -> str:
    """The name of a credential within its tenant, short enough for any database index.

    Args:
        object_id: the application or service principal it hangs on.
        kind: the sort of credential.
        slot: as in `ObservedCredential`; a long one (made of a long name) enters as its digest.
    """
    short = slot if len(slot) <= 200 else sha256(slot.encode("utf-8", "replace")).hexdigest()
    return f"{object_id}/{kind.value}/{short}"


# --- what is known -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Credential:
    """A credential as the store knows it.

    `uid` is unique within the tenant: object id, kind and slot. `life` counts renewals of the
    same keyId. `own` marks a credential that Lapsewatch itself signs in with. `observed_at` is
    when the last complete scan saw it; `removed_at` when one no longer did. `proven` is False
    while only incomplete scans saw it: then `observed_at` is when the first of them did, it is
    warned about like any other, and it silences no other. `last_used` is its last sign-in on
    record, as of `usage_at`, which is None where nobody can tell. `limit` is the longest lifetime
    that the directory allows for a new one; None: there is none, or it is not known.
    """

    tenant: str
    uid: str
    object_type: ObjectType
    object_id: str
    app_id: str | None
    app_name: str
    kind: Kind
    key_id: str | None
    name: str | None
    start: datetime | None
    end: datetime | None
    life: int = 1
    thumbprint: str | None = None
    hint: str | None = None
    active: bool | None = None
    own: bool = False
    managed_identity: bool = False
    owners: tuple[str, ...] | None = None
    enabled: bool | None = None
    first_seen: datetime | None = None
    observed_at: datetime | None = None
    removed_at: datetime | None = None
    proven: bool = True
    people: tuple[Owner, ...] | None = None
    notify: tuple[str, ...] = ()
    last_used: datetime | None = None
    usage_at: datetime | None = None
    limit: Limit | None = None

    @property
    def longest(self) -> timedelta | None:
        """How long a successor may live; None: as long as one likes, as far as is known."""
        return self.limit.longest if self.limit is not None else None


@dataclass(frozen=True, slots=True)
class Snooze:
    """Silence for one credential: until an instant, for ever, or (ack) until a worse stage.

    `acked_urgency` is set for an acknowledgement and None for a snooze. `confirmed` is the
    second yes that a snooze past the lapse needs.
    """

    tenant: str
    uid: str
    life: int
    author: str
    reason: str
    created_at: datetime
    until: datetime | None = None
    acked_urgency: int | None = None
    confirmed: bool = False


@dataclass(frozen=True, slots=True)
class TenantHealth:
    """What the scan ledger says about one tenant.

    `failures` counts attempts since the last complete scan. `alarm_opened_at` is set while a
    CANNOT CHECK stands. `facts_at` is as of when the facts are: the end of the last complete
    scan, or, before the first of them, of the last one that found anything.
    """

    tenant: str
    last_complete: datetime | None = None
    facts_at: datetime | None = None
    last_attempt: datetime | None = None
    failures: int = 0
    last_failed_definitely: bool = False
    last_incomplete: bool = False
    cause: str | None = None
    problem: str | None = None
    first_failure_at: datetime | None = None
    alarm_opened_at: datetime | None = None
    record: ScanRecord | None = None
