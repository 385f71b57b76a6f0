"""The drop folder: a whole, plain file of one name is taken, and nothing that anybody else may put there."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from zegel.adapters.dropfolder import DropError, DropFolder
from zegel.integrations import drop, sendmail
from zegel.submission.handed import MAX_HEAD, MAX_SIZE, MOST_LEFT, MOST_LEFT_OCTETS, Handed

ID = "0123456789abcdef" * 2
DATA = b"From: a@example.be\r\n\r\nx\r\n"


def content(id: str = ID, data: bytes = DATA) -> bytes:
    return Handed(id, "a@example.be", ["b@example.org"], len(data)).head() + data


@pytest.fixture
def folder(tmp_path: Path) -> DropFolder:
    one = DropFolder(tmp_path / "drop", tmp_path / "aside")
    one.prepare()
    return one


def put(folder: DropFolder, name: str = f"new.{ID}", text: bytes | None = None) -> str:
    (folder.path / name).write_bytes(content() if text is None else text)
    return name


def test_it_is_made_so_that_others_can_add_and_not_look(folder: DropFolder) -> None:
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o1733
    folder.prepare()
    for mode in (0o1777, 0o733, 0o700):
        folder.path.chmod(mode)
        with pytest.raises(PermissionError, match="install -d -m 1733"):
            folder.prepare()


def test_what_the_command_leaves_is_taken(folder: DropFolder) -> None:
    handed, message = sendmail.prepared(sendmail.Asked(["-f", "a@example.be", "b@example.org"]), DATA)
    drop.leave(str(folder.path), handed.id, handed.head(), message)
    (name,) = folder.waiting(10).names
    dropped = folder.take(name)
    assert (dropped.uid, dropped.handed.sender, dropped.handed.recipients) == (os.geteuid(), "a@example.be", ["b@example.org"])
    assert dropped.data == DATA
    assert folder.waiting(10).names == [name], "it stays until it is safe elsewhere"
    folder.remove(name)
    assert folder.waiting(10).names == []
    with pytest.raises(FileNotFoundError):
        folder.take(name)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "no message"),
        (b"zegel-handover 1\n" + b"x" * 100_000, "no message"),
        (content()[:-1], "not whole"),
        (content() + b"x", "not whole"),
        (content()[:60], "no message"),
        (content("f" * 32), "another name"),
        (content().replace(b"from a", b"from a b"), "not an address"),
    ],
)
def test_a_file_that_is_no_message(folder: DropFolder, text: bytes, reason: str) -> None:
    with pytest.raises(DropError, match=reason):
        folder.take(put(folder, text=text))


def test_links_pipes_and_sockets_are_nothing_to_open(folder: DropFolder, tmp_path: Path) -> None:
    target = tmp_path / "other"
    target.write_bytes(content())
    name = f"new.{ID}"
    path = folder.path / name
    path.symlink_to(target)
    with pytest.raises(DropError, match="cannot be opened"):
        folder.take(name)
    folder.remove(name)
    assert target.exists()
    os.link(target, path)
    with pytest.raises(DropError, match="second name"):
        folder.take(name)
    folder.remove(name)
    os.mkfifo(path)
    with pytest.raises(DropError, match="no plain file"):
        folder.take(name)
    folder.remove(name)
    with socket.socket(socket.AF_UNIX) as one, contextlib.chdir(folder.path):
        one.bind(name)  # the whole path may be longer than an address can be
        with pytest.raises(DropError, match="cannot be opened"):
            folder.take(name)
    folder.remove(name)
    path.mkdir()
    with pytest.raises(DropError, match="no plain file"):
        folder.take(name)
    folder.remove(name)
    assert list(folder.path.iterdir()) == []


def test_a_file_of_another_that_has_lost_its_first_name_says_which_that_was(folder: DropFolder) -> None:
    put(folder, f"new.{ID}")
    os.rename(folder.path / f"new.{ID}", folder.path / ("new." + "f" * 32))
    with pytest.raises(DropError, match="another name"):
        folder.take("new." + "f" * 32)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.EIO, errno.ENOMEM])
def test_want_of_something_of_ours_is_not_said_of_the_message(folder: DropFolder, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """What is no message is taken away; a message that cannot be opened for the moment stays."""
    name = put(folder)

    def scarce(*_arguments: object) -> int:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", scarce)
        with pytest.raises(OSError, match=os.strerror(number)) as raised:
            folder.take(name)
    assert not isinstance(raised.value, DropError)
    assert folder.take(name).data == DATA


def test_a_huge_file_is_not_read(folder: DropFolder) -> None:
    name = put(folder)
    os.truncate(folder.path / name, MAX_HEAD + MAX_SIZE + 1)  # it has holes, and takes no room
    with pytest.raises(DropError, match="too large"):
        folder.take(name)


def test_what_is_being_written_is_left_until_it_is_old(folder: DropFolder) -> None:
    put(folder, "part.1")
    put(folder, "part.2")
    os.utime(folder.path / "part.1", (1000, 1000))
    assert folder.waiting(10).names == []
    assert folder.sweep(before=2000) == 1
    assert [path.name for path in folder.path.iterdir()] == ["part.2"]


def test_what_ends_or_goes_while_the_folder_is_looked_at_is_no_trouble(folder: DropFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    scandir = os.scandir

    @contextlib.contextmanager
    def listed_before(path: Path) -> Iterator[list[os.DirEntry[str]]]:
        with scandir(path) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
        (path / "part.1").rename(path / "new.1")
        (path / "new.2").unlink()
        yield found

    looks: list[Callable[[], bool]] = [lambda: folder.sweep(before=2000) == 1, lambda: folder.waiting(10) == (["new.3"], [])]
    for look in looks:
        for name in ("part.1", "part.3", "new.2", "new.3"):
            os.utime(folder.path / put(folder, name), (1000, 1000))
        with monkeypatch.context() as patch:
            patch.setattr(os, "scandir", listed_before)
            assert look()
        (folder.path / "new.1").unlink()  # it was not taken away


def test_so_many_files_at_most_are_looked_at(folder: DropFolder) -> None:
    for number in range(50):
        put(folder, f"new.{number}")
    assert len(folder.waiting(7).names) == 7
    assert folder.passed == 50, "who owns them takes a look at each"


def test_of_many_users_each_has_a_share_of_a_look(folder: DropFolder) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files to other users")
    for number in range(200):
        put(folder, f"new.{number}")
    for uid in (65001, 65002):
        os.chown(folder.path / put(folder, f"new.of{uid}"), uid, 65534)
    names = folder.waiting(100).names
    assert {"new.of65001", "new.of65002"} < set(names)
    assert len(names) == 27
    assert len(folder.waiting(100, passed_over={"new.of65001", "new.of65002"}).names) == 100


def test_what_is_beyond_twice_a_users_share_is_told_apart(folder: DropFolder) -> None:
    for number in range(2 * MOST_LEFT + 3):
        (folder.path / f"new.{number}").touch()
    (folder.path / f"use.{os.geteuid()}").touch()
    waiting = folder.waiting(10)
    assert (len(waiting.names), [uid for _name, uid in waiting.over]) == (10, [os.geteuid()] * 3)
    assert not {name for name, _uid in waiting.over} & set(waiting.names)
    for path in folder.path.iterdir():
        path.unlink()
    for number in range(3):
        (folder.path / f"part.{number}").touch()
        os.truncate(folder.path / f"part.{number}", MOST_LEFT_OCTETS)  # with holes: it takes no room
    assert len(folder.waiting(10).over) == 1


@pytest.mark.parametrize("size", [0, 2 << 20])
def test_a_ledger_is_no_message_but_only_its_users_own_and_within_its_bound(folder: DropFolder, size: int) -> None:
    own, others = f"use.{os.geteuid()}", "use.65001"
    for name in (own, others):
        (folder.path / name).touch()
        os.truncate(folder.path / name, size)
    assert set(folder.waiting(10).names) == ({others} if not size else {own, others})


def test_what_is_refused_is_kept_within_a_bound(folder: DropFolder, tmp_path: Path) -> None:
    for number in range(1005):
        (tmp_path / "aside" / f"{number}.eml").write_bytes(b"x")
    path = folder.set_aside(folder.take(put(folder)))
    assert path.read_bytes() == DATA
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(list((tmp_path / "aside").iterdir())) == 1000
    assert folder.waiting(10).names == []


def test_one_taken_from_those_aside_meanwhile_is_no_trouble(folder: DropFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "aside" / "1.eml").touch()
    iterdir = Path.iterdir

    def listed_before(path: Path) -> Iterator[Path]:
        found = list(iterdir(path))
        (tmp_path / "aside" / "1.eml").unlink()
        return iter(found)

    monkeypatch.setattr(Path, "iterdir", listed_before)
    assert folder.set_aside(folder.take(put(folder))).read_bytes() == DATA


def test_a_user_who_may_not_look_can_add_and_nobody_else_can_take_it_away() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can be another user")
    with tempfile.TemporaryDirectory() as name:  # pytest closes its own folders to other users
        Path(name).chmod(0o711)
        folder = DropFolder(Path(name) / "drop", Path(name) / "aside")
        folder.prepare()
        _as_others(folder)


def _as_others(folder: DropFolder) -> None:
    code = (
        "import os, pwd, sys\n"
        "from zegel.integrations import drop, sendmail\n"
        "os.setgid(65534); os.setuid(int(sys.argv[2]))\n"
        "handed, message = sendmail.prepared(sendmail.Asked(['b@example.org']), b'From: a@b\\n\\nx\\n')\n"
        "drop.leave(sys.argv[1], handed.id, handed.head(), message)\n"
        "try: os.listdir(sys.argv[1])\n"
        "except PermissionError: print('blind')\n"
    )
    shown = subprocess.run([sys.executable, "-c", code, str(folder.path), "65533"], capture_output=True, text=True, check=True)
    assert shown.stdout == "blind\n"
    (name,) = folder.waiting(10).names
    assert folder.take(name).uid == 65533
    code = "import os, sys; os.setuid(65532); os.unlink(sys.argv[1])"
    other = subprocess.run([sys.executable, "-c", code, str(folder.path / name)], capture_output=True, text=True, check=False)
    assert "PermissionError" in other.stderr or "Operation not permitted" in other.stderr
