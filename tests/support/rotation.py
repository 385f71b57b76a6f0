"""Rotations under load: mail through the real daemon without a pause while its clock is shifted; its DNS is Knot, and a second that lags.

Every message must be signed; every signature must verify against what both name servers have at that moment, when it is received and as
long as mail may be on its way afterwards. The clock is shifted for the daemon and its commands alone (``shifted/sitecustomize.py``); so DNS
is written by hand, as TSIG does not bear a clock that is days ahead (RFC 8945 5.2.3).
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import dns.query
import dns.rcode
import dns.tsigkeyring
import dns.update

import zegel
from support.authority import AGENCY, ALGORITHM, HOSTS, KEY, SECRET, Authority
from support.daemon import Daemon, allow
from support.mta import Mta
from support.proof import tags
from support.servers import wait_for
from zegel.grammar.domain import Domain
from zegel.store import domains, keys
from zegel.store.database import Store
from zegel.store.keys import StoredKey

DAY = 86_400
_SHIFTED = Path(__file__).with_name("shifted")
_MESSAGE = (
    "From: {sender}\r\nSubject: {number}\r\nDate: Sat, 21 Nov 2026 12:00:00 +0100\r\nMessage-ID: <{number}@{domain}>\r\n\r\nhello\r\n"
)
SENDER, CLIENT = f"info@{AGENCY}", "192.0.2.7"
_MOST_KEPT = 20_000


def message(number: int) -> bytes:
    """A message, unsigned, which bears its number as its subject."""
    return _MESSAGE.format(sender=SENDER, number=number, domain=AGENCY).encode()


@dataclass(frozen=True, slots=True)
class Received:
    """One message as the mail server got it back, and when it was signed by the shifted clock."""

    at: int
    message: bytes
    selector: str


class Rotations:
    """The daemon, its clock, and the mail that goes through it: ``rate`` messages a second. A context manager.

    The mail server is a milter's client of the tests here; a real one is in :mod:`support.rotationpost`.
    """

    senders = 1  # threads

    def __init__(self, there: Authority, folder: Path, *, rate: float, kind: str = "ed25519") -> None:
        self.there, self.rate, self.kind = there, rate, kind
        self._shift_file, self._shift = folder / "shift", 0
        servers = ", ".join(f'"{host}:{there.port}"' for host in HOSTS[:2])
        zone = f'[[zone]]\nname = "{AGENCY}"\nservers = [{servers}]\n'
        keeping = "[keys]\nlook_seconds = 300\nretiring_days = 7\nrevoked_days = 1\n"
        config = allow("192.0.2.0/24", [AGENCY], "network") + keeping + zone
        self.daemon = Daemon(config, nameserver=there.resolver)
        self.daemon.environment = {"PYTHONPATH": str(_SHIFTED), "SHIFTED_CLOCK": str(self._shift_file)}
        self.shift(0)
        self.received: deque[Received] = deque(maxlen=_MOST_KEPT)
        self.verified = 0
        self.troubles: list[str] = []
        self._stop, self._turn = threading.Event(), threading.Lock()
        self._begun, self._given = 0.0, 0
        self._senders = [threading.Thread(target=self._send_all, daemon=True) for _ in range(self.senders)]

    def __enter__(self) -> Self:
        with Store.open(self.daemon.data, now=self.now) as store, store.writing() as tx:
            domains.add(tx, Domain.parse(AGENCY), now=self.now)
        self._store = Store.read_only(self.daemon.data)
        self.daemon.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.end()
        self._store.close()
        self.daemon.remove()

    # -- the clock --------------------------------------------------------------------------------------------------------------------

    @property
    def now(self) -> int:
        return int(time.time()) + self._shift

    def shift(self, seconds: int) -> None:
        """Set the clock of the daemon so much further on."""
        self._shift += seconds
        with self._shift_file.open("r+b" if self._shift_file.exists() else "wb") as file:  # the same file: others have it in memory
            file.write(struct.pack("d", self._shift))

    def look(self) -> None:
        """Have the daemon look at all keys now, and wait until it has."""
        before = {key.number: key.looked for key in self.held()}
        self.shift(1)
        self.daemon.reload()
        try:
            wait_for(lambda: all(key.looked != before.get(key.number) for key in self.held()), 60)
        except TimeoutError:
            left = [(key.name, key.state.value, key.looked) for key in self.held()]
            raise AssertionError(f"not all keys were looked at: {left}, {self.troubles}\n{self.daemon.log()[-5000:]}") from None

    # -- keys -------------------------------------------------------------------------------------------------------------------------

    def held(self) -> list[StoredKey]:
        """All that are not removed."""
        with self._store.reading() as tx:
            return [key for key in keys.all(tx) if key.state != "removed"]

    def signing(self) -> str:
        """The selector that signs; empty for none."""
        return next((key.selector for key in self.held() if key.state == "active"), "")

    def command(self, *words: str) -> str:
        """A command of ours, under the same clock."""
        environment = {**os.environ, **self.daemon.environment, "LANG": "C.UTF-8"}
        done = subprocess.run(
            [sys.executable, "-m", "zegel.cli.main", "--data", str(self.daemon.data), *words],
            capture_output=True, text=True, env=environment, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def write_dns(self) -> None:
        """Write what zegel says is to be there into the first name server, as its owner would by hand."""
        ring = dns.tsigkeyring.from_text({KEY: SECRET})
        message = dns.update.UpdateMessage(AGENCY, keyring=ring, keyalgorithm=ALGORITHM)
        shown = json.loads(self.command("domain", "records", AGENCY, "--json"))["records"]
        wanted = {record["name"]: record["strings"] for record in shown if record["purpose"] == "dkim"}
        for name in {key.name for key in self.held()} | set(wanted):
            message.delete(f"{name}.")
        for name, strings in wanted.items():
            message.add(f"{name}.", 60, "TXT", " ".join(f'"{string}"' for string in strings))
        reply = dns.query.tcp(message, HOSTS[0], port=self.there.port, timeout=10)
        assert reply.rcode() == dns.rcode.NOERROR, reply

    def catch_up(self) -> None:
        """Let the second name server fetch what the first has."""
        self.there.catch_up(AGENCY)

    def rotate(self) -> str:
        """One rotation, from the command to the removal of the former key's record; returns the selector that signs then."""
        former = self.signing()
        self.command("key", "rotate", AGENCY, "--algorithm", self.kind)
        following = next(key.selector for key in self.held() if key.succession)
        self.write_dns()
        for _ in range(2):  # however long the second one lags, nothing happens
            self.shift(800)
            self.look()
        assert self.signing() == former
        self.catch_up()
        self.look()
        assert self.signing() == former, "the record was never looked at long enough"
        self.shift(800)
        self.look()
        assert self.signing() == following
        if not former:
            return following
        self.after_the_switch(former, following)
        return following

    def after_the_switch(self, former: str, following: str) -> None:
        """The former key's record stays for seven days, is then revoked, and goes."""
        if any(sender.is_alive() for sender in self._senders):
            wait_for(lambda: bool(self.received) and self.received[-1].selector == following, 60, "mail signed with the new key")
        for _ in range(3):
            self.shift(2 * DAY)
            self.look()
            self.verify_what_is_on_its_way()
        assert self.state(former) == "retiring"
        self.settle()  # what the former key has signed lies in no queue for longer than the key's record stays
        self.shift(DAY + 3600)
        self.look()
        self.look()
        assert self.state(former) == "revoked"
        self.write_dns()
        assert self.texts(HOSTS[0], former) == ["v=DKIM1; p="]
        self.catch_up()
        self.verify_what_is_on_its_way()
        self.shift(DAY + 60)
        self.look()
        self.look()
        self.write_dns()
        assert not self.texts(HOSTS[0], former)
        self.catch_up()
        self.look()
        assert self.state(former) == ""

    def state(self, selector: str) -> str:
        """The state of a key; empty when it is removed."""
        return next((key.state.value for key in self.held() if key.selector == selector), "")

    # -- mail -------------------------------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Send mail from now on, as soon as the daemon signs."""
        wait_for(lambda: bool(self.signing()) and " keys=1 " in self.daemon.log(), what="a key that signs")
        self._begun = time.monotonic()
        for sender in self._senders:
            sender.start()

    def end(self) -> None:
        """Send no more mail; what was sent has arrived then."""
        self._stop.set()
        for sender in self._senders:
            if sender.is_alive():
                sender.join(30)

    def settle(self) -> None:
        """Wait until what is on its way has arrived: a milter's client has it back at once."""

    def _send_all(self) -> None:
        while (number := self._next()) is not None:
            try:
                self._send(number)
            except Exception as error:
                self.troubles.append(f"message {number}: {error!r}")
                return

    def _next(self) -> int | None:
        """The number of the next message, when its time has come; None at the end."""
        with self._turn:
            number, self._given = self._given, self._given + 1
            over = self._stop.wait(max(0.0, self._begun + number / self.rate - time.monotonic()))
            return None if over else number

    def _send(self, number: int) -> None:
        since = self.now
        with Mta(("127.0.0.1", self.daemon.port)) as mta:
            mta.open(address=CLIENT)
            result = mta.send(message(number), sender=SENDER, macros={"i": f"Q{number}"})
        if result.action not in ("accept", "continue"):
            raise AssertionError(f"not taken: {result.action} {result.reply}")
        self._take(result.message, since)

    def _take(self, signed: bytes, since: int) -> None:
        """Verify a message that has just arrived and was handed in at ``since``, and keep it."""
        found = tags(signed)
        if len(found) != 1 or not since <= int(found[0]["t"]) <= self.now:
            raise AssertionError(f"not signed once, since {since}: {signed!r}")
        received = Received(int(found[0]["t"]), signed, found[0]["s"])
        self._verify(received)
        self.received.append(received)
        self.verified += 1

    def verify_what_is_on_its_way(self) -> int:
        """Verify all that was signed within the last seven days; how many those were."""
        young = [received for received in list(self.received) if self.now - received.at < 7 * DAY]
        shown: dict[str, zegel.Zone] = {}
        for received in young:
            self._verify(received, shown)
        return len(young)

    def _verify(self, received: Received, shown: dict[str, zegel.Zone] | None = None) -> None:
        zones = shown if shown is not None else {}
        if received.selector not in zones:
            each = [self.texts(host, received.selector) for host in HOSTS[:2]]
            assert each[0] == each[1], f"signed with {received.selector}, which not all name servers have: {each}"
            zones[received.selector] = zegel.Zone.from_dict({(self.name(received.selector), "TXT"): list(each[0])})
        (result,) = zegel.verify(received.message, resolver=zones[received.selector], now=self.now)
        assert result.status == "pass", f"{result.reason.id}: {received.message!r}"

    def name(self, selector: str) -> str:
        """The DNS name of a key."""
        return f"{selector}._domainkey.{AGENCY}"

    def texts(self, host: str, selector: str) -> list[str]:
        """What one name server has of a key, each record as one text."""
        return [text.replace('" "', "").strip('"') for text in self.there.texts(host, self.name(selector))]
