"""The migrations make exactly the tables of the schema, and a newer store is left alone."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from zegel.store import migrations, schema
from zegel.store import sqlite as store_sqlite
from zegel.store.database import Store
from zegel.store.errors import StoreError


def definitions(path: Path) -> dict[str, str]:
    connection = sqlite3.connect(path)
    try:
        rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name != 'alembic_version'")
        return {name: " ".join(sql.split()) for name, sql in rows}
    finally:
        connection.close()


def test_the_newest_step_is_the_one_that_the_schema_names() -> None:
    assert migrations.newest() == schema.REVISION
    assert migrations.knows(schema.REVISION)
    assert not migrations.knows("9999")


def test_migrated_and_declared_are_the_same(store: Store, tmp_path: Path) -> None:
    with store.reading() as tx:
        context = MigrationContext.configure(tx.connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, schema.metadata) == []
    # Alembic does not compare checks; the database's own words do.
    declared = tmp_path / "declared.db"
    engine = create_engine(f"sqlite:///{declared}")
    schema.metadata.create_all(engine)
    engine.dispose()
    assert definitions(store.path) == definitions(declared)
    assert len(definitions(declared)) == 24


def test_every_table_of_a_customer_carries_the_organisation() -> None:
    without = {table.name for table in schema.metadata.tables.values() if "organisation_id" not in table.c}
    assert without == {"organisations", "generation", "vault", "expiry"}


def test_a_newer_store_is_refused_and_left_alone(store: Store) -> None:
    folder = store.folder
    store.close()
    connection = sqlite3.connect(store.path, isolation_level=None)
    connection.execute("UPDATE alembic_version SET version_num = '0999'")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    before = store.path.read_bytes()
    for opening in (Store.open, Store.read_only):
        with pytest.raises(StoreError, match=r"written by a newer Zegel \(schema 0999, this one knows up to 0004\); nothing was changed"):
            opening(folder)
    assert store.path.read_bytes() == before


def test_a_migration_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = tmp_path / "steps %(odd)s"
    shutil.copytree(Path(migrations.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "versions" / "v0005_fails.py").write_text(
        "from alembic import op\nrevision = '0005'\ndown_revision = '0004'\n"
        "def upgrade():\n    op.execute('CREATE TABLE half (id INTEGER)')\n    op.execute('INSERT INTO nowhere VALUES (1)')\n"
    )
    monkeypatch.setattr(migrations, "_FOLDER", copy)
    folder = tmp_path / "data"
    with pytest.raises(StoreError, match="no such table: nowhere"):
        Store.open(folder)
    assert definitions(folder / "zegel.db") == {}
    # The next start, with a step that works, finishes it with the key of the first.
    key = (folder / "master.key").read_bytes()
    (copy / "versions" / "v0005_fails.py").unlink()
    Store.open(folder).close()
    assert (folder / "master.key").read_bytes() == key


def test_an_older_store_is_brought_up_to_date_with_its_rows(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A made-up next step that rebuilds a table which others point to: the case where SQLite would lose rows."""
    from zegel.grammar.domain import Domain
    from zegel.store import domains, keys

    name = Domain.parse("example.be")
    with store.writing() as tx:
        domains.add(tx, name, now=1)
        keys.add(tx, name, "z1", "rsa2048", b"secret", "AAAA", now=1)
    store.close()
    copy = tmp_path / "steps"
    shutil.copytree(Path(migrations.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "versions" / "v0005_rebuilds.py").write_text(
        "import sqlalchemy as sa\nfrom alembic import op\nrevision = '0005'\ndown_revision = '0004'\n"
        "def upgrade():\n    with op.batch_alter_table('domains', recreate='always') as batch:\n"
        "        batch.add_column(sa.Column('note', sa.Text(), nullable=True))\n"
    )
    monkeypatch.setattr(migrations, "_FOLDER", copy)
    monkeypatch.setattr(schema, "REVISION", "0005")
    with pytest.raises(StoreError, match=r"of an older Zegel; start this one once"):
        Store.read_only(store.folder)
    with Store.open(store.folder) as opened, opened.reading() as tx:
        assert keys.private_pem(tx, name, "z1") == b"secret"
        assert tx.connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    assert "note" in definitions(store.path)["domains"]


def test_the_first_store_is_brought_up_to_date_with_its_keys(store: Store) -> None:
    """What the first Zegel wrote: three tables, and keys of which each is new, active or retired."""
    from zegel.grammar.domain import Domain
    from zegel.store import domains, keys

    name = Domain.parse("example.be")
    with store.writing() as tx:
        domains.add(tx, name, now=1)
        for selector in ("new", "active", "retired"):
            keys.add(tx, name, selector, "rsa2048", selector.encode(), "AAAA", now=1)
    new = definitions(store.path)
    store.close()
    connection = sqlite3.connect(store.path, isolation_level=None)
    kept = {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in ("organisations", "domains", "generation", "vault")}
    sealed = connection.execute("SELECT selector, private FROM keys").fetchall()
    connection.close()
    for path in store.folder.glob("zegel.db*"):
        path.unlink()
    store.path.touch(0o600)
    engine = store_sqlite.engine(store.path)
    with store_sqlite.migrating(engine) as migrating:
        config = migrations._config()
        config.attributes["connection"] = migrating
        command.upgrade(config, "0001")
    engine.dispose()
    connection = sqlite3.connect(store.path, isolation_level=None)
    for table, rows in kept.items():
        connection.executemany(f"INSERT INTO {table} VALUES ({','.join('?' * len(rows[0]))})", rows)
    for selector, private in sealed:
        life = {"new": (None, None), "active": (5, None), "retired": (5, 9)}[selector]
        row = (1, 1, selector, "rsa2048", "rsa", "AAAA", private, selector, 1, *life)
        columns = "organisation_id, domain_id, selector, algorithm, key_type, public, private, state, created, activated, retired"
        connection.execute(f"INSERT INTO keys ({columns}) VALUES ({','.join('?' * len(row))})", row)
    connection.close()
    with Store.open(store.folder) as opened, opened.reading() as tx:
        assert {key.selector: str(key.state) for key in keys.all(tx)} == {"new": "pending", "active": "active", "retired": "retiring"}
        assert keys.private_pem(tx, name, "active") == b"active"
        times = tx.connection.exec_driver_sql("SELECT selector, visible, keep_until FROM keys ORDER BY id").all()
    assert [tuple(row) for row in times] == [("new", None, None), ("active", 5, None), ("retired", 5, 9 + 7 * 86400)]
    assert definitions(store.path) == new


def test_a_step_that_loses_rows_is_undone(store: Store) -> None:
    from zegel.grammar.domain import Domain
    from zegel.store import domains

    with store.writing() as tx:
        domains.add(tx, Domain.parse("example.be"), now=1)
    engine = store_sqlite.engine(store.path)
    with pytest.raises(RuntimeError, match="point to nothing"), store_sqlite.migrating(engine) as connection:
        connection.exec_driver_sql("DELETE FROM organisations")
    engine.dispose()
    with store.reading() as tx:
        assert len(domains.all(tx)) == 1
