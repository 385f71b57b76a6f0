"""What is left in the drop folder: whole or not at all, and of each user a share, with an exit status that tells when it is full."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from zegel.adapters.dropfolder import DropFolder
from zegel.integrations import drop
from zegel.submission.handed import MOST_LEFT, MOST_LEFT_OCTETS, Handed

DATA = b"From: a@example.be\r\n\r\nx\r\n"


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users can go through: pytest closes its own to them."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o711)
        yield Path(name)


@pytest.fixture
def folder(tmp_path: Path) -> DropFolder:
    one = DropFolder(tmp_path / "drop", tmp_path / "aside")
    one.prepare()
    return one


def name(number: int) -> str:
    return f"{number:032x}"


def leave(folder: DropFolder, number: int) -> None:
    drop.leave(str(folder.path), name(number), Handed(name(number), "", ["b@example.org"], len(DATA)).head(), DATA)


def ledger(folder: DropFolder) -> Path:
    return folder.path / f"use.{os.geteuid()}"


def fill(folder: DropFolder, numbers: range, size: int) -> None:
    """As if so many messages of that size had been left."""
    for number in numbers:
        (folder.path / f"new.{name(number)}").touch()
    ledger(folder).write_text("".join(f"{name(number)} {size}\n" for number in numbers))


def test_a_user_may_leave_so_many_messages_until_they_are_picked_up(folder: DropFolder) -> None:
    fill(folder, range(MOST_LEFT - 1), 5000)
    leave(folder, 5000)
    with pytest.raises(drop.NotLeft, match="2000 messages of this user") as refused:
        leave(folder, 5001)
    assert refused.value.status == 73
    assert not (folder.path / f"new.{name(5001)}").exists()
    for number in range(10):
        folder.remove(f"new.{name(number)}")
    for number in range(6000, 6010):
        leave(folder, number)
    with pytest.raises(drop.NotLeft):
        leave(folder, 6010)
    assert len(ledger(folder).read_text().splitlines()) == MOST_LEFT


def test_a_user_may_leave_so_many_octets(folder: DropFolder) -> None:
    fill(folder, range(2), MOST_LEFT_OCTETS // 2 - 2048)
    leave(folder, 5000)
    with pytest.raises(drop.NotLeft, match="octets"):
        leave(folder, 5001)
    folder.remove(f"new.{name(0)}")
    leave(folder, 5001)


@pytest.mark.parametrize("text", [b"x" * 5000, b"\0" * 100 + b"\n" * 100, b"0" * 32 + b" 1" + b"0" * 5000 + b"\n", b"../../etc/passwd 5\n"])
def test_a_ledger_that_a_crash_left_or_a_user_made_up_ends_nothing(folder: DropFolder, text: bytes) -> None:
    (folder.path / f"new.{'0' * 32}").touch()
    ledger(folder).write_bytes(text)
    leave(folder, 7)
    assert ledger(folder).read_text() == f"{name(7)} 4096\n"


def test_the_command_ends_with_73_and_says_why(folder: DropFolder, tmp_path: Path) -> None:
    fill(folder, range(MOST_LEFT), 5000)
    environment = {**os.environ, "ZEGEL_SOCKET": str(tmp_path / "none"), "ZEGEL_DROP": str(folder.path)}
    command = [sys.executable, "-m", "zegel.integrations.sendmail", "b@example.org"]
    done = subprocess.run(command, input=DATA, capture_output=True, env=environment, check=False)
    assert done.returncode == 73
    assert b"it takes no more until the daemon runs" in done.stderr
    folder.remove(f"new.{name(0)}")
    assert subprocess.run(command, input=DATA, env=environment, check=False).returncode == 0


def test_one_user_who_fills_a_share_leaves_room_for_another(open_folder: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can be another user")
    folder = DropFolder(open_folder / "drop", open_folder / "aside")
    folder.prepare()
    fill(folder, range(MOST_LEFT), 5000)
    with pytest.raises(drop.NotLeft):
        leave(folder, 5000)
    code = (
        "import os, sys\n"
        "from zegel.integrations import drop\n"
        "os.setuid(65533)\n"
        "for id in ('a' * 32, 'b' * 32): drop.leave(sys.argv[1], id, b'', b'x')\n"
    )
    subprocess.run([sys.executable, "-c", code, str(folder.path)], check=True)
    assert (folder.path / "use.65533").stat().st_uid == 65533
    assert {f"new.{'a' * 32}", f"new.{'b' * 32}"} < set(folder.waiting(100).names)


def test_two_at_once_count_both(folder: DropFolder) -> None:
    code = "import sys\nfrom zegel.integrations import drop\nfor id in sys.argv[2:]: drop.leave(sys.argv[1], id, b'', b'x')"
    runs = [
        subprocess.Popen([sys.executable, "-c", code, str(folder.path), *(name(n) for n in range(start, start + 25))])
        for start in (0, 100, 200)
    ]
    assert [run.wait(60) for run in runs] == [0, 0, 0]
    assert len(ledger(folder).read_text().splitlines()) == 75


def test_one_that_is_being_renamed_counts(folder: DropFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found in CI: looked for under its last name, renamed to it, looked for under its first, and gone from the ledger."""
    (folder.path / f"part.{name(1)}").write_bytes(b"half")
    ledger(folder).write_bytes(f"{name(1)} 4096\n".encode())
    looked: list[str] = []
    stat = os.stat

    def look_and_rename(path: str, *, follow_symlinks: bool = True) -> os.stat_result:
        try:
            return stat(path, follow_symlinks=follow_symlinks)
        finally:
            looked.append(path)
            if len(looked) == 1:
                (folder.path / f"part.{name(1)}").rename(folder.path / f"new.{name(1)}")

    monkeypatch.setattr(os, "stat", look_and_rename)
    leave(folder, 2)
    monkeypatch.undo()
    assert looked
    assert ledger(folder).read_text() == f"{name(1)} 4096\n{name(2)} 4096\n"
