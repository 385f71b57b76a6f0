"""The real opendkim and rspamd, started on a configuration that stands on disk, to see what they sign by it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support import rspamd as daemon
from support.mta import Mta
from support.servers import free_port, listens, require, wait_for

_SECTIONS = """\
worker "normal" {{ bind_socket = "127.0.0.1:{http}"; count = 1; }}
dkim_signing {{
  .include "{signing}"
}}
"""


def message(author: str) -> bytes:
    """A message of that author."""
    return (
        f"From: {author}\r\nTo: suzie@shop.example\r\nSubject: minutes\r\nDate: Tue, 24 Nov 2026 09:12:42 +0100\r\n"
        "Message-ID: <1@a.example>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nHere they are.\r\n"
    ).encode()


def names(signed: bytes) -> list[tuple[str, str]]:
    """Domain and selector of each signature of a message, sorted."""
    header = re.sub(rb"\r?\n[ \t]", b" ", signed.partition(b"\r\n\r\n")[0])
    fields = [line for line in header.split(b"\r\n") if line.lower().startswith(b"dkim-signature:")]
    return sorted((_tag(line, b"d"), _tag(line, b"s")) for line in fields)


def _tag(line: bytes, name: bytes) -> str:
    found = re.search(rb"[;\s:]" + name + rb"=\s*([^;\s]+)", line)
    assert found is not None, line
    return found[1].decode()


class OpenDkim:
    """A running opendkim."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    def sign(self, text: bytes, author: str, address: str = "127.0.0.1") -> bytes:
        """The message as it leaves the filter."""
        with Mta(str(self._socket)) as session:
            assert session.open(address=address) is None
            done = session.send(text, author)
        assert done.action in ("accept", "continue"), done
        return done.message


@contextmanager
def opendkim(conf: Path, socket: Path) -> Iterator[OpenDkim]:
    """Run opendkim on a configuration as it stands, at a socket of ours."""
    log, ran = socket.with_suffix(".log"), socket.with_suffix(".conf")
    # It looks at every folder on the way to a key, and tests run below /tmp, where anybody may write.
    ran.write_text(conf.read_text() + "RequireSafeKeys no\n")
    command = [require("opendkim"), "-f", "-x", str(ran), "-p", f"local:{socket}"]
    with log.open("wb") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=stream)
    try:
        wait_for(lambda: process.poll() is not None or listens(socket), what="opendkim listens")
        assert process.poll() is None, log.read_text("utf-8", "replace")
        yield OpenDkim(socket)
    finally:
        process.kill()
        process.wait(20)


class Rspamd:
    """A running rspamd."""

    def __init__(self, port: int) -> None:
        self._port = port

    def sign(self, text: bytes, author: str) -> bytes:
        """The message with its signatures in front."""
        return daemon.signed(text, daemon.scan(self._port, text, {"IP": "192.0.2.1", "User": "jo", "From": author}))


def rspamd_conf(signing: Path, folder: Path, http: int = 0) -> Path:
    """A configuration of rspamd with nothing but signing, by the settings in ``signing``."""
    sections = _SECTIONS.format(signing=signing, http=http)
    return daemon.configure(
        folder, f"127.0.0.1:{free_port()}", ["dkim_signing"], sections, dns="timeout = 1s; retransmits = 1; sockets = 1;"
    )


@contextmanager
def rspamd(signing: Path, folder: Path) -> Iterator[Rspamd]:
    """Run rspamd with those settings of signing."""
    port = free_port()
    file = rspamd_conf(signing, folder, port)
    with (folder / "start").open("wb") as log:
        process = subprocess.Popen(daemon.command(file), stdout=log, stderr=log, cwd=folder)
    try:
        wait_for(lambda: process.poll() is not None or listens(port), 60, "rspamd listens")
        assert process.poll() is None, (folder / "start").read_text("utf-8", "replace")
        yield Rspamd(port)
    finally:
        process.terminate()
        process.wait(30)
