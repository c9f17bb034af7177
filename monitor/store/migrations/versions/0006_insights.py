"""What is asked for once a day: the app management policy, and the last sign-ins."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# Spelled out here, so that this step stays what it was when the program's types change.
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "insight",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("policy_asked_at", INSTANT, nullable=True),
        sa.Column("policy_problem", sa.Text(), nullable=True),
        sa.Column("secret_days", sa.Integer(), nullable=True),
        sa.Column("secret_since", INSTANT, nullable=True),
        sa.Column("certificate_days", sa.Integer(), nullable=True),
        sa.Column("certificate_since", INSTANT, nullable=True),
        sa.Column("usage_asked_at", INSTANT, nullable=True),
        sa.Column("usage_at", INSTANT, nullable=True),
        sa.Column("usage_problem", sa.Text(), nullable=True),
        _of_tenant("insight"),
        sa.PrimaryKeyConstraint("tenant", name=op.f("pk_insight")),
    )
    op.create_table(
        "key_use",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("last_used_at", INSTANT, nullable=False),
        _of_tenant("key_use"),
        sa.PrimaryKeyConstraint("tenant", "key_id", name=op.f("pk_key_use")),
    )


def _of_tenant(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["tenant"], ["tenant.name"], name=op.f(f"fk_{table}_tenant"), ondelete="CASCADE"
    )
