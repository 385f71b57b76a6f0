"""The websites of the demo: they log in at the relay as any program does, and a mail server on this machine is the next hop.

The mail server is a small one of our own that takes everything, because the demo must not send anything anywhere.
"""

from __future__ import annotations

import queue
import shlex
import smtplib
import socketserver
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

from zegel.cli.screen import Mark
from zegel.cli.words import _
from zegel.config import Listen
from zegel.grammar import taglist
from zegel.grammar.message import Field, split_fields

if TYPE_CHECKING:
    from zegel.cli.demo_mail import Scene

_SECONDS = 5.0
_TO = "citizen@inbox.example"
_LOGGED = ("queue_id", "site", "reason", "would_pass", "original")


class NextHop(socketserver.ThreadingTCPServer):
    """A mail server on loopback that takes every message and keeps it; a context manager."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.arrived: queue.Queue[bytes] = queue.Queue()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])

    def __exit__(self, *_args: object) -> None:
        self.shutdown()
        self.server_close()


class _Session(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        """Speak as much SMTP as the courier needs. RFC 5321 4.1."""
        self.wfile.write(b"220 inbox.example ESMTP\r\n")
        for line in self.rfile:
            word = line[:4].upper().strip()
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                cast(NextHop, self.server).arrived.put(self._message())
            answers = {b"QUIT": b"221 bye\r\n", b"EHLO": b"250-inbox.example\r\n250 8BITMIME\r\n"}
            self.wfile.write(answers.get(word, b"250 ok\r\n"))
            if word == b"QUIT":
                return

    def _message(self) -> bytes:
        lines = []
        for line in self.rfile:
            if line == b".\r\n":
                break
            lines.append(line.removeprefix(b"."))
        return b"".join(lines)


class Website(NamedTuple):
    """A site of the demo at the relay: its name, its secret, and the certificate that it trusts."""

    name: str
    secret: str
    certificate: Path

    def send(self, address: Listen, sender: str, message: bytes) -> str:
        """Log in and send; the refusal, or nothing. Raises OSError when the relay is not there."""
        trust = ssl.create_default_context(cafile=str(self.certificate))
        trust.check_hostname = False  # the relay of the demo has an address and no name
        try:
            with smtplib.SMTP(address.host, address.port, timeout=_SECONDS) as client:
                client.starttls(context=trust)
                client.login(self.name, self.secret)
                client.sendmail(sender, [_TO], message)
        except smtplib.SMTPDataError as error:
            said = error.smtp_error if isinstance(error.smtp_error, bytes) else str(error.smtp_error).encode()
            return f"{error.smtp_code} {said.decode('utf-8', 'replace')}"
        return ""


class SiteEnding(NamedTuple):
    """One message of a site at its end: the refusal or nothing, what arrived at the next hop, and the child's log line."""

    refusal: str
    arrived: bytes
    log: str

    @property
    def words(self) -> frozenset[str]:
        """What must be as the scene wants it."""
        line = self._logged()
        if self.refusal:
            return frozenset({"refused", line.get("reason", "")})
        found = {"signed" if self._named(b"dkim-signature") else "not_signed", f"would_pass={line.get('would_pass')}"}
        return frozenset(found | ({"corrected"} if "original" in line else set()))

    @property
    def heading(self) -> tuple[Mark, str]:
        """What happened, in one line."""
        if self.refusal:
            return Mark.WRONG, _("refused: {said}").format(said=self.refusal)
        if "corrected" in self.words:
            return Mark.OK, _("the sender corrected, signed, and on its way")
        return Mark.OK, _("signed, and on its way")

    def told(self) -> Iterator[str]:
        """Why, sentence by sentence."""
        if self.refusal:
            yield _("the site may send as its own address only: no password of a website is a licence to write as anybody")
            return
        if original := self._logged().get("original"):
            yield _("it came in the name of {original}, which receivers would have refused").format(original=original)
            for key in (b"from", b"reply-to"):
                yield from (f"{field.name.decode()}: {field.value.decode().strip()}" for field in self._named(key))
        for field in self._named(b"dkim-signature"):
            tags = taglist.parse(field.value)
            name = f"{tags['s']}._domainkey.{tags['d']}"
            yield _("a DKIM-Signature was put in front, with the key {names}").format(names=name)
        yield _("judged once more as a receiver would: it passes; then it was on disk before the website heard 250")

    def _named(self, key: bytes) -> list[Field]:
        return [field for field in split_fields(self.arrived.partition(b"\r\n\r\n")[0] + b"\r\n")[0] if field.key == key]

    def _logged(self) -> dict[str, str]:
        pairs = (word.partition("=") for word in shlex.split(self.log))
        return {name: value for name, _sign, value in pairs}

    def log_in_short(self) -> str:
        """The words of the log line that matter most."""
        line = self._logged()
        event = line["event"].partition(":")[0]
        return " ".join([event, *(f"{name}={line[name]}" for name in _LOGGED if name in line), "..."])


def play(scene: Scene, site: Website, address: Listen, next_hop: NextHop, kept: dict[str, bytes]) -> tuple[str, bytes]:
    """Hand the scene's message to the relay as its website; the refusal, or what arrived. Raises OSError when nothing does."""
    refusal = site.send(address, scene.sender, scene.message(kept))
    arrived = b""
    if not refusal:
        try:
            arrived = next_hop.arrived.get(timeout=_SECONDS)
        except queue.Empty:
            raise TimeoutError(_("the message did not reach the next hop")) from None
    if scene.keep_as:
        kept[scene.keep_as] = arrived
    return refusal, arrived
