"""What the MTA tells: one type per command, and how its payload is read.

After milter-protocol.txt, "COMMAND CODES", and its extras. Bytes stay as they came, except that a host name and an address become text. The
readers raise ``codec.ProtocolError`` for a payload that does not have its command's form; they repair nothing. ``Headers`` and
``BodyChunk`` are plain tuples because there are so many of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, TypeAlias

from .codec import ProtocolError, strings


class Family(StrEnum):
    """How the SMTP client reached the MTA (SMFIA_*)."""

    INET = "4"
    INET6 = "6"
    UNIX = "L"
    UNKNOWN = "U"


_FAMILIES = {ord(family.value): family for family in Family}


@dataclass(frozen=True, slots=True)
class Negotiated:
    """The options are agreed: what the milter may do and what the MTA leaves out."""

    version: int
    actions: int
    protocol: int


@dataclass(frozen=True, slots=True)
class Connected:
    """An SMTP client. ``port`` 0 is a local submission; ``address`` is empty when the family is unknown and has no "IPv6:" before it."""

    hostname: str
    family: Family
    port: int
    address: str


@dataclass(frozen=True, slots=True)
class Helo:
    """The client's HELO or EHLO name."""

    name: bytes


@dataclass(frozen=True, slots=True)
class _Path:
    """An envelope address as sent, angle brackets included, and its ESMTP arguments."""

    address: bytes
    arguments: tuple[bytes, ...] = ()

    @property
    def mailbox(self) -> bytes:
        """The address without its angle brackets; empty for a bounce."""
        return _mailbox(self.address)


class MailFrom(_Path):
    """The envelope sender. A message begins."""

    __slots__ = ()


class Recipient(_Path):
    """One envelope recipient."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Data:
    """The client said DATA."""


@dataclass(frozen=True, slots=True)
class UnknownCommand:
    """The client said something that the MTA does not know."""

    line: bytes


class Headers(NamedTuple):
    """Fields that follow one another: names and values.

    A value is all that follows the colon, with the leading space, LF where lines are folded, and no final line end.
    """

    fields: list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class EndOfHeaders:
    """The field list is closed."""


class BodyChunk(NamedTuple):
    """A piece of the body, CRLF at its line ends."""

    data: bytes


@dataclass(frozen=True, slots=True)
class EndOfMessage:
    """The message is whole and the MTA waits for the outcome. ``data`` is the last piece of the body and may be empty."""

    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Aborted:
    """The message in progress will not be finished."""


@dataclass(frozen=True, slots=True)
class Reset:
    """This SMTP client has gone and another one will follow on the same connection."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The MTA has nothing more to say."""


Event: TypeAlias = (
    Negotiated
    | Connected
    | Helo
    | MailFrom
    | Recipient
    | Data
    | UnknownCommand
    | Headers
    | EndOfHeaders
    | BodyChunk
    | EndOfMessage
    | Aborted
    | Reset
    | Closed
)


def read_connect(payload: bytes) -> Connected:
    """Read SMFIC_CONNECT: hostname NUL family [port address NUL]."""
    hostname, terminator, rest = payload.partition(b"\0")
    if not terminator or not rest:
        raise ProtocolError("a connection without its family")
    name = hostname.decode("ascii", "backslashreplace")
    try:
        family = _FAMILIES[rest[0]]
    except KeyError:
        raise ProtocolError(f"a connection of the unknown family {rest[:1]!r}") from None
    if family is Family.UNKNOWN:
        return Connected(name, family, 0, "")
    if len(rest) < 4 or rest.find(b"\0", 3) != len(rest) - 1:
        raise ProtocolError("a connection without its address")
    address = rest[3:-1].decode("ascii", "backslashreplace")
    if family is Family.INET6 and address[:5].lower() == "ipv6:":
        address = address[5:]  # Sendmail and some Postfix versions write it as in an address literal
    return Connected(name, family, int.from_bytes(rest[1:3], "big"), address)


def read_helo(payload: bytes) -> Helo:
    """Read SMFIC_HELO: name NUL."""
    return Helo(_one(payload, "a HELO"))


def read_mail(payload: bytes) -> MailFrom:
    """Read SMFIC_MAIL: address NUL, then arguments, each with its NUL."""
    address, *arguments = strings(payload)
    return MailFrom(address, tuple(arguments))


def read_recipient(payload: bytes) -> Recipient:
    """Read SMFIC_RCPT, as SMFIC_MAIL."""
    address, *arguments = strings(payload)
    return Recipient(address, tuple(arguments))


def read_unknown(payload: bytes) -> UnknownCommand:
    """Read SMFIC_UNKNOWN: line NUL."""
    return UnknownCommand(_one(payload, "an unknown command"))


def read_field(payload: bytes, leading_space: bool) -> tuple[bytes, bytes]:
    """Read SMFIC_HEADER: name NUL value NUL. Without SMFIP_HDR_LEADSPC the MTA has eaten one space (not a tab), which is put back."""
    parts = payload.split(b"\0")
    if len(parts) != 3 or parts[2] or not parts[0]:
        raise ProtocolError("a header that is not a name and a value")
    name, value, _ = parts
    if not leading_space and value[:1] != b"\t":
        value = b" " + value
    return name, value


def _one(payload: bytes, what: str) -> bytes:
    if payload.find(b"\0") != len(payload) - 1 or not payload:
        raise ProtocolError(f"{what} that is not one string")
    return payload[:-1]


def _mailbox(address: bytes) -> bytes:
    return address[1:-1] if address[:1] == b"<" and address[-1:] == b">" else address
