"""A configuration folder of Postfix for the tests of what stands beside it: Debian's fresh main.cf, own queue folder, nothing started."""

from __future__ import annotations

import subprocess
from pathlib import Path

from support.servers import require

FRESH = """\
smtpd_banner = $myhostname ESMTP $mail_name (Debian/GNU)
biff = no
append_dot_mydomain = no
readme_directory = no
compatibility_level = 3.6
smtpd_relay_restrictions = permit_mynetworks permit_sasl_authenticated defer_unauth_destination
myhostname = mail.example.org
mydestination = $myhostname, localhost
mynetworks = 127.0.0.0/8
inet_interfaces = loopback-only
alias_maps =
alias_database =
"""
SERVICES = """\
smtp inet n - y - - smtpd
pickup unix n - y 60 1 pickup
cleanup unix n - y - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - y - - trivial-rewrite
bounce unix - - y - 0 bounce
smtp unix - - y - - smtp
postlog unix-dgram n - n - 1 postlogd
"""


class Folder:
    """A folder with main.cf and master.cf; ``main`` and ``master`` are added to what Debian installs."""

    def __init__(self, base: Path, main: str = "", master: str = "") -> None:
        self._postconf = require("postconf")
        self.path, self.queue = base / "etc", base / "queue"
        for path in (self.path, self.queue, base / "data"):
            path.mkdir()
        own = f"queue_directory = {self.queue}\ndata_directory = {base / 'data'}\n"
        (self.path / "main.cf").write_text(FRESH + own + main)
        (self.path / "master.cf").write_text(SERVICES + master)

    @property
    def listen(self) -> str:
        """The address that zegel.toml had best hold."""
        return f"unix:{self.queue}/zegel/milter.sock"

    def says(self, parameter: str) -> str:
        """What Postfix has for a parameter of main.cf, filled in."""
        return self._run("-xh", parameter)

    def says_service(self, path: str) -> str:
        """What Postfix has for ``service/type/parameter`` of master.cf."""
        return self._run("-P", path).partition("=")[2].strip()

    def files(self) -> dict[str, bytes]:
        """The two files as they are."""
        return {name: (self.path / name).read_bytes() for name in ("main.cf", "master.cf")}

    def copies(self) -> list[str]:
        """The names of everything else in the folder."""
        return sorted(entry.name for entry in self.path.iterdir() if entry.name not in ("main.cf", "master.cf"))

    def _run(self, *words: str) -> str:
        return subprocess.run(
            [self._postconf, "-c", str(self.path), *words], capture_output=True, text=True, timeout=60, check=True
        ).stdout.strip()
