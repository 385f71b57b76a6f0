"""What would have become of a message; the life of keys, plans of domains, delegation slots, the audit log, the sites of the relay."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision: str | None = "0002"

_STATES = {"new": "pending", "active": "active", "retired": "retiring"}
_WEEK = 7 * 24 * 3600


def upgrade() -> None:
    """Make the new tables, and the keys anew: no table points to them, and their new states need another check."""
    _messages()
    _plans()
    _slots()
    _keys()
    _selectors()
    _sightings()
    _audit()
    _sites()


def _messages() -> None:
    op.add_column("messages", sa.Column("would", sa.String(16), nullable=True))
    op.add_column("messages", sa.Column("marks", sa.String(400), nullable=True))
    would, marked = sa.text("would <> 'accepted'"), sa.text("marks IS NOT NULL")
    op.create_index("ix_messages_would", "messages", ["would"], sqlite_where=would, postgresql_where=would)
    op.create_index("ix_messages_marked", "messages", ["id"], sqlite_where=marked, postgresql_where=marked)


def _of_domain(table: str) -> sa.ForeignKeyConstraint:
    columns, others = ["domain_id", "organisation_id"], ["domains.id", "domains.organisation_id"]
    return sa.ForeignKeyConstraint(columns, others, name=op.f(f"fk_{table}_domain_id_organisation_id"))


def _of_organisation(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name=op.f(f"fk_{table}_organisation_id"))


def _plans() -> None:
    op.create_table(
        "plans",
        sa.Column("domain_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("domain_id", name=op.f("pk_plans")),
        _of_domain("plans"),
    )


def _slots() -> None:
    op.create_table(
        "slots",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("domain_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(63), nullable=False),
        sa.Column("target", sa.String(253), nullable=False),
        sa.Column("key_type", sa.String(16), nullable=False),
        sa.Column("free", sa.BigInteger(), nullable=True),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_slots")),
        _of_domain("slots"),
        sa.UniqueConstraint("domain_id", "name", name=op.f("uq_slots_domain_id_name")),
        sa.UniqueConstraint("target", name=op.f("uq_slots_target")),
    )


def _keys() -> None:
    connection = op.get_bind()
    rows = [dict(row) for row in connection.execute(sa.text("SELECT * FROM keys ORDER BY id")).mappings()]
    op.drop_index("uq_keys_active", "keys")
    op.drop_table("keys")
    table = op.create_table(
        "keys",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("domain_id", sa.Integer(), nullable=False),
        sa.Column("selector", sa.String(253), nullable=False),
        sa.Column("algorithm", sa.String(16), nullable=False),
        sa.Column("key_type", sa.String(16), nullable=False),
        sa.Column("public", sa.Text(), nullable=False),
        sa.Column("private", sa.LargeBinary(), nullable=False),
        sa.Column("slot_id", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("succession", sa.String(16), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=True) for name in ("served", "visible", "activated", "retired", "keep_until")),
        *(sa.Column(name, sa.BigInteger(), nullable=True) for name in ("revoked", "removed")),
        sa.Column("misses", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=True) for name in ("missing", "looked")),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("serving", "servers")),
        sa.Column("trouble", sa.String(64), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("wait", "ttl", "alias_ttl")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_keys")),
        sa.ForeignKeyConstraint(["slot_id"], ["slots.id"], name=op.f("fk_keys_slot_id")),
        _of_domain("keys"),
        sa.UniqueConstraint("domain_id", "selector", "created", name=op.f("uq_keys_domain_id_selector_created")),
        sa.CheckConstraint("state IN ('pending', 'visible', 'active', 'retiring', 'revoked', 'removed')", name=op.f("ck_keys_state")),
    )
    active = sa.text("state = 'active'")
    op.create_index("uq_keys_active", "keys", ["domain_id", "key_type"], unique=True, sqlite_where=active, postgresql_where=active)
    op.bulk_insert(table, [_aged(row) for row in rows])


def _aged(row: dict[str, object]) -> dict[str, object]:
    """A row of the older table with the states of this one: what signs was seen, and what was retired stays for a week after it."""
    activated, retired = row["activated"], row["retired"]
    later = dict.fromkeys(("slot_id", "served", "revoked", "removed", "missing", "looked"))
    keep_until = retired + _WEEK if isinstance(retired, int) else None
    unseen: dict[str, object] = dict.fromkeys(("misses", "serving", "servers", "wait", "ttl", "alias_ttl"), 0) | dict.fromkeys(
        ("trouble", "succession"), ""
    )
    return {**row, **later, **unseen, "state": _STATES[str(row["state"])], "visible": activated, "keep_until": keep_until}


def _selectors() -> None:
    op.create_table(
        "selectors",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("domain_id", sa.Integer(), nullable=False),
        sa.Column("selector", sa.String(253), nullable=False),
        sa.Column("service", sa.String(100), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_selectors")),
        _of_domain("selectors"),
        sa.UniqueConstraint("domain_id", "selector", name=op.f("uq_selectors_domain_id_selector")),
    )


def _sightings() -> None:
    op.create_table(
        "sightings",
        sa.Column("domain_id", sa.Integer(), nullable=False),
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(253), nullable=False),
        sa.Column("type", sa.String(8), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("difference", sa.String(64), nullable=False),
        sa.Column("seen", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("looked", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("domain_id", "name", "type", name=op.f("pk_sightings")),
        _of_domain("sightings"),
    )


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("organisation_id", sa.Integer(), nullable=True),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.String(100), nullable=False),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("subject", sa.String(320), nullable=False),
        sa.Column("before", sa.Text(), nullable=True),
        sa.Column("after", sa.Text(), nullable=True),
        sa.Column("link", sa.LargeBinary(32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
        _of_organisation("audit"),
    )
    op.create_index(op.f("ix_audit_subject"), "audit", ["subject"])


def _sites() -> None:
    op.create_table(
        "sites",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(63), nullable=False),
        sa.Column("secret", sa.LargeBinary(32), nullable=False),
        sa.Column("address", sa.String(320), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("senders", "networks", "recipients")),
        *(sa.Column(name, sa.String(8), nullable=False) for name in ("foreign_from", "would_fail")),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("rate", "visitor_rate")),
        sa.Column("contact", sa.String(320), nullable=False),
        sa.Column("unix_user", sa.String(64), nullable=True),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("rotated", sa.BigInteger(), nullable=False),
        sa.Column("disabled", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sites")),
        _of_organisation("sites"),
        sa.UniqueConstraint("name", name=op.f("uq_sites_name")),
        sa.UniqueConstraint("unix_user", name=op.f("uq_sites_unix_user")),
        sa.CheckConstraint("foreign_from IN ('correct', 'refuse')", name=op.f("ck_sites_foreign_from")),
        sa.CheckConstraint("would_fail IN ('warn', 'refuse')", name=op.f("ck_sites_would_fail")),
    )
