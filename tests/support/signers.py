"""The real opendkim and rspamd, started on a configuration that stands on disk, to see what they sign by it."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.mta import Mta
from support.servers import free_port, listens, require, wait_for

_RSPAMD = """\
options {{
  pidfile = "{folder}/pid";
  filters = "dkim";
  tempdir = "{folder}";
  url_tld = "{folder}/suffixes";
  cache_file = "{folder}/symbols.cache";
  hs_cache_dir = "{folder}/";
  control_socket = "{folder}/control.sock mode=0600";
  dns {{ nameserver = ["127.0.0.1:{dns}"]; timeout = 1s; retransmits = 1; sockets = 1; }}
  local_addrs = ["127.0.0.0/8"];
}}
logging {{ type = "file"; filename = "{folder}/log"; level = "info"; log_urls = false; }}
worker "normal" {{ bind_socket = "127.0.0.1:{http}"; count = 1; }}
modules {{ path = "{folder}/plugins"; }}
actions {{ reject = 1000; add_header = 900; }}
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
        headers = {"Content-Type": "application/octet-stream", "IP": "192.0.2.1", "User": "jo", "From": author}
        request = urllib.request.Request(f"http://127.0.0.1:{self._port}/checkv2", text, headers)
        with urllib.request.urlopen(request, timeout=30) as reply:
            made = json.load(reply).get("dkim-signature", [])
        return b"".join(f"DKIM-Signature: {field}\r\n".encode() for field in ([made] if isinstance(made, str) else made)) + text


def rspamd_conf(signing: Path, folder: Path, http: int = 0) -> Path:
    """A configuration of rspamd with nothing but signing, by the settings in ``signing``."""
    (folder / "plugins").mkdir()
    (folder / "plugins" / "dkim_signing.lua").symlink_to("/usr/share/rspamd/plugins/dkim_signing.lua")
    # Not Debian's whole list of public suffixes, which takes it 15 seconds to compile.
    (folder / "suffixes").write_text("com\nexample\n")
    file = folder / "rspamd.conf"
    file.write_text(_RSPAMD.format(folder=folder, signing=signing, http=http, dns=free_port()))
    return file


@contextmanager
def rspamd(signing: Path, folder: Path) -> Iterator[Rspamd]:
    """Run rspamd with those settings of signing."""
    program, port = require("rspamd"), free_port()
    file = rspamd_conf(signing, folder, port)
    with (folder / "start").open("wb") as log:
        # As root, --insecure: it reads keys and writes its files in our folder and nowhere else.
        process = subprocess.Popen([program, "--no-fork", "--insecure", "--config", str(file)], stdout=log, stderr=log, cwd=folder)
    try:
        wait_for(lambda: process.poll() is not None or listens(port), 60, "rspamd listens")
        assert process.poll() is None, (folder / "start").read_text("utf-8", "replace")
        yield Rspamd(port)
    finally:
        process.terminate()
        process.wait(30)
