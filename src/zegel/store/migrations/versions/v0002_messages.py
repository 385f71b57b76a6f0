"""The messages: what was seen, whom it was about, and the story."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"


def upgrade() -> None:
    """Make the tables."""
    _messages()
    _parties()
    _stories()


def _row_number() -> sa.types.TypeEngine[int]:
    # In SQLite only INTEGER makes the row's own number of it.
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _part(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name=op.f(f"fk_{table}_message_id"), ondelete="CASCADE")


def _messages() -> None:
    op.create_table(
        "messages",
        sa.Column("id", _row_number(), autoincrement=False, nullable=False),
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("direction", sa.String(8), nullable=False),
        sa.Column("queue_id", sa.String(64), nullable=False),
        sa.Column("from_domain", sa.String(253), nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.Column("recipients", sa.Integer(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("results", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
        sa.CheckConstraint("direction IN ('inbound', 'outbound')", name=op.f("ck_messages_direction")),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name=op.f("fk_messages_organisation_id")),
    )
    for column in ("queue_id", "from_domain", "action", "organisation_id"):
        op.create_index(op.f(f"ix_messages_{column}"), "messages", [column])


def _parties() -> None:
    op.create_table(
        "parties",
        sa.Column("message_id", _row_number(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(9), nullable=False),
        sa.Column("person", sa.LargeBinary(16), nullable=False),
        sa.Column("address", sa.String(320), nullable=True),
        sa.Column("domain", sa.String(253), nullable=False),
        sa.Column("exchange", sa.String(253), nullable=True),
        sa.PrimaryKeyConstraint("message_id", "position", name=op.f("pk_parties")),
        _part("parties"),
        sa.CheckConstraint("role IN ('sender', 'recipient', 'named')", name=op.f("ck_parties_role")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_parties_person_message_id"), "parties", ["person", "message_id"])


def _stories() -> None:
    op.create_table(
        "stories",
        sa.Column("message_id", _row_number(), autoincrement=False, nullable=False),
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_stories")),
        _part("stories"),
    )
