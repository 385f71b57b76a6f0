"""Opening a store: the first start, the next ones, and everything that is refused."""

from __future__ import annotations

import os
import sqlite3
import stat
import tempfile
from pathlib import Path

import pytest

from zegel.grammar.domain import Domain
from zegel.store import domains, keys, masterkey
from zegel.store import folder as data_folder
from zegel.store.database import Store
from zegel.store.errors import StoreError

EXAMPLE = Domain.parse("example.be")


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {path.name: (stat.S_IMODE(path.stat().st_mode), path.read_bytes()) for path in folder.iterdir()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store with one domain and one key, closed."""
    made = tmp_path / "data"
    with Store.open(made, now=1) as store, store.writing() as tx:
        domains.add(tx, EXAMPLE, now=1)
        keys.add(tx, EXAMPLE, "z1", "rsa2048", b"secret", "AAAA", now=1)
    return made


def test_the_first_start_makes_all_with_narrow_modes(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with Store.open(tmp_path / "a" / "data") as store:
            with store.writing() as tx:
                domains.add(tx, EXAMPLE, now=1)
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in store.folder.iterdir()}
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a" / "data").stat().st_mode) == 0o700
    assert modes == dict.fromkeys(("master.key", "zegel.db", "zegel.db-wal", "zegel.db-shm"), 0o600)


def test_the_next_start_finds_it_all(folder: Path) -> None:
    key = (folder / "master.key").read_bytes()
    with Store.open(folder) as store, store.reading() as tx:
        assert keys.private_pem(tx, EXAMPLE, "z1") == b"secret"
    assert (folder / "master.key").read_bytes() == key


def test_settings_that_keep_what_was_committed(store: Store) -> None:
    with store.reading() as tx:
        pragma = {
            name: tx.connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert pragma == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10_000}


def test_a_missing_master_key_refuses_and_makes_nothing(folder: Path) -> None:
    (folder / "master.key").unlink()
    before = contents(folder)
    with pytest.raises(StoreError, match=r"master\.key is missing.*no new one is made"):
        Store.open(folder)
    assert contents(folder) == before


def test_a_wrong_master_key_refuses_and_changes_nothing(folder: Path) -> None:
    (folder / "master.key").write_text(masterkey.text(bytes(32)))
    before = contents(folder)
    with pytest.raises(
        StoreError, match=r"this master key \([0-9a-f]{16}\) is not the one .*nothing was changed.*backup.*ZEGEL_MASTER_KEY"
    ):
        Store.open(folder)
    assert contents(folder) == before
    with pytest.raises(StoreError, match="is not the one"):
        Store.open(folder, master_key=bytes(32))
    assert contents(folder) == before


def test_a_master_key_with_another_mode_refuses(folder: Path) -> None:
    (folder / "master.key").chmod(0o640)
    before = contents(folder)
    with pytest.raises(StoreError, match="chmod 600"):
        Store.open(folder)
    assert contents(folder) == before


def test_a_database_that_others_can_read_refuses(folder: Path) -> None:
    (folder / "zegel.db").chmod(0o644)
    with pytest.raises(StoreError, match=r"chmod 600 .*zegel\.db"):
        Store.open(folder)
    with pytest.raises(StoreError, match=r"chmod 600 .*zegel\.db"):
        Store.read_only(folder)


def test_the_master_key_of_the_environment_leaves_no_file(tmp_path: Path) -> None:
    master = bytes(range(32))
    with Store.open(tmp_path / "data", master_key=master) as store, store.writing() as tx:
        domains.add(tx, EXAMPLE, now=1)
        keys.add(tx, EXAMPLE, "z1", "rsa2048", b"secret", "AAAA", now=1)
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["zegel.db"]
    with Store.open(tmp_path / "data", master_key=master) as store, store.reading() as tx:
        assert keys.private_pem(tx, EXAMPLE, "z1") == b"secret"
    with pytest.raises(StoreError, match="missing"):
        Store.open(tmp_path / "data")


def test_a_first_start_that_was_cut_short_goes_on_with_its_key(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    data_folder.prepare(folder)
    masterkey.make(folder)
    key = masterkey.read(folder)
    with Store.open(folder) as store:
        assert store.vault is not None
        assert store.vault.master == key
    # The same, cut short after the database file had its name.
    (folder / "zegel.db").write_bytes(b"")
    with Store.open(folder) as store:
        assert store.generation() == 0


def test_without_create_there_must_be_a_store(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(StoreError, match="zegel init"):
        Store.open(tmp_path / "none", create=False)
    (tmp_path / "empty").mkdir()
    with pytest.raises(StoreError, match="zegel init"):
        Store.open(tmp_path / "empty", create=False)
    assert not (tmp_path / "none").exists()
    assert list((tmp_path / "empty").iterdir()) == []
    Store.open(folder, create=False).close()


@pytest.mark.parametrize("content", [b"not a database, but long enough to be read as one" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_database_is_left_alone(folder: Path, content: bytes) -> None:
    (folder / "zegel.db").write_bytes(content)
    with pytest.raises(StoreError, match=r"is damaged .*unpack a backup"):
        Store.open(folder)
    assert (folder / "zegel.db").read_bytes() == content


def test_somebody_elses_database_is_left_alone(folder: Path) -> None:
    (folder / "zegel.db").unlink()
    with sqlite3.connect(folder / "zegel.db") as connection:
        connection.execute("CREATE TABLE recipes (id INTEGER)")
    connection.close()
    (folder / "zegel.db").chmod(0o600)
    with pytest.raises(StoreError, match="not a database of Zegel"):
        Store.open(folder)


def test_reading_only_needs_no_master_key_and_changes_nothing(folder: Path) -> None:
    (folder / "master.key").unlink()
    before = (folder / "zegel.db").read_bytes()
    with Store.read_only(folder) as store:
        with store.reading() as tx:
            assert [key.selector for key in keys.all(tx)] == ["z1"]
            with pytest.raises(StoreError, match="without its master key"):
                keys.private_pem(tx, EXAMPLE, "z1")
        with pytest.raises(StoreError, match="cannot be written"), store.writing() as tx:
            domains.add(tx, Domain.parse("new.example"), now=1)
    assert (folder / "zegel.db").read_bytes() == before


def test_reading_only_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="zegel init"):
        Store.read_only(tmp_path)
    with pytest.raises(StoreError, match="zegel init"):
        Store.read_only(tmp_path / "none")
    assert list(tmp_path.iterdir()) == []


def test_somebody_elses_store_names_the_owner(folder: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    os.chown(folder, 65534, -1)
    for opening in (Store.open, Store.read_only):
        with pytest.raises(StoreError, match="run as the user that owns the data folder: "):
            opening(folder)


def test_a_full_disk_says_so_and_changes_nothing(folder: Path) -> None:
    with Store.open(folder) as store:
        before = store.generation()
        with pytest.raises(StoreError, match="is full; nothing was changed"), store.writing() as tx:
            pages = tx.connection.exec_driver_sql("PRAGMA page_count").scalar()
            tx.connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
            for number in range(2000):
                domains.add(tx, Domain.parse(f"d{number}.example"), now=1)
        assert store.generation() == before
        with store.reading() as tx:
            assert [one.name for one in domains.all(tx)] == [EXAMPLE]


def test_a_folder_that_cannot_be_written_says_so() -> None:
    """In a child without root's rights, for whom the modes of a folder count."""
    receive, send = os.pipe()
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent, "data")
        Store.open(folder).close()
        Path(parent).chmod(0o755)
        folder.chmod(0o500)
        if os.geteuid() == 0:
            for path in (folder, *folder.iterdir()):
                os.chown(path, 65534, 65534)
        child = os.fork()
        if child == 0:
            os.write(send, _open_as_nobody(folder).encode())
            os._exit(0)
        os.waitpid(child, 0)
        said = os.read(receive, 4000).decode()
        os.close(receive)
        os.close(send)
        folder.chmod(0o700)
    assert said.startswith("StoreError")
    assert str(folder) in said
    assert "run this as the user that owns" in said.lower()


def _open_as_nobody(folder: Path) -> str:
    try:
        if os.geteuid() == 0:
            os.setgid(65534)
            os.setuid(65534)
        Store.open(folder).close()
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
    return "opened"


def test_a_lock_that_is_held_too_long_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from zegel.store import sqlite

    monkeypatch.setattr(sqlite, "WAIT_SECONDS", 0)
    with Store.open(folder) as first, Store.open(folder) as second, first.writing():
        with pytest.raises(StoreError, match="another process has been writing"), second.writing():
            pass
        assert second.generation() == 2
