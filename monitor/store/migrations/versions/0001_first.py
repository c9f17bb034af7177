"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Types are spelled out here, so that this step stays what it was when the program's types change.
INSTANT = sa.DateTime(timezone=True)
COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _alarm()
    _beat()
    _examination()
    _exchange_result()
    _probe()
    _sealed_secret()
    _sender_health()
    _shared_app()
    _slot()
    _tenant()
    _directory_object()
    _lost_access()
    _outbox()
    _scan()
    _snooze()
    _tenant_health()
    _credential()
    _notice()


def _alarm() -> None:
    op.create_table(
        "alarm",
        sa.Column("id", COUNTER, nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("opened_at", INSTANT, nullable=False),
        sa.Column("closed_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarm")),
    )
    op.create_index(
        "uq_alarm_open",
        "alarm",
        ["scope"],
        unique=True,
        sqlite_where=sa.text("closed_at IS NULL"),
        postgresql_where=sa.text("closed_at IS NULL"),
    )


def _beat() -> None:
    op.create_table(
        "beat",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_beat")),
    )


def _examination() -> None:
    op.create_table(
        "examination",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", name=op.f("pk_examination")),
    )


def _exchange_result() -> None:
    op.create_table(
        "exchange_result",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", name=op.f("pk_exchange_result")),
    )


