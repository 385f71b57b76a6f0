"""The tables. Every row that belongs to a customer carries its organisation.

Only types and constraints that SQLite and PostgreSQL both have; times are seconds since the epoch. The migrations make these tables, never
``create_all``; a test holds the two together. What may be in a column is checked by the rooms that write it.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

# The newest migration that this code knows: an up-to-date store is opened without loading Alembic.
REVISION = "0001"

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

organisations = Table(
    "organisations",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(100), nullable=False, unique=True),
    Column("created", BigInteger, nullable=False),
)

domains = Table(
    "domains",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("organisation_id", Integer, ForeignKey("organisations.id"), nullable=False),
    Column("name", String(253), nullable=False, unique=True),
    Column("sign_subdomains", Boolean, nullable=False),
    Column("created", BigInteger, nullable=False),
    # What the keys below point to: a key cannot be of another organisation than its domain.
    UniqueConstraint("id", "organisation_id"),
)

keys = Table(
    "keys",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("organisation_id", Integer, nullable=False),
    Column("domain_id", Integer, nullable=False),
    Column("selector", String(253), nullable=False),
    Column("algorithm", String(16), nullable=False),
    # The k= of the key record (RFC 6376 3.6.1, RFC 8463 4.2): rsa or ed25519.
    Column("key_type", String(16), nullable=False),
    Column("public", Text, nullable=False),
    Column("private", LargeBinary, nullable=False),
    Column("state", String(16), nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("activated", BigInteger),
    Column("retired", BigInteger),
    ForeignKeyConstraint(["domain_id", "organisation_id"], ["domains.id", "domains.organisation_id"]),
    UniqueConstraint("domain_id", "selector"),
    CheckConstraint("state IN ('new', 'active', 'retired')", name="state"),
)

_ACTIVE = text("state = 'active'")
# One active key of each kind for a domain, held by the database itself.
Index("uq_keys_active", keys.c.domain_id, keys.c.key_type, unique=True, sqlite_where=_ACTIVE, postgresql_where=_ACTIVE)

# One row: the number of changes of domains and keys so far. Running daemons look at it.
generation = Table(
    "generation",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
    CheckConstraint("id = 1", name="one_row"),
)

# One row: how the right master key is recognised. Its layout never changes, for it is read before the migrations run.
vault = Table(
    "vault",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("fingerprint", String(16), nullable=False),
    Column("proof", LargeBinary, nullable=False),
    CheckConstraint("id = 1", name="one_row"),
)
