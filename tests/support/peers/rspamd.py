"""Debian's rspamd: the real daemon with its modules dkim, dkim_signing and milter_headers, over HTTP, or beside a Postfix as a milter.

It has a configuration of its own, with no rule but these modules, and asks a real name server for the keys. It signs with the form
relaxed/relaxed only: there is no setting for another.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from support import rspamd
from support.peers import answers, case
from support.servers import free_port, listens, wait_for

_PLUGINS = ("dkim_signing", "milter_headers")
_WORDS = {
    "R_DKIM_ALLOW": "pass", "R_DKIM_REJECT": "fail", "R_DKIM_PERMFAIL": "permerror", "R_DKIM_TEMPFAIL": "temperror", "R_DKIM_NA": "none",
}  # fmt: skip
_OUTSIDE = {"IP": "192.0.2.1", "Helo": "client.example.net", "Hostname": "client.example.net"}
_SECTIONS = """\
worker "normal" {{ bind_socket = "127.0.0.1:{http}"; count = 1; }}
worker "rspamd_proxy" {{
  bind_socket = "127.0.0.1:{milter}";
  count = 1;
  milter = yes;
  timeout = 60s;
  upstream "local" {{ default = yes; self_scan = yes; }}
}}
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
        self._folder, self._http, self.milter_port = folder, free_port(), free_port()
        domains = "".join(self._domain(signer) for signer in case.signers())
        sections = _SECTIONS.format(http=self._http, milter=self.milter_port, domains=domains)
        file = rspamd.configure(folder, nameserver, _PLUGINS, sections, dns="timeout = 2s; retransmits = 3; sockets = 1;")
        with (folder / "start").open("wb") as log:
            self._process = subprocess.Popen(rspamd.command(file), stdout=log, stderr=log, cwd=folder)
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

    # -- a peer ----------------------------------------------------------------------------------------------------------------------

    def sign(self, message: bytes, signer: case.Signer, form: str) -> bytes:
        """The signatures of its reply, put in front. ``form`` cannot be chosen."""
        return rspamd.signed(message, rspamd.scan(self._http, message, {**_OUTSIDE, "User": "joe", "From": f"joe@{signer.domain}"}))

    def verify(self, message: bytes) -> answers.Answers:
        """What its symbols say: each has an option ``domain:s=selector`` for each signature."""
        symbols = rspamd.scan(self._http, message, _OUTSIDE)["symbols"]
        return answers.gather(
            (option.partition(":s=")[2], word) for symbol, word in _WORDS.items() for option in symbols.get(symbol, {}).get("options", [])
        )
