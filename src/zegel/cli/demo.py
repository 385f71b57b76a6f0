"""``zegel demo``: a real ``zegel serve`` as a child, the part of a mail server played over its milter socket, and that of websites.

Nothing is faked: the child has a temporary data folder, keys made for the occasion and an offline DNS zone, and what is shown is what came
back over the socket, what arrived at the next hop, what stands in the child's log, and what it has recorded. When an outcome is not the
one that it must be, the demo fails.
"""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.text import Text

import zegel
from zegel.adapters.mta import Handled
from zegel.cli import demo_mail, demo_site, screen
from zegel.cli.demo_mail import DESK, FORMS, OURS, PARTNER, PORTAL, SERVER, Scene
from zegel.cli.demo_site import NextHop, SiteEnding, Website
from zegel.cli.demo_told import Ending
from zegel.cli.words import _
from zegel.config import Listen, listen_address
from zegel.milter.codec import ProtocolError
from zegel.verdict.explain import Story

_START_SECONDS = 30.0
_LOG_SECONDS = 5.0
_RECORD_SECONDS, _RECORD_PAUSE = 10.0, 0.1
_WATCH_SECONDS = 2.0
_INDENT = 6
_TITLE_INDENT = 4


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
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

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
        self._reader.join()
        if self._process.stdout is not None:
            self._process.stdout.close()


Script = Callable[[Callable[[bytes], bytes]], list[Scene]]


def run(once: bool, script: Script = demo_mail.scenes) -> int:
    """Run the demo; returns the exit status: 0 when all went as it must."""
    console = screen.console()
    with tempfile.TemporaryDirectory(prefix="zegel-demo-") as name:
        folder = Path(name)
        with console.status(_("Making keys and starting the daemon")):
            next_hop = NextHop()
            partner, sites = _set_up(folder, next_hop.port)
            child = Child(folder)
        try:
            scenes = script(lambda message: zegel.sign(message, partner) + message)
            _begin(console, len(scenes))
            # The relay is there first, then the milter.
            relay, milter = (listen_address(child.wait_for("inet:", _START_SECONDS).split()[-1]) for _listener in range(2))
            stage = Stage(child, milter, relay, sites, next_hop, folder)
            with console.status(_("Sending the messages")):
                endings = _play_all(stage, scenes)
            _show_all(console, scenes, endings)
            if once:
                console.print(_("All {count} messages ended as they must.").format(count=len(scenes)), style="bold green")
                return 0
            _stay(console, stage)
        except (DemoError, OSError, ProtocolError) as error:
            Console(stderr=True).print(Text(_("zegel demo failed: {error}").format(error=error), style="bold red"))
            return 1
        except KeyboardInterrupt:
            console.print("\n" + _("Stopped; nothing is left behind."))
            return 0
        finally:
            child.stop()
            next_hop.__exit__()
    return 0


@dataclass(frozen=True, slots=True)
class Stage:
    """Who plays: the child and where it listens, the websites with their secrets, the next hop, and the child's data folder."""

    child: Child
    milter: Listen
    relay: Listen
    sites: dict[str, Website]
    next_hop: NextHop
    folder: Path


def _set_up(folder: Path, next_hop: int) -> tuple[zegel.Key, dict[str, Website]]:
    """A store with our domain, its active key and two sites, a zone with the records of all domains, a certificate, a configuration.

    Returns the partner's key, and the sites by their names.
    """
    from zegel.adapters.certificate import self_signed
    from zegel.grammar.domain import Domain
    from zegel.store import domains, keychanges, keys, selectors, sites
    from zegel.store.database import Store

    now, ours = int(time.time()), Domain.parse(OURS)
    partner = zegel.Key.generate(PARTNER, "p1")
    folder.chmod(0o700)
    with Store.open(folder) as store, store.writing() as tx:
        key = zegel.Key.generate(OURS, selectors.propose("rsa2048", now))
        domains.add(tx, ours, now=now)
        keys.add(tx, ours, key.selector, "rsa2048", key.pem, key.public, now=now)
        keychanges.activate(tx, ours, key.selector, now=now)
        # The demo sends the first message again and again: no bound.
        contact = f"postmaster@{OURS}"
        _site, desk = sites.add(tx, DESK, address=f"desk@{OURS}", contact=contact, now=now, foreign_from="refuse", rate=0)
        _site, portal = sites.add(tx, PORTAL, address=FORMS, contact=contact, now=now)
    certificate = folder / "relay.pem"
    certificate.touch(0o600)
    certificate.write_bytes(self_signed(SERVER, datetime.now(UTC)))
    zone = folder / "demo.zone"
    published = "".join(f'{k.name}. TXT "{k.record[:200]}" "{k.record[200:]}"\n' for k in (key, partner))
    zone.write_text(demo_mail.RECORDS + published, encoding="utf-8")
    (folder / "zegel.toml").write_text(
        f'[milter]\nlisten = ["inet:127.0.0.1:0"]\n\n'
        f'[inbound]\nauthserv_id = "{SERVER}"\nmode = "quarantine"\npartners = ["{PARTNER}"]\n\n'
        f'[dns]\nzone = "{zone}"\n\n[metrics]\nlisten = ""\n\n'
        f'[relay]\nstarttls = ["inet:127.0.0.1:0"]\ncertificate = "{certificate}"\nhostname = "{SERVER}"\negress = ["192.0.2.10"]\n\n'
        f'[outbox]\nnext_hop = "127.0.0.1:{next_hop}"\ntls = "off"\n',
        encoding="utf-8",
    )
    return partner, {name: Website(name, secret, certificate) for name, secret in ((DESK, desk), (PORTAL, portal))}


