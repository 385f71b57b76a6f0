"""``zegel demo``: a real ``zegel serve`` as a child, and the part of a mail server played over its milter socket.

Nothing is faked: the child has a temporary data folder, keys made for the occasion and an offline DNS zone, and what is shown is what came
back over the socket and what stands in the child's log. When an outcome is not the one that it must be, the demo fails.
"""

from __future__ import annotations

import os
import queue
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

import zegel
from zegel.adapters.mta import Handled
from zegel.cli import demo_mail, screen
from zegel.cli.demo_mail import LOGIN, OURS, PARTNER, SERVER, Scene
from zegel.cli.screen import Mark
from zegel.cli.words import _
from zegel.config import Listen, listen_address
from zegel.milter.codec import ProtocolError

_START_SECONDS = 30.0
_LOG_SECONDS = 5.0
_WATCH_SECONDS = 2.0
_MARKS = {"signed": Mark.OK, "dkim=pass": Mark.OK, "dkim=fail": Mark.WRONG, "dkim=none": Mark.NOTE, "not signed": Mark.NOTE}
_INDENT = 6


class DemoError(Exception):
    """The demo cannot go on; the text says why."""


class Child:
    """A ``zegel serve`` of our own, and the lines that it prints."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-m", "zegel.cli.main", "--data", str(folder), "serve"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ZEGEL_")} | {"PYTHONUNBUFFERED": "1"}
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module, no shell
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, env=environment
        )
        self._lines: queue.Queue[str] = queue.Queue()
        self._seen: list[str] = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            self._lines.put(line.rstrip("\n"))

    def wait_for(self, words: str, seconds: float) -> str:
        """The first line from now on with these words. Raises :class:`DemoError` when it does not come."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                line = self._lines.get(timeout=min(left, 0.2))
            except queue.Empty:
                if not self.alive:
                    break
                continue
            self._seen.append(line)
            if words in line:
                return line
        raise DemoError(_("the daemon did not say “{words}”; it said:\n{log}").format(words=words, log="\n".join(self._seen[-10:])))

    @property
    def alive(self) -> bool:
        """True while the process runs."""
        return self._process.poll() is None

    def stop(self) -> None:
        """End it as systemd would, and by force when it does not listen."""
        self._process.terminate()
        try:
            self._process.wait(4)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def run(once: bool) -> int:
    """Run the demo; returns the exit status: 0 when all went as it must."""
    console = screen.console()
    console.print(Text(_("Zegel signs and checks mail: seven messages through a real milter.") + "\n", style="bold"))
    with tempfile.TemporaryDirectory(prefix="zegel-demo-") as name:
        folder = Path(name)
        with console.status(_("Making keys and starting the daemon")):
            partner = _set_up(folder)
            child = Child(folder)
        try:
            address = listen_address(child.wait_for("inet:", _START_SECONDS).split()[-1])
            _show_all(console, child, address, demo_mail.scenes(lambda message: zegel.sign(message, partner) + message))
            if once:
                console.print(_("All {count} messages ended as they must.").format(count=7), style="bold green")
                return 0
            _stay(console, child, address, folder)
        except (DemoError, OSError, ProtocolError) as error:
            Console(stderr=True).print(Text(_("zegel demo failed: {error}").format(error=error), style="bold red"))
            return 1
        except KeyboardInterrupt:
            console.print("\n" + _("Stopped; nothing is left behind."))
            return 0
        finally:
            child.stop()
    return 0


def _set_up(folder: Path) -> zegel.Key:
    """A store with our domain and its active key, a zone with both domains' records, a configuration. Returns the partner's key."""
    from zegel.grammar.domain import Domain
    from zegel.store import domains, keys, selectors
    from zegel.store.database import Store

    now, ours = int(time.time()), Domain.parse(OURS)
    partner = zegel.Key.generate(PARTNER, "p1")
    folder.chmod(0o700)
    with Store.open(folder) as store, store.writing() as tx:
        key = zegel.Key.generate(OURS, selectors.propose("rsa2048", now))
        domains.add(tx, ours, now=now)
        keys.add(tx, ours, key.selector, "rsa2048", key.pem, key.public, now=now)
        keys.activate(tx, ours, key.selector, now=now)
    zone = folder / "demo.zone"
    zone.write_text("".join(f'{k.name}. TXT "{k.record[:200]}" "{k.record[200:]}"\n' for k in (key, partner)), encoding="utf-8")
    (folder / "zegel.toml").write_text(
        f'[milter]\nlisten = ["inet:127.0.0.1:0"]\n\n[inbound]\nauthserv_id = "{SERVER}"\n\n[dns]\nzone = "{zone}"\n\n'
        f'[metrics]\nlisten = ""\n\n[[outbound.allow]]\nlogin = "{LOGIN}"\nsign = ["{OURS}"]\n',
        encoding="utf-8",
    )
    return partner


