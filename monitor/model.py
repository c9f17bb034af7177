"""The nouns every room shares: frozen, without behaviour that needs a clock or the outside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Literal

# --- vocabulary: the same words on the page, in mails, in the CLI, in JSON and in metrics -------


class ObjectType(StrEnum):
    """What a credential hangs on (Microsoft Graph resource types)."""

    APPLICATION = "application"
    SERVICE_PRINCIPAL = "service_principal"


class Kind(StrEnum):
    """What sort of credential it is."""

    SECRET = "secret"  # noqa: S105 (a kind, not a password)
    CERTIFICATE = "certificate"
    SAML_SIGNING = "saml_signing"
    TOKEN_ENCRYPTION = "token_encryption"  # noqa: S105
    SYMMETRIC_KEY = "symmetric_key"


class CredentialState(StrEnum):
    """States of a credential; the first that fits, in this order, holds."""

    REMOVED = "removed"
    SUPERSEDED = "superseded"
    LAPSED = "lapsed"
    SNOOZED = "snoozed"
    CRITICAL = "critical"
    WARNING = "warning"
    UPCOMING = "upcoming"
    OK = "ok"


class TenantState(StrEnum):
    """How far the facts about a tenant can be trusted."""

    OK = "ok"
    STALE = "stale"
    UNKNOWN = "unknown"
    PENDING = "pending"
    PAUSED = "paused"


class CanaryResult(StrEnum):
    """What the last daily test mail of a sender proved."""

    OK = "ok"
    FAILED = "failed"
    UNCONFIRMED = "unconfirmed"
    NEVER = "never"


class MailKind(StrEnum):
    """Kinds of mail; one folder each in templates/email/."""

    REMINDER = "reminder"
    LAPSED = "lapsed"
    COVERED = "covered"
    RENEWED = "renewed"
    REMOVED = "removed"
    UNEXPECTED = "unexpected"
    CANNOT_CHECK = "cannot_check"
    RECOVERED = "recovered"
    CANARY = "canary"
    CANARY_FAILED = "canary_failed"
    MAIL_PATH_BROKEN = "mail_path_broken"
    REPORT = "report"
    WELCOME = "welcome"


class OutboxState(StrEnum):
    """Life of a row in the outbox. Only a server's acceptance leads to `sent`."""

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    DEAD = "dead"
    WITHDRAWN = "withdrawn"


# --- who is watched ------------------------------------------------------------------------------

OPERATOR = "(operator)"  # stands where a tenant's name would, for the operator's own sender


@dataclass(frozen=True, slots=True)
class CredentialRef:
    """Where a credential's value is to be found; never the value itself.

    `form` says what is found there: a client secret, a PEM file with key and certificate, or
    nothing at all (a managed identity, whose client id is the reference).
    """

    form: Literal["secret", "certificate", "managed_identity"]
    reference: str


@dataclass(frozen=True, slots=True)
class Recipient:
    """One address, with its own zone and hour where they differ from the tenant's."""

    address: str
    time_zone: str | None = None
    send_hour: int | None = None


@dataclass(frozen=True, slots=True)
class Relay:
    """A plain submission server: the operator's other way to send alarms."""

    host: str
    port: int
    tls: Literal["starttls", "tls", "none"] = "starttls"
    user: str | None = None
    credential: CredentialRef | None = None
    ca_file: str | None = None


@dataclass(frozen=True, slots=True)
class Sender:
    """A mailbox and the app that sends as it. What is None comes from the tenant or its cloud."""

    mailbox: str
    enterprise_object_id: str | None = None
    client_id: str | None = None
    credential: CredentialRef | None = None
    canary_to: tuple[str, ...] = ()
    directory_id: str | None = None
    cloud: str | None = None
    smtp_host: str | None = None
    smtp_port: int | None = None
    relay: Relay | None = None


@dataclass(frozen=True, slots=True)
class Cloud:
    """Addresses of one Microsoft cloud, or of servers that speak its protocols.

    Facts: https://learn.microsoft.com/graph/deployments (login, Graph and portal hosts).
    """

    name: str
    authority: str
    graph: str
    graph_scope: str
    smtp_host: str
    smtp_port: int
    smtp_scope: str
    portal: str
    ca_file: str | None = None


@dataclass(frozen=True, slots=True)
class SharedApp:
    """One multi-tenant app registration that many tenants have consented to."""

    name: str
    client_id: str
    credential: CredentialRef


@dataclass(frozen=True, slots=True)
class Tenant:
    """One watched directory, with every default already filled in."""

    name: str
    directory_id: str
    cloud: str
    client_id: str
    credential: CredentialRef
    recipients: tuple[Recipient, ...] = ()
    time_zone: str = "UTC"
    send_hour: int = 8
    thresholds: tuple[int, ...] = (60, 30, 14, 7, 3, 1, 0)
    weekly_after_lapse: int = 4
    tags: tuple[str, ...] = ()
    sender: Sender | None = None
    app: str | None = None
    paused: bool = False


# --- what was read -------------------------------------------------------------------------------


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
    none. `managed_identity` objects are rotated by Microsoft and never warned about.
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


