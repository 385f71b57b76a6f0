"""What the tests ask of the machine: an installed server, a free port, and patience with a bound."""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

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
    """A TCP port on 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def wait_for(condition: Callable[[], bool], seconds: float = 20.0, what: str = "") -> None:
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
