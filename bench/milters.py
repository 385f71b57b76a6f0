"""The milters that are measured beside each other: our daemon and Debian's opendkim, each signing or verifying, on a unix socket or on TCP.

opendkim runs with the settings that Debian ships (``PACKAGED``), and with what every site must add: a key, a socket, a resolver. Both ask
the same name server on loopback and cache what it says. Our daemon is ``zegel serve`` with its default configuration. Those that judge
incoming mail by all of SPF, DKIM, ARC and DMARC are started by :mod:`bench.judges`.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import zegel
from support.daemon import Daemon
from support.knot import knot
from support.servers import free_port, listens, require, wait_for

Work = Literal["sign", "verify", "judge"]
Way = Literal["unix", "tcp"]
WORKS: tuple[Work, ...] = ("sign", "verify", "judge")
WAYS: tuple[Way, ...] = ("unix", "tcp")
DOMAIN, SELECTOR = "example.org", "bench"
CLIENT, HELO = "192.0.2.77", "client7.example.org"  # where the mail that is judged comes from; see bench.sender
OURS, THEIRS, NONE = "Zegel", "opendkim", "no milter"
CHAIN, RSPAMD = "opendkim + opendmarc", "rspamd"

# /etc/opendkim.conf of Debian's opendkim 2.11.0~beta2, without its comments and its socket.
PACKAGED = """\
Syslog yes
SyslogSuccess yes
Canonicalization relaxed/simple
OversignHeaders From
UserID opendkim
"""
# Packaged too. It stays out of verifying: no root has signed the zone of the bench.
TRUST_ANCHOR = "TrustAnchorFile /usr/share/dns/root.key"
_ZONE = """\
$ORIGIN {domain}.
@ 3600 IN SOA ns.{domain}. hostmaster.{domain}. 1 3600 600 86400 300
@ 3600 IN NS ns.{domain}.
ns 3600 IN A 127.0.0.1
@ 3600 IN TXT "v=spf1 ip4:192.0.2.0/24 -all"
client7 3600 IN A {client}
client7 3600 IN TXT "v=spf1 a -all"
_dmarc 3600 IN TXT "v=DMARC1; p=none"
{selector}._domainkey 3600 IN TXT {record}
"""
_SCHEDULED = 2  # CPUCLOCK_SCHED of the kernel's posix-timers.h: user and system time, to the nanosecond, ended threads too


@dataclass(frozen=True)
class Milter:
    """One running milter. ``address`` is in Postfix's words; without one there is no milter at all. ``pids`` are its processes: two, where
    the milter is one behind the other."""

    name: str
    work: Work
    way: Way | Literal[""]
    address: str = ""
    pids: tuple[int, ...] = ()
    log: Path | None = None

    @property
    def title(self) -> str:
        """What the tables call it. Those that judge are all on unix sockets."""
        return f"{self.name} ({self.way})" if self.way and self.work != "judge" else self.name

    def cpu(self) -> float:
        """Seconds of CPU that its processes and their children have used so far."""
        return sum(_clock(pid) for pid in _family(self.pids))

    def rss(self) -> int:
        """Octets of memory that its processes and their children hold."""
        return sum(_resident(pid) for pid in _family(self.pids))


class Rivals(NamedTuple):
    """Titles that stand beside each other in a table: each of theirs with its ratio to ours."""

    ours: str
    theirs: tuple[str, ...]


def rivals(work: Work) -> list[Rivals]:
    """Who is compared with whom."""
    if work == "judge":
        return [Rivals(OURS, (CHAIN, RSPAMD))]
    return [Rivals(f"{OURS} ({way})", (f"{THEIRS} ({way})",)) for way in WAYS]


def _clock(pid: int) -> float:
    with contextlib.suppress(OSError):
        return time.clock_gettime((~pid << 3) | _SCHEDULED)
    return 0.0


def _resident(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


def _family(pids: tuple[int, ...]) -> list[int]:
    found = [*pids]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += map(int, task.read_text().split())
    return found


@contextlib.contextmanager
def running(key: zegel.Key, folder: Path, server: str) -> Iterator[list[Milter]]:
    """Those that sign or verify, started one after the other. ``folder`` must be open to Postfix and to the user opendkim."""
    works: tuple[Work, ...] = ("sign", "verify")
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(start(key, folder, server, work, way)) for work in works for way in WAYS for start in (ours, opendkim)]


@contextlib.contextmanager
def name_server(key: zegel.Key, folder: Path, *, also: Sequence[str] = ()) -> Iterator[str]:
    """The name server that all ask, with the key and what SPF and DMARC want. Gives ``address:port``; it answers on ``also`` too."""
    own = folder / "zone"
    own.mkdir()
    text = _ZONE.format(domain=DOMAIN, selector=SELECTOR, client=CLIENT, record=" ".join(_strings(key.record)))
    with knot(own, {DOMAIN: text}, also=also) as server:
        yield server


@contextlib.contextmanager
def ours(key: zegel.Key, folder: Path, server: str, work: Work, way: Way) -> Iterator[Milter]:
    """``zegel serve``. To sign, all that comes over SMTP from loopback is its own, else only what has a login."""
    socket = folder / f"zegel-{work}.sock"
    daemon = Daemon(unix=socket if way == "unix" else None)
    who = 'network = "127.0.0.0/8"' if work == "sign" else 'login = "joe"'
    daemon.write_config(
        f'[milter]\nlisten = ["{daemon.listen}"]\nsocket_group = "postfix"\n[inbound]\nauthserv_id = "mail.example.org"\n'
        f'[dns]\nnameservers = ["{server}"]\n[metrics]\nlisten = "127.0.0.1:{daemon.metrics_port}"\n'
        f'[[outbound.allow]]\n{who}\nsign = ["{DOMAIN}"]\n'
    )
    daemon.hold(key)
    with daemon:
        if daemon.process is None:
            raise RuntimeError("the daemon has no process")
        yield Milter(OURS, work, way, daemon.milter_address, (daemon.process.pid,), daemon.log_file)


@contextlib.contextmanager
def opendkim(key: zegel.Key, folder: Path, server: str, work: Work, way: Way) -> Iterator[Milter]:
    """Debian's opendkim in the foreground. It signs for 127.0.0.1 by default; to verify, no mail of this machine counts as its own."""
    own = folder / f"opendkim-{work}-{way}"
    own.mkdir(mode=0o755)
    config, pem, socket, port = own / "conf", own / "key", own / "socket", free_port()
    pem.write_bytes(key.private_key if isinstance(key.private_key, bytes) else key.private_key.encode())
    pem.chmod(0o600)
    if work == "sign":
        site = [TRUST_ANCHOR, f"Domain {DOMAIN}", f"Selector {SELECTOR}", f"KeyFile {pem}"]
    else:
        site = ["InternalHosts 192.0.2.1", f"Nameservers {server.replace(':', '@')}"]
    listen = f"local:{socket}" if way == "unix" else f"inet:{port}@127.0.0.1"
    site += [f"Socket {listen}", "UMask 000", "RequireSafeKeys no"]  # its folder is the bench's own, open to Postfix
    config.write_text(PACKAGED + "\n".join((*site, "")))
    for path in (own, pem):
        shutil.chown(path, "opendkim", "opendkim")
    with process([require("opendkim"), "-f", "-x", str(config)], socket if way == "unix" else port) as pid:
        yield Milter(THEIRS, work, way, f"unix:{socket}" if way == "unix" else f"inet:127.0.0.1:{port}", (pid,))


@contextlib.contextmanager
def process(words: list[str], place: Path | int) -> Iterator[int]:
    """A server in the foreground that makes that socket or listens on that port, for as long as the block; its process."""
    running = subprocess.Popen(words)
    try:
        wait_for(
            lambda: running.poll() is not None or (place.exists() if isinstance(place, Path) else listens(place)),
            60,
            f"{words[0]} listens",
        )
        if running.poll() is not None:
            raise RuntimeError(f"{words[0]} ended with {running.returncode}")
        yield running.pid
    finally:
        running.terminate()
        running.wait(20)


def _strings(text: str) -> list[str]:
    """A TXT record in strings of at most 255 octets. RFC 1035 3.3.14."""
    return [f'"{text[at : at + 250]}"' for at in range(0, len(text), 250)]