def _probe() -> None:
    op.create_table(
        "probe",
        sa.Column("id", COUNTER, nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("mailbox", sa.Text(), nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("finished_at", INSTANT, nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=True),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("timings", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=True),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("retry", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_probe")),
    )
    op.create_index(
        op.f("ix_probe_tenant_mailbox_id"), "probe", ["tenant", "mailbox", "id"], unique=False
    )


def _sealed_secret() -> None:
    op.create_table(
        "sealed_secret",
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("set_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("owner", "field", name=op.f("pk_sealed_secret")),
    )
    op.create_index(op.f("ix_sealed_secret_key_id"), "sealed_secret", ["key_id"])


def _sender_health() -> None:
    op.create_table(
        "sender_health",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("mailbox", sa.Text(), nullable=False),
        sa.Column("last_ok", INSTANT, nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("first_failure_at", INSTANT, nullable=True),
        sa.Column("counted_at", INSTANT, nullable=True),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("probe_id", COUNTER, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "mailbox", name=op.f("pk_sender_health")),
    )


def _shared_app() -> None:
    op.create_table(
        "shared_app",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_shared_app")),
    )


def _slot() -> None:
    op.create_table(
        "slot",
        sa.Column("job", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("slot_at", INSTANT, nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("taken_at", INSTANT, nullable=False),
        sa.Column("lease_until", INSTANT, nullable=False),
        sa.Column("finished_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("job", "scope", "slot_at", name=op.f("pk_slot")),
    )


def _tenant() -> None:
    op.create_table(
        "tenant",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_tenant")),
    )


def _directory_object() -> None:
    op.create_table(
        "directory_object",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("object_id", sa.Text(), nullable=False),
        sa.Column("object_type", sa.Text(), nullable=False),
        sa.Column("app_id", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=True),
        sa.Column("managed_identity", sa.Boolean(), nullable=False),
        sa.Column("home_tenant", sa.Text(), nullable=True),
        sa.Column("owners", sa.Text(), nullable=True),
        sa.Column("federated", sa.Text(), nullable=False),
        sa.Column("first_seen", INSTANT, nullable=False),
        sa.Column("removed_at", INSTANT, nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant"], ["tenant.name"], name=op.f("fk_directory_object_tenant"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant", "object_id", name=op.f("pk_directory_object")),
    )


def _lost_access() -> None:
    op.create_table(
        "lost_access",
        sa.Column("tenant", sa.Text(), nullable=False), sa.Column("since", INSTANT, nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant"], ["tenant.name"], name=op.f("fk_lost_access_tenant"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant", name=op.f("pk_lost_access")),
    )  # fmt: skip


def _outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", COUNTER, nullable=False),
        sa.Column("mail_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("body_text", sa.Text(), nullable=False),
        sa.Column("body_html", sa.Text(), nullable=False),
        sa.Column("thread", sa.Text(), nullable=False),
        sa.Column("urgent", sa.Boolean(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("recipient_key", sa.Text(), nullable=False),
        sa.Column("tenants", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("dated", INSTANT, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=True),
        sa.Column("alarm_id", COUNTER, nullable=True),
        sa.Column("run_key", sa.Text(), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("not_before", INSTANT, nullable=True),
        sa.Column("lease_token", sa.Text(), nullable=True),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("lease_until", INSTANT, nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("last_cause", sa.Text(), nullable=True),
        sa.Column("sent_at", INSTANT, nullable=True),
        sa.Column("reply", sa.Text(), nullable=True),
        sa.Column("possible_duplicate", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["alarm_id"], ["alarm.id"], name=op.f("fk_outbox_alarm_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("mail_id", name=op.f("uq_outbox_mail_id")),
    )
    op.create_index(op.f("ix_outbox_alarm_id"), "outbox", ["alarm_id"], unique=False)
    op.create_index(
        op.f("ix_outbox_recipient_key_state"), "outbox", ["recipient_key", "state"], unique=False
    )
    op.create_index(op.f("ix_outbox_state_id"), "outbox", ["state", "id"], unique=False)


def _scan() -> None:
    op.create_table(
        "scan",
        sa.Column("id", COUNTER, nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("finished_at", INSTANT, nullable=False),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("retry", sa.Text(), nullable=True),
        sa.Column("pages", sa.Integer(), nullable=False),
        sa.Column("objects", sa.Integer(), nullable=False),
        sa.Column("credentials", sa.Integer(), nullable=False),
        sa.Column("calls", sa.Text(), nullable=False),
        sa.Column("request_ids", sa.Text(), nullable=False),
        sa.Column("notes", sa.Text(), nullable=False),
        sa.Column("unseen", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant"], ["tenant.name"], name=op.f("fk_scan_tenant"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scan")),
    )
    op.create_index(op.f("ix_scan_tenant_id"), "scan", ["tenant", "id"], unique=False)


def _snooze() -> None:
    op.create_table(
        "snooze",
        sa.Column("id", COUNTER, nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("life", sa.Integer(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("until", INSTANT, nullable=True),
        sa.Column("acked_urgency", sa.Integer(), nullable=True),
        sa.Column("confirmed", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant"], ["tenant.name"], name=op.f("fk_snooze_tenant"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_snooze")),
    )
    op.create_index(
        op.f("ix_snooze_tenant_uid_life"), "snooze", ["tenant", "uid", "life"], unique=False
    )


def _tenant_health() -> None:
    op.create_table(
        "tenant_health",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("last_complete", INSTANT, nullable=True),
        sa.Column("complete_started_at", INSTANT, nullable=True),
        sa.Column("facts_at", INSTANT, nullable=True),
        sa.Column("last_attempt", INSTANT, nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_failed_definitely", sa.Boolean(), nullable=False),
        sa.Column("last_incomplete", sa.Boolean(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("first_failure_at", INSTANT, nullable=True),
        sa.Column("scan_id", COUNTER, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant"], ["tenant.name"], name=op.f("fk_tenant_health_tenant"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant", name=op.f("pk_tenant_health")),
    )


def _credential() -> None:
    op.create_table(
        "credential",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("object_id", sa.Text(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("slot", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("starts_at", INSTANT, nullable=True),
        sa.Column("ends_at", INSTANT, nullable=True),
        sa.Column("life", sa.Integer(), nullable=False),
        sa.Column("thumbprint", sa.Text(), nullable=True),
        sa.Column("hint", sa.Text(), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=True),
        sa.Column("own", sa.Boolean(), nullable=False),
        sa.Column("first_seen", INSTANT, nullable=False),
        sa.Column("unproven_since", INSTANT, nullable=True),
        sa.Column("removed_at", INSTANT, nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant", "object_id"],
            ["directory_object.tenant", "directory_object.object_id"],
            name=op.f("fk_credential_tenant_object_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant", "object_id", "uid", name=op.f("pk_credential")),
    )


def _notice() -> None:
    op.create_table(
        "notice",
        sa.Column("mail_id", sa.Text(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("life", sa.Integer(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("recipient_key", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("told_at", INSTANT, nullable=True),
        sa.ForeignKeyConstraint(
            ["mail_id"], ["outbox.mail_id"], name=op.f("fk_notice_mail_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("mail_id", "place", name=op.f("pk_notice")),
    )
    op.create_index(
        op.f("ix_notice_recipient_key_tenant"), "notice", ["recipient_key", "tenant"], unique=False
    )
