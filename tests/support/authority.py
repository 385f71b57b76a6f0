"""A small DNS of our own: two Knot servers for an agency and its customer, of which the second one lags, and unbound before them.

The first takes updates with a TSIG key (RFC 2136, RFC 8945) and tells nobody of them; the second holds its copy until a test asks it to
fetch the zone. A third holds a zone that is delegated below the agency's. All listen on one port, at 127.0.0.1, .2 and .3.
"""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import dns.exception
import dns.message
import dns.query
import dns.rdatatype

from support.servers import free_port, require, wait_for
from support.unbound import unbound

AGENCY, CUSTOMER, DELEGATED = "agency.test", "customer.test", "dkim.agency.test"
KEY, SECRET = "zegel-key", base64.b64encode(b"a secret of the tests, 32 octets").decode()
ALGORITHM: Final = "hmac-sha256"
HOSTS = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
NEGATIVE_TTL = 77

_HEAD = f"""\
$TTL 300
@ SOA ns1.{AGENCY}. hostmaster.{AGENCY}. 1 86400 3600 864000 {NEGATIVE_TTL}
"""
_ZONES = {
    AGENCY: f"""{_HEAD}
@ NS ns1
@ NS ns2
ns1 A {HOSTS[0]}
ns2 A {HOSTS[1]}
ns3 A {HOSTS[2]}
@ TXT "somebody-else=verification"
@ MX 10 mx
mx A 192.0.2.25
dkim NS ns3
""",
    CUSTOMER: f"""{_HEAD}
@ NS ns1.{AGENCY}.
@ NS ns2.{AGENCY}.
@ TXT "google-site-verification=1234"
z1._domainkey CNAME z1.customer.{DELEGATED}.
z9._domainkey CNAME z9.customer.{AGENCY}.
loop._domainkey CNAME loop2._domainkey
loop2._domainkey CNAME loop._domainkey
""",
    DELEGATED: f"""{_HEAD}
@ NS ns3.{AGENCY}.
z1.customer TXT "v=DKIM1; k=rsa; p=AAAA"
""",
}
_SERVER = """\
server:
    rundir: "{folder}"
    listen: {host}@{port}
    tcp-workers: 1
    udp-workers: 1
    background-workers: 1
database:
    storage: "{folder}/db"
log:
  - target: stderr
    any: warning
key:
  - id: {key}.
    algorithm: {algorithm}
    secret: {secret}
remote:
  - id: first
    address: {first}@{port}
acl:
  - id: update
    key: {key}.
    action: update
  - id: transfer
    address: 127.0.0.0/8
    action: transfer
template:
  - id: default
    storage: "{folder}"
    journal-content: none
    zonefile-sync: -1
    semantic-checks: off
zone:
"""


@dataclass(frozen=True)
class Authority:
    """The running servers: ``port`` of the three, ``resolver`` as address and port of unbound."""

    folder: Path
    port: int
    resolver: str

    def catch_up(self, zone: str) -> None:
        """Let the second server fetch a zone now, and wait until it has what the first has."""
        subprocess.run(
            [require("knotc"), "-s", str(self.folder / "2" / "knot.sock"), "zone-retransfer", zone], check=True, capture_output=True
        )
        wait_for(lambda: self.serial(HOSTS[0], zone) == self.serial(HOSTS[1], zone), what=f"{zone} to be transferred")

    def serial(self, host: str, zone: str) -> int:
        """The serial number of a zone at one server; 0 when it has none."""
        reply = dns.query.udp(dns.message.make_query(zone, "SOA"), host, port=self.port, timeout=5)
        return next((int(record.serial) for rrset in reply.answer for record in rrset if rrset.rdtype == dns.rdatatype.SOA), 0)

    def texts(self, host: str, name: str, rrtype: str = "TXT") -> list[str]:
        """The records at a name, as one server writes them."""
        query = dns.message.make_query(name, rrtype, flags=0)
        reply = dns.query.udp(query, host, port=self.port, timeout=5)
        return sorted(record.to_text() for rrset in reply.answer if rrset.rdtype == dns.rdatatype.from_text(rrtype) for record in rrset)

    def listed(self) -> dict[str, tuple[str, ...]]:
        """The two servers of the agency and the customer, for who lists them."""
        both = tuple(f"{host}:{self.port}" for host in HOSTS[:2])
        return {AGENCY: both, CUSTOMER: both, DELEGATED: (f"{HOSTS[2]}:{self.port}",)}


@contextmanager
def authority(folder: Path) -> Iterator[Authority]:
    """Run the servers."""
    port = free_port()
    with ExitStack() as stack:
        stack.enter_context(_knot(folder / "1", HOSTS[0], port, (AGENCY, CUSTOMER), "    acl: [update, transfer]\n"))
        stack.enter_context(_knot(folder / "2", HOSTS[1], port, (AGENCY, CUSTOMER), "    master: first\n"))
        stack.enter_context(_knot(folder / "3", HOSTS[2], port, (DELEGATED,), "    acl: update\n"))
        (folder / "unbound").mkdir()
        here = f"{HOSTS[0]}:{port}"
        stubs = {AGENCY: [here], CUSTOMER: [here], DELEGATED: [f"{HOSTS[2]}:{port}"]}
        resolver = stack.enter_context(unbound(folder / "unbound", stubs))
        found = Authority(folder, port, resolver)
        for zone in (AGENCY, CUSTOMER):
            wait_for(lambda zone=zone: found.serial(HOSTS[1], zone) > 0, what=f"the second server to have {zone}")  # type: ignore[misc]
        yield found


@contextmanager
def _knot(folder: Path, host: str, port: int, zones: tuple[str, ...], rights: str) -> Iterator[None]:
    program = require("knotd")
    (folder / "db").mkdir(parents=True)
    text = _SERVER.format(folder=folder, host=host, port=port, key=KEY, algorithm=ALGORITHM, secret=SECRET, first=HOSTS[0])
    for zone in zones:
        text += f'  - domain: {zone}\n    file: "{zone}.zone"\n{rights}'
        if "master" not in rights:
            (folder / f"{zone}.zone").write_text(_ZONES[zone], "utf-8")
    (folder / "knot.conf").write_text(text, "utf-8")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, "-c", str(folder / "knot.conf")], stderr=log, stdout=subprocess.DEVNULL)
    try:
        wait_for(lambda: process.poll() is not None or _answers(host, port), what="knotd to answer")
        if process.poll() is not None:
            raise RuntimeError(f"knotd ended: {(folder / 'log').read_text('utf-8', 'replace')}")
        yield
    finally:
        process.terminate()
        process.wait(20)


def _answers(host: str, port: int) -> bool:
    try:
        dns.query.udp(dns.message.make_query("test", "SOA"), host, port=port, timeout=0.2)
    except (OSError, dns.exception.DNSException):
        return False
    return True
