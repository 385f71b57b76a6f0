"""A real validating resolver: Debian's unbound on a loopback port, over name servers of the test, for as long as a test module runs."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from support.servers import free_port, listens, require, wait_for

_CONFIGURATION = """\
server:
    directory: "{folder}"
    chroot: ""
    username: ""
    pidfile: ""
    use-syslog: no
    logfile: ""
    interface: 127.0.0.1@{port}
    num-threads: 1
    do-ip6: no
    do-not-query-localhost: no
    module-config: "validator iterator"
    qname-minimisation: no
    infra-host-ttl: 1
    cache-min-ttl: 0
    outbound-msg-retry: 5
    local-zone: "test." nodefault
    access-control: 127.0.0.0/8 allow_snoop
{anchors}
remote-control:
    control-enable: no
"""


@contextmanager
def unbound(folder: Path, stubs: Mapping[str, Sequence[str]], anchors: Sequence[str] = ()) -> Iterator[str]:
    """Resolve these zones (name to the addresses of its servers), trusting these DS or DNSKEY records. Gives ``address:port``."""
    program = require("unbound")
    port = free_port()
    lines = [_CONFIGURATION.format(folder=folder, port=port, anchors="\n".join(f"    trust-anchor: '{anchor}'" for anchor in anchors))]
    for name, addresses in stubs.items():
        lines.append(f'stub-zone:\n    name: "{name}"\n')
        lines.extend(f"    stub-addr: {address.replace(':', '@')}\n" for address in addresses)
    (folder / "unbound.conf").write_text("".join(lines), "utf-8")
    with (folder / "unbound.log").open("wb") as log:
        process = subprocess.Popen([program, "-d", "-p", "-c", str(folder / "unbound.conf")], stderr=log, stdout=log)
    try:
        wait_for(lambda: process.poll() is not None or listens(port), what="unbound to listen")
        if process.poll() is not None:
            raise RuntimeError(f"unbound ended: {(folder / 'unbound.log').read_text('utf-8', 'replace')}")
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)
