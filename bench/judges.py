"""The milters that judge incoming mail by SPF, DKIM, ARC and DMARC: our daemon, Debian's opendkim with opendmarc behind it, and rspamd.

opendmarc does SPF itself and has no setting for a name server: it runs in a mount namespace of its own, with its own /etc/resolv.conf. It
judges no ARC. rspamd is in milter mode with the modules for these four and the one that writes Authentication-Results, and no other rule.
"""

from __future__ import annotations

import contextlib
import random
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import zegel
from bench import milters
from bench.milters import Milter
from support import rspamd
from support.servers import require

# /etc/opendmarc.conf of Debian's opendmarc 1.4.2, without its comments, its socket and its pid file.
PACKAGED = """\
PublicSuffixList /usr/share/publicsuffix/public_suffix_list.dat
Syslog true
UserID opendmarc
"""
# Debian leaves SPF to another milter; here there is no other.
SELF = "SPFSelfValidate true"
MODULES = ("spf", "dkim", "arc", "dmarc")
_PLUGINS = ("spf", "arc", "dmarc", "milter_headers")  # dkim is in rspamd itself
_RSPAMD = """\
worker "rspamd_proxy" {{
  bind_socket = "{socket} mode=0666";
  count = 1;
  milter = yes;
  timeout = 120s;
  upstream "local" {{ default = yes; self_scan = yes; }}
}}
group "policies" {{ .include "/etc/rspamd/scores.d/policies_group.conf" }}
spf {{ spf_cache_size = 2k; spf_cache_expire = 1d; }}
arc {{ sign_inbound = false; sign_local = false; sign_authenticated = false; }}
dmarc {{ }}
milter_headers {{ use = ["authentication-results"]; }}
"""


def plain_address() -> str:
    """An address on loopback where port 53 is surely free, for a resolver that knows no other port."""
    return f"127.53.{random.randrange(256)}.{random.randrange(1, 255)}"


@contextlib.contextmanager
def running(key: zegel.Key, folder: Path, server: str, plain: str) -> Iterator[list[Milter]]:
    """All of them, on unix sockets. ``server`` is the name server's ``address:port``, ``plain`` its address with port 53."""
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(milters.ours(key, folder, server, "judge", "unix")),
            stack.enter_context(_chain(key, folder, server, plain)),
            stack.enter_context(_rspamd(folder, server)),
        ]


@contextlib.contextmanager
def _chain(key: zegel.Key, folder: Path, server: str, plain: str) -> Iterator[Milter]:
    """opendkim, and behind it opendmarc, which reads its result."""
    with milters.opendkim(key, folder, server, "judge", "unix") as first, _opendmarc(folder, plain) as (address, pid):
        yield Milter(milters.CHAIN, "judge", "unix", f"{first.address}, {address}", (*first.pids, pid))


@contextlib.contextmanager
def _opendmarc(folder: Path, plain: str) -> Iterator[tuple[str, int]]:
    """Debian's opendmarc in the foreground: its address and its process."""
    own = folder / "opendmarc"
    own.mkdir(mode=0o755)
    config, resolver, socket = own / "conf", own / "resolv.conf", own / "socket"
    resolver.write_text(f"nameserver {plain}\n")
    config.write_text(f"{PACKAGED}{SELF}\nSocket local:{socket}\nUMask 000\n")
    shutil.chown(own, "opendmarc", "opendmarc")
    # Both unshare and sh become what they start: the process is opendmarc's in the end.
    bind = 'mount --bind "$1" /etc/resolv.conf && exec "$2" -f -c "$3"'
    words = [require("unshare"), "--mount", "sh", "-c", bind, "sh", str(resolver), require("opendmarc"), str(config)]
    with milters.process(words, socket) as pid:
        yield f"unix:{socket}", pid


@contextlib.contextmanager
def _rspamd(folder: Path, server: str) -> Iterator[Milter]:
    """Debian's rspamd, one worker that speaks milter and scans by itself."""
    own = Path(tempfile.mkdtemp(prefix="rspamd-", dir=folder))
    own.chmod(0o755)
    socket = own / "socket"
    config = rspamd.configure(own, server, _PLUGINS, _RSPAMD.format(socket=socket))
    with milters.process(rspamd.command(config), socket) as pid:
        yield Milter(milters.RSPAMD, "judge", "unix", f"unix:{socket}", (pid,))
