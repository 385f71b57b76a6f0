"""The master key file: made once, read only when it is ours alone."""

from __future__ import annotations

import base64
import os
import stat
from pathlib import Path

import pytest

from zegel.store import masterkey
from zegel.store.errors import StoreError


def test_made_with_mode_0600_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o277)
    try:
        masterkey.make(tmp_path)
    finally:
        os.umask(before)
    status = (tmp_path / "master.key").stat()
    assert stat.S_IMODE(status.st_mode) == 0o600
    assert status.st_nlink == 1
    assert os.listdir(tmp_path) == ["master.key"]


def test_read_gives_what_was_made(tmp_path: Path) -> None:
    masterkey.make(tmp_path)
    key = masterkey.read(tmp_path)
    assert len(key) == 32
    assert len(set(key)) > 8
    assert masterkey.parse((tmp_path / "master.key").read_text()) == key


def test_never_made_twice(tmp_path: Path) -> None:
    masterkey.make(tmp_path)
    before = (tmp_path / "master.key").read_bytes()
    with pytest.raises(FileExistsError):
        masterkey.make(tmp_path)
    assert (tmp_path / "master.key").read_bytes() == before
    assert os.listdir(tmp_path) == ["master.key"]


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660, 0o604, 0o400, 0o700, 0o601])
def test_another_mode_is_refused_with_what_to_type(tmp_path: Path, mode: int) -> None:
    masterkey.make(tmp_path)
    path = tmp_path / "master.key"
    path.chmod(mode)
    with pytest.raises(StoreError, match=rf"mode {mode:04o}.*chmod 600 .*master\.key"):
        masterkey.read(tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_another_owner_is_refused(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    masterkey.make(tmp_path)
    os.chown(tmp_path / "master.key", 65534, -1)
    with pytest.raises(StoreError, match="run this as that user"):
        masterkey.read(tmp_path)


def test_a_missing_key_is_asked_for_not_made(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no new one is made.*backup.*ZEGEL_MASTER_KEY"):
        masterkey.read(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    masterkey.make(tmp_path / "elsewhere")
    (tmp_path / "master.key").symlink_to(tmp_path / "elsewhere" / "master.key")
    with pytest.raises(StoreError, match="symbolic link"):
        masterkey.read(tmp_path)


def test_a_pipe_does_not_hang_the_start(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "master.key", 0o600)
    with pytest.raises(StoreError, match="not a plain file"):
        masterkey.read(tmp_path)


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"\xff" * 44, base64.b64encode(bytes(31)), base64.b64encode(bytes(33)), b"A" * 44, b"A" * 100_000]
)
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "master.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(StoreError, match="32 bytes"):
        masterkey.read(tmp_path)
    assert path.read_bytes() == content


def test_the_text_of_the_environment() -> None:
    key = bytes(range(32))
    text = base64.b64encode(key).decode()
    assert masterkey.parse(text) == key
    assert masterkey.parse(f"  {text}\n") == key
    for wrong in ("", text[:-4], text + "AAAA", text.replace("=", "!"), key.hex(), "é" * 44):
        with pytest.raises(StoreError, match="ZEGEL_MASTER_KEY"):
            masterkey.parse(wrong)
