"""The schema: one class per table; rows of these never leave the room.

The tables of the set-up are in `setup_tables`.
"""

from datetime import datetime

from sqlalchemy import ForeignKeyConstraint, Index, column
from sqlmodel import Field

from monitor.store.rows import COUNTER, Row, counter_column, table_of, tenant_column, text_column

_OPEN = column("closed_at").is_(None)


class TenantRow(Row, table=True):
    """The roster. A tenant is always read and written whole, so it is kept as one document."""

    __tablename__ = "tenant"
    name: str = text_column(primary_key=True)
    document: str = text_column()
    changed_at: datetime


class SharedAppRow(Row, table=True):
    """Multi-tenant app registrations that tenants refer to."""

    __tablename__ = "shared_app"
    name: str = text_column(primary_key=True)
    document: str = text_column()


class ScanRow(Row, table=True):
    """The ledger: one row per attempt to read a tenant, never changed."""

    __tablename__ = "scan"
    __table_args__ = (Index(None, "tenant", "id"),)
    id: int | None = counter_column()
    tenant: str = tenant_column()
    started_at: datetime
    finished_at: datetime
    complete: bool
    cause: str | None = text_column()
    problem: str | None = text_column()
    retry: str | None = text_column()
    pages: int
    objects: int
    credentials: int
    calls: str = text_column()
    request_ids: str = text_column()
    notes: str = text_column()
    unseen: str | None = text_column()


class TenantHealthRow(Row, table=True):
    """What the ledger comes to, kept up to date so that no page has to count the ledger."""

    __tablename__ = "tenant_health"
    tenant: str = tenant_column(primary_key=True)
    last_complete: datetime | None = None
    complete_started_at: datetime | None = None
    facts_at: datetime | None = None
    last_attempt: datetime
    failures: int
    last_failed_definitely: bool
    last_incomplete: bool
    cause: str | None = text_column()
    problem: str | None = text_column()
    first_failure_at: datetime | None = None
    scan_id: int = Field(sa_type=COUNTER)


class ObjectRow(Row, table=True):
    """Applications and service principals, as the last complete scan saw them."""

    __tablename__ = "directory_object"
    tenant: str = tenant_column(primary_key=True)
    object_id: str = text_column(primary_key=True)
    object_type: str = text_column()
    app_id: str | None = text_column()
    name: str = text_column()
    enabled: bool | None = None
    managed_identity: bool
    home_tenant: str | None = text_column()
    owners: str | None = text_column()
    people: str | None = text_column()
    notify: str | None = text_column()
    federated: str = text_column()
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
    tenant: str = text_column(primary_key=True)
    object_id: str = text_column(primary_key=True)
    uid: str = text_column(primary_key=True)
    kind: str = text_column()
    slot: str = text_column()
    key_id: str | None = text_column()
    name: str | None = text_column()
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    life: int
    thumbprint: str | None = text_column()
    hint: str | None = text_column()
    active: bool | None = None
    own: bool
    first_seen: datetime
    unproven_since: datetime | None = None
    removed_at: datetime | None = None


class LostAccessRow(Row, table=True):
    """Discovered customers whom the last discovery did not find among the partner's any more."""

    __tablename__ = "lost_access"
    tenant: str = tenant_column(primary_key=True)
    since: datetime
    problem: str = text_column()


class AlarmRow(Row, table=True):
    """Alarms that were raised; at most one per scope stands at a time."""

    __tablename__ = "alarm"
    __table_args__ = (
        Index("uq_alarm_open", "scope", unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN),
    )
    id: int | None = counter_column()
    scope: str = text_column()
    kind: str = text_column()
    opened_at: datetime
    closed_at: datetime | None = None


class OutboxRow(Row, table=True):
    """Mails: waiting, in flight under a lease, sent, given up or withdrawn."""

    __tablename__ = "outbox"
    __table_args__ = (Index(None, "state", "id"), Index(None, "recipient_key", "state"))
    id: int | None = counter_column()
    mail_id: str = text_column(unique=True)
    kind: str = text_column()
    subject: str = text_column()
    body_text: str = text_column()
    body_html: str = text_column()
    thread: str = text_column()
    urgent: bool
    recipient: str = text_column()
    recipient_key: str = text_column()
    tenants: str = text_column()
    path: str = text_column()
    message_id: str = text_column()
    dated: datetime
    state: str = text_column()
    scope: str | None = text_column()
    alarm_id: int | None = Field(
        default=None, sa_type=COUNTER, foreign_key="alarm.id", ondelete="SET NULL", index=True
    )
    run_key: str | None = text_column()
    attempt: int
    not_before: datetime | None = None
    lease_token: str | None = text_column()
    lease_owner: str | None = text_column()
    lease_until: datetime | None = None
    last_error: str | None = text_column()
    last_cause: str | None = text_column()
    gate: str | None = text_column(index=True)
    sent_at: datetime | None = None
    reply: str | None = text_column()
    possible_duplicate: bool


