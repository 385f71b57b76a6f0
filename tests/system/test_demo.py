"""The demo as a newcomer runs it: a real daemon, real sockets, and a failure when the milter is gone."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

COMMAND = [sys.executable, "-m", "zegel.cli.main", "demo"]


@contextmanager
def demo(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A demo that stays up, and what it has printed until then."""
    environment = os.environ | {"TMPDIR": str(folder), "COLUMNS": "200", "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(COMMAND, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True)
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
    for words in ("signed", "dkim=pass", "dkim=fail", "dkim=none", "the body is not the one that was signed", "login desk is not listed"):
        assert words in done.stdout
    assert re.findall(r"^ (\d) ", done.stdout, re.MULTILINE) == list("1234567")
    assert not list(tmp_path.iterdir()), "the data folder of the demo is removed"


def test_it_stays_up_until_interrupted(tmp_path: Path) -> None:
    with demo(tmp_path) as (process, shown):
        assert "All messages ended as they must" in shown
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
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
