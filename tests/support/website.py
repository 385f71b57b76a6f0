"""A website's way to the mail server: the real daemon, one site in its store, a socket and a drop folder, and a sink as next hop."""

from __future__ import annotations

import contextlib
import os
import pwd
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from support.daemon import Daemon
from support.servers import wait_for
from support.sink import Arrived, Sink
from zegel.store import sites
from zegel.store.database import Store

DOMAIN = "example.be"
SENDMAIL = f"{sys.executable} -m zegel.integrations.sendmail"


class Website:
    """A site named "portal" whose address is noreply@example.be, of the user who runs the tests; a context manager. The daemon runs."""

    def __init__(self, *, config: str = "", next_hop: int = 0, **site: Any) -> None:
        self.sink = Sink()
        self.daemon = Daemon()
        folder = self.daemon.folder
        self.socket, self.drop = folder / "handover.sock", folder / "drop"
        self.daemon.config = (
            f'[outbox]\nnext_hop = "127.0.0.1:{next_hop or self.sink.port}"\ntls = "off"\n'
            f'[handover]\nsocket = "{self.socket}"\ndrop_folder = "{self.drop}"\n{config}'
        )
        self.daemon.write_config()
        self.daemon.add_key(DOMAIN, "s1", "rsa2048")
        self.daemon.records[DOMAIN] = "v=spf1 ip4:127.0.0.1 -all"
        self.daemon.records[f"_dmarc.{DOMAIN}"] = "v=DMARC1; p=reject"
        self.daemon.write_zone()
        user = pwd.getpwuid(os.getuid()).pw_name
        values = {"address": f"noreply@{DOMAIN}", "contact": f"webmaster@{DOMAIN}", "senders": [DOMAIN], "unix_user": user, **site}
        with Store.open(self.daemon.data) as store, store.writing() as tx:
            _, self.secret = sites.add(tx, "portal", now=int(time.time()), **values)
        self.environment = {"ZEGEL_SOCKET": str(self.socket), "ZEGEL_DROP": str(self.drop)}

    def __enter__(self) -> Self:
        self.sink.__enter__()
        try:
            self.daemon.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with contextlib.suppress(Exception):
            self.daemon.stop()
        self.daemon.remove()
        self.sink.__exit__(None, None, None)

    def run(self, *words: str, given: bytes = b"", environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[bytes]:
        """Run a program with the environment of the sendmail command."""
        together = {**os.environ, **self.environment, **(environment or {})}
        return subprocess.run(words, input=given, capture_output=True, env=together, timeout=120, check=False)

    def sendmail(self, *words: str, given: bytes) -> int:
        """Run the sendmail command; its exit status."""
        return self.run(*SENDMAIL.split(), *words, given=given).returncode

    def next_mail(self, already: int) -> Arrived:
        """The message that arrives when there were so many."""
        return self.sink.wait(already + 1)[already]

    def waiting(self) -> list[Path]:
        """What lies in the drop folder, beside the ledgers of its users."""
        return [path for path in self.drop.iterdir() if not path.name.startswith("use.")]

    def wait_picked_up(self) -> None:
        """Wait until the drop folder is empty."""
        wait_for(lambda: not self.waiting(), 30, "the drop folder is empty")
