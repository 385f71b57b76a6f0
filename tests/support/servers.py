"""What the tests ask of the machine: an installed server, a free port, and patience with a bound."""

from __future__ import annotations

import fcntl
import itertools
import os
import random
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

_SERVER_FOLDERS = ("/usr/sbin", "/sbin", "/usr/local/sbin")
_FIRST_PORT, _EPHEMERAL = 10_240, 32_768


def require(program: str) -> str:
    """The path of an installed program; without it the test is skipped, or fails under ``ZEGEL_REQUIRE_SERVERS=1``."""
    path = shutil.which(program) or shutil.which(program, path=os.pathsep.join(_SERVER_FOLDERS))
    if path is None:
        unavailable(f"{program} is not installed; on Debian, apt-get install the package that holds it")
    return path


def unavailable(reason: str) -> NoReturn:
    """Leave this test: a skip on somebody's own machine, a failure where the servers are promised."""
    if os.environ.get("ZEGEL_REQUIRE_SERVERS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def free_port() -> int:
    """A port that nobody uses, TCP or UDP, and that nobody else gets as long as this process runs, whether or not it is listened on.

    It is below those that the system gives to clients and to whoever binds port 0, so that between here and its server's start, and while
    that server is down, no connection of another test takes it; and it is locked for this process, as tests run in several at a time.
    """
    for port in _PORTS:
        try:
            fcntl.lockf(_LOCKS, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
        except OSError:
            continue  # of another process
        if all(_is_free(port, kind) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)):
            return port
    raise AssertionError("the ports never end")


def _is_free(port: int, kind: socket.SocketKind) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        try:
            probe.bind(("0.0.0.0", port))  # whoever has it on one address of loopback has it here
        except OSError:
            return False
        return True


def _ports() -> Iterator[int]:
    """All ports below the ephemeral ones, round and round, from anywhere on."""
    try:
        end = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except OSError:
        end = _EPHEMERAL
    ports = range(_FIRST_PORT, end if end > 2 * _FIRST_PORT else _EPHEMERAL)
    start = random.SystemRandom().randrange(len(ports))
    return itertools.cycle([*ports[start:], *ports[:start]])


_PORTS = _ports()
# A lock of its octet for each port, which ends with the process; a user has its own file.
_LOCKS = os.open(f"{tempfile.gettempdir()}/zegel-ports-{os.getuid()}", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def wait_for(condition: Callable[[], bool], seconds: float = 60.0, what: str = "") -> None:
    """Return as soon as the condition holds; raise :class:`TimeoutError` when it does not within the bound."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {seconds:g} s: {what or condition!r}")
        time.sleep(0.02)


def listens(address: int | Path) -> bool:
    """Whether somebody accepts connections there: on a TCP port of 127.0.0.1, or on a unix socket."""
    family, place = (socket.AF_UNIX, str(address)) if isinstance(address, Path) else (socket.AF_INET, ("127.0.0.1", address))
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(place) == 0
