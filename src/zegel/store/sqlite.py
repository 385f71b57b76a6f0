"""How SQLite is driven: its settings, its transactions, its files.

WAL, so that daemons read while somebody writes; ``synchronous=FULL``, so that what was committed survives a power cut; foreign keys held.
The driver's own habit of opening transactions late is switched off: a writing transaction takes the write lock at its start (BEGIN
IMMEDIATE), because a reading one that turns into a writing one can only fail when somebody else wrote meanwhile. Beside the backup no
other room knows SQLite.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import ClauseElement, Connection, Engine, QueuePool, create_engine, event
from sqlalchemy.dialects.sqlite import dialect

from zegel.store.errors import WAIT_SECONDS

_WRITES = "zegel_writes"
_WORDS = dialect(paramstyle="named")


def connect(path: Path, *, query_only: bool = False) -> sqlite3.Connection:
    """Open an existing database file with our settings; the driver opens no transactions of its own. Raises sqlite3.Error."""
    # mode=rw: a file that vanished is an error, never made anew.
    uri = f"file:{quote(str(path.absolute()))}?mode=rw"
    connection = sqlite3.connect(uri, uri=True, timeout=WAIT_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA trusted_schema=OFF")
        if query_only:
            connection.execute("PRAGMA query_only=ON")
        else:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            # 16 MB: an index on hashes is written all over, and with SQLite's own 2 MB most of it would be read again for each message.
            connection.execute("PRAGMA cache_size=-16384")
            # What is deleted is overwritten, in the place where it stood.
            connection.execute("PRAGMA secure_delete=ON")
    except BaseException:
        connection.close()
        raise
    return connection


def engine(path: Path, *, query_only: bool = False) -> Engine:
    """Make the engine for a database file that is there already."""
    made = create_engine("sqlite+pysqlite://", creator=lambda: connect(path, query_only=query_only), poolclass=QueuePool)
    event.listen(made, "begin", _begin)
    return made


class Statement:
    """A statement that is run for each message: put into SQLite's words once, and then given to the driver as it is.

    On its usual way a statement takes ten times as long as SQLite takes over it. Values are given by name, as the driver has them (numbers,
    text, octets, None); errors are sqlite3.Error.
    """

    def __init__(self, clause: ClauseElement) -> None:
        self._words = str(clause.compile(dialect=_WORDS))

    def one(self, tx: Connection, values: Mapping[str, Any]) -> sqlite3.Cursor:
        """Run it once."""
        return _driver(tx).execute(self._words, values)

    def each(self, tx: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
        """Run it for each of these."""
        _driver(tx).executemany(self._words, rows)


def rewrite(path: Path) -> bool:
    """Write the whole file anew, so that nothing deleted is left in it or in its log (WAL). False: a reader kept it from being emptied.

    It takes as much room again as the database has, and keeps others from writing meanwhile. Raises sqlite3.Error.
    """
    connection = connect(path)
    try:
        connection.execute("VACUUM")
        busy, _frames, _done = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not busy
    finally:
        connection.close()


@contextmanager
def reading(of: Engine) -> Iterator[Connection]:
    """One transaction that sees one state, whatever others commit meanwhile."""
    with of.connect() as connection, connection.begin():
        yield connection


@contextmanager
def writing(of: Engine) -> Iterator[Connection]:
    """One transaction that may write, all or nothing; others that want to write wait."""
    with writer(of) as connection, connection.begin():
        yield connection


def writer(of: Engine) -> Connection:
    """A connection whose transactions may write: for who does so again and again, since its pages stay in memory between them."""
    return of.connect().execution_options(**{_WRITES: True})


@contextmanager
def migrating(of: Engine) -> Iterator[Connection]:
    """One transaction that may change the tables themselves. Raises RuntimeError when a row would lose what it points to."""
    with writer(of) as connection:
        # Alembic's batch mode drops a table and renames its copy: rows that point to it must not follow. Inside a transaction this
        # setting is ignored.
        driver = _driver(connection)
        driver.execute("PRAGMA foreign_keys=OFF")
        try:
            with connection.begin():
                yield connection
                if connection.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
                    raise RuntimeError("a migration left rows that point to nothing")
        finally:
            driver.execute("PRAGMA foreign_keys=ON")


def _driver(connection: Connection) -> sqlite3.Connection:
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
