"""The owners of an application as far as mail reaches them, and the addresses of its notes."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("directory_object") as table:
        table.add_column(sa.Column("people", sa.Text(), nullable=True))
        table.add_column(sa.Column("notify", sa.Text(), nullable=True))
