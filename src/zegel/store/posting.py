"""The mail in the outbox as plain values: what is handed in, what waits, what became of it. They know no database."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

# What a message takes beside its body, and each of its recipients: rows, and entries of indexes.
ROW, RECIPIENT_ROW = 512, 256
RELEASED = "=released"  # the route of what is released from quarantine: no domain is written so
_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's: none is taken for another when it is read out


class State(StrEnum):
    """How it stands with one recipient."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Posting:
    """A message to send: ready as it is, byte for byte (CRLF line ends, signed).

    ``sender`` is the envelope's, empty for ``<>``; ``site`` the name of who handed it in, ``contact`` who is told when it fails (empty:
    nobody); ``utf8`` needs SMTPUTF8 (RFC 6531), ``eight_bit`` needs 8BITMIME (RFC 6152); under the name ``once`` it is taken once.
    ``trace`` is the field that goes on top, in the two parts around the queue id.
    """

    sender: str
    recipients: tuple[str, ...]
    data: bytes
    site: str = ""
    contact: str = ""
    utf8: bool = False
    eight_bit: bool = False
    once: str = ""
    trace: tuple[bytes, bytes] = (b"", b"")

    @property
    def weight(self) -> int:
        """The octets that it takes in the outbox."""
        return len(self.data) + sum(map(len, self.trace)) + ROW + RECIPIENT_ROW * len(self.recipients)

    def stamped(self, queue_id: str) -> Posting:
        """The message as it is sent, its trace on top."""
        before, after = self.trace
        if not before:
            return self
        return replace(self, data=b"".join((before, queue_id.encode("ascii"), after, self.data)), trace=(b"", b""))


class Recipient(NamedTuple):
    """One recipient of a message."""

    position: int
    address: str
    route: str
    state: State
    tries: int
    due: int
    tried: int
    sending: bool
    doubts: int
    answer: str


@dataclass(frozen=True, slots=True)
class Item:
    """A message of the outbox without its body; ``recipients`` are all of them, or those that are due. Times in seconds, ``id`` in
    microseconds.
    """

    id: int
    received: int
    sender: str
    site: str
    contact: str
    utf8: bool
    eight_bit: bool
    size: int
    warned: bool
    finished: int | None
    recipients: tuple[Recipient, ...] = ()

    @property
    def queue_id(self) -> str:
        """Its name for people and logs."""
        return queue_id(self.id)


class Outcome(NamedTuple):
    """What became of one recipient in one try. ``due`` is when it is tried next, for one that waits on."""

    position: int
    state: State
    answer: str
    due: int = 0
    doubt: bool = False


def queue_id(number: int) -> str:
    """The name of a message, from its number."""
    digits = []
    while number:
        number, digit = divmod(number, 32)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))


def number(name: str) -> int | None:
    """The number of a message, from its name; None for what is no name."""
    value = 0
    if not 0 < len(name) <= 12:
        return None
    for char in name.upper():
        digit = _DIGITS.find(char)
        if digit < 0:
            return None
        value = value * 32 + digit
    return value
