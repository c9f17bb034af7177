"""The schema: one class per table; rows of these never leave the room."""

from datetime import datetime
from typing import Any, cast

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    column,
    inspect,
)
from sqlmodel import Field, SQLModel

from monitor.store.text import SafeText

_COUNTER = BigInteger().with_variant(Integer(), "sqlite")  # SQLite numbers only plain INTEGER keys
_OPEN = column("closed_at").is_(None)


def _text(**options: Any) -> Any:
    return Field(sa_type=SafeText, **options)


def _tenant(**options: Any) -> Any:
    """A column that goes when its tenant goes."""
    return _text(foreign_key="tenant.name", ondelete="CASCADE", **options)


def _counter() -> Any:
    return Field(default=None, sa_column=Column("id", _COUNTER, primary_key=True))


class Row(SQLModel):
    """What all tables share: the catalogue, and names for constraints that migrations can use."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class TenantRow(Row, table=True):
    """The roster. A tenant is always read and written whole, so it is kept as one document."""

    __tablename__ = "tenant"
    name: str = _text(primary_key=True)
    document: str = _text()
    changed_at: datetime


class SharedAppRow(Row, table=True):
    """Multi-tenant app registrations that tenants refer to."""

    __tablename__ = "shared_app"
    name: str = _text(primary_key=True)
    document: str = _text()


class ScanRow(Row, table=True):
    """The ledger: one row per attempt to read a tenant, never changed."""

    __tablename__ = "scan"
    __table_args__ = (Index(None, "tenant", "id"),)
    id: int | None = _counter()
    tenant: str = _tenant()
    started_at: datetime
    finished_at: datetime
    complete: bool
    cause: str | None = _text()
    problem: str | None = _text()
    retry: str | None = _text()
    pages: int
    objects: int
    credentials: int
    calls: str = _text()
    request_ids: str = _text()
    notes: str = _text()
    unseen: str | None = _text()


class TenantHealthRow(Row, table=True):
    """What the ledger comes to, kept up to date so that no page has to count the ledger."""

    __tablename__ = "tenant_health"
    tenant: str = _tenant(primary_key=True)
    last_complete: datetime | None = None
    complete_started_at: datetime | None = None
    facts_at: datetime | None = None
    last_attempt: datetime
    failures: int
    last_failed_definitely: bool
    last_incomplete: bool
    cause: str | None = _text()
    problem: str | None = _text()
    first_failure_at: datetime | None = None
    scan_id: int = Field(sa_type=_COUNTER)


class ObjectRow(Row, table=True):
    """Applications and service principals, as the last complete scan saw them."""

    __tablename__ = "directory_object"
    tenant: str = _tenant(primary_key=True)
    object_id: str = _text(primary_key=True)
    object_type: str = _text()
    app_id: str | None = _text()
    name: str = _text()
    enabled: bool | None = None
    managed_identity: bool
    home_tenant: str | None = _text()
    owners: str | None = _text()
    federated: str = _text()
    first_seen: datetime
    removed_at: datetime | None = None


class CredentialRow(Row, table=True):
    """Credentials. There is no "last seen" here: it is the tenant's last complete scan.

    `unproven_since` is set while only incomplete scans saw it: such a one is not trusted to
    stand in for another.
    """

    __tablename__ = "credential"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant", "object_id"],
            ["directory_object.tenant", "directory_object.object_id"],
            ondelete="CASCADE",
        ),
    )
    # The uid would do. With the object in the key there is one index only, and every planner
    # finds the credentials of some objects by it, before it has any statistics.
    tenant: str = _text(primary_key=True)
    object_id: str = _text(primary_key=True)
    uid: str = _text(primary_key=True)
    kind: str = _text()
    slot: str = _text()
    key_id: str | None = _text()
    name: str | None = _text()
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    life: int
    thumbprint: str | None = _text()
    hint: str | None = _text()
    active: bool | None = None
    own: bool
    first_seen: datetime
    unproven_since: datetime | None = None
    removed_at: datetime | None = None


class LostAccessRow(Row, table=True):
    """Discovered customers whom the last discovery did not find among the partner's any more."""

    __tablename__ = "lost_access"
    tenant: str = _tenant(primary_key=True)
    since: datetime
    problem: str = _text()


