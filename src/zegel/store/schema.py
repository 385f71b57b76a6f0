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
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

# The newest migration that this code knows: an up-to-date store is opened without loading Alembic.
REVISION = "0002"

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

# The number of a message is the second of its end, shifted by so many bits, and a count within that second: the rows are in the order of
# time by themselves, a span of time is a span of numbers, and what points to a message has its time. Below 2**53, for JSON.
SECOND_BITS = 20

# One message, seen by one organisation: where its recipients are of several, each has a row of its own and sees its own recipients only.
messages = Table(
    "messages",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("organisation_id", Integer, ForeignKey("organisations.id"), nullable=False),
    Column("direction", String(8), nullable=False),
    Column("queue_id", String(64), nullable=False),
    # Empty when From cannot be read.
    Column("from_domain", String(253), nullable=False),
    Column("action", String(16), nullable=False),
    Column("reason", String(64), nullable=False),
    Column("recipients", Integer, nullable=False),
    Column("subject", Text),
    # JSON: they are read with their message, never looked for.
    Column("results", Text, nullable=False),
    CheckConstraint("direction IN ('inbound', 'outbound')", name="direction"),
)
Index(None, messages.c.queue_id)
Index(None, messages.c.from_domain)
Index(None, messages.c.action)
Index(None, messages.c.organisation_id)

# The people of a message: its envelope, and whom its story names.
parties = Table(
    "parties",
    metadata,
    Column("message_id", BigInteger().with_variant(Integer, "sqlite"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("organisation_id", Integer, nullable=False),
    Column("role", String(9), nullable=False),
    # A hash of the domain and a keyed one of the address (zegel.store.addresses): one index finds both. The address itself only where
    # the configuration keeps it.
    Column("person", LargeBinary(16), nullable=False),
    Column("address", String(320)),
    Column("domain", String(253), nullable=False),
    # Whose mail servers take mail for the domain of a recipient outside: NULL is not known yet, empty none or not asked.
    Column("exchange", String(253)),
    PrimaryKeyConstraint("message_id", "position"),
    ForeignKeyConstraint(["message_id"], ["messages.id"], ondelete="CASCADE"),
    CheckConstraint("role IN ('sender', 'recipient', 'named')", name="role"),
    # Kept in the order of their messages, once: most of what is written is written here.
    sqlite_with_rowid=False,
)
Index(None, parties.c.person, parties.c.message_id)

# Apart from the messages: they are larger, and go sooner.
stories = Table(
    "stories",
    metadata,
    Column("message_id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("organisation_id", Integer, nullable=False),
    Column("text", Text, nullable=False),
    ForeignKeyConstraint(["message_id"], ["messages.id"], ondelete="CASCADE"),
)
