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
REVISION = "0004"

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

# What a domain is to publish beside its keys (zegel.store.plans): JSON, read and written whole.
plans = Table(
    "plans",
    metadata,
    Column("domain_id", Integer, primary_key=True, autoincrement=False),
    Column("organisation_id", Integer, nullable=False),
    Column("text", Text, nullable=False),
    ForeignKeyConstraint(["domain_id", "organisation_id"], ["domains.id", "domains.organisation_id"]),
)

# Delegation slots: a CNAME in the customer's zone, handed out once, that points to a name of ours.
slots = Table(
    "slots",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("organisation_id", Integer, nullable=False),
    Column("domain_id", Integer, nullable=False),
    # The selector below _domainkey of the domain, and the full name that its CNAME points to.
    Column("name", String(63), nullable=False),
    Column("target", String(253), nullable=False),
    Column("key_type", String(16), nullable=False),
    # When the last record of an earlier key has left every cache; NULL: never used yet.
    Column("free", BigInteger),
    Column("created", BigInteger, nullable=False),
    ForeignKeyConstraint(["domain_id", "organisation_id"], ["domains.id", "domains.organisation_id"]),
    UniqueConstraint("domain_id", "name"),
    UniqueConstraint("target"),
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
    Column("slot_id", Integer),
    Column("state", String(16), nullable=False),
    # What becomes of it once it is visible: empty (it waits for a person), planned (it takes over), emergency (and the former is revoked).
    Column("succession", String(16), nullable=False),
    Column("created", BigInteger, nullable=False),
    # Since when all authoritative servers have served the record at every look; NULL: not all do.
    Column("served", BigInteger),
    Column("visible", BigInteger),
    Column("activated", BigInteger),
    Column("retired", BigInteger),
    # Until when the record of a retiring key stays at the least: mail is on its way, and signatures are valid until their x=.
    Column("keep_until", BigInteger),
    Column("revoked", BigInteger),
    Column("removed", BigInteger),
    # Looks in a row that proved the record absent or changed at all authoritative servers, and when the first of them was.
    Column("misses", Integer, nullable=False),
    Column("missing", BigInteger),
    Column("looked", BigInteger),
    # At how many of the servers the last look saw the record, and the id of what it found wrong; empty when nothing is.
    Column("serving", Integer, nullable=False),
    Column("servers", Integer, nullable=False),
    Column("trouble", String(64), nullable=False),
    # Seconds, the largest seen: how long caches may hold what stood at the name before the record, and how long the record itself.
    Column("wait", BigInteger, nullable=False),
    Column("ttl", BigInteger, nullable=False),
    # The same of its slot's CNAME; 0: not seen.
    Column("alias_ttl", BigInteger, nullable=False),
    ForeignKeyConstraint(["slot_id"], ["slots.id"]),
    ForeignKeyConstraint(["domain_id", "organisation_id"], ["domains.id", "domains.organisation_id"]),
    UniqueConstraint("domain_id", "selector", "created"),
    CheckConstraint("state IN ('pending', 'visible', 'active', 'retiring', 'revoked', 'removed')", name="state"),
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
    # What the mode reject would have done; NULL for what is not judged, or from before this was kept.
    Column("would", String(16)),
    # Ids, each with a space before and behind it; NULL: none.
    Column("marks", String(400)),
    CheckConstraint("direction IN ('inbound', 'outbound')", name="direction"),
)
Index(None, messages.c.queue_id)
Index(None, messages.c.from_domain)
Index(None, messages.c.action)
Index(None, messages.c.organisation_id)
_WOULD, _MARKED = text("would <> 'accepted'"), text("marks IS NOT NULL")
Index("ix_messages_would", messages.c.would, sqlite_where=_WOULD, postgresql_where=_WOULD)
Index("ix_messages_marked", messages.c.id, sqlite_where=_MARKED, postgresql_where=_MARKED)

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

# One row: the time by which the last expiry of messages went (zegel.store.retention); none before the first.
expiry = Table(
    "expiry",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("seen", BigInteger, nullable=False),
    CheckConstraint("id = 1", name="one_row"),
)

# Selectors of a domain that are not ours: a mail provider's, a newsletter service's. Watched, never made.
selectors = Table(
    "selectors",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("organisation_id", Integer, nullable=False),
    Column("domain_id", Integer, nullable=False),
    Column("selector", String(253), nullable=False),
    Column("service", String(100), nullable=False),
    Column("created", BigInteger, nullable=False),
    ForeignKeyConstraint(["domain_id", "organisation_id"], ["domains.id", "domains.organisation_id"]),
    UniqueConstraint("domain_id", "selector"),
)

# What the last look at a record found, at all of its zone's authoritative servers.
sightings = Table(
    "sightings",
    metadata,
    Column("domain_id", Integer, nullable=False),
    Column("organisation_id", Integer, nullable=False),
    Column("name", String(253), nullable=False),
    Column("type", String(8), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("difference", String(64), nullable=False),
    Column("seen", Text, nullable=False),
    # Since when it is so, and the last look.
    Column("since", BigInteger, nullable=False),
    Column("looked", BigInteger, nullable=False),
    PrimaryKeyConstraint("domain_id", "name", "type"),
    ForeignKeyConstraint(["domain_id", "organisation_id"], ["domains.id", "domains.organisation_id"]),
)

# Who changed what, and when (zegel.store.audit). Rows are added, never changed.
audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True),
    # NULL: what belongs to no customer.
    Column("organisation_id", Integer, ForeignKey("organisations.id")),
    Column("time", BigInteger, nullable=False),
    Column("who", String(100), nullable=False),
    Column("action", String(32), nullable=False),
    Column("subject", String(320), nullable=False),
    # JSON, without secrets; NULL: it was not there before, or is not there afterwards.
    Column("before", Text),
    Column("after", Text),
    # Over this row and the link of the one before it: a row that was changed or taken out shows.
    Column("link", LargeBinary(32), nullable=False),
)
Index(None, audit.c.subject)

# The websites and programs whose mail the relay takes (zegel.store.sites).
sites = Table(
    "sites",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("organisation_id", Integer, nullable=False),
    Column("name", String(63), nullable=False),
    # HMAC-SHA-256 of the secret under a key of the master key.
    Column("secret", LargeBinary(32), nullable=False),
    # The address that a foreign From becomes.
    Column("address", String(320), nullable=False),
    # JSON lists.
    Column("senders", Text, nullable=False),
    Column("networks", Text, nullable=False),
    Column("recipients", Text, nullable=False),
    Column("foreign_from", String(8), nullable=False),
    Column("would_fail", String(8), nullable=False),
    # Messages an hour, of the site and for one visitor's address; 0: no bound.
    Column("rate", Integer, nullable=False),
    Column("visitor_rate", Integer, nullable=False),
    Column("contact", String(320), nullable=False),
    Column("unix_user", String(64)),
    Column("created", BigInteger, nullable=False),
    Column("rotated", BigInteger, nullable=False),
    Column("disabled", BigInteger),
    ForeignKeyConstraint(["organisation_id"], ["organisations.id"]),
    UniqueConstraint("name"),
    UniqueConstraint("unix_user"),
    CheckConstraint("foreign_from IN ('correct', 'refuse')", name="foreign_from"),
    CheckConstraint("would_fail IN ('warn', 'refuse')", name="would_fail"),
)
