"""The time of the last expiry of messages."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision: str | None = "0003"


def upgrade() -> None:
    """Make the table; its row comes with the next expiry."""
    op.create_table(
        "expiry",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_expiry")),
        sa.CheckConstraint("id = 1", name=op.f("ck_expiry_one_row")),
    )
