"""Ports for servers of the tests: each is given once, to one process."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

from support.servers import free_port

_TESTS = Path(__file__).parents[2]
_MANY = "from support.servers import free_port; print(*(free_port() for _ in range({count})), flush=True); input()"


def _other(count: int) -> subprocess.Popen[str]:
    """Another process that takes so many ports, tells them, and stays until it is given a line."""
    command = [sys.executable, "-c", _MANY.format(count=count)]
    return subprocess.Popen(command, cwd=_TESTS, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_no_port_is_given_twice() -> None:
    with _other(1000) as one, _other(1000) as two:
        assert one.stdout is not None
        assert two.stdout is not None
        given = [free_port() for _ in range(1000)]
        for other in (one, two):
            given += map(int, other.stdout.readline().split())  # type: ignore[union-attr]  # it is a pipe: see above
        for other in (one, two):
            other.communicate("\n", 20)
    assert len(given) == 3000
    assert len(set(given)) == 3000


def test_a_port_that_somebody_has_is_not_given() -> None:
    near = free_port()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there:
        there.bind(("127.0.0.2", near + 1))
        assert free_port() != near + 1
