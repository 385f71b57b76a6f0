"""The sendmail command: its options, the message that it makes, where it puts it, and its exit status. RFC 5321 2.3.10."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from zegel.integrations.sendmail import Asked, Stop, addresses, mended, prepared
from zegel.submission.handed import read_head

COMMAND = [sys.executable, "-c", "import sys; from zegel.integrations.sendmail import main; sys.exit(main())"]
MESSAGE = b"To: info@example.be\nSubject: hello\n\nhello\n"


class Door:
    """A daemon's end of the socket: takes one message after the other, and answers what it is told to; "" hangs up."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "sock"
        self.answer = "250 2.0.0 k3f9"
        self.taken: list[bytes] = []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(self.path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as file:
                head = b""
                while not head.rpartition(b"\n")[0].rpartition(b"\n")[2].startswith(b"size "):
                    head += file.readline()
                self.taken.append(head + file.read(read_head(head).size))
                connection.sendall(f"{self.answer}\n".encode() if self.answer else b"")

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    one = Door(tmp_path)
    yield one
    one.close()


def run(*words: str, data: bytes = MESSAGE, path: Path | None = None, drop: Path | None = None) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "ZEGEL_SOCKET": str(path or "/nonexistent/sock"), "ZEGEL_DROP": str(drop or "/nonexistent/drop")}
    return subprocess.run([*COMMAND, *words], input=data, capture_output=True, env=environment, timeout=60, check=False)


def test_it_needs_nothing_but_a_little_of_the_standard_library() -> None:
    code = (
        "import sys; before = set(sys.modules); import zegel.integrations.sendmail, _socket, pwd; print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name for name in done.stdout.split() if name.partition(".")[0] not in sys.stdlib_module_names}
    assert loaded == {"zegel", "zegel.integrations", "zegel.integrations.sendmail", "zegel.submission", "zegel.submission.handed"}
    assert len(done.stdout.split()) < 12
    assert not {"email", "re", "typing", "socket", "enum", "json", "logging", "contextlib"} & set(done.stdout.split())


# -- the message ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"A: b\n\nbody\n", b"A: b\r\n\r\nbody\r\n"),
        (b"A: b\r\n\r\nbody\nmore\n", b"A: b\r\n\r\nbody\r\nmore\r\n"),  # PHP 8
        (b"A: b\r\nC: d\n\nbody", b"A: b\r\nC: d\r\n\r\nbody\r\n"),
        (b"A: b\r\r\n\r\r\nbody\r\r\n", b"A: b\r\n\r\nbody\r\n"),
        (b"A: b\n", b"A: b\r\n\r\n"),
        (b"", b"\r\n"),
        (b"no header\nat all\n", b"\r\nno header\r\nat all\r\n"),
        (b"http://example.be/ is no field\n", b"http://example.be/ is no field\r\n\r\n"),
        (b"From me Tue Nov 24\nA: b\n\nc\n", b"A: b\r\n\r\nc\r\n"),
        (b"Subject: x\rBcc: victim@example.net\n\na\rb\n", b"Subject: x Bcc: victim@example.net\r\n\r\na\r\nb\r\n"),
        (b"A: b\n\none\n..\n.\ntwo\n", b"A: b\r\n\r\none\r\n..\r\n.\r\ntwo\r\n"),
    ],
)
def test_line_ends_are_mended_line_by_line(data: bytes, expected: bytes) -> None:
    assert mended(data, ignore_dots=True) == expected


def test_a_dot_alone_ends_the_message_unless_it_is_told_otherwise() -> None:
    assert mended(b"A: b\n\none\n.\ntwo\n", ignore_dots=False) == b"A: b\r\n\r\none\r\n"
    assert not Asked([]).ignore_dots
    for words in (["-i"], ["-oi"], ["-ti"], ["-t", "-i"]):
        assert Asked(words).ignore_dots


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("info@example.be", ["info@example.be"]),
        (' "Peeters, Jan" <jan@example.org>, b@example.org', ["jan@example.org", "b@example.org"]),
        ("Jan (who, else) <jan@example.org>,\r\n\tb@example.org (B)", ["jan@example.org", "b@example.org"]),
        ("Team: a@x.example, B <b@x.example>;, c@x.example", ["a@x.example", "b@x.example", "c@x.example"]),
        ("undisclosed-recipients:;", []),
        ('"a b"@x.example', ['"a b"@x.example']),
        ('"a\\"b,c"@x.example, d@x.example', ['"a\\"b,c"@x.example', "d@x.example"]),
        ("< jan@example.org >", ["jan@example.org"]),
        ("root, <a@b.example", ["root", "a@b.example"]),
        ("", []),
        (", ,", []),
    ],
)
def test_addresses_of_a_field(value: str, expected: list[str]) -> None:
    assert addresses(value) == expected


def test_recipients_come_from_the_message_when_it_is_asked_and_bcc_is_seen_by_nobody() -> None:
    data = b"To: a@x.example\nCC: B <b@x.example>\nBcc: c@x.example,\n d@x.example\nReturn-Path: <e@x.example>\nSubject: s\n\nbody\n"
    handed, message = prepared(Asked(["-t", "f@x.example", "a@x.example"]), data)
    assert handed.recipients == ["f@x.example", "a@x.example", "b@x.example", "c@x.example", "d@x.example"]
    assert message == b"To: a@x.example\r\nCC: B <b@x.example>\r\nSubject: s\r\n\r\nbody\r\n"
    assert handed.size == len(message)
    handed, message = prepared(Asked(["f@x.example"]), data)
    assert handed.recipients == ["f@x.example"]
    assert b"Bcc" not in message


