"""The quarantine's folder: what is kept is whole and found again, and a token opens it once for each recipient."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from zegel.store.errors import StoreError
from zegel.store.quarantine import TOKEN_SECONDS, Depot, Kept, QuarantineFullError

MESSAGE = b"From: x@town.example\r\n\r\nhello\r\n"
ABOUT = Kept(
    "", 1000, "4X1", "203.0.113.9", "x@bad.example", ("jan@ours.example", "piet@ours.example"), "town.example", "Factuur", "policy_reject",
    " mx.example.org; dkim=none", len(MESSAGE),
)  # fmt: skip
JAN, PIET = ABOUT.recipients


@pytest.fixture
def depot(tmp_path: Path) -> Depot:
    made = Depot(tmp_path)
    made.prepare()
    return made


def test_what_is_kept_is_found_again_octet_for_octet(depot: Depot) -> None:
    name = depot.keep(ABOUT, [MESSAGE[:7], MESSAGE[7:]])
    assert depot.get(name) == replace(ABOUT, name=name)
    assert depot.message(name) == MESSAGE
    later = depot.keep(replace(ABOUT, time=2000), [b"\n\0\xff"])
    assert [kept.name for kept in depot.all()] == [later, name]
    assert depot.message(later) == b"\n\0\xff"
    for path in depot.folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(depot.folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("name", ["none-here", "../zegel", "bcdf-bcdf", "", "a/b", "bcdf-bcdf.mail", "\0"])
def test_a_name_that_is_none_is_refused(depot: Depot, name: str) -> None:
    depot.keep(ABOUT, [MESSAGE])
    for use in (depot.get, depot.message, depot.drop, lambda text: depot.allow(text, now=1)):
        with pytest.raises(StoreError, match="see: zegel quarantine list"):
            use(name)
    assert depot.redeem(f"{name}.abc", [JAN], now=1) is None
    assert len(depot.all()) == 1


def test_a_token_lets_each_recipient_through_once(depot: Depot) -> None:
    name = depot.keep(ABOUT, [MESSAGE])
    token = depot.allow(name, now=1000)
    assert depot.redeem(token, [JAN], now=1001) == replace(ABOUT, name=name)
    assert depot.redeem(token, [JAN], now=1002) is None
    assert (depot.get(name).state, depot.get(name).released) == ("kept", 1000)
    assert depot.redeem(token, [JAN, PIET], now=1003) is None
    assert depot.redeem(token, [PIET], now=1004) is not None
    assert depot.get(name).state == "released"
    assert depot.redeem(token, [PIET], now=1005) is None


def test_a_token_is_for_its_message_its_recipients_and_its_time(depot: Depot) -> None:
    name, other = depot.keep(ABOUT, [MESSAGE]), depot.keep(ABOUT, [MESSAGE])
    assert depot.redeem(f"{name}.{'0' * 40}", [JAN], now=1) is None  # none was made
    token = depot.allow(name, now=1000)
    for wrong in (token[:-1], f"{token}0", token.replace(name, other), name, "", f"{name}.", "é.é"):
        assert depot.redeem(wrong, [JAN], now=1001) is None
    assert depot.redeem(token, ["els@ours.example"], now=1001) is None
    assert depot.redeem(token, [JAN, JAN], now=1001) is None
    assert depot.redeem(token, [JAN], now=1001 + TOKEN_SECONDS) is None
    with pytest.raises(StoreError, match=rf"{name} was released before, on 1970-01-01 \d\d:16; .* --again"):
        depot.allow(name, now=2000)
    newer = depot.allow(name, now=2000, again=True)
    assert depot.redeem(token, [JAN], now=2001) is None
    assert depot.redeem(newer, [JAN, PIET], now=2001) is not None
    # The token itself is nowhere on disk.
    assert not [path for path in depot.folder.iterdir() if newer.partition(".")[2].encode() in path.read_bytes()]


def test_dropped_and_expired_are_gone(depot: Depot) -> None:
    name = depot.keep(ABOUT, [MESSAGE])
    depot.allow(name, now=1000)
    assert depot.drop(name).name == name
    old, new = depot.keep(ABOUT, [MESSAGE]), depot.keep(replace(ABOUT, time=5000), [MESSAGE])
    assert depot.expire(before=5000) == 1
    assert [kept.name for kept in depot.all()] == [new]
    assert os.listdir(depot.folder) == [f"{new}.mail"]
    with pytest.raises(StoreError):
        depot.get(old)


def test_it_is_bounded_and_says_so(tmp_path: Path) -> None:
    depot = Depot(tmp_path, max_bytes=10_000)  # a file counts for 8,192 octets at the least
    depot.prepare()
    depot.keep(replace(ABOUT, size=1000), [b"x" * 1000])
    with pytest.raises(QuarantineFullError, match=r"inbound\.quarantine_bytes"):
        depot.keep(replace(ABOUT, size=1000), [b"x" * 1000])
    assert len(list(depot.folder.iterdir())) == 1


def test_a_full_folder_is_counted_once_and_again_when_some_may_have_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Strangers choose how many messages there are: no keeping reads the whole folder each time."""
    scans: list[Path] = []
    scan, clock = os.scandir, [0.0]

    def counted(path: Path) -> object:
        scans.append(path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", counted)
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    depot = Depot(tmp_path, max_bytes=5 * 8192)
    depot.prepare()
    scans.clear()
    names = [depot.keep(ABOUT, [MESSAGE]) for _ in range(5)]
    for _ in range(20):
        with pytest.raises(QuarantineFullError):
            depot.keep(ABOUT, [MESSAGE])
    assert len(scans) == 1
    Depot(tmp_path).drop(names[0])  # another process
    clock[0] = 11.0
    depot.keep(ABOUT, [MESSAGE])
    assert len(scans) <= 3


def test_the_longest_envelope_is_found_again(depot: Depot) -> None:
    about = replace(ABOUT, recipients=tuple(f"{number}{chr(0xDCFF) * 2000}@ours.example" for number in range(1001)))
    name = depot.keep(about, [MESSAGE])
    assert depot.get(name).recipients == about.recipients
    assert depot.message(name) == MESSAGE


def test_what_a_killed_process_left_is_no_message(depot: Depot) -> None:
    code = """
import os, sys
from pathlib import Path
from zegel.store.quarantine import Depot, Kept
def chunks():
    yield b"half"
    os.kill(os.getpid(), 9)
Depot(Path(sys.argv[1])).keep(Kept("", 1, "", "", "", ("a@b.example",), "", "", "", "", 4), chunks())
"""
    done = subprocess.run([sys.executable, "-c", code, str(depot.folder.parent)], check=False)
    assert done.returncode == -9
    assert depot.all() == []
    assert len(list(depot.folder.iterdir())) == 1
    depot.prepare()
    assert list(depot.folder.iterdir()) == []


def test_files_of_others_are_passed_over(depot: Depot) -> None:
    (depot.folder / "bcdf-bcdf.mail").write_bytes(b"no json\nFrom: x")
    (depot.folder / "note.mail").write_bytes(b"{}\n")
    (depot.folder / "bcdg-bcdf.mail").write_bytes(b"[]\n")
    assert depot.all() == []


def test_a_failing_source_leaves_nothing(depot: Depot) -> None:
    class Broken:
        def __iter__(self) -> object:
            raise OSError(28, "No space left on device")

    with pytest.raises(StoreError, match="is full"):
        depot.keep(ABOUT, Broken())  # type: ignore[arg-type]
    assert list(depot.folder.iterdir()) == []
