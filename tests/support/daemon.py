"""The real daemon as a child process: own data folder, own ports on loopback, a zone file instead of DNS.

Keys are made and activated through the store, as ``zegel key`` does it, and are published in the zone. The log is a file, so that a test
can wait for a line; the counters are read over HTTP, as Prometheus does.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import zegel
from support.servers import free_port, wait_for
from zegel.dkim.crypto import Key, KeyKind
from zegel.grammar.domain import Domain
from zegel.store import domains, keychanges, keys
from zegel.store.database import Store

_NOW = 1_790_000_000
_LISTENING = re.compile(r"listens on (\S+)")
_COMMAND = [sys.executable, "-m", "zegel.cli.main"]
_START_SECONDS = 60.0


class Daemon:
    """A data folder and, between :meth:`start` and :meth:`stop`, the daemon on it; a context manager that starts it and leaves nothing.

    ``config`` is more text for zegel.toml: its ``[[outbound.allow]]`` tables and the like. ``milter`` and ``inbound`` are more lines of the
    tables of that name. It asks ``nameserver`` (address:port), or else its zone file. With ``unix`` it listens on that path only, else on a
    TCP port of its own, which stays the same over a restart.
    """

    def __init__(
        self,
        config: str = "",
        *,
        authserv_id: str = "mail.example.org",
        unix: Path | None = None,
        milter: str = "",
        inbound: str = "",
        nameserver: str = "",
    ) -> None:
        # Short, since a unix socket may stand in it, and not pytest's, which others cannot enter.
        self.folder = Path(tempfile.mkdtemp(prefix="zegel-daemon-", dir="/tmp"))
        self.data, self.zone_file, self.log_file = self.folder / "data", self.folder / "zone", self.folder / "log"
        self.config_file = self.data / "zegel.toml"
        self.port, self.metrics_port = free_port(), free_port()
        self.listen = f"unix:{unix}" if unix else f"inet:127.0.0.1:{self.port}"
        self.config, self.inbound, self._authserv_id, self._milter = config, inbound, authserv_id, milter
        self._dns = f'nameservers = ["{nameserver}"]' if nameserver else f'zone = "{self.zone_file}"'
        self.environment: dict[str, str] = {}
        self.keys: list[Key] = []
        self.records: dict[str, str] = {}
        self.process: subprocess.Popen[bytes] | None = None
        self.data.mkdir(mode=0o700)
        self.write_config()
        self.write_zone()

    # -- what it is given ------------------------------------------------------------------------------------------------------------

    def write_config(self, text: str | None = None) -> None:
        """Write zegel.toml anew: the usual text, or that one."""
        usual = (
            f'[milter]\nlisten = ["{self.listen}"]\n{self._milter}\n[inbound]\nauthserv_id = "{self._authserv_id}"\n{self.inbound}\n'
            f'[dns]\n{self._dns}\n[metrics]\nlisten = "127.0.0.1:{self.metrics_port}"\n{self.config}'
        )
        self.config_file.write_text(usual if text is None else text)

    def write_zone(self) -> None:
        """Publish the records: those of the keys, and what a test has put into ``records``."""
        lines = [f"{name}. 3600 IN TXT {_strings(text)}\n" for name, text in self.records.items()]
        self.zone_file.write_text("".join(lines))

    @property
    def zone(self) -> zegel.Zone:
        """What is published, for verifying."""
        return zegel.Zone.from_dict({(name, "TXT"): [text] for name, text in self.records.items()})

    def add_key(self, domain: str, selector: str, kind: KeyKind = "ed25519", *, activate: bool = True, subdomains: bool = False) -> Key:
        """Make a key, put it into the store and publish it. A running daemon sees it when it looks next."""
        key = Key.generate(domain, selector, kind)
        self.hold(key, activate=activate, subdomains=subdomains)
        self.publish(key)
        return key

    def hold(self, key: Key, *, activate: bool = True, subdomains: bool = False) -> None:
        """Put a key into the store."""
        name = Domain.parse(key.domain)
        with Store.open(self.data, now=_NOW) as store, store.writing() as tx:
            if name not in [known.name for known in domains.all(tx)]:
                domains.add(tx, name, now=_NOW, sign_subdomains=subdomains)
            pem = key.private_key if isinstance(key.private_key, bytes) else key.private_key.encode()
            keys.add(tx, name, key.selector, "ed25519" if key.type == "ed25519" else "rsa2048", pem, key.public, now=_NOW, force=True)
            if activate:
                keychanges.activate(tx, name, key.selector, now=_NOW)
        self.keys.append(key)

    def publish(self, key: Key) -> None:
        """Put a key record into the zone."""
        self.records[key.name] = key.record
        self.write_zone()

    # -- life ------------------------------------------------------------------------------------------------------------------------

    def start(self) -> Self:
        """Start it and wait until it listens."""
        before = self._listening()
        environment = {**os.environ, **self.environment, "PYTHONWARNINGS": "error", "TERM": "dumb"}
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [*_COMMAND, "--data", str(self.data), "serve"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, cwd=self.folder,
            )  # fmt: skip
        process = self.process
        wait_for(lambda: self._listening() > before or process.poll() is not None, _START_SECONDS, "the daemon listens")
        if process.poll() is not None:
            raise RuntimeError(f"the daemon ended with {process.returncode}:\n{self.log()}")
        return self

    def _listening(self) -> int:
        """How often it has told of its milter, which is the last of its parts to listen."""
        return sum(address.startswith("unix:") or address.endswith(f":{self.port}") for address in _LISTENING.findall(self.log()))

    def start_deaf(self) -> Self:
        """Start it with a log that nobody reads: a pipe whose other end is closed once it listens."""
        environment = {**os.environ, **self.environment, "TERM": "dumb"}
        self.process = subprocess.Popen(
            [*_COMMAND, "--data", str(self.data), "serve"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, env=environment, cwd=self.folder,
        )  # fmt: skip
        pipe = self.process.stdout
        if pipe is None:
            raise RuntimeError("there is no pipe")
        with pipe:
            while line := pipe.readline():
                if _LISTENING.search(line.decode()):
                    return self
        raise RuntimeError("the daemon ended before it listened")

    def run(self, seconds: float = _START_SECONDS) -> int:
        """Run it until it ends by itself, as one does that cannot start; its exit status."""
        with self.log_file.open("ab") as log:
            done = subprocess.run(
                [*_COMMAND, "--data", str(self.data), "serve"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, **self.environment}, timeout=seconds, check=False,
            )  # fmt: skip
        return done.returncode

    def messages(self, *options: str) -> list[dict[str, Any]]:
        """What ``zegel message list --json`` says, newest first."""
        command = [*_COMMAND, "--data", str(self.data), "message", "list", "--json", "--limit", "1000", *options]
        done = subprocess.run(command, capture_output=True, env={**os.environ, **self.environment}, timeout=_START_SECONDS, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def reload(self, *, taken: bool = True, **changes: str) -> None:
        """Change ``inbound`` or ``config``, send it SIGHUP, and wait until it has taken that over, or says that it has not."""
        for name, text in changes.items():
            setattr(self, name, text)
        self.write_config()
        said = 'event="configuration taken over"' if taken else 'event="configuration not taken over"'
        before = self.log().count(said)
        self.signal(signal.SIGHUP)
        self.wait_log(said, before + 1)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        if self.process is None:
            raise RuntimeError("it does not run")
        self.process.send_signal(number)

    def wait(self, seconds: float = 30.0) -> int:
        """Wait until it has ended by itself; the exit status."""
        if self.process is None:
            raise RuntimeError("it does not run")
        return self.process.wait(seconds)

    def stop(self) -> int:
        """SIGTERM, and wait for its end; the exit status."""
        if self.process is None:
            return 0
        process, self.process = self.process, None
        if process.poll() is None:
            process.terminate()
        try:
            return process.wait(30)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait(10)

    def kill(self) -> None:
        """SIGKILL."""
        if self.process is not None:
            process, self.process = self.process, None
            process.kill()
            process.wait(10)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.remove()
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.remove()

    def remove(self) -> None:
        """End it and take its folder away."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    # -- what it tells ---------------------------------------------------------------------------------------------------------------

    @property
    def milter_address(self) -> str:
        """The address in Postfix's words."""
        return self.listen

    def rss(self) -> int:
        """The memory that it holds now, in octets."""
        if self.process is None:
            raise RuntimeError("it does not run")
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024

    def log(self) -> str:
        """Its output so far, log and errors."""
        return self.log_file.read_text("utf-8", "replace") if self.log_file.exists() else ""

    def wait_log(self, text: str, count: int = 1) -> None:
        """Wait until that text stands in its log so often."""
        try:
            wait_for(lambda: self.log().count(text) >= count, 60)
        except TimeoutError:
            raise AssertionError(f"{text!r} is not {count} times in the log:\n{self.log()}") from None

    def metrics(self) -> dict[str, float]:
        """The counters: ``name{label="value"}`` and its number."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=10) as reply:
            lines = reply.read().decode().splitlines()
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line and not line.startswith("#")}

    def counted(self, name: str, labels: Mapping[str, str] | None = None) -> float:
        """One counter, 0 when it has not been counted yet."""
        shown = ",".join(f'{label}="{value}"' for label, value in (labels or {}).items())
        return self.metrics().get(f"{name}{{{shown}}}" if shown else name, 0.0)


def allow(who: str, senders: Sequence[str], kind: Literal["login", "network"] = "login") -> str:
    """An ``[[outbound.allow]]`` table; ``who`` "local" is mail of this machine."""
    listed = ", ".join(f'"{sender}"' for sender in senders)
    return "[[outbound.allow]]\n" + ("local = true" if who == "local" else f'{kind} = "{who}"') + f"\nsign = [{listed}]\n"


def _strings(text: str) -> str:
    """A TXT record in strings of at most 255 octets. RFC 1035 3.3.14."""
    return " ".join(f'"{text[at : at + 250]}"' for at in range(0, len(text), 250))
