"""What the store says when something is wrong, and what to do next.

SQLite and the operating system speak in codes; people get a sentence with a next step. This room translates, it decides nothing and it
never hides a fault: what it does not know is passed on with the driver's own words.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, SQLAlchemyError

from zegel.words import N_, SpokenError

# Seconds that a statement waits for another process's transaction before it gives up.
WAIT_SECONDS = 10


class StoreError(SpokenError):
    """The store cannot do it; the text says what to do next."""

    @property
    def busy(self) -> bool:
        """Another process held the lock for longer than anybody waits."""
        return self.sentence == _BUSY

    @property
    def full(self) -> bool:
        """The disk has no room."""
        return self.sentence == _FULL


_FULL = N_("the disk that holds {folder} is full; nothing was changed. Make room there and do it again")
_READ_ONLY = N_("{folder} cannot be written (read-only); nothing was changed. Run this as the user that owns it, or mount it writable")
_BUSY = N_("another process has been writing to the store in {folder} for over {seconds} seconds; nothing was changed. Do it again later")
_DAMAGED = N_("the database in {folder} is damaged ({detail}); stop Zegel and unpack a backup into an empty folder")
_DISK = N_("the disk that holds {folder} gives errors ({detail}); nothing was changed. Look in the system's log")
_OPEN = N_(
    "the database in {folder} cannot be opened; run this as the user that owns the data folder, and look whether its disk is mounted"
)
_PERMISSION = N_("no permission for {path}; run this as the user that owns the data folder")
_SYSTEM = N_("{path}: {detail}; nothing was changed")
_CLASH = N_(
    "somebody else changed the same thing at the same moment; nothing was changed. Look at it, and do it again if it is still needed"
)
_OTHER = N_("the database in {folder} refused: {detail}")

_SQLITE = {
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_BUSY: _BUSY,
    sqlite3.SQLITE_LOCKED: _BUSY,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_IOERR: _DISK,
    sqlite3.SQLITE_CANTOPEN: _OPEN,
    sqlite3.SQLITE_PERM: _OPEN,
    sqlite3.SQLITE_AUTH: _OPEN,
}

_SYSTEM_CODES = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: _FULL,
    errno.EROFS: _READ_ONLY,
    errno.EIO: _DISK,
    errno.EACCES: _PERMISSION,
    errno.EPERM: _PERMISSION,
}


@contextmanager
def database_explained(folder: Path) -> Iterator[None]:
    """Turn what the database raises inside into a :class:`StoreError` about ``folder``."""
    try:
        yield
    except SQLAlchemyError as error:
        raise _from_database(folder, error) from error
    except sqlite3.Error as error:
        raise _from_sqlite(folder, error) from error


@contextmanager
def system_explained(folder: Path) -> Iterator[None]:
    """Turn what the operating system raises inside into a :class:`StoreError` about ``folder``."""
    try:
        yield
    except OSError as error:
        sentence = _SYSTEM_CODES.get(error.errno or 0, _SYSTEM)
        path = error.filename or folder
        raise StoreError(sentence, folder=folder, path=path, detail=error.strerror or str(error)) from error


def passing(error: BaseException) -> bool:
    """Tell if the same may work later: the database is locked, full or away, and what was to be written is not at fault."""
    cause = error.__cause__ if isinstance(error, StoreError) else error
    return isinstance(cause, (OperationalError, OSError, sqlite3.OperationalError))


def _from_database(folder: Path, error: SQLAlchemyError) -> StoreError:
    if isinstance(error, IntegrityError):
        return StoreError(_CLASH)
    if isinstance(error, DBAPIError) and isinstance(error.orig, sqlite3.Error):
        return _from_sqlite(folder, error.orig)
    return StoreError(_OTHER, folder=folder, detail=error)


def _from_sqlite(folder: Path, error: sqlite3.Error) -> StoreError:
    # The low byte is the kind, the rest tells more (SQLITE_IOERR_FSYNC, SQLITE_READONLY_DIRECTORY).
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return StoreError(_SQLITE.get(code, _OTHER), folder=folder, detail=error, seconds=WAIT_SECONDS)
