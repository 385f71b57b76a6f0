"""A real name server of our own: Debian's Knot, authoritative on a loopback port, for as long as a test module runs."""

from __future__ import annotations

import subprocess
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from support.servers import free_port, listens, require, wait_for

_CONFIGURATION = """\
server:
    rundir: "{folder}"
    listen: [{listen}]
    tcp-workers: 1
    udp-workers: 1
    background-workers: 1
database:
    storage: "{folder}/db"
log:
  - target: stderr
    any: warning
template:
  - id: default
    storage: "{folder}"
    journal-content: none
    zonefile-sync: -1
    semantic-checks: off
  - id: signed
    storage: "{folder}"
    journal-content: none
    zonefile-sync: -1
    zonefile-load: whole
    semantic-checks: off
    dnssec-signing: on
zone:
"""


@contextmanager
def knot(folder: Path, zones: dict[str, str | None], *, signed: Container[str] = (), also: Sequence[str] = ()) -> Iterator[str]:
    """Serve zones (name to master-file text; None: a zone that cannot be loaded, which answers SERVFAIL). Gives ``address:port``.

    Those in ``signed`` are signed with DNSSEC, by keys that Knot makes. It listens on the addresses in ``also`` too, on port 53.
    """
    program = require("knotd")
    port = free_port()
    (folder / "db").mkdir()
    listen = ", ".join((f"127.0.0.1@{port}", *(f"{address}@53" for address in also)))
    lines = [_CONFIGURATION.format(folder=folder, listen=listen)]
    for name, text in zones.items():
        lines.append(f'  - domain: {name}\n    file: "{name}.zone"\n    template: {"signed" if name in signed else "default"}\n')
        if text is not None:
            (folder / f"{name}.zone").write_text(text, "utf-8")
    (folder / "knot.conf").write_text("".join(lines), "utf-8")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, "-c", str(folder / "knot.conf")], stderr=log, stdout=subprocess.DEVNULL)
    try:
        wait_for(lambda: process.poll() is not None or listens(port), what="knotd to listen")
        if process.poll() is not None:
            raise RuntimeError(f"knotd ended: {(folder / 'log').read_text('utf-8', 'replace')}")
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)
