"""What a report is made of, and the rows it comes to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from monitor.inventory import Notes
from monitor.model import (
    ArrivalNews,
    BlindSpot,
    CanaryResult,
    Credential,
    CredentialState,
    Examination,
    Ignore,
    Note,
    ObservedObject,
    OutboxCounts,
    OutboxMail,
    Pulse,
    RefusedAddress,
    SenderHealth,
    Slot,
    Snooze,
    Tenant,
    TenantHealth,
    TenantState,
    WatchedItem,
)
from monitor.model.customers import LostAccess
from monitor.routing import Router
from monitor.severity import still_used

NEEDS_ACTION = (CredentialState.LAPSED, CredentialState.CRITICAL, CredentialState.WARNING)


@dataclass(frozen=True, slots=True)
class TenantRow:
    """One tenant as the report shows it. `problem` is None when there is none.

    `blocked`: it is pending, and something of ours keeps its consent from being looked for.
    `lost` is what became of a discovered customer who is none of the partner's any more.
    `shadow_until` is set while no reminders go out about it, whatever is lapsed or due.
    `examination` is the doctor's, made right after the last scan failed. `unread_dates` are the
    watched dates whose server shows no certificate (any more), with the reason.
    """

    tenant: Tenant
    state: TenantState
    last_complete: datetime | None
    last_attempt: datetime | None
    problem: str | None
    cause: str | None
    failures: int
    credentials: int
    needs_action: int
    lost: str | None = None
    blocked: bool = False
    shadow_until: datetime | None = None
    examination: Examination | None = None
    unread_dates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CredentialRow:
    """One credential as the report shows it. `as_of` is when Graph last showed it.

    `note` is what people keep about it; `ignored` is the operator's rule that keeps it quiet.
    `moving`: it is superseded, and what still uses it has to be moved before its end.
    """

    credential: Credential
    tenant: Tenant
    state: CredentialState
    days_left: int | None
    successor: Credential | None
    as_of: datetime | None
    stale: bool
    snooze: Snooze | None = None
    note: Note | None = None
    ignored: Ignore | None = None
    moving: bool = False

    @property
    def needs_action(self) -> bool:
        """Whether somebody has to do something; Microsoft rotates managed identities itself."""
        quiet = self.credential.managed_identity or self.ignored is not None
        return (self.state in NEEDS_ACTION or self.moving) and not quiet

    @property
    def still_used(self) -> bool:
        """Whether something signs in with it although a newer one is there."""
        return self.successor is not None and still_used(self.credential, self.successor)


@dataclass(frozen=True, slots=True)
class CanaryRow:
    """One sender and what its last test mail proved.

    `stale`: no good proof for 26 hours, or none since the tenant has been known for so long.
    `examination` is the doctor's, made right after the last test mail failed. `arrival` is what
    is known of the last test mail beyond the server's acceptance.
    """

    tenant: str
    mailbox: str
    result: CanaryResult
    stage: str | None
    cause: str | None
    at: datetime | None
    last_ok: datetime | None
    evidence: str | None
    seconds: float | None
    stale: bool
    examination: Examination | None = None
    arrival: ArrivalNews = field(default_factory=ArrivalNews)


@dataclass(frozen=True, slots=True)
class UnfinishedRun:
    """A scheduled run that was begun and not finished in time.

    `name` is the recipient of a daily mail ("warn"), the tenant of a scan, or the tenant whose
    sender is tested ("canary"; "(operator)" for the operator's). `slot_at` is the time it was
    scheduled for (None: at once, a tenant's first scan), `taken_at` when it was first begun.
    """

    job: str
    name: str
    slot_at: datetime | None
    taken_at: datetime


@dataclass(frozen=True, slots=True)
class LateJob:
    """A job of the service that ticks in vain; `last` is its last good round, if it had one."""

    name: str
    last: datetime | None


@dataclass(frozen=True, slots=True)
class IgnoreRow:
    """A rule of the operator's that keeps credentials quiet, and how many it does now.

    `due`: its review day is over, so it keeps none.
    """

    rule: Ignore
    credentials: int
    due: bool


@dataclass(frozen=True, slots=True)
class StatusReport:
    """What needs action and what is unknown, at one instant.

    `outbox` counts all mails that no server has accepted, `mails` are some of them, the worst
    first. `silent_since` is set while the service's own clock has stopped, `cycle_late_since` while
    it ticks and no cycle becomes complete. `pulse` is the heartbeat to the outside.
    """

    generated_at: datetime
    verdict: str
    exit_code: int
    tenants: tuple[TenantRow, ...]
    credentials: tuple[CredentialRow, ...]
    canaries: tuple[CanaryRow, ...]
    outbox: OutboxCounts = field(default_factory=OutboxCounts)
    mails: tuple[OutboxMail, ...] = ()
    federated: tuple[tuple[str, ObservedObject], ...] = ()  # what trusts a foreign identity
    unheard: tuple[str, ...] = ()  # tenants whose warnings have no recipient at all
    beats: Mapping[str, datetime] = field(default_factory=dict)
    next_scan: datetime | None = None
    unfinished: tuple[UnfinishedRun, ...] = ()
    late_jobs: tuple[LateJob, ...] = ()
    silent_since: datetime | None = None
    ignores: tuple[IgnoreRow, ...] = ()
    last_cycle: datetime | None = None
    cycle_late_since: datetime | None = None
    pulse: Pulse = field(default_factory=Pulse)
    blind_spots: tuple[BlindSpot, ...] = ()

    @property
    def ignored(self) -> int:
        """How many credentials a rule keeps quiet."""
        return sum(row.credentials for row in self.ignores)

    @property
    def action_rows(self) -> tuple[CredentialRow, ...]:
        """What needs action, soonest end first."""
        return tuple(row for row in self.credentials if row.needs_action)

    def tenant_counts(self) -> dict[str, int]:
        """How many tenants are in each state (only states that occur)."""
        return dict(Counter(str(row.state) for row in self.tenants))

    def credential_counts(self) -> dict[str, int]:
        """How many credentials are in each state (only states that occur)."""
        return dict(Counter(str(row.state) for row in self.credentials))

    def blind_counts(self) -> dict[str, int]:
        """How many blind spots of each kind there are (only kinds that occur)."""
        return dict(Counter(str(spot.kind) for spot in self.blind_spots))

    def canary_counts(self) -> dict[str, int]:
        """How many senders have each result (only results that occur)."""
        return dict(Counter(str(row.result) for row in self.canaries))


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything a report is made of, as the store and the settings give it."""

    tenants: Sequence[Tenant]
    credentials: Sequence[Credential]
    health: Mapping[str, TenantHealth]
    senders: Sequence[tuple[str, str]]  # (tenant or "(operator)", mailbox) of every sender
    sender_health: Mapping[tuple[str, str], SenderHealth]
    snoozes: Mapping[tuple[str, str, int], Snooze]
    outbox: OutboxCounts
    mails: Sequence[OutboxMail]  # some of those that `outbox` counts, the worst first
    beats: Mapping[str, datetime]
    scan_every: timedelta
    known_since: Mapping[str, datetime]  # when each tenant's entry last changed
    unfinished: Sequence[Slot] = ()  # slots that were taken and not finished
    runs: Collection[str] = ()  # the scopes of the daily runs there are now
    federated: Sequence[tuple[str, ObservedObject]] = ()
    lost: Mapping[str, LostAccess] = field(default_factory=dict)  # customers who are none any more
    examinations: Mapping[str, Examination] = field(default_factory=dict)  # of what fails now
    arrivals: Mapping[tuple[str, str], ArrivalNews] = field(default_factory=dict)
    notes: Notes = field(default_factory=Notes)
    items: Sequence[WatchedItem] = ()
    pulse: Pulse = field(default_factory=Pulse)
    paths: Collection[str] | None = None  # the ids of all sending paths; None: not looked at
    refused: Sequence[RefusedAddress] = ()
    usage_problems: Mapping[str, str] = field(default_factory=dict)  # why, where it is not known
    blind: Sequence[BlindSpot] = ()  # what other rooms know of that could not be warned about
    operator_listens: bool = True  # whether the operator has recipients for what has none
    router: Router | None = None  # the operator's rules about who is told
