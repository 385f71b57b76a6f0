"""The demo as a newcomer runs it: a real daemon, real sockets, and a failure when the milter is gone."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len

from zegel.cli.demo import run
from zegel.cli.demo_mail import Scene, scenes

COMMAND = [sys.executable, "-m", "zegel.cli.main", "demo"]


@contextmanager
def demo(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A demo that stays up, and what it has printed until then."""
    environment = os.environ | {"TMPDIR": str(folder), "COLUMNS": "200", "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        COMMAND,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
        # A shell that runs the tests in the background has them ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        assert process.stdout is not None
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line)
            if "Ctrl-C" in line:
                break
        yield process, "".join(lines)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def children(pid: int) -> list[int]:
    """The processes whose parent is ``pid``: the fourth field of /proc/PID/stat, behind the name in parentheses."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it has ended meanwhile
        if parent == pid:
            found.append(int(stat.parent.name))
    return found


def test_once_shows_every_outcome_and_ends_well(tmp_path: Path) -> None:
    environment = os.environ | {"TMPDIR": str(tmp_path), "COLUMNS": "200"}
    done = subprocess.run([*COMMAND, "--once"], capture_output=True, text=True, env=environment, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    scenes = re.split(r"^ (\d+) ", done.stdout, flags=re.MULTILINE)
    assert scenes[1::2] == list(map(str, range(1, 11)))
    for scene, *words in (
        (1, "✓ signed", "_domainkey.town.example", "would_pass=yes"),
        (2, "✓ the sender corrected", '"Jan Peeters via town.example" <forms@town.example>', 'Reply-To: "Jan Peeters" <jan@inbox.example>'),
        (3, "✓ dmarc=pass: accepted", "both SPF and DKIM pass", "nothing speaks against"),
        (4, "✗ dmarc=fail: marked for quarantine", "the body is not the one that was signed", "marked imitates_us", "instead of refused"),
        (5, "X-Zegel-Quarantine: policy_reject town.example", "forged in our name was removed", "marked imitates_us"),
        (6, "✓ dmarc=pass: accepted", "DKIM partner.example"),
        (7, "! dmarc=pass: accepted, and marked", 'the name of partner.example with "invoices" added'),
        (8, "✓ dmarc=pass: accepted", "SPF passes for an aligned domain", "the message has no DKIM signature"),
        (9, "✗ dmarc=permerror: marked for quarantine", "there are 2 From fields"),
        (10, "✗ refused: 550 5.7.1", "send as desk@town.example"),
    ):
        assert [word for word in words if word not in scenes[2 * scene]] == [], scenes[2 * scene]
    assert "A new installation observes" in scenes[0]
    assert not list(tmp_path.iterdir()), "the data folder of the demo is removed"


@pytest.mark.parametrize(
    "words", ["accepted nothing_against dmarc=pass spf=pass", "quarantined policy_reject dmarc=fail spf=pass dkim=pass"]
)
def test_an_outcome_that_is_not_the_wanted_one_fails_it(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    def wrong(sign_as_partner: Callable[[bytes], bytes]) -> list[Scene]:
        first, _form, third = scenes(sign_as_partner)[:3]
        return [first, replace(third, wanted=frozenset(words.split()))]

    assert run(once=True, script=wrong) == 1
    assert "message 2 should have ended as" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.parametrize("language", ["C.UTF-8", "nl_NL.UTF-8"])
def test_on_a_terminal_no_line_is_broken_by_its_edge(columns: int, language: str) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"} | {
        "LANGUAGE": "",
        "LC_ALL": language,
        "TERM": "xterm",
    }
    with subprocess.Popen([*COMMAND, "--once"], stdin=theirs, stdout=theirs, stderr=subprocess.PIPE, env=environment) as process:
        os.close(theirs)
        seen = b""
        # Linux ends the reading with an error once nobody holds the other side.
        with suppress(OSError):
            while data := os.read(ours, 65_536):
                seen += data
        os.close(ours)
    assert process.returncode == 0
    lines = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", seen).decode().splitlines()
    # A word is never broken: a line of one word alone may be longer.
    assert [line for line in lines if cell_len(line) > columns and len(line.split()) > 1] == []
    assert sum("log: " in line for line in lines) == 10


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda ending: ending.name)
def test_it_stays_up_until_interrupted(ending: signal.Signals, tmp_path: Path) -> None:
    with demo(tmp_path) as (process, shown):
        assert "All messages ended as they must" in shown
        assert process.poll() is None
        (daemon,) = children(process.pid)
        process.send_signal(ending)
        assert process.wait(60) == 0
    assert not Path(f"/proc/{daemon}").exists()
    assert not list(tmp_path.iterdir())


def test_with_the_milter_killed_it_fails(tmp_path: Path) -> None:
    with demo(tmp_path) as (process, _):
        (daemon,) = children(process.pid)
        os.kill(daemon, signal.SIGKILL)
        assert process.wait(60) == 1
        assert process.stderr is not None
        assert "demo failed" in process.stderr.read()


def test_with_the_milter_frozen_it_fails(tmp_path: Path) -> None:
    with demo(tmp_path) as (process, _):
        (daemon,) = children(process.pid)
        os.kill(daemon, signal.SIGSTOP)
        assert process.wait(60) == 1