def _show_all(console: Console, child: Child, address: Listen, scenes: list[Scene]) -> None:
    kept: dict[str, bytes] = {}
    for number, scene in enumerate(scenes, 1):
        handled = demo_mail.play(scene, address, kept, number)
        log = child.wait_for(f"DEMO{number}", _LOG_SECONDS)
        found = demo_mail.outcome(handled)
        _show(console, number, scene, handled, found, log)
        if scene.wanted not in found or handled.deleted != scene.deleted:
            raise DemoError(_("message {number} should have ended as “{wanted}”").format(number=number, wanted=scene.wanted))


def _show(console: Console, number: int, scene: Scene, handled: Handled, found: str, log: str) -> None:
    mark = _MARKS[scene.wanted]
    what, why = _told(scene, handled, found, log)
    console.print(Text.assemble((f" {number} ", "reverse"), " ", (_(scene.title), "bold")))
    console.print(Text.assemble("    ", mark.text(console.encoding), " ", (what, mark.style)))
    for text, style in ((why, ""), (f"log: {_short_log(log)}", "dim")):
        for line in screen.wrapped(text, console.width - _INDENT):
            console.print(Text(" " * _INDENT + line, style=style), soft_wrap=True)
    console.print()


def _told(scene: Scene, handled: Handled, found: str, log: str) -> tuple[str, str]:
    """What happened and why, from the fields that came back over the socket, and for a message left alone from the log."""
    if found == "signed":
        names = ", ".join(f"{tags['s']}._domainkey.{tags['d']}" for tags in demo_mail.signatures(handled))
        return _("signed"), _("a DKIM-Signature was put in front, with the key {names}").format(names=names)
    if scene.outbound:
        sentence = re.search(r"not signed: ([^\"]*)", log)
        return _("not signed, it leaves as it is"), sentence[1] if sentence else log
    result, _semicolon, rest = found.partition("; ")[2].partition(" ")
    reason = re.search(r'reason="([^"]*)"', rest)
    signer = re.search(r"header\.d=(\S+)", rest)
    if reason:
        # The detail behind the sentence, such as [bh=], is no prose.
        sentence_, bracket, detail = reason[1].partition(" [")
        why = _(sentence_) + bracket + detail
    elif signer:
        why = _("the signature of {domain} verifies").format(domain=signer[1])
    else:
        why = _("nobody signed it")
    if handled.deleted:
        why = _("{why}, and the result that it forged in our name was removed").format(why=why)
    return _("{result}, written in Authentication-Results").format(result=result), why


def _short_log(line: str) -> str:
    """The child's log line without its level, which says nothing here."""
    return line.replace(" level=info", "").replace("event=", "", 1)


def _stay(console: Console, child: Child, address: Listen, folder: Path) -> None:
    """Stay up until Ctrl-C; the first message is sent again every few seconds, so that a daemon that is gone is noticed."""
    where = f"inet:{address.host}:{address.port}"
    console.print(Text.assemble((_("All messages ended as they must."), "bold green")))
    console.print(_("The milter listens on {where}; its data is in {folder}. Ctrl-C ends it.").format(where=where, folder=folder))
    console.print(_("To begin for yourself: zegel init, and “Postfix in ten lines” in the README."))
    scene = demo_mail.scenes(lambda message: message)[0]
    while child.alive:
        time.sleep(_WATCH_SECONDS)
        kept: dict[str, Any] = {}
        if demo_mail.outcome(demo_mail.play(scene, address, kept, 0)) != "signed":
            raise DemoError(_("the milter no longer signs"))
    raise DemoError(_("the daemon has stopped"))
