"""The outbox's own database: opening its file, its tables, its transactions.

A file of its own beside the store's, in the same folder and with the same settings: mail in transit comes and goes by thousands and
belongs to no backup (a restored outbox would send everything again). Bodies are blobs in it: one fsync then makes a whole batch of messages
safe, where files take one or two for each (docs/decisions/0022). Its few tables are made here, with a version of their own; a file of a
newer Zegel and a damaged one are refused as they stand.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Connection,
    Engine,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    insert,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.exc import SQLAlchemyError

from zegel.store import folder as data_folder
from zegel.store import sqlite
from zegel.store.errors import StoreError, database_explained, system_explained
from zegel.words import N_

NAME = "outbox.db"
LOCK = "outbox.lock"
VERSION = 2  # 2 has the table of what was handed in under a name
# A page of the file holds most of a short message: fewer pages to log and to check than SQLite's own 4,096 octets.
_PAGE = 8192
# Larger files are not read whole at every start.
_SHRINK = 4096  # pages at a time
_QUICK_CHECK = 64 << 20

metadata = MetaData()

# One row: the version of the tables, and the number of changes that other processes made; the daemon looks at it.
state = Table(
    "state",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False),
    Column("changes", BigInteger, nullable=False),
    CheckConstraint("id = 1", name="one_row"),
)

# The id is the microsecond in which the message was taken: rows are in the order of time, and it is never used again.
messages = Table(
    "messages",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("received", BigInteger, nullable=False),
    # Empty: "<>".
    Column("sender", String(320), nullable=False),
    Column("site", String(63), nullable=False),
    # Who is told of a failure; empty: nobody.
    Column("contact", String(320), nullable=False),
    Column("utf8", Boolean, nullable=False),
    Column("eight_bit", Boolean, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("recipients", Integer, nullable=False),
    Column("warned", Boolean, nullable=False),
    # When nothing of it waits any more; NULL: something does.
    Column("finished", BigInteger),
)
Index("ix_messages_finished", messages.c.finished, sqlite_where=messages.c.finished.is_not(None))

# Apart, and read only when they are sent.
bodies = Table(
    "bodies",
    metadata,
    Column("message_id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
)

recipients = Table(
    "recipients",
    metadata,
    Column("message_id", BigInteger().with_variant(Integer, "sqlite"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("address", String(320), nullable=False),
    # Where it goes: its domain, or empty where everything goes to one next hop.
    Column("route", String(255), nullable=False),
    Column("state", String(9), nullable=False),
    Column("tries", Integer, nullable=False),
    # When it is due next, and when it was tried last (0: not yet).
    Column("due", BigInteger, nullable=False),
    Column("tried", BigInteger, nullable=False),
    # The end of the message is on its way, and no answer is on disk.
    Column("sending", Boolean, nullable=False),
    # How often that was so when the connection or the daemon ended: it may arrive twice.
    Column("doubts", Integer, nullable=False),
    Column("answer", String(400), nullable=False),
    PrimaryKeyConstraint("message_id", "position"),
    CheckConstraint("state IN ('waiting', 'delivered', 'failed', 'dropped')", name="state"),
    sqlite_with_rowid=False,
)
# Names under which messages were handed in (zegel.store.once), and when.
handed = Table(
    "handed",
    metadata,
    Column("name", String(80), primary_key=True),
    Column("message_id", BigInteger().with_variant(Integer, "sqlite"), nullable=False),
    Column("time", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
Index("ix_handed_time", handed.c.time)
Index("ix_recipients_due", recipients.c.route, recipients.c.due, sqlite_where=text("state = 'waiting'"))


class Spool:
    """An open outbox file. Threads may share it; a forked process opens its own."""

    def __init__(self, folder: Path, engine: Engine) -> None:
        self.folder = folder
        self._engine = engine
        self._lock: int | None = None

    @classmethod
    def open(cls, folder: Path, *, create: bool = True) -> Self:
        """Open the outbox in the data folder; made when it is not there and ``create``. Raises StoreError."""
        path = folder / NAME
        with system_explained(folder):
            data_folder.check(folder)
        with system_explained(folder), data_folder.alone(folder):
            new = not path.exists()
            if new and not create:
                raise StoreError(N_("there is no outbox in {folder} yet; the daemon makes it when it starts: zegel serve"), folder=folder)
            if new:
                os.close(data_folder.make_private(path))
                data_folder.sync(folder)
            else:
                data_folder.check_private(path, path.lstat())
            with _explained(folder):
                # Of an empty file, which one cut short at its making is too.
                if path.stat().st_size == 0:
                    _lay_out(path)
                spool = cls(folder, sqlite.engine(path))
                try:
                    spool._bring_up(whole=create and path.stat().st_size <= _QUICK_CHECK)
                except BaseException:
                    spool.close()
                    raise
        return spool

    def claim(self) -> None:
        """Be the one process that delivers; until :meth:`close`. Raises StoreError when another does."""
        with system_explained(self.folder):
            descriptor = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                sentence = N_("another Zegel delivers the outbox in {folder}; stop it, or give this one a data folder of its own")
                raise StoreError(sentence, folder=self.folder) from None
        self._lock = descriptor

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a transaction that sees one state. Raises StoreError."""
        with database_explained(self.folder), sqlite.reading(self._engine) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Open a transaction in which all happens or, on any exception, nothing; on disk at its end. Raises StoreError."""
        with database_explained(self.folder), sqlite.writing(self._engine) as connection:
            yield connection

    def writer(self) -> Writer:
        """What one thread writes with, from now until it closes it."""
        return Writer(self.folder, self._engine)

    def shrink(self) -> None:
        """Give some of the room that is free in the file back to the disk. Raises StoreError."""
        with database_explained(self.folder):
            connection = sqlite.connect(self.folder / NAME)
            try:
                # Each step frees one page; only a script is stepped to its end.
                connection.executescript(f"PRAGMA incremental_vacuum({_SHRINK})")
            finally:
                connection.close()

    def checkpoint(self) -> None:
        """Write what is in the log to its place, and empty the log. Raises StoreError."""
        with database_explained(self.folder):
            connection = sqlite.connect(self.folder / NAME)
            try:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                connection.close()

    def free(self) -> int:
        """Octets that the file's disk still has for us. Raises StoreError."""
        with system_explained(self.folder):
            disk = os.statvfs(self.folder)
        return disk.f_bavail * disk.f_frsize

    def close(self) -> None:
        """Close all connections, and let another process deliver."""
        self._engine.dispose()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _bring_up(self, *, whole: bool) -> None:
        """Make the tables where there are none, and refuse what is not ours; with ``whole`` every page is looked at."""
        with sqlite.reading(self._engine) as connection:
            names = inspect(connection).get_table_names()
        if not names:
            with sqlite.writing(self._engine) as connection:
                metadata.create_all(connection)
                connection.execute(insert(state).values(id=1, version=VERSION, changes=0))
            return
        with sqlite.reading(self._engine) as connection:
            if state.name not in names:
                raise StoreError(N_("{folder}/outbox.db is not an outbox of Zegel; name another data folder"), folder=self.folder)
            version = connection.execute(select(state.c.version)).scalar_one()
            if version > VERSION:
                sentence = N_(
                    "the outbox in {folder} was written by a newer Zegel (version {version}, this one knows {known}); nothing was changed. "
                    "Install the newer Zegel again"
                )
                raise StoreError(sentence, folder=self.folder, version=version, known=VERSION)
            if whole:
                found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
                if found != "ok":
                    raise sqlite3.DatabaseError(found)
        if version < VERSION:
            with sqlite.writing(self._engine) as connection:
                metadata.create_all(connection)  # what an older one lacks is whole tables
                connection.execute(update(state).values(version=VERSION))


