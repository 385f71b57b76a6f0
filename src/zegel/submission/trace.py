"""The trace of a message that is handed in: the Received field that whoever takes it writes on top, and how many there are.

RFC 5321 4.4: "When an SMTP server receives a message for delivery or further processing, it MUST insert trace ('time stamp' or 'Received')
information at the beginning of the message content". It stands above the signature, which does not cover it.
"""

from __future__ import annotations

import ipaddress
import re
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from typing import Final, NamedTuple

from zegel.grammar.domain import Domain
from zegel.grammar.message import CRLF

MOST_HOPS: Final = 100
"""Received fields of a message that is in no loop: RFC 5321 6.3 asks for "a large rejection threshold, normally at least 100"."""

_RECEIVED = re.compile(rb"\r\nreceived[ \t]*:")


class Origin(NamedTuple):
    """Whom a message came from over SMTP: the name in HELO, the address, and the protocol of RFC 3848 (or RFC 6531 4.3)."""

    helo: str
    address: str
    protocol: str


def received(origin: Origin | None, *, by: str, now: float) -> tuple[bytes, bytes]:
    """Write the field, in the two parts around the queue id. ``now`` is seconds since the epoch; no ``origin``: a program of this host."""
    return _taken(origin, by), f";\r\n\t{_date(int(now))}\r\n".encode("ascii")


def hops(data: bytes) -> int:
    """Count the Received fields of a message (CRLF)."""
    end = data.find(CRLF + CRLF)
    header = CRLF + data[: end if end >= 0 else len(data)].lower()
    return sum(1 for _ in _RECEIVED.finditer(header))


@lru_cache(maxsize=1024)
def _taken(origin: Origin | None, by: str) -> bytes:
    """The field up to its id: the same for all that one client brings."""
    taken = f"by {by} (Zegel)"
    if origin is not None:
        taken = f"from {_name(origin)}\r\n\t{taken} with {origin.protocol}"
    return f"Received: {taken} id ".encode("ascii", "replace")


@lru_cache(maxsize=4)
def _date(second: int) -> str:
    return format_datetime(datetime.fromtimestamp(second, UTC))


def _name(origin: Origin) -> str:
    """The name and the address. What is no name of a host is not written: it is the client's own word, and stands in a header."""
    literal = _literal(origin.address)
    try:
        name = str(Domain.parse(origin.helo))
    except ValueError:
        return f"{literal} ({literal})" if literal else "unknown"
    return f"{name} ({literal})" if literal else name


def _literal(address: str) -> str:
    """An address as RFC 5321 4.1.3 has it; "" for what is none."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    return f"[IPv6:{ip}]" if ip.version == 6 else f"[{ip}]"