class AlarmRow(Row, table=True):
    """Alarms that were raised; at most one per scope stands at a time."""

    __tablename__ = "alarm"
    __table_args__ = (
        Index("uq_alarm_open", "scope", unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN),
    )
    id: int | None = _counter()
    scope: str = _text()
    kind: str = _text()
    opened_at: datetime
    closed_at: datetime | None = None


class OutboxRow(Row, table=True):
    """Mails: waiting, in flight under a lease, sent, given up or withdrawn."""

    __tablename__ = "outbox"
    __table_args__ = (Index(None, "state", "id"), Index(None, "recipient_key", "state"))
    id: int | None = _counter()
    mail_id: str = _text(unique=True)
    kind: str = _text()
    subject: str = _text()
    body_text: str = _text()
    body_html: str = _text()
    thread: str = _text()
    urgent: bool
    recipient: str = _text()
    recipient_key: str = _text()
    tenants: str = _text()
    path: str = _text()
    message_id: str = _text()
    dated: datetime
    state: str = _text()
    scope: str | None = _text()
    alarm_id: int | None = Field(
        default=None, sa_type=_COUNTER, foreign_key="alarm.id", ondelete="SET NULL", index=True
    )
    run_key: str | None = _text()
    attempt: int
    not_before: datetime | None = None
    lease_token: str | None = _text()
    lease_owner: str | None = _text()
    lease_until: datetime | None = None
    last_error: str | None = _text()
    last_cause: str | None = _text()
    gate: str | None = _text(index=True)
    sent_at: datetime | None = None
    reply: str | None = _text()
    possible_duplicate: bool


class NoticeRow(Row, table=True):
    """The ledger of what was told to whom: the notices in each mail, stamped when accepted."""

    __tablename__ = "notice"
    __table_args__ = (Index(None, "recipient_key", "tenant"),)
    mail_id: str = _text(primary_key=True, foreign_key="outbox.mail_id", ondelete="CASCADE")
    place: int = Field(primary_key=True)
    tenant: str = _text()
    uid: str = _text()
    life: int
    recipient: str = _text()
    recipient_key: str = _text()
    stage: str = _text()
    level: int
    kind: str = _text()
    told_at: datetime | None = None


class SlotRow(Row, table=True):
    """Scheduled runs: whoever inserts the row has the run."""

    __tablename__ = "slot"
    job: str = _text(primary_key=True)
    scope: str = _text(primary_key=True)
    slot_at: datetime = Field(primary_key=True)
    owner: str = _text()
    taken_at: datetime
    lease_until: datetime
    finished_at: datetime | None = None


class ProbeRow(Row, table=True):
    """Canaries: each staged test with its evidence. The operator's sender has no tenant row."""

    __tablename__ = "probe"
    __table_args__ = (Index(None, "tenant", "mailbox", "id"),)
    id: int | None = _counter()
    tenant: str = _text()
    mailbox: str = _text()
    started_at: datetime
    finished_at: datetime
    result: str = _text()
    stage: str | None = _text()
    cause: str = _text()
    evidence: str = _text()
    timings: str = _text()
    message_id: str | None = _text()
    number: int
    attempt: int
    retry: str = _text()


class SenderHealthRow(Row, table=True):
    """What the probes of one sender come to."""

    __tablename__ = "sender_health"
    tenant: str = _text(primary_key=True)
    mailbox: str = _text(primary_key=True)
    last_ok: datetime | None = None
    failures: int
    first_failure_at: datetime | None = None
    counted_at: datetime | None = None
    number: int
    probe_id: int = Field(sa_type=_COUNTER)