@pytest.mark.parametrize(
    ("words", "sender"),
    [
        (["-f", "a@x.example"], "a@x.example"),
        (["-fa@x.example"], "a@x.example"),
        (["-r", "<a@x.example>"], "a@x.example"),
        (["-tif", "a@x.example"], "a@x.example"),
        (["-f", "<>"], ""),
        (["-f", ""], ""),
    ],
)
def test_the_envelope_sender(words: list[str], sender: str) -> None:
    assert prepared(Asked([*words, "b@x.example"]), MESSAGE)[0].sender == sender


def test_without_a_sender_it_is_the_user_on_this_machine() -> None:
    import pwd

    expected = f"{pwd.getpwuid(os.getuid()).pw_name}@{os.uname().nodename}"
    assert prepared(Asked(["b@x.example"]), MESSAGE)[0].sender == expected


def test_a_name_makes_a_from_where_there_is_none() -> None:
    words = ["-F", 'Cron "Daemon"\r\nBcc: x', "-f", "a@x.example", "b@x.example"]
    _, message = prepared(Asked(words), MESSAGE)
    assert message.startswith(b'From: "Cron  Daemon   Bcc: x" <a@x.example>\r\nTo: ')
    _, message = prepared(Asked(words), b"From: c@x.example\n" + MESSAGE)
    assert message.count(b"From: ") == 1


@pytest.mark.parametrize("words", [["-bs"], ["-bd"], ["-bp"], ["-bi"], ["-q"], ["-q30m"], ["-z"], ["-f"], ["-Ax"], ["--long"]])
def test_what_it_cannot_do_is_a_fault_of_usage(words: list[str]) -> None:
    with pytest.raises(Stop) as caught:
        Asked(words)
    assert caught.value.status == 64


def test_options_that_change_nothing_here_are_taken() -> None:
    words = [
        "-bm",
        "-oem",
        "-odi",
        "-om",
        "-N",
        "never",
        "-R",
        "hdrs",
        "-B8BITMIME",
        "-L",
        "tag",
        "-O",
        "Timeout=1",
        "-v",
        "-n",
        "-m",
        "-G",
        "-em",
    ]
    asked = Asked([*words, "-Ac", "--", "-odd@x.example"])
    assert asked.recipients == ["-odd@x.example"]


# -- where it goes --------------------------------------------------------------------------------------------------------------------


def test_the_daemon_gets_it(door: Door) -> None:
    done = run("-t", "-i", "-f", "www@web01", path=door.path)
    assert (done.returncode, done.stderr) == (0, b"")
    head, _, message = door.taken[0].partition(b"size ")
    assert b"\nvia sendmail\nfrom www@web01\nto info@example.be\n" in head
    assert message.endswith(b"\nTo: info@example.be\r\nSubject: hello\r\n\r\nhello\r\n")


@pytest.mark.parametrize(
    ("answer", "status", "dropped"),
    [
        ("250 2.0.0 k3f9", 0, False),
        ("550 5.7.1 not of this site", 69, False),
        ("450 4.7.1 too many this hour", 69, False),
        ("452 4.3.1 full", 0, True),
        ("451 4.3.0 a fault", 0, True),
        ("421 4.3.2 too many at once", 0, True),
        ("", 0, True),  # it went away before it answered
    ],
)
def test_every_answer(door: Door, tmp_path: Path, answer: str, status: int, dropped: bool) -> None:
    drop = tmp_path / "drop"
    drop.mkdir(mode=0o700)
    door.answer = answer
    done = run("-t", path=door.path, drop=drop)
    assert done.returncode == status
    assert len(list(drop.glob("new.*"))) == dropped
    assert (b"refused: " + answer.encode() in done.stderr) == (status == 69)


def test_without_a_daemon_it_goes_into_the_drop_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o1733)
    done = run("-t", drop=tmp_path)
    assert done.returncode == 0
    (file,) = tmp_path.glob("new.*")
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    content = file.read_bytes()
    handed = read_head(content[: content.index(b"\n", content.index(b"\nsize ") + 1) + 1])
    assert file.name == f"new.{handed.id}"
    assert content.endswith(b"\r\n\r\nhello\r\n")


@pytest.mark.parametrize(
    ("words", "data", "status"),
    [
        (["-bs"], b"", 64),
        (["-t"], b"Subject: to nobody\n\n", 64),
        ([], MESSAGE, 64),
        (["a b@example.be"], MESSAGE, 64),
        (["-f", "a\nto victim@example.net", "b@x.example"], MESSAGE, 64),
        (["-t"], MESSAGE, 73),
    ],
)
def test_every_other_status(words: list[str], data: bytes, status: int) -> None:
    done = run(*words, data=data)
    assert done.returncode == status
    assert done.stderr.startswith(b"zegel-sendmail: ")


def test_a_disk_that_is_full_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    code = "import resource, signal, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
    code += "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    code += "from zegel.integrations.sendmail import main; sys.exit(main())"
    environment = {**os.environ, "ZEGEL_SOCKET": "/nonexistent", "ZEGEL_DROP": str(tmp_path)}
    data = MESSAGE + b"x" * 5000
    done = subprocess.run([sys.executable, "-c", code, "-t"], input=data, capture_output=True, env=environment, timeout=60, check=False)
    assert done.returncode == 74
    assert [path.name for path in tmp_path.iterdir()] == [f"use.{os.geteuid()}"], "the ledger alone"
