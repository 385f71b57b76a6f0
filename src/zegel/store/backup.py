"""One file with all that a new machine needs: the database and the master key that opens it.

Whoever has this file can sign as the domains in it; it says so itself. The copy is of one moment, also while daemons run and others write
(SQLite's VACUUM INTO reads in one transaction). The file has mode 0600, is on disk before it gets its name, and never replaces another.
To restore: stop Zegel, unpack it into an empty folder with ``tar -xpf FILE -C FOLDER``, and start Zegel with that folder.
"""

from __future__ import annotations

import io
import os
import pwd
import secrets
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from zegel.store import domains, keys, masterkey, sqlite
from zegel.store.database import Store
from zegel.store.errors import StoreError, database_explained, system_explained
from zegel.store.folder import DATABASE, make_private, sync
from zegel.store.transaction import Transaction
from zegel.words import N_

MEANING = N_(
    "Whoever has this file can sign mail as the domains in it: keep it as you keep the keys of the house, and never in a shared place."
)
README = "README.txt"
_README = """A backup of Zegel: its database (zegel.db) and the master key that opens it (master.key).

{meaning}

To restore: stop Zegel, unpack this file into an empty folder as the user that runs Zegel,
    mkdir -m 700 FOLDER && tar -xpf FILE -C FOLDER
and start Zegel with that folder: zegel --data FOLDER serve
"""


@dataclass(frozen=True, slots=True)
class Backup:
    """What was written: ``size`` in bytes, how many domains and keys, and what it means to have the file."""

    path: Path
    size: int
    domains: int
    keys: int
    meaning: str


def write(store: Store, path: Path, *, now: int) -> Backup:
    """Write database and master key into the new tar file ``path``. Raises StoreError, and then there is no such file."""
    if store.vault is None:
        raise StoreError(N_("a backup holds the master key; open the store with it, not for reading only"))
    with system_explained(path.parent):
        if path.exists() or path.is_symlink():
            raise _taken(path)
        if not path.parent.is_dir():
            raise StoreError(N_("there is no folder {folder}; make it, or name the backup elsewhere"), folder=path.parent)
        # Beside its final name: a link cannot cross disks, and the copies are nowhere that others can read.
        with tempfile.TemporaryDirectory(prefix=".zegel-backup-", dir=path.parent) as scratch:
            copy = Path(scratch, DATABASE)
            with database_explained(path.parent):
                _copy_database(store.path, copy)
                counted = _count(copy)
            draft = Path(scratch, secrets.token_hex(8))
            size = _write_tar(draft, copy, masterkey.text(store.vault.master).encode("ascii"), now)
            try:
                os.link(draft, path, follow_symlinks=False)
            except FileExistsError:
                raise _taken(path) from None
        sync(path.parent)
    return Backup(path, size, *counted, MEANING)


def _taken(path: Path) -> StoreError:
    return StoreError(N_("{path} is there already and is not overwritten; name another file"), path=path)


def _copy_database(source: Path, copy: Path) -> None:
    connection = sqlite.connect(source)
    try:
        connection.execute("VACUUM INTO ?", (str(copy),))
    finally:
        connection.close()


def _count(copy: Path) -> tuple[int, int]:
    # From the copy, not the store: what is said is what is in the file.
    engine = sqlite.engine(copy, query_only=True)
    try:
        with sqlite.reading(engine) as connection:
            tx = Transaction(connection, None)
            return len(domains.all(tx)), len(keys.all(tx))
    finally:
        engine.dispose()


def _write_tar(draft: Path, copy: Path, key: bytes, now: int) -> int:
    with os.fdopen(make_private(draft), "wb") as file:
        with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
            readme = _README.format(meaning=MEANING).encode()
            tar.addfile(_member(README, len(readme), now), io.BytesIO(readme))
            tar.addfile(_member(masterkey.NAME, len(key), now), io.BytesIO(key))
            with copy.open("rb") as database:
                tar.addfile(_member(DATABASE, copy.stat().st_size, now), database)
        file.flush()
        os.fsync(file.fileno())
        return file.tell()


def _member(name: str, size: int, now: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mtime, member.mode = size, now, 0o600
    # Unpacked by root, the files go to the user that runs Zegel.
    member.uid, member.gid = os.geteuid(), os.getegid()
    try:
        member.uname = pwd.getpwuid(member.uid).pw_name
    except KeyError:
        member.uname = ""
    return member
