"""The gateway behind the real pump in this process, and a mail server's side of it in a thread: for tests that look inside."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import zegel
from zegel.adapters.journal import Journal
from zegel.adapters.keyring import DomainKeys, Keyring
from zegel.adapters.pump import Pump
from zegel.config import parse
from zegel.dkim.crypto import Key
from zegel.dkim.sign import Style
from zegel.gateway.milter import Gateway
from zegel.gateway.outbound import Policy
from zegel.gateway.settings import Settings
from zegel.grammar.domain import Domain
from zegel.limits import Limits
from zegel.store.record import Record

OURS = "mx.example.org"
OWN = Key.generate("example.org", "s1", "ed25519")
PARTNER = Key.generate("partner.example", "p1", "ed25519")
RECORDS = {OWN.name: OWN.record, PARTNER.name: PARTNER.record}
ZONE = zegel.Zone.from_dict({(name, "TXT"): [text] for name, text in RECORDS.items()})
ALICE = {"i": "4A", "{auth_type}": "PLAIN", "{auth_authen}": "alice"}
CONFIG = '[[outbound.allow]]\nlogin = "alice"\nsign = ["example.org"]\n[[outbound.allow]]\nlocal = true\nsign = ["example.org"]\n'
MAIL = b"From: a@example.org\r\nSubject: folded\r\n\tvalue \r\n\r\nhello\r\n"
THEIRS = MAIL.replace(b"a@example.org", b"a@partner.example")
FORGED = b"Authentication-Results: mx.example.org; dkim=pass\r\n"


class Server(NamedTuple):
    """What a test sees of the running gateway: its loop's side is in ``settings``, which may be replaced between messages."""

    port: int
    pump: Pump
    journal: Journal
    faults: list[Exception]
    settings: list[Settings]
    records: list[Record]

    def set(self, **changes: object) -> None:
        self.settings[0] = replace(self.settings[0], **changes)  # type: ignore[arg-type]

    def counted(self, name: str, **labels: str) -> float:
        return self.journal.registry.get_sample_value(name, labels) or 0.0


Played = Callable[[Server], None]


class Kept(list[Record]):
    """What is recorded, in a list."""

    take = list.append


def settings(journal: Journal, kept: Kept) -> Settings:
    keyring = Keyring([DomainKeys(Domain("example.org"), (OWN,))])
    return Settings(Policy(parse(CONFIG).outbound), keyring, ZONE, journal, OURS, Style(), Limits(), kept)


def play(play_it: Played, **changes: object) -> None:
    """Run the server in this thread's loop, and the mail server's part in another thread; no task may be left over.

    ``changes`` are settings that it begins with, such as ``site``, ``quarantine``, ``resolver`` or ``limits``.
    """

    async def serve() -> None:
        journal = Journal()
        faults: list[Exception] = []
        kept = Kept()
        current = [replace(settings(journal, kept), **changes)]  # type: ignore[arg-type]
        pump = Pump(lambda session: Gateway(lambda: current[0], session), on_fault=faults.append, progress_seconds=60)
        trouble: list[str] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: trouble.append(str(context)))
        _, port = await pump.listen_tcp("127.0.0.1", 0)
        try:
            await asyncio.to_thread(play_it, Server(port, pump, journal, faults, current, kept))
        finally:
            await pump.drain(5)
        # A cancelled look-up takes a turn or two of the loop to end.
        for _ in range(5):
            await asyncio.sleep(0)
        gc.collect()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert trouble == []

    asyncio.run(serve())
