"""Limits on what is sent, and the channels beside the mail paths."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _reservation()
    with op.batch_alter_table("outbox") as outbox:
        outbox.add_column(sa.Column("gate", sa.Text(), nullable=True))
        outbox.create_index(op.f("ix_outbox_gate"), ["gate"])


def _reservation() -> None:
    op.create_table(
        "reservation",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("item", sa.Text(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("scope", "item", name=op.f("pk_reservation")),
    )
    op.create_index(op.f("ix_reservation_at"), "reservation", ["at"])
    op.create_index(op.f("ix_reservation_scope_at"), "reservation", ["scope", "at"])
