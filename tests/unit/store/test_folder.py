"""The data folder: whose it is, who may write in it, and one set-up at a time."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from zegel.store import folder as data_folder
from zegel.store.errors import StoreError


def test_made_with_its_parents_and_mode_0700(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "data"
    before = os.umask(0o022)
    try:
        data_folder.prepare(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    data_folder.prepare(path)


@pytest.mark.parametrize("mode", [0o770, 0o777, 0o702, 0o1777])
def test_a_folder_that_others_can_write_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "data"
    path.mkdir()
    path.chmod(mode)
    with pytest.raises(StoreError, match="chmod 700"):
        data_folder.prepare(path)


@pytest.mark.parametrize("mode", [0o700, 0o750, 0o755])
def test_a_folder_that_others_can_only_read_is_good(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "data"
    path.mkdir()
    path.chmod(mode)
    data_folder.prepare(path)


def test_somebody_elses_folder_names_the_owner(tmp_path: Path) -> None:
    # One that is surely not ours: root's, or (for root) one that was given away.
    path = Path("/etc")
    if os.geteuid() == 0:
        path = tmp_path / "data"
        path.mkdir()
        os.chown(path, 65534, -1)
    # With the folder: neither of the two keeps ZEGEL_DATA.
    with pytest.raises(StoreError, match=rf"run as the user that owns the data folder: .*(sudo -u|runuser -u) .* zegel --data {path} "):
        data_folder.check(path)


def test_no_folder_and_no_folder_at_all(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no data folder .*zegel init"):
        data_folder.check(tmp_path / "data")
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="not a folder"):
        data_folder.prepare(tmp_path / "file")


def test_one_set_up_at_a_time(tmp_path: Path) -> None:
    inside: list[str] = []
    first_is_in, first_may_go = threading.Event(), threading.Event()

    def first() -> None:
        with data_folder.alone(tmp_path):
            first_is_in.set()
            first_may_go.wait(10)
            inside.append("first")

    def second() -> None:
        first_is_in.wait(10)
        with data_folder.alone(tmp_path):
            inside.append("second")

    threads = [threading.Thread(target=second), threading.Thread(target=first)]
    for thread in threads:
        thread.start()
    first_is_in.wait(10)
    first_may_go.set()
    for thread in threads:
        thread.join(15)
    assert inside == ["first", "second"]


def test_waiting_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_folder, "WAIT_SECONDS", 0)
    with data_folder.alone(tmp_path), pytest.raises(StoreError, match="another process has been setting up"), data_folder.alone(tmp_path):
        pass
