"""A mail server's side of the milter protocol, over a real socket: for the demo and for asking a daemon if it answers.

It sends one message as Postfix would and gives back what the milter made of it. It offers no short cuts (no NR_*, no SKIP), so each command
has its reply: that is slow and plain, and shows a milter that says too much or too little. It is no mail server.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from zegel.config import Listen
from zegel.grammar.message import CRLF, Field, join, split_message
from zegel.milter import codec
from zegel.milter.codec import ProtocolError

_CHUNK = 65_535
_READ = 65_536
_HEADER_BYTES = 1_048_576
_ENDINGS = {
    codec.SMFIR_ACCEPT: "accept",
    codec.SMFIR_CONTINUE: "accept",
    codec.SMFIR_DISCARD: "discard",
    codec.SMFIR_REJECT: "reject",
    codec.SMFIR_TEMPFAIL: "tempfail",
    codec.SMFIR_REPLYCODE: "reply",
}


@dataclass(frozen=True, slots=True)
class Handled:
    """What the milter made of one message: ``action`` is accept, discard, reject, tempfail or reply (then ``text`` has it)."""

    action: str
    text: str
    message: bytes
    inserted: tuple[Field, ...]
    deleted: int


class MailServer:
    """One milter connection. Raises OSError when nobody answers, :class:`ProtocolError` for an answer that is none."""

    def __init__(self, address: Listen, *, timeout: float = 10.0) -> None:
        if address.path:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._socket.settimeout(timeout)
            self._socket.connect(address.path)
        else:
            self._socket = socket.create_connection((address.host, address.port), timeout)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._decoder = codec.Decoder()
        self._negotiate()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Say goodbye and close."""
        try:
            self._socket.sendall(codec.packet(codec.SMFIC_QUIT))
        except OSError:
            pass  # the milter went first
        finally:
            self._socket.close()

    def connect(self, hostname: str, address: str, port: int, helo: str, macros: Mapping[str, str]) -> None:
        """Tell who the SMTP client is. ``port`` 0 is a local submission."""
        family = b"6" if ":" in address else b"4"
        where = _z(hostname) + family + struct.pack(">H", port) + _z(address)
        self._command(codec.SMFIC_CONNECT, where, macros)
        self._command(codec.SMFIC_HELO, _z(helo))

    def send(self, message: bytes, sender: str, recipient: str, macros: Mapping[str, str]) -> Handled:
        """Hand over one message (CRLF) and take back what the milter did with it."""
        split = split_message(message, header_bytes=_HEADER_BYTES)
        steps = [
            (codec.SMFIC_MAIL, _z(f"<{sender}>")),
            (codec.SMFIC_RCPT, _z(f"<{recipient}>")),
            *((codec.SMFIC_HEADER, field.name + b"\0" + field.value.replace(CRLF, b"\n") + b"\0") for field in split.fields),
            (codec.SMFIC_EOH, b""),
            *((codec.SMFIC_BODY, split.body[at : at + _CHUNK]) for at in range(0, len(split.body), _CHUNK)),
        ]
        for command, payload in steps:
            reply, data = self._command(command, payload, macros if command == codec.SMFIC_MAIL else {})
            if reply != codec.SMFIR_CONTINUE:
                return Handled(_ENDINGS.get(reply, chr(reply)), _text(data), message, (), 0)
        return self._finish(split.fields, split.body)

    def _finish(self, fields: list[Field], body: bytes) -> Handled:
        """End the body and apply the edits as they come, as Postfix does."""
        self._write(codec.packet(codec.SMFIC_BODYEOB))
        fields, deleted = list(fields), 0
        inserted: list[Field] = []
        while True:
            reply, data = self._read()
            if reply in _ENDINGS:
                return Handled(_ENDINGS[reply], _text(data), join(fields, body), tuple(inserted), deleted)
            if reply == codec.SMFIR_INSHEADER:
                name, value = codec.strings(data[4:])
                # Index 0 is above the Received field that a mail server adds itself and does not show; there is none here.
                field = Field(name, value.replace(b"\n", CRLF))
                fields.insert(max(int.from_bytes(data[:4]) - 1, 0), field)
                inserted.append(field)
            elif reply == codec.SMFIR_CHGHEADER:
                name, value = codec.strings(data[4:])
                deleted += _delete(fields, name, int.from_bytes(data[:4]), value)
            elif reply != codec.SMFIR_PROGRESS:
                raise ProtocolError(f"an answer that nobody expected: {chr(reply)!r}")

    def _negotiate(self) -> None:
        actions = codec.SMFIF_ADDHDRS | codec.SMFIF_CHGHDRS | codec.SMFIF_QUARANTINE
        self._write(codec.packet(codec.SMFIC_OPTNEG, struct.pack(">III", codec.VERSION, actions, codec.SMFIP_HDR_LEADSPC)))
        reply, data = self._read()
        if reply != codec.SMFIC_OPTNEG:
            raise ProtocolError("it does not speak the milter protocol")
        codec.parse_optneg(data)

    def _command(self, command: int, payload: bytes, macros: Mapping[str, str] | None = None) -> tuple[int, bytes]:
        if macros:
            pairs = b"".join(_z(name) + _z(value) for name, value in macros.items())
            self._write(codec.packet(codec.SMFIC_MACRO, bytes((command,)) + pairs))
        self._write(codec.packet(command, payload))
        return self._read()

    def _write(self, data: bytes) -> None:
        self._socket.sendall(data)

    def _read(self) -> tuple[int, bytes]:
        while (packet := self._decoder.take()) is None:
            data = self._socket.recv(_READ)
            if not data:
                raise ConnectionError("the milter closed the connection")
            self._decoder.feed(data)
        return packet


def _delete(fields: list[Field], name: bytes, index: int, value: bytes) -> int:
    """Change or delete the ``index``-th field of that name; returns how many were deleted."""
    found = [at for at, field in enumerate(fields) if field.key == name.lower()]
    if index > len(found):
        return 0
    if value:
        fields[found[index - 1]] = Field(name, value)
        return 0
    del fields[found[index - 1]]
    return 1


def _z(text: str) -> bytes:
    return text.encode() + b"\0"


def _text(data: bytes) -> str:
    return data.rstrip(b"\0").decode("utf-8", "replace")