@dataclass(frozen=True, slots=True)
class ScanRecord:
    """The ledger row of one attempt to read a tenant.

    `complete` is True only when the last page of every collection was read and nothing was
    left out. `problem` is the sentence people read; `notes` name what was odd but kept.
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


@dataclass(frozen=True, slots=True)
class Scan:
    """The outcome of one attempt: the ledger row, and what was read.

    A scan that broke off has no objects. One that read every page, but could not make out some
    entry, has the others: they are facts, while what is missing proves nothing.
    """

    record: ScanRecord
    objects: tuple[ObservedObject, ...] = ()


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
    """A credential as the store knows it, from complete scans only.

    `uid` is unique within the tenant: object id, kind and slot. `life` counts renewals of the
    same keyId. `own` marks a credential that Lapsewatch itself signs in with. `observed_at` is
    when the last complete scan saw it; `removed_at` when one no longer did.
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
    CANNOT CHECK stands. `facts_at` is when the facts were read last: by the last complete scan,
    or by a later one that read every page but could not make out some entry.
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


# --- what is said --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, order=True)
class Stage:
    """A step of the warnings; `urgency` orders them: 60 < 30 < … < 0 < L0 < L1 < …

    A threshold of T days has urgency -T, Lk has 1 + k.
    """

    urgency: int

    @classmethod
    def threshold(cls, days: int) -> Stage:
        """The stage of a threshold before the end, in days."""
        return cls(-days)

    @classmethod
    def lapsed(cls, weeks: int) -> Stage:
        """The stage of `weeks` whole weeks after the end (0: just lapsed)."""
        return cls(1 + weeks)

    @property
    def after_end(self) -> bool:
        """Whether this is one of the stages L0, L1, …"""
        return self.urgency > 0

    def __str__(self) -> str:
        return f"L{self.urgency - 1}" if self.after_end else str(-self.urgency)


@dataclass(frozen=True, slots=True)
class Notice:
    """One warning about one credential to one recipient at one stage.

    `level` is the urgency up to which the recipient counts as told once this is accepted; it
    is above the stage's own where later stages are skipped for good (rule 5). For `covered`
    notices the stage says the days left, and the level is not used.
    """

    credential: Credential
    kind: MailKind
    stage: Stage
    level: int
    days_left: int
    successor: Credential | None = None


@dataclass(frozen=True, slots=True)
class NoticeKey:
    """What the store remembers of a notice: the ledger of what was told to whom."""

    tenant: str
    uid: str
    life: int
    recipient: str
    stage: str
    level: int
    kind: MailKind


@dataclass(frozen=True, slots=True)
class Mail:
    """A rendered mail, before it has a sender."""

    kind: MailKind
    subject: str
    text: str
    html: str
    references: tuple[str, ...] = ()
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class OutboxMail:
    """A row of the outbox. `message_id` and `date` are fixed when the row is written.

    `path` is the sending path: "tenant:NAME", "operator" or "" while there is none.
    `scope` is what an alarm is about ("tenant:NAME" or "sender:NAME"). `tenants` are all whose
    names the mail holds. `run_key` names the run that wrote it (recipient, zone, local date).
    """

    id: str
    mail: Mail
    recipient: str
    tenants: tuple[str, ...]
    path: str
    message_id: str
    date: datetime
    state: OutboxState = OutboxState.PENDING
    notices: tuple[NoticeKey, ...] = ()
    scope: str | None = None
    run_key: str | None = None
    attempt: int = 0
    not_before: datetime | None = None
    lease_token: str | None = None
    lease_until: datetime | None = None
    last_error: str | None = None
    last_cause: str | None = None
    sent_at: datetime | None = None
    reply: str | None = None
    possible_duplicate: bool = False


@dataclass(frozen=True, slots=True)
class Receipt:
    """A server's acceptance: its whole last reply, kept as evidence."""

    reply: str
    accepted_at: datetime


# --- the canary ----------------------------------------------------------------------------------

STAGES = (
    "dns", "tcp", "greeting", "starttls", "ehlo", "token", "auth", "mail", "rcpt", "data",
)  # fmt: skip

_STAGE_LABELS = {"greeting": "greeting", "token": "token", "graph": "Graph"}


def stage_label(stage: str | None) -> str | None:
    """A stage as people and scripts see it: protocol verbs in capitals, as in the RFCs."""
    return None if stage is None else _STAGE_LABELS.get(stage, stage.upper())


@dataclass(frozen=True, slots=True)
class StageTiming:
    """One stage of a probe: how long it took (seconds) and what the server said."""

    stage: str
    seconds: float
    ok: bool
    reply: str = ""


@dataclass(frozen=True, slots=True)
class Probe:
    """One staged test of a sender's mail path, with its evidence.

    `stage` is the last one reached; `cause` is an id of the vocabulary (`ok` on success).
    """

    tenant: str
    mailbox: str
    started_at: datetime
    finished_at: datetime
    result: CanaryResult
    stage: str | None
    cause: str
    evidence: str
    timings: tuple[StageTiming, ...] = ()
    message_id: str | None = None
    number: int = 0
    attempt: int = 1
    retry: Literal["never", "later", "after_fix"] = "never"


@dataclass(frozen=True, slots=True)
class SenderHealth:
    """What the probes say about one sender.

    `failures` counts probes since the last good one; `retry_at` is when a transient failure is
    tried again. `alarm_opened_at` is set while a CANARY FAILED stands.
    """

    tenant: str
    mailbox: str
    last: Probe | None = None
    last_ok: datetime | None = None
    failures: int = 0
    first_failure_at: datetime | None = None
    alarm_opened_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Slot:
    """One scheduled run: taken by one process, and finished or (after a crash) taken again."""

    job: str
    scope: str
    slot_at: datetime
    owner: str
    taken_at: datetime
    lease_until: datetime
    finished_at: datetime | None = None


DEFAULT_SCAN_INTERVAL = timedelta(hours=6)
UNKNOWN_AFTER = timedelta(hours=26)
