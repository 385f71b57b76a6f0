"""The backup: one file, whole, ours alone, and a store again when it is unpacked."""

from __future__ import annotations

import os
import resource
import stat
import subprocess
import tarfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from zegel.grammar.domain import Domain
from zegel.store import backup, domains, keychanges, keys, masterkey
from zegel.store.database import Store
from zegel.store.errors import StoreError

EXAMPLE = Domain.parse("example.be")


@pytest.fixture(autouse=True)
def one_key(store: Store) -> None:
    with store.writing() as tx:
        domains.add(tx, EXAMPLE, now=1)
        keys.add(tx, EXAMPLE, "z1", "rsa2048", b"secret", "AAAA", now=1)
        keychanges.activate(tx, EXAMPLE, "z1", now=2)


def unpack(path: Path, folder: Path) -> Path:
    """As the documentation says: ``mkdir -m 700 FOLDER && tar -xpf FILE -C FOLDER``."""
    folder.mkdir(mode=0o700)
    subprocess.run(["tar", "-xpf", str(path), "-C", str(folder)], check=True)
    return folder


def test_unpacked_into_an_empty_folder_it_is_the_store_again(store: Store, tmp_path: Path) -> None:
    written = backup.write(store, tmp_path / "zegel.tar", now=7)
    folder = unpack(written.path, tmp_path / "restored")
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == dict.fromkeys(
        ("README.txt", "master.key", "zegel.db"), 0o600
    )
    with Store.open(folder) as restored:
        assert restored.snapshot() == store.snapshot()
        with restored.reading() as tx:
            assert keys.private_pem(tx, EXAMPLE, "z1") == b"secret"


def test_it_says_what_it_wrote_and_what_that_means(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "zegel.tar"
    written = backup.write(store, path, now=7)
    assert (written.path, written.size, written.domains, written.keys) == (path, path.stat().st_size, 1, 1)
    assert "can sign mail as the domains in it" in written.meaning
    with tarfile.open(path) as tar:
        readme = tar.extractfile("README.txt")
        assert readme is not None
        assert written.meaning in readme.read().decode()
        assert {member.mtime for member in tar} == {7}


def test_the_file_is_ours_alone_and_nothing_else_is_left(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "backups"
    target.mkdir()
    before = os.umask(0)
    try:
        backup.write(store, target / "zegel.tar", now=7)
    finally:
        os.umask(before)
    assert stat.S_IMODE((target / "zegel.tar").stat().st_mode) == 0o600
    assert os.listdir(target) == ["zegel.tar"]


@pytest.mark.parametrize("kind", ["file", "dangling link", "folder"])
def test_nothing_is_overwritten(store: Store, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "zegel.tar"
    if kind == "file":
        path.write_bytes(b"precious")
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(StoreError, match="is not overwritten"):
        backup.write(store, path, now=7)
    if kind == "file":
        assert path.read_bytes() == b"precious"
    assert not (tmp_path / "nowhere").exists()


def test_of_several_at_once_one_gets_the_name(store: Store, tmp_path: Path) -> None:
    def attempt(number: int) -> str:
        try:
            return f"{backup.write(store, tmp_path / 'zegel.tar', now=number).keys} key"
        except StoreError as error:
            return str(error)

    refused = f"{tmp_path}/zegel.tar is there already and is not overwritten; name another file"
    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(attempt, range(6))) == sorted(["1 key", *[refused] * 5])


def test_a_key_from_the_environment_is_in_it_too(tmp_path: Path) -> None:
    master = bytes(range(32))
    with Store.open(tmp_path / "env", master_key=master) as store:
        written = backup.write(store, tmp_path / "zegel.tar", now=7)
    folder = unpack(written.path, tmp_path / "restored")
    assert masterkey.read(folder) == master
    Store.open(folder).close()


def test_a_store_open_for_reading_only_has_no_key_to_write(store: Store, tmp_path: Path) -> None:
    with Store.read_only(store.folder) as reader, pytest.raises(StoreError, match="holds the master key"):
        backup.write(reader, tmp_path / "zegel.tar", now=7)
    assert not (tmp_path / "zegel.tar").exists()


def test_no_folder_to_write_in(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no folder"):
        backup.write(store, tmp_path / "none" / "zegel.tar", now=7)


def test_a_disk_that_fills_up_leaves_no_half_file(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "backups"
    target.mkdir()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Each in turn: the copy of the database does not fit; it fits, but not with the rest of the tar around it.
    for size in (8192, store.path.stat().st_size + 1024):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        try:
            with pytest.raises(StoreError, match=r"full|gives errors"):
                backup.write(store, target / "zegel.tar", now=7)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert os.listdir(target) == []


def test_it_is_of_one_moment_while_another_writes(store: Store, tmp_path: Path) -> None:
    """Each transaction adds two domains; every backup holds an even number of new ones."""
    stop = threading.Event()

    def write() -> None:
        with Store.open(store.folder) as other:
            number = 0
            while not stop.is_set() and number < 4000:
                with other.writing() as tx:
                    for half in ("a", "b"):
                        domains.add(tx, Domain.parse(f"{half}{number}.example"), now=1)
                number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        counts = [backup.write(store, tmp_path / f"{number}.tar", now=7).domains for number in range(8)]
    finally:
        stop.set()
        writer.join()
    assert all(count % 2 == 1 for count in counts)
    assert counts == sorted(counts)
    assert counts[-1] > counts[0]
    with Store.open(unpack(tmp_path / "7.tar", tmp_path / "restored")) as restored:
        assert len(restored.snapshot().domains) == counts[-1]
        assert restored.generation() == counts[-1] + 2
