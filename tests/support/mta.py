"""A small mail server's side of the milter protocol, over a real socket, blocking and plain.

It speaks as Postfix does (macros before each command, LF inside folded header values, the body in chunks of 65535 octets with the last
piece in SMFIC_BODYEOB) and applies the edits as Postfix does: insertions count its own Received field, changes and deletions do not, fields
of one name are counted anew after each deletion, and a change of a field that is not there adds it.
"""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

CHUNK = 65535
ALL_ACTIONS = 0x1FF
NO_SKIP = 0x1FFFFF & ~0x400
ALL_PROTOCOL = 0x1FFFFF
NR_HDR, NR_CONN, NR_HELO, NR_MAIL, NR_RCPT, NR_DATA, NR_EOH, NR_BODY = 0x80, 0x1000, 0x2000, 0x4000, 0x8000, 0x10000, 0x40000, 0x80000
NOHELO, NODATA, SKIP, LEADSPC = 0x02, 0x200, 0x400, 0x100000
_FIELD = re.compile(rb"([^\s:]+)[ \t]*:((?:[^\n]|\n[ \t])*)\n")
_ACTIONS = {"a": "accept", "c": "continue", "d": "discard", "r": "reject", "t": "tempfail", "y": "replycode", "s": "skip"}


class MilterGone(Exception):
    """The milter closed the connection, or said what it may not say here."""


@dataclass
class Result:
    """How the milter left one message. ``message`` has CRLF and no Received field of ours."""

    action: str
    reply: str = ""
    stage: str = "E"
    message: bytes = b""
    quarantine: str | None = None
    progress: int = 0
    chunks_sent: int = 0
    edits: list[tuple[str, bytes]] = field(default_factory=list)


