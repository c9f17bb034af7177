"""What app management policies allow single apps, and service principals."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "policy_limit",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("secret_days", sa.Integer(), nullable=True),
        sa.Column("secret_since", INSTANT, nullable=True),
        sa.Column("certificate_days", sa.Integer(), nullable=True),
        sa.Column("certificate_since", INSTANT, nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant"], ["tenant.name"], name=op.f("fk_policy_limit_tenant"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant", "scope", name=op.f("pk_policy_limit")),
    )
