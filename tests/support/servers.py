"""What the tests ask of the machine: an installed server, a free port, and patience with a bound."""

from __future__ import annotations

import fcntl
import itertools
import os
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

# Below the ports that Linux gives to clients (ip_local_port_range), or a client may have one before its server does.
_PORTS = range(20_000, 32_768)
_claims = threading.Lock()
_ledger: int | None = None
_start = os.getpid() * 101 % len(_PORTS)  # processes begin apart
_candidates = itertools.chain(_PORTS[_start:], _PORTS[:_start])  # each once
_SERVER_FOLDERS = ("/usr/sbin", "/sbin", "/usr/local/sbin")


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
    """A port that nobody has at this moment, TCP or UDP, and that no other test is given while this process runs."""
    with _claims:
        port = next((port for port in _candidates if _claimed(port) and _unused(port)), None)
    if port is None:
        raise RuntimeError("this process was given all ports that there are")
    return port


def _claimed(port: int) -> bool:
    """Whether the port is this process's from now on: a lock on one octet of a file, which the system takes back at its end.

    A lock of this kind goes when any descriptor of the file is closed, so there is one only, and it stays open.
    """
    global _ledger
    if _ledger is None:
        path = Path(tempfile.gettempdir()) / f"zegel-test-ports-{os.geteuid()}"
        _ledger = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.lockf(_ledger, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    return True


def _unused(port: int) -> bool:
    """Whether no socket has it, on any address."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("", port))
            except OSError:
                return False
    return True


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
