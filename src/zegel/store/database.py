"""Opening the store: the folder, the master key, the migrations; then transactions.

A store is either new, and then everything is made, or it is whole. A database without its master key, with another one, or written by a
newer Zegel is refused as it stands: nothing is made anew, nothing is changed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, Engine, column, insert, inspect, select, table

from zegel.store import folder as data_folder
from zegel.store import masterkey, organisations, schema, snapshot, sqlite
from zegel.store.errors import StoreError, database_explained, system_explained
from zegel.store.snapshot import Snapshot
from zegel.store.transaction import Transaction, generation
from zegel.store.vault import Vault
from zegel.words import N_


class Store:
    """An open store. Threads may share it; a forked process opens its own."""

    def __init__(self, folder: Path, engine: Engine, vault: Vault | None) -> None:
        self.folder = folder
        self.vault = vault
        self.who = "zegel"  # who acts, for the audit log; whoever opens the store says so
        self._engine = engine

    @classmethod
    def open(cls, folder: Path, *, master_key: bytes | None = None, create: bool = True, now: int | None = None) -> Self:
        """Open the store in ``folder``, made and migrated when needed; ``master_key`` stands in for the file. Raises StoreError."""
        now = int(time.time()) if now is None else now
        with system_explained(folder):
            if create:
                data_folder.prepare(folder)
            else:
                data_folder.check(folder)
            with data_folder.alone(folder):
                path = folder / data_folder.DATABASE
                new = not path.exists()
                if new and not create:
                    raise StoreError(N_("there is no store in {folder} yet; make it: zegel init"), folder=folder)
                vault = Vault(master_key if master_key is not None else _master_key(folder, new=new))
                _file(path, new=new)
                store = cls(folder, sqlite.engine(path), vault)
                try:
                    with database_explained(folder):
                        _bring_up(folder, store._engine, vault, now)
                except BaseException:
                    store.close()
                    raise
        return store

    @classmethod
    def read_only(cls, folder: Path) -> Self:
        """Open a store that is there, to look at; makes, migrates and unlocks nothing. Raises StoreError."""
        with system_explained(folder):
            data_folder.check(folder)
            path = folder / data_folder.DATABASE
            if not path.exists():
                raise StoreError(N_("there is no store in {folder} yet; make it: zegel init"), folder=folder)
            _file(path, new=False)
        store = cls(folder, sqlite.engine(path, query_only=True), None)
        try:
            with database_explained(folder), sqlite.reading(store._engine) as connection:
                revision = _revision(folder, connection)
                if revision != schema.REVISION:
                    _refuse_newer(folder, revision)
                    raise StoreError(N_("the store in {folder} is of an older Zegel; start this one once: zegel serve"), folder=folder)
        except BaseException:
            store.close()
            raise
        return store

    @property
    def path(self) -> Path:
        """The database file."""
        return self.folder / data_folder.DATABASE

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """Open a transaction that sees one state of the store. Raises StoreError."""
        with database_explained(self.folder), sqlite.reading(self._engine) as connection:
            yield Transaction(connection, self.vault, self.who)

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        """Open a transaction in which all happens or, on any exception, nothing. Raises StoreError."""
        with database_explained(self.folder), sqlite.writing(self._engine) as connection:
            yield Transaction(connection, self.vault, self.who)

    def generation(self) -> int:
        """Return the number of changes of domains and keys so far: when it grew, take a new snapshot. Raises StoreError."""
        with self.reading() as tx:
            return generation(tx)

    def snapshot(self) -> Snapshot:
        """Return domains and active keys as they are at one moment. Raises StoreError, and then there is nothing new to use."""
        with self.reading() as tx:
            return snapshot.take(tx)

    def rewrite(self) -> bool:
        """Write the database anew, so that nothing deleted is left in its files. False: a reader held it up. Raises StoreError."""
        with database_explained(self.folder):
            return sqlite.rewrite(self.path)

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _master_key(folder: Path, *, new: bool) -> bytes:
    # A first start that was cut short has left a key and no database: that key is kept.
    if new and not (folder / masterkey.NAME).exists():
        masterkey.make(folder)
    return masterkey.read(folder)


def _file(path: Path, *, new: bool) -> None:
    if new:
        os.close(data_folder.make_private(path))
        data_folder.sync(path.parent)
    else:
        data_folder.check_private(path, path.lstat())


def _bring_up(folder: Path, engine: Engine, vault: Vault, now: int) -> None:
    with sqlite.reading(engine) as connection:
        revision = _revision(folder, connection)
        if revision is not None:
            _check_master_key(folder, connection, vault)
        if revision == schema.REVISION:
            return
    _refuse_newer(folder, revision)
    # Loaded here: an up-to-date store is opened without Alembic.
    from zegel.store import migrations

    with sqlite.migrating(engine) as connection:
        migrations.upgrade(connection)
        if revision is None:
            _fill(connection, vault, now)


def _fill(connection: Connection, vault: Vault, now: int) -> None:
    connection.execute(insert(schema.vault).values(id=1, fingerprint=vault.fingerprint, proof=vault.prove()))
    connection.execute(insert(schema.generation).values(id=1, number=0))
    # Part of making the store: nobody changed anything yet, and the audit log begins empty.
    connection.execute(insert(schema.organisations).values(name=organisations.DEFAULT, created=now))


def _revision(folder: Path, connection: Connection) -> str | None:
    names = inspect(connection).get_table_names()
    if not names:
        return None
    if "alembic_version" not in names:
        raise StoreError(N_("{folder}/zegel.db is not a database of Zegel; name another data folder"), folder=folder)
    revision = connection.execute(select(column("version_num")).select_from(table("alembic_version"))).scalar()
    return None if revision is None else str(revision)


def _refuse_newer(folder: Path, revision: str | None) -> None:
    from zegel.store import migrations

    if revision is not None and not migrations.knows(revision):
        sentence = N_(
            "the store in {folder} was written by a newer Zegel (schema {revision}, this one knows up to {known}); nothing was changed. "
            "Install the newer Zegel again, or unpack a backup made by this one into an empty folder"
        )
        raise StoreError(sentence, folder=folder, revision=revision, known=schema.REVISION)


def _check_master_key(folder: Path, connection: Connection, vault: Vault) -> None:
    row = connection.execute(select(schema.vault.c.fingerprint, schema.vault.c.proof)).one_or_none()
    if row is None:
        raise StoreError(
            N_("the database in {folder} has lost its proof of the master key; unpack a backup into an empty folder"), folder=folder
        )
    if not vault.proves(row.proof):
        sentence = N_(
            "this master key ({ours}) is not the one that the store in {folder} was made with ({theirs}); nothing was changed. "
            "Put the right {name} back from your backup, or set {variable} to it"
        )
        values = {"ours": vault.fingerprint, "theirs": row.fingerprint, "name": masterkey.NAME, "variable": masterkey.VARIABLE}
        raise StoreError(sentence, folder=folder, **values)