def _begin(console: Console, count: int) -> None:
    sentence = _("Zegel signs what you send and judges what you receive: {count} messages through a real relay and milter.")
    title = sentence.format(count=count)
    console.print(Text("\n".join(screen.wrapped(title, console.width)), style="bold"), soft_wrap=True)
    mode = _(
        "Here mail that fails is marked for quarantine. A new installation observes: it accepts all, and records what it would have done."
    )
    console.print("\n".join(screen.wrapped(mode, console.width)) + "\n", soft_wrap=True)


def _play_all(stage: Stage, scenes: list[Scene]) -> list[Ending | SiteEnding]:
    """Send all messages, one after the other, and then wait for their stories, which the daemon writes once a second."""
    kept: dict[str, bytes] = {}
    sent: dict[int, SiteEnding] = {}
    handled: dict[int, tuple[Handled, str]] = {}
    for number, scene in enumerate(scenes, 1):
        if scene.site:
            refusal, arrived = demo_site.play(scene, stage.sites[scene.site], stage.relay, stage.next_hop, kept)
            sent[number] = SiteEnding(refusal, arrived, stage.child.wait_for(f"site={scene.site}", _LOG_SECONDS))
        else:
            done = demo_mail.play(scene, stage.milter, kept, number)
            handled[number] = done, stage.child.wait_for(f"queue_id={demo_mail.queue_id(number)} ", _LOG_SECONDS)
    end = time.monotonic() + _RECORD_SECONDS
    while len(stories := _stories(stage.folder, scenes)) < len(handled):
        if time.monotonic() > end or not stage.child.alive:
            raise DemoError(_("the daemon did not record all messages"))
        time.sleep(_RECORD_PAUSE)
    return [sent[n] if n in sent else Ending(*handled[n], stories[n]) for n in range(1, len(scenes) + 1)]


def _stories(folder: Path, scenes: list[Scene]) -> dict[int, Story]:
    """The stories that are recorded by now, by the numbers of their scenes."""
    from zegel.store import search
    from zegel.store.database import Store

    found = {}
    with Store.read_only(folder) as store, store.reading() as tx:
        for number in range(1, len(scenes) + 1):
            for message in search.find(tx, search.Wanted(queue_id=demo_mail.queue_id(number)), limit=1):
                if (story := search.story(tx, message.id)) is not None:
                    found[number] = story
    return found


def _show_all(console: Console, scenes: list[Scene], endings: list[Ending | SiteEnding]) -> None:
    for number, (scene, ending) in enumerate(zip(scenes, endings, strict=True), 1):
        _show(console, number, scene, ending)
        if ending.words != scene.wanted:
            wanted, found = " ".join(sorted(scene.wanted)), " ".join(sorted(ending.words))
            raise DemoError(
                _("message {number} should have ended as “{wanted}”; it ended as “{found}”").format(
                    number=number, wanted=wanted, found=found
                )
            )


def _show(console: Console, number: int, scene: Scene, ending: Ending | SiteEnding) -> None:
    mark, what = ending.heading
    title = screen.wrapped(_(scene.title), console.width - _TITLE_INDENT)
    console.print(Text.assemble((f" {number} ", "reverse"), " ", (f"\n{' ' * _TITLE_INDENT}".join(title), "bold")), soft_wrap=True)
    sign = Text.assemble("    ", mark.text(console.encoding), " ")
    for line in screen.wrapped(what, console.width - _INDENT):
        console.print(sign + Text(line, style=mark.style), soft_wrap=True)
        sign = sign.blank_copy(" " * _INDENT)
    for text, style in (*((sentence, "") for sentence in ending.told()), (f"log: {ending.log_in_short()}", "dim")):
        for line in screen.wrapped(text, console.width - _INDENT):
            console.print(Text(" " * _INDENT + line, style=style), soft_wrap=True)
    console.print()


def _stay(console: Console, stage: Stage) -> None:
    """Stay up until Ctrl-C; the first message is sent again every few seconds, so that a daemon that is gone is noticed."""
    milter, relay = (f"{address.host}:{address.port}" for address in (stage.milter, stage.relay))
    console.print(Text.assemble((_("All messages ended as they must."), "bold green")))
    for text in (
        _("The milter listens on {milter}, the relay on {relay}; the data is in {folder}. Ctrl-C ends it.").format(
            milter=milter, relay=relay, folder=stage.folder
        ),
        _("To begin for yourself: zegel init, and “Postfix in ten lines” in the README."),
    ):
        for line in screen.wrapped(text, console.width):
            console.print(line, soft_wrap=True)
    scene = demo_mail.scenes(lambda message: message)[0]
    while stage.child.alive:
        time.sleep(_WATCH_SECONDS)
        _refusal, arrived = demo_site.play(scene, stage.sites[scene.site], stage.relay, stage.next_hop, {})
        if b"DKIM-Signature:" not in arrived:
            raise DemoError(_("the relay no longer signs"))
    raise DemoError(_("the daemon has stopped"))
