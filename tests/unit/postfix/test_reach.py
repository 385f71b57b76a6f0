"""Sockets of our own making, real ones: what is said when one is missing, closed, silent, or speaks something else."""

from __future__ import annotations

import os
import socket
import struct
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from support.listener import Listener
from support.servers import free_port
from zegel.postfix import reach
from zegel.postfix.finding import Finding, Level
from zegel.postfix.maincf import Settings

SOMEBODY, THEIR_GROUP = 54321, 54322


@pytest.fixture
def queue() -> Iterator[Path]:
    """A queue folder that anybody may enter, with a short name: a unix socket's path holds 107 octets."""
    with tempfile.TemporaryDirectory(prefix="zegel-", dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        (Path(folder) / "zegel").mkdir()
        yield Path(folder)


def look(queue: Path, listen: str) -> dict[str, Finding]:
    values = {"queue_directory": str(queue), "mail_owner": "nobody"}
    return {finding.about: finding for finding in reach.of_socket(Settings(queue, values, values, ()), listen, seconds=0.3)}


def test_all_is_well(queue: Path) -> None:
    path = queue / "zegel" / "milter.sock"
    with Listener(path) as listener:
        path.chmod(0o666)
        found = look(queue, listener.address)
    assert {about: finding.level for about, finding in found.items()} == {"permission": Level.OK, "answer": Level.OK}


def test_a_port_that_answers(queue: Path) -> None:
    with Listener() as listener:
        assert look(queue, listener.address)["answer"].level is Level.OK


def test_no_socket(queue: Path) -> None:
    found = look(queue, f"unix:{queue}/zegel/milter.sock")
    assert {about: finding.level for about, finding in found.items()} == {"socket": Level.WRONG}
    assert found["socket"].step


def test_a_file_in_its_place(queue: Path) -> None:
    (queue / "zegel" / "milter.sock").write_text("")
    assert look(queue, f"unix:{queue}/zegel/milter.sock")["socket"].level is Level.WRONG


def test_a_socket_that_nobody_holds(queue: Path) -> None:
    path = queue / "zegel" / "milter.sock"
    with closing(socket.socket(socket.AF_UNIX)) as left_over:
        left_over.bind(str(path))
    assert look(queue, f"unix:{path}")["answer"].level is Level.WRONG
    assert look(queue, f"inet:127.0.0.1:{free_port()}")["answer"].level is Level.WRONG


def test_the_postfix_user_may_not_connect(queue: Path) -> None:
    path = queue / "zegel" / "milter.sock"
    with Listener(path) as listener:
        path.chmod(0o600)
        assert look(queue, listener.address)["permission"].level is Level.WRONG
        path.chmod(0o666)
        path.parent.chmod(0o700)
        assert look(queue, listener.address)["permission"].level is Level.WRONG


@pytest.mark.parametrize(
    "answer",
    [
        b"220 mail.example.org ESMTP\r\n",
        b"",
        struct.pack(">Ic", 1, b"c"),
        struct.pack(">Ic", 0xFFFFFFFF, b"O"),
        struct.pack(">IcII", 13, b"O", 6, 0),
    ],
)
def test_something_else_listens(queue: Path, answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def talk() -> None:
            peer, _ = server.accept()
            with peer:
                peer.recv(64)
                peer.sendall(answer)

        thread = threading.Thread(target=talk)
        thread.start()
        found = look(queue, f"inet:127.0.0.1:{server.getsockname()[1]}")
        thread.join(5)
    assert found["answer"].level is Level.WRONG


def test_one_that_is_silent_is_not_waited_for(queue: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        found = look(queue, f"inet:127.0.0.1:{server.getsockname()[1]}")
    assert found["answer"].level is Level.WRONG


@pytest.mark.parametrize(
    ("folder_mode", "socket_mode", "groups", "closed"),
    [
        (0o2710, 0o660, [THEIR_GROUP], None),
        (0o2710, 0o660, [], "zegel"),
        (0o711, 0o660, [], "zegel/milter.sock"),
        (0o700, 0o666, [THEIR_GROUP], "zegel"),
        (0o711, 0o666, [], None),
        (0o711, 0o640, [THEIR_GROUP], "zegel/milter.sock"),
    ],
)
def test_closed_to(queue: Path, folder_mode: int, socket_mode: int, groups: list[int], closed: str | None) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may give a file to another group")
    path = queue / "zegel" / "milter.sock"
    with closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(str(path))
        for what, mode in ((path.parent, folder_mode), (path, socket_mode)):
            os.chown(what, 0, THEIR_GROUP)
            what.chmod(mode)
        assert reach.closed_to(path, SOMEBODY, groups, queue) == (queue / closed if closed else None)
        # Postfix stands in its queue folder: what is above it does not count. For a path elsewhere it does.
        queue.chmod(0o700)
        assert reach.closed_to(path, SOMEBODY, groups, Path("/var/spool/postfix")) == queue
