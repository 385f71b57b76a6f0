"""What takes long shows a bar on a terminal, after a moment, and takes it away: both standard streams are one, as people have them."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import dns.message
import dns.rcode

from support.lyingdns import Lying, Play, lying_dns, octets, reply
from support.terminal import on_a_terminal
from support.texts import pem

_ERASED = re.compile(r"\x1b\[2K")


def slowly(query: dns.message.Message) -> Play:
    """There is no such name; 0.3 seconds for each answer."""
    made = reply(query, authority=("example. 60 SOA ns.example. host.example. 1 3600 600 86400 60",))
    made.set_rcode(dns.rcode.NXDOMAIN)
    return Play([octets(made)], delay=0.3)


def on_its_terminal(data: Path, there: Lying, *arguments: str) -> str:
    """All that a command writes to its terminal, which is its standard output and its standard error."""
    data.mkdir(mode=0o700, exist_ok=True)
    (data / "zegel.toml").write_text(f'[dns]\nnameservers = ["{there.address}"]\ntimeout = 5.0\n')
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "30", "LC_ALL": "C.UTF-8", "ZEGEL_DATA": str(data)}
    environment.pop("LANGUAGE", None)
    return on_a_terminal([sys.executable, "-m", "zegel.cli.main", *arguments], environment).screen


def test_many_domains_show_how_far_the_check_is(tmp_path: Path) -> None:
    names = tmp_path / "names"
    names.write_text("".join(f"d{number}.example\n" for number in range(70)))
    with lying_dns() as there:
        there.otherwise = slowly
        seen = on_its_terminal(tmp_path / "data", there, "check", "--file", str(names))
    before, _bar, after = seen.rpartition("Checking")
    assert "/70" in before + after
    assert len([line for line in seen.splitlines() if "mx.domain" in line]) == 70
    assert "70 domains: 0 DKIM-proof" in after
    assert _ERASED.search(after.partition("70 domains:")[0]), "it is taken away before the sums"


def test_an_import_shows_how_far_the_look_in_dns_is(tmp_path: Path) -> None:
    folder, count = tmp_path / "opendkim", 50
    folder.mkdir()
    (folder / "key").write_bytes(pem(0))
    (folder / "key").chmod(0o600)
    (folder / "keys").write_text("".join(f"k{number} d{number}.example:mail:{folder}/key\n" for number in range(count)))
    (folder / "signing").write_text("".join(f"*@d{number}.example k{number}\n" for number in range(count)))
    (folder / "opendkim.conf").write_text(f"KeyTable {folder}/keys\nSigningTable refile:{folder}/signing\n")
    with lying_dns() as there:
        there.otherwise = slowly
        seen = on_its_terminal(tmp_path / "data", there, "import", "opendkim", str(folder / "opendkim.conf"))
    before, _bar, after = seen.rpartition("Looking in DNS")
    assert before
    assert f"40/{count}" in seen
    assert _ERASED.search(after.partition("Signed as")[0]), "it is taken away before the table"
    assert f"imported: {count} domains and {count} keys" in seen
