"""The submission session under a hostile client: one list of events however the octets are cut, and the same as a slow server's.

The slow server is written from RFC 5321 and RFC 2920 by lines and groups, and shares nothing with the rooms. A group is what a client says
before it reads our replies; the meaning of each line that it is made of is known where it is made.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from fuzz.dice import Dice
from zegel.smtp.events import Aborted, Content, Event, MailFrom, Misuse, Recipient
from zegel.smtp.session import Session, Terms

_SIZE, _RECIPIENTS, _SLACK = 200, 2, 1_048_576
_ERRORS, _IDLE = 20, 100
_PLAIN = b"AHBvcnRhbABzZWNyZXQ="
# Each line, and what it asks for; those with no word are refused wherever they stand, and RCPT? has an address that is none.
_LINES: tuple[tuple[bytes, str], ...] = (
    (b"EHLO x\r\n", "EHLO"),
    (b"helo x\r\n", "HELO"),
    (b"MAIL FROM:<a@example.be>\r\n", "MAIL"),
    (b"mail FROM:<> SIZE=5\r\n", "MAIL"),
    (b"RCPT TO:<b@example.org>\r\n", "RCPT"),
    (b"DATA\r\n", "DATA"),
    (b"DATA \r\n", "DATA"),
    (b"RSET\r\n", "RSET"),
    (b"NOOP\r\n", "NOOP"),
    (b"QUIT\r\n", "QUIT"),
    (b"STARTTLS\r\n", "STARTTLS"),
    (b"AUTH PLAIN " + _PLAIN + b"\r\n", "AUTH"),
    (b"MAIL FROM:<a@b@c>\r\n", ""),
    (b"RCPT TO:b@example.org\r\n", "RCPT?"),
    (b"XYZZY\r\n", ""),
    (b"\r\n", ""),
    (b"NOOP\n", ""),
    (b"NO\rOP\r\n", ""),
    (b"y" * 3000 + b"\r\n", ""),
)
_MEANING = {line.removesuffix(b"\n"): word for line, word in _LINES}
_CONTENT = (
    b"line\r\n",
    b"..\r\n",
    b".\r\n",
    b"a\nb\r\n",
    b"\n.\r\n",
    b"\r\n.\n",
    b"\r.\r\n",
    b".x\r\n",
    b"z" * 120 + b"\r\n",
    b"\r\n.\r\n",
)
WORDS = (b"\r\n.\r\n", b"\r\n.", b"\n.\r\n", *(line for line, _ in _LINES if len(line) < 60))
Told = list[tuple[str, bytes]]


def starts() -> Iterator[bytes]:
    yield b"\x01EHLO x\r\nMAIL FROM:<a@example.be>\r\nRCPT TO:<b@example.org>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n"
    yield b"\x01EHLO x\r\nAUTH LOGIN\r\ncG9ydGFs\r\nc2VjcmV0\r\nSTARTTLS\r\n\x16\x03\x01"
    rnd = Random(5)
    for _ in range(40):
        yield b"\x00" + rnd.randbytes(rnd.randrange(20, 400))
    # A whole message: EHLO, then MAIL, RCPT and DATA as one group, then content and its end.
    yield bytes((0, 1, 0, 1, 0, 0, 2, 0, 4, 0, 5, 1, 0, 19, 0, 1, 21, 1, 2, 0, 9, 1))


def fuzz(data: bytes) -> None:
    dice = Dice(data[1:])
    if data[:1] == b"\x01":
        stream = data[1:]
        whole = listen([[stream]], secure=True)
        cuts = Dice(data[-16:])
        assert listen([cuts.cut(stream, 12)], secure=True) == whole
        if len(stream) < 300:
            assert listen([[stream[at : at + 1] for at in range(len(stream))]], secure=True) == whole
        return
    secure = dice.flag()
    groups = _groups(dice)
    told = listen([[group] for group in groups], secure=secure)
    assert told == _slow(groups, secure=secure), groups
    assert listen([dice.cut(group, 6) for group in groups], secure=secure) == told
    if sum(map(len, groups)) < 500:
        assert listen([[group[at : at + 1] for at in range(len(group))] for group in groups], secure=secure) == told


def _groups(dice: Dice) -> list[bytes]:
    """Lines of commands and of content in any order, a group ending where the dice say."""
    groups: list[bytes] = []
    group = b""
    while dice.left and len(groups) < 60:
        choice = dice.number(len(_LINES) + len(_CONTENT) + 1)
        if choice < len(_LINES):
            group += _LINES[choice][0]
        elif choice < len(_LINES) + len(_CONTENT):
            group += _CONTENT[choice - len(_LINES)]
        else:
            group += b"." + dice.octets(20).replace(b"\n", b"") + b"\r\n"
        if dice.flag():
            groups.append(group)
            group = b""
    return [*groups, group]


def listen(groups: list[list[bytes]], *, secure: bool) -> Told:
    """What the session tells of groups in pieces; each message and login is answered well, each handshake ends well."""
    session = Session(Terms("mail.example.be", size=_SIZE, recipients=_RECIPIENTS, starttls=True), secure=secure, known=True)
    session.outgoing()
    told: Told = []
    for pieces in groups:
        for piece in pieces:
            _tell(told, session.receive(piece))
        while session.awaiting_finish:
            session.finish("235" if told[-1][0] == "Login" else "250", "2.0.0", "OK")
            _tell(told, session.receive(b""))
        said = session.outgoing()
        assert said == b"" or said.endswith(b"\r\n")
        if told and told[-1][0] == "StartTls" and not session.secure and not session.closed:
            session.secured()
    if told and told[-1][0] == "Content":
        told.pop()  # of a message that never ended
    return told


def _tell(told: Told, events: Iterator[Event]) -> None:
    for event in events:
        if isinstance(event, Content):
            # How it is cut is the network's; of what is refused, nobody asks how much had come.
            if told and told[-1][0] == "Content":
                told[-1] = ("Content", told[-1][1] + event.data)
            else:
                told.append(("Content", event.data))
            continue
        detail = ""
        if isinstance(event, MailFrom):
            detail = event.sender
        elif isinstance(event, Recipient):
            detail = event.address
        elif isinstance(event, (Aborted, Misuse)):
            detail = event.reason
        if isinstance(event, (Aborted, Misuse)) and told and told[-1][0] == "Content":
            told.pop()
        told.append((type(event).__name__, detail.encode()))


class _Slow:
    """A server that reads whole lines, one after the other, and counts on its fingers."""

    def __init__(self, *, secure: bool) -> None:
        self.secure, self.logged_in = secure, False
        self.greeting = ""
        self.sender: bytes | None = None
        self.recipients = self.errors = self.idle = 0
        self.in_data = self.dead = self.waits = self.skipping = False
        self.told: Told = []

    def die(self, reason: str = "") -> None:
        if reason:
            self.told.append(("Misuse", reason.encode()))
        self.told.append(("Closed", b""))
        self.dead = True

    def error(self) -> None:
        self.errors += 1
        if self.errors == _ERRORS:
            self.die()

    def group(self, text: bytes) -> bytes:
        """One group; what of it is not whole yet."""
        self.waits = False
        end = ""
        while text and not self.dead:
            if self.waits:
                self.die("starttls_injection" if end == "STARTTLS" else "pipelining")
                return b""
            if self.in_data:
                whole, text = self.data(text)
                if not whole:
                    return text
                continue
            line, newline, rest = text.partition(b"\n")
            if not newline:
                if self.skipping or len(text) >= 2048:
                    if not self.skipping:
                        self.error()
                    self.skipping = True
                    return b""
                return text
            text = rest
            if self.skipping:
                self.skipping = False
            elif len(line) + 1 > 2048:
                self.error()
            else:
                end = self.line(line)
        return b""

    def data(self, text: bytes) -> tuple[bool, bytes]:
        lines, at = [], 0
        while (crlf := text.find(b"\r\n", at)) >= 0:
            line, at = text[at:crlf], crlf + 2
            if line == b".":
                break
            lines.append(line.removeprefix(b".") + b"\r\n")
        else:
            return False, text
        message = b"".join(lines)
        self.in_data, self.sender = False, None
        bare = message.replace(b"\r\n", b"")
        if len(message) > _SIZE:
            self.told.append(("Aborted", b"too_large"))
            self.error()
        elif b"\r" in bare or b"\n" in bare:
            self.told.append(("Aborted", b"bare_line_end"))
            self.error()
        else:
            self.told += [("Content", message)] if message else []
            self.told.append(("EndOfMessage", b""))
            self.errors = self.idle = 0
        return True, text[at:]

    def line(self, line: bytes) -> str:
        word = _MEANING.get(line, "") if line.endswith(b"\r") else ""
        if word == "QUIT":
            self.die()
        elif word in ("EHLO", "HELO", "RSET", "NOOP"):
            self.idle += 1
            if self.idle > _IDLE:
                self.die()
                return word
            if word != "NOOP" and self.sender is not None:
                self.told.append(("Aborted", b""))
                self.sender = None
            if word in ("EHLO", "HELO"):
                self.greeting, self.waits = word, True
        elif word == "MAIL" and self.greeting and self.sender is None:
            self.sender = b"a@example.be" if b"a@" in line else b""
            self.recipients = 0
            self.told.append(("MailFrom", self.sender))
        elif word == "RCPT" and self.sender is not None:
            if self.recipients < _RECIPIENTS:
                self.recipients += 1
                self.told.append(("Recipient", b"b@example.org"))
        elif word == "RCPT?" and self.sender is not None and self.recipients == _RECIPIENTS:
            pass  # one too many, whatever it is: 452, which is no mistake of the client
        elif word == "DATA" and self.sender is not None and self.recipients:
            self.in_data = self.waits = True
        elif word == "STARTTLS" and self.greeting and self.sender is None and not self.secure:
            self.told.append(("StartTls", b""))
            self.waits = True
        elif word == "AUTH" and self.greeting == "EHLO" and self.sender is None and self.secure and not self.logged_in:
            self.told.append(("Login", b""))
            self.waits = self.logged_in = True
        else:
            self.error()
        return word


def _slow(groups: list[bytes], *, secure: bool) -> Told:
    server, rest = _Slow(secure=secure), b""
    for group in groups:
        rest = server.group(rest + group)
        if server.told and server.told[-1][0] == "StartTls" and not server.dead and not server.secure:
            server.secure, server.greeting = True, ""
        if server.dead:
            break
    return server.told
