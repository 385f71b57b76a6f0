"""The MTA's packets as bytes, for tests of the milter session without a socket."""

from __future__ import annotations

import struct
from collections.abc import Iterable

ALL_ACTIONS = 0x1FF
ALL_PROTOCOL = 0x1FFFFF


def packet(command: str, payload: bytes = b"") -> bytes:
    return struct.pack(">IB", len(payload) + 1, ord(command)) + payload


def optneg(version: int = 6, actions: int = ALL_ACTIONS, protocol: int = ALL_PROTOCOL) -> bytes:
    return packet("O", struct.pack(">III", version, actions, protocol))


def connect(hostname: bytes = b"client.example.org", family: bytes = b"4", port: int = 2525, address: bytes = b"192.0.2.1") -> bytes:
    return packet("C", hostname + b"\0" + family + struct.pack(">H", port) + address + b"\0")


def macros(stage: str, **values: str) -> bytes:
    return packet("D", stage.encode() + b"".join(f"{name}\0{value}\0".encode() for name, value in values.items()))


def mail(address: bytes = b"<a@example.org>") -> bytes:
    return packet("M", address + b"\0")


def rcpt(address: bytes = b"<b@example.com>") -> bytes:
    return packet("R", address + b"\0")


def header(name: bytes, value: bytes) -> bytes:
    return packet("L", name + b"\0" + value + b"\0")


def message(
    fields: Iterable[tuple[bytes, bytes]] = ((b"From", b" a@example.org"),), body: bytes = b"hello\r\n", **mail_macros: str
) -> bytes:
    """MAIL to the end of the message, with macros before MAIL."""
    before = macros("M", **mail_macros) if mail_macros else b""
    return before + mail() + rcpt() + b"".join(header(*field) for field in fields) + packet("N") + packet("E", body)


START = optneg() + connect() + packet("H", b"client.example.org\0")
EOH = packet("N")
ABORT = packet("A")
QUIT = packet("Q")
