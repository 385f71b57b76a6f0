"""Debian's rspamd in a folder of its own, with no module but those that are asked for: its configuration, its start, its HTTP."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from support.servers import require

_CONFIGURATION = """\
options {{
  pidfile = "{folder}/pid";
  filters = "dkim";
  tempdir = "{folder}";
  url_tld = "{folder}/suffixes";
  cache_file = "{folder}/symbols.cache";
  hs_cache_dir = "{folder}/";
  control_socket = "{folder}/control.sock mode=0600";
  dns {{ nameserver = ["{nameserver}"]; {dns} }}
  local_addrs = ["127.0.0.0/8"];
}}
logging {{ type = "file"; filename = "{folder}/log"; level = "info"; log_urls = false; }}
modules {{ path = "{folder}/plugins"; }}
actions {{ reject = 1000; add_header = 900; }}
"""


def configure(folder: Path, nameserver: str, plugins: Iterable[str], sections: str, *, dns: str = "") -> Path:
    """Write its folder and its configuration: the ``sections`` are its workers and the settings of the plugins, ``dns`` more of its DNS."""
    (folder / "plugins").mkdir()
    for plugin in plugins:
        (folder / "plugins" / f"{plugin}.lua").symlink_to(f"/usr/share/rspamd/plugins/{plugin}.lua")
    # Not Debian's whole list of public suffixes, which takes it 15 seconds to compile.
    (folder / "suffixes").write_text("com\nexample\nnet\norg\n")
    file = folder / "rspamd.conf"
    file.write_text(_CONFIGURATION.format(folder=folder, nameserver=nameserver, dns=dns) + sections)
    return file


def command(file: Path) -> list[str]:
    """What starts it. As root, --insecure: it reads keys and writes its files in our folder and nowhere else."""
    return [require("rspamd"), "--no-fork", "--insecure", "--config", str(file)]


def scan(port: int, message: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
    """What its worker at a port of loopback says of a message; the headers tell who brought it."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/checkv2", message, {"Content-Type": "application/octet-stream", **headers})
    with urllib.request.urlopen(request, timeout=30) as reply:
        found: dict[str, Any] = json.load(reply)
    return found


def signed(message: bytes, scanned: Mapping[str, Any]) -> bytes:
    """The message with the signatures that it made put in front."""
    made = scanned.get("dkim-signature", [])
    return b"".join(f"DKIM-Signature: {field}\r\n".encode() for field in ([made] if isinstance(made, str) else made)) + message