class NoticeRow(Row, table=True):
    """The ledger of what was told to whom: the notices in each mail, stamped when accepted."""

    __tablename__ = "notice"
    __table_args__ = (Index(None, "recipient_key", "tenant"),)
    mail_id: str = text_column(primary_key=True, foreign_key="outbox.mail_id", ondelete="CASCADE")
    place: int = Field(primary_key=True)
    tenant: str = text_column()
    uid: str = text_column()
    life: int
    recipient: str = text_column()
    recipient_key: str = text_column()
    stage: str = text_column()
    level: int
    kind: str = text_column()
    told_at: datetime | None = None


class SlotRow(Row, table=True):
    """Scheduled runs: whoever inserts the row has the run."""

    __tablename__ = "slot"
    job: str = text_column(primary_key=True)
    scope: str = text_column(primary_key=True)
    slot_at: datetime = Field(primary_key=True)
    owner: str = text_column()
    taken_at: datetime
    lease_until: datetime
    finished_at: datetime | None = None


class ProbeRow(Row, table=True):
    """Canaries: each staged test with its evidence. The operator's sender has no tenant row."""

    __tablename__ = "probe"
    __table_args__ = (Index(None, "tenant", "mailbox", "id"),)
    id: int | None = counter_column()
    tenant: str = text_column()
    mailbox: str = text_column()
    started_at: datetime
    finished_at: datetime
    result: str = text_column()
    stage: str | None = text_column()
    cause: str = text_column()
    evidence: str = text_column()
    timings: str = text_column()
    message_id: str | None = text_column()
    number: int
    attempt: int
    retry: str = text_column()


class SenderHealthRow(Row, table=True):
    """What the probes of one sender come to."""

    __tablename__ = "sender_health"
    tenant: str = text_column(primary_key=True)
    mailbox: str = text_column(primary_key=True)
    last_ok: datetime | None = None
    failures: int
    first_failure_at: datetime | None = None
    counted_at: datetime | None = None
    number: int
    probe_id: int = Field(sa_type=COUNTER)


class ExaminationRow(Row, table=True):
    """What the doctor found after a failure. The operator's sender has no tenant row."""

    __tablename__ = "examination"
    tenant: str = text_column(primary_key=True)
    at: datetime
    document: str = text_column()


class ExchangeResultRow(Row, table=True):
    """What an administrator's run of the Exchange check script said, by the sender's tenant."""

    __tablename__ = "exchange_result"
    tenant: str = text_column(primary_key=True)
    at: datetime
    document: str = text_column()


class SnoozeRow(Row, table=True):
    """Snoozes and acknowledgements; the newest of a credential's life holds."""

    __tablename__ = "snooze"
    __table_args__ = (Index(None, "tenant", "uid", "life"),)
    id: int | None = counter_column()
    tenant: str = tenant_column()
    uid: str = text_column()
    life: int
    author: str = text_column()
    reason: str = text_column()
    created_at: datetime
    until: datetime | None = None
    acked_urgency: int | None = None
    confirmed: bool


class SealedSecretRow(Row, table=True):
    """Secret values, encrypted. The key that opens them is never in the database."""

    __tablename__ = "sealed_secret"
    owner: str = text_column(primary_key=True)
    field: str = text_column(primary_key=True)
    key_id: str = text_column(index=True)
    wrapped_key: bytes
    value: bytes
    set_at: datetime


class BeatRow(Row, table=True):
    """The last sign of life of each part of the service."""

    __tablename__ = "beat"
    name: str = text_column(primary_key=True)
    at: datetime


METADATA = Row.metadata  # whole once the package is imported, with every table of it
TENANT = table_of(TenantRow)
SHARED_APP = table_of(SharedAppRow)
SCAN = table_of(ScanRow)
TENANT_HEALTH = table_of(TenantHealthRow)
OBJECT = table_of(ObjectRow)
CREDENTIAL = table_of(CredentialRow)
LOST_ACCESS = table_of(LostAccessRow)
ALARM = table_of(AlarmRow)
OUTBOX = table_of(OutboxRow)
NOTICE = table_of(NoticeRow)
SLOT = table_of(SlotRow)
PROBE = table_of(ProbeRow)
SENDER_HEALTH = table_of(SenderHealthRow)
EXAMINATION = table_of(ExaminationRow)
EXCHANGE_RESULT = table_of(ExchangeResultRow)
SNOOZE = table_of(SnoozeRow)
BEAT = table_of(BeatRow)
SEALED_SECRET = table_of(SealedSecretRow)
