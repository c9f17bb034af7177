"""Who gave a credential away when it was handed over, and hears of it no more."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("hand_over") as batch:
        batch.add_column(sa.Column("givers", sa.Text(), nullable=True))
        batch.add_column(sa.Column("refused", sa.Boolean(), nullable=True))