class Writer:
    """The connection of a thread that writes all the time. Of a new one each time, most pages would be read again for each message."""

    def __init__(self, folder: Path, engine: Engine) -> None:
        self._folder, self._engine = folder, engine
        self._connection: Connection | None = None

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """As :meth:`Spool.writing`."""
        with database_explained(self._folder):
            if self._connection is None:
                self._connection = sqlite.writer(self._engine)
            with self._connection.begin():
                yield self._connection

    def close(self) -> None:
        """Write no more."""
        if self._connection is not None:
            self._connection.close()


def _lay_out(path: Path) -> None:
    """Set what can be set in an empty file alone."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute(f"PRAGMA page_size={_PAGE}")
        # After an outage of days the room goes back to the disk, bit by bit.
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        connection.execute("PRAGMA journal_mode=WAL")
    finally:
        connection.close()


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """What a damaged file takes: nothing in it may be thrown away by a program."""
    try:
        with database_explained(folder):
            yield
    except StoreError as error:
        cause = error.__cause__
        driver = cause.orig if isinstance(cause, SQLAlchemyError) and hasattr(cause, "orig") else cause
        code = getattr(driver, "sqlite_errorcode", 0) & 0xFF
        damaged = type(driver) is sqlite3.DatabaseError and code in (0, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
        if not damaged:
            raise
        sentence = N_(
            "the outbox {folder}/outbox.db is damaged ({detail}), and mail may wait in it; nothing was changed. Move it and its "
            "outbox.db-wal away together and start again; sqlite3 outbox.db .recover gets out what can be read"
        )
        raise StoreError(sentence, folder=folder, detail=" ".join(str(driver).split())) from error
