"""Debian's rspamd: the real daemon with its modules dkim, dkim_signing and milter_headers, over HTTP, or beside a Postfix as a milter.

It has a configuration of its own, with no rule but these modules, and asks a real name server for the keys. It signs with the form
relaxed/relaxed only: there is no setting for another.
"""

from __future__ import annotations

import json
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

from support.peers import answers, case
from support.servers import free_port, listens, require, wait_for

_PLUGINS = ("dkim_signing", "milter_headers")
_WORDS = {
    "R_DKIM_ALLOW": "pass", "R_DKIM_REJECT": "fail", "R_DKIM_PERMFAIL": "permerror", "R_DKIM_TEMPFAIL": "temperror", "R_DKIM_NA": "none",
}  # fmt: skip
_OUTSIDE = {"IP": "192.0.2.1", "Helo": "client.example.net", "Hostname": "client.example.net"}
_CONFIGURATION = """\
options {{
  pidfile = "{folder}/pid";
  filters = "dkim";
  tempdir = "{folder}";
  url_tld = "{folder}/suffixes";
  cache_file = "{folder}/symbols.cache";
  hs_cache_dir = "{folder}/";
  control_socket = "{folder}/control.sock mode=0600";
  dns {{ nameserver = ["{nameserver}"]; timeout = 2s; retransmits = 3; sockets = 1; }}
  local_addrs = ["127.0.0.0/8"];
}}
logging {{ type = "file"; filename = "{folder}/log"; level = "info"; log_urls = false; }}
worker "normal" {{ bind_socket = "127.0.0.1:{http}"; count = 1; }}
worker "rspamd_proxy" {{
  bind_socket = "127.0.0.1:{milter}";
  count = 1;
  milter = yes;
  timeout = 60s;
  upstream "local" {{ default = yes; self_scan = yes; }}
}}
modules {{ path = "{folder}/plugins"; }}
actions {{ reject = 1000; add_header = 900; }}
dkim {{ check_local = true; check_authed = true; }}
dkim_signing {{
  use_esld = false;
  try_fallback = false;
  sign_authenticated = true;
  sign_local = false;
  allow_username_mismatch = true;
  domain {{
{domains}  }}
}}
milter_headers {{
  use = ["authentication-results"];
  skip_local = false;
  skip_authenticated = true;
}}
"""


class Rspamd:
    """rspamd as a :class:`~support.peers.matrix.Peer`, from construction to ``close``."""

    name = "rspamd"
    package = "rspamd"

    def __init__(self, folder: Path, nameserver: str) -> None:
        program = require("rspamd")
        self._folder, self._http, self.milter_port = folder, free_port(), free_port()
        (folder / "plugins").mkdir()
        for plugin in _PLUGINS:
            (folder / "plugins" / f"{plugin}.lua").symlink_to(f"/usr/share/rspamd/plugins/{plugin}.lua")
        # Not Debian's whole list of public suffixes, which takes it 15 seconds to compile.
        (folder / "suffixes").write_text("com\nnet\norg\n")
        domains = "".join(self._domain(signer) for signer in case.signers())
        file = folder / "rspamd.conf"
        file.write_text(
            _CONFIGURATION.format(folder=folder, nameserver=nameserver, http=self._http, milter=self.milter_port, domains=domains)
        )
        with (folder / "start").open("wb") as log:
            # As root, --insecure: it reads keys and writes its files in our folder and nowhere else.
            self._process = subprocess.Popen(
                [program, "--no-fork", "--insecure", "--config", str(file)], stdout=log, stderr=log, cwd=folder
            )
        wait_for(lambda: self._process.poll() is not None or (listens(self._http) and listens(self.milter_port)), 60, "rspamd listens")
        if self._process.poll() is not None:
            raise RuntimeError(f"rspamd ended: {(folder / 'start').read_text('utf-8', 'replace')}")

    def _domain(self, signer: case.Signer) -> str:
        selectors = ""
        for key in signer.keys:
            path = self._folder / f"{key.selector}.{signer.domain}.key"
            path.write_bytes(case.pem(key) if key.type == "rsa" else case.seed(key, with_public=True))
            selectors += f'{{ path = "{path}"; selector = "{key.selector}"; }}, '
        return f'    "{signer.domain}" {{ selectors [ {selectors}] }}\n'

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(30)

    def _ask(self, message: bytes, headers: dict[str, str]) -> dict[str, Any]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._http}/checkv2", message, {"Content-Type": "application/octet-stream", **headers}
        )
        with urllib.request.urlopen(request, timeout=30) as reply:
            found: dict[str, Any] = json.load(reply)
        return found

    # -- a peer ----------------------------------------------------------------------------------------------------------------------

    def sign(self, message: bytes, signer: case.Signer, form: str) -> bytes:
        """The signatures of its reply, put in front. ``form`` cannot be chosen."""
        made = self._ask(message, {**_OUTSIDE, "User": "joe", "From": f"joe@{signer.domain}"}).get("dkim-signature", [])
        fields = [made] if isinstance(made, str) else made
        return b"".join(f"DKIM-Signature: {field}\r\n".encode() for field in fields) + message

    def verify(self, message: bytes) -> answers.Answers:
        """What its symbols say: each has an option ``domain:s=selector`` for each signature."""
        symbols = self._ask(message, _OUTSIDE)["symbols"]
        return answers.gather(
            (option.partition(":s=")[2], word) for symbol, word in _WORDS.items() for option in symbols.get(symbol, {}).get("options", [])
        )