class ConfirmationRow(Row, table=True):
    """Whether somebody saw a sender's test mail arrive; only for senders that were asked about."""

    __tablename__ = "confirmation"
    tenant: str = _tenant(primary_key=True)
    mailbox: str = _text(primary_key=True)
    asked_at: datetime
    sent_to: str = _text()
    answer: str | None = _text()
    answered_at: datetime | None = None
    answered_by: str | None = _text()


class DraftRow(Row, table=True):
    """Guided set-ups on their way, each as one document."""

    __tablename__ = "draft"
    name: str = _text(primary_key=True)
    document: str = _text()
    changed_at: datetime


class ExaminationRow(Row, table=True):
    """What the doctor found after a failure. The operator's sender has no tenant row."""

    __tablename__ = "examination"
    tenant: str = _text(primary_key=True)
    at: datetime
    document: str = _text()


class ExchangeResultRow(Row, table=True):
    """What an administrator's run of the Exchange check script said, by the sender's tenant."""

    __tablename__ = "exchange_result"
    tenant: str = _text(primary_key=True)
    at: datetime
    document: str = _text()


class SetupLinkRow(Row, table=True):
    """One-time links to the set-up pages, by the SHA-256 of their tokens."""

    __tablename__ = "setup_link"
    digest: str = _text(primary_key=True)
    expires_at: datetime


class WebSessionRow(Row, table=True):
    """Browsers that may change something, by the SHA-256 of what their cookies hold."""

    __tablename__ = "web_session"
    digest: str = _text(primary_key=True)
    started_at: datetime
    seen_at: datetime
    expires_at: datetime


class SnoozeRow(Row, table=True):
    """Snoozes and acknowledgements; the newest of a credential's life holds."""

    __tablename__ = "snooze"
    __table_args__ = (Index(None, "tenant", "uid", "life"),)
    id: int | None = _counter()
    tenant: str = _tenant()
    uid: str = _text()
    life: int
    author: str = _text()
    reason: str = _text()
    created_at: datetime
    until: datetime | None = None
    acked_urgency: int | None = None
    confirmed: bool


class SealedSecretRow(Row, table=True):
    """Secret values, encrypted. The key that opens them is never in the database."""

    __tablename__ = "sealed_secret"
    owner: str = _text(primary_key=True)
    field: str = _text(primary_key=True)
    key_id: str = _text(index=True)
    wrapped_key: bytes
    value: bytes
    set_at: datetime


class BeatRow(Row, table=True):
    """The last sign of life of each part of the service."""

    __tablename__ = "beat"
    name: str = _text(primary_key=True)
    at: datetime


def _core(row: type[Row]) -> Table:
    return cast(Table, inspect(row).local_table)


METADATA = Row.metadata
TENANT = _core(TenantRow)
SHARED_APP = _core(SharedAppRow)
SCAN = _core(ScanRow)
TENANT_HEALTH = _core(TenantHealthRow)
OBJECT = _core(ObjectRow)
CREDENTIAL = _core(CredentialRow)
LOST_ACCESS = _core(LostAccessRow)
ALARM = _core(AlarmRow)
OUTBOX = _core(OutboxRow)
NOTICE = _core(NoticeRow)
SLOT = _core(SlotRow)
PROBE = _core(ProbeRow)
SENDER_HEALTH = _core(SenderHealthRow)
CONFIRMATION = _core(ConfirmationRow)
DRAFT = _core(DraftRow)
EXAMINATION = _core(ExaminationRow)
EXCHANGE_RESULT = _core(ExchangeResultRow)
SETUP_LINK = _core(SetupLinkRow)
WEB_SESSION = _core(WebSessionRow)
SNOOZE = _core(SnoozeRow)
BEAT = _core(BeatRow)
SEALED_SECRET = _core(SealedSecretRow)