class Mta:
    """One milter connection. ``address`` is (host, port) or the path of a unix socket."""

    def __init__(
        self,
        address: tuple[str, int] | str,
        *,
        version: int = 6,
        offered_actions: int = ALL_ACTIONS,
        offered_protocol: int = ALL_PROTOCOL,
        timeout: float = 30.0,
    ) -> None:
        if isinstance(address, str):
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.socket.settimeout(timeout)
            self.socket.connect(address)
        else:
            self.socket = socket.create_connection(address, timeout)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._stream = self.socket.makefile("rb")
        self._offered = (version, offered_actions, offered_protocol)
        self._out: list[bytes] = []
        self.version = self.actions = self.protocol = 0
        self.progress = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the socket without a word."""
        self._stream.close()
        self.socket.close()

    # Packets.

    def write(self, command: str, payload: bytes = b"") -> None:
        """Put a packet into the buffer."""
        self._out.append(struct.pack(">IB", len(payload) + 1, ord(command)) + payload)

    def flush(self) -> None:
        """Send what is in the buffer."""
        data, self._out = b"".join(self._out), []
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            raise MilterGone("the milter is gone") from None

    def read(self) -> tuple[str, bytes]:
        """Read one reply, SMFIR_PROGRESS left out."""
        self.flush()
        while True:
            try:
                head = self._stream.read(5)
                size, command = struct.unpack(">IB", head)
                payload = self._stream.read(size - 1)
            except (struct.error, ConnectionResetError):
                raise MilterGone("the milter closed the connection") from None
            if chr(command) != "p":
                return chr(command), payload
            self.progress += 1

    def macros(self, stage: str, macros: Mapping[str, str] | None) -> None:
        """Send the macros of a command, in front of it."""
        if macros:
            pairs = b"".join(f"{name}\0{value}\0".encode() for name, value in macros.items())
            self.write("D", stage.encode() + pairs)

    def command(self, command: str, payload: bytes, no_reply: int) -> tuple[str, bytes] | None:
        """Send a command and return its reply unless it is CONTINUE or none is due."""
        self.write(command, payload)
        if self.protocol & no_reply:
            return None
        reply = self.read()
        return None if reply[0] == "c" else reply

    # The way of a connection.

    def negotiate(self) -> None:
        """Agree on the options and hold the milter to them."""
        self.write("O", struct.pack(">III", *self._offered))
        command, payload = self.read()
        if command != "O":
            raise MilterGone(f"an answer {command!r} to the negotiation")
        self.version, self.actions, self.protocol = struct.unpack(">III", payload[:12])
        version, actions, protocol = self._offered
        if self.version > version or self.actions & ~actions or self.protocol & ~protocol:
            raise MilterGone("the milter wants what was not offered")

    def open(
        self,
        hostname: str = "client.example.org",
        address: str = "192.0.2.1",
        port: int = 25252,
        *,
        family: str = "4",
        helo: str | None = "client.example.org",
        macros: Mapping[str, str] | None = None,
        helo_macros: Mapping[str, str] | None = None,
    ) -> tuple[str, bytes] | None:
        """Negotiate and tell of an SMTP client; returns a refusal, or None."""
        if not self.version:
            self.negotiate()
        self.macros("C", macros if macros is not None else {"j": "mx.example.com", "{daemon_name}": "mx.example.com", "v": "Postfix"})
        where = b"" if family == "U" else struct.pack(">H", port) + address.encode() + b"\0"
        refusal = self.command("C", hostname.encode() + b"\0" + family.encode() + where, NR_CONN)
        if refusal is None and helo is not None and not self.protocol & NOHELO:
            self.macros("H", helo_macros)
            refusal = self.command("H", helo.encode() + b"\0", NR_HELO)
        return refusal

    def envelope(
        self,
        sender: str = "sender@example.org",
        recipients: Iterable[str] = ("recipient@example.com",),
        macros: Mapping[str, str] | None = None,
        arguments: Iterable[str] = (),
    ) -> Result | None:
        """MAIL and RCPT; a Result when MAIL or the last recipient is refused."""
        self.macros("M", macros)
        words = b"".join(word.encode() + b"\0" for word in (f"<{sender}>", *arguments))
        refusal = self.command("M", words, NR_MAIL)
        if refusal is not None:
            return self._refused("M", refusal)
        left = 0
        for recipient in recipients:
            self.macros("R", {"{rcpt_addr}": recipient})
            refusal = self.command("R", f"<{recipient}>".encode() + b"\0", NR_RCPT)
            left += refusal is None
        return None if left or refusal is None else self._refused("R", refusal)

    def send(
        self,
        message: bytes,
        sender: str = "sender@example.org",
        recipients: Iterable[str] = ("recipient@example.com",),
        macros: Mapping[str, str] | None = None,
        *,
        end_macros: Mapping[str, str] | None = None,
        chunk: int = CHUNK,
    ) -> Result:
        """Send a whole message and return what became of it. ``message`` may have CRLF or LF line ends."""
        refused = self.envelope(sender, recipients, macros)
        if refused is not None:
            return refused
        fields, body = split(message)
        return self._send_header(fields, end_macros) or self._send_body(fields, body, end_macros, chunk)

    def stream(
        self, header: bytes, body: Iterable[bytes], sender: str = "sender@example.org", macros: Mapping[str, str] | None = None
    ) -> Result:
        """Send a message of any length, its body in the pieces that are given; the result's message is the header alone."""
        fields, _ = split(header)
        refused = self.envelope(sender, macros=macros) or self._send_header(fields, None)
        if refused is not None:
            return refused
        for piece in body:
            refusal = self.command("B", piece, NR_BODY)
            if refusal is not None:
                return self._refused("B", refusal)
            self.flush()
        self.write("E")
        return self.outcome(fields, b"")

    def _send_header(self, fields: list[tuple[bytes, bytes]], end_macros: Mapping[str, str] | None) -> Result | None:
        if not self.protocol & NODATA:
            self.macros("T", end_macros)
            refusal = self.command("T", b"", NR_DATA)
            if refusal is not None:
                return self._refused("T", refusal)
        for name, value in fields:
            refusal = self.command("L", name + b"\0" + self._shown(value) + b"\0", NR_HDR)
            if refusal is not None:
                return self._refused("L", refusal)
        self.macros("N", end_macros)
        refusal = self.command("N", b"", NR_EOH)
        return None if refusal is None else self._refused("N", refusal)

    def _send_body(self, fields: list[tuple[bytes, bytes]], body: bytes, macros: Mapping[str, str] | None, chunk: int) -> Result:
        rest, sent = body, 0
        while len(rest) >= chunk:
            refusal = self.command("B", rest[:chunk], NR_BODY)
            sent += 1
            rest = rest[chunk:]
            if refusal == ("s", b"") and self.protocol & SKIP:
                rest = b""
            elif refusal is not None:
                return self._refused("B", refusal)
        self.macros("E", macros)
        self.write("E", rest)
        result = self.outcome(fields, body)
        result.chunks_sent = sent
        return result

    def outcome(self, fields: list[tuple[bytes, bytes]], body: bytes) -> Result:
        """Read edits and the action, and apply them."""
        result = Result("")
        before = self.progress
        own: tuple[bytes, bytes] = (b"Received", b" by mx.example.com")
        block = [own, *fields]
        while True:
            command, payload = self.read()
            if command in _ACTIONS and command != "s":
                break
            result.edits.append((command, payload))
            if command == "q" and self.actions & 0x20:
                result.quarantine = payload[:-1].decode()
            else:
                self._edit(block, own, command, payload)
        final = self._refused("E", (command, payload))
        result.action, result.reply = final.action, final.reply
        result.progress = self.progress - before
        result.message = join([pair for pair in block if pair is not own], body)
        return result

    def abort(self) -> None:
        """Give the message at hand up."""
        self.write("A")
        self.flush()

    def quit(self) -> None:
        """Say goodbye."""
        self.write("Q")
        self.flush()

    def quit_new(self) -> None:
        """Say goodbye for this SMTP client; another one follows."""
        self.write("K")
        self.flush()

    # Fields.

    def _shown(self, value: bytes) -> bytes:
        return value if self.protocol & LEADSPC else value.removeprefix(b" ")

    def _written(self, value: bytes) -> bytes:
        return value if self.protocol & LEADSPC else b" " + value

    def _edit(self, block: list[tuple[bytes, bytes]], own: tuple[bytes, bytes], command: str, payload: bytes) -> None:
        index = 0
        if command in "im":
            (index,) = struct.unpack(">I", payload[:4])
            payload = payload[4:]
        name, value, end = payload.split(b"\0")
        if end or not name or command not in "him" or not self.actions & (0x10 if command == "m" else 0x01):
            raise MilterGone(f"an edit that was not agreed: {command!r}")
        if command == "h":
            block.append((name, self._written(value)))
        elif command == "i":
            block.insert(index, (name, self._written(value)))
        else:
            alike = [place for place, pair in enumerate(block) if pair is not own and pair[0].lower() == name.lower()]
            place = alike[max(index, 1) - 1] if max(index, 1) <= len(alike) else None
            if value and place is None:
                block.append((name, self._written(value)))
            elif value and place is not None:
                block[place] = (name, self._written(value))
            elif place is not None:
                del block[place]

    def _refused(self, stage: str, reply: tuple[str, bytes]) -> Result:
        command, payload = reply
        if command not in _ACTIONS:
            raise MilterGone(f"the reply {command!r} to {stage!r}")
        text = payload.rstrip(b"\0").decode().replace("%%", "%")
        if command == "y" and not (text[0] in "45" and text[:3].isdigit() and text[3] == " " and text[4] == text[0]):
            raise MilterGone(f"a malformed reply: {text!r}")
        return Result(_ACTIONS[command], text, stage)


def split(message: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Split a message into (name, value with LF) pairs and a body with CRLF."""
    text = message.replace(b"\r\n", b"\n")
    head, _, body = text.partition(b"\n\n")
    fields = [(found[1], found[2]) for found in _FIELD.finditer(head + b"\n")]
    return fields, body.replace(b"\n", b"\r\n")


def join(fields: Iterable[tuple[bytes, bytes]], body: bytes) -> bytes:
    """Put a message together again, with CRLF."""
    return b"".join(name + b":" + value.replace(b"\n", b"\r\n") + b"\r\n" for name, value in fields) + b"\r\n" + body
