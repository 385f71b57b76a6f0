"""The address of the SMTP client, ``<ip>``, and the networks that it is compared with. RFC 7208 4.1, 5 and 5.6.

An address is a number and a width, so that a comparison is one shift. Text is read strictly: no leading zeros, no parts left out, no zone
of an interface; what is not wholly an address is none.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import NamedTuple, Self

_V4, _V6 = 32, 128
_MAPPED = 0xFFFF  # the high 96 bits of an IPv4 address in IPv6 form, RFC 4291 2.5.5.2
_LONGEST = 45  # characters of an IPv6 address that ends in dotted quad


class Client(NamedTuple):
    """An IP address: its number, and its width in bits (32 or 128)."""

    number: int
    bits: int

    @staticmethod
    def parse(text: str) -> Client:
        """Read an address. One that is IPv4 mapped into IPv6 is IPv4 (RFC 7208 5). Raises ValueError."""
        found = _parse(text)
        if found is None:
            raise ValueError("not an IP address")
        return found

    @property
    def dotted(self) -> str:
        """``%{i}``: dotted quad, or the 32 hexadecimal digits with dots between. RFC 7208 7.3.

        The digits are capitals, as the field's test suite wants them in explanations; in a DNS name case does not matter.
        """
        return quad(self.number) if self.bits == _V4 else ".".join(f"{self.number:032X}")

    @property
    def reverse_name(self) -> str:
        """The name that has its PTR records. RFC 1035 3.5, RFC 3596 2.5."""
        parts = self.dotted.lower().split(".")
        return f"{'.'.join(reversed(parts))}.{self.family}.arpa"

    @property
    def family(self) -> str:
        """``%{v}``: "in-addr" or "ip6"."""
        return "in-addr" if self.bits == _V4 else "ip6"

    def within(self, networks: tuple[Network, ...]) -> bool:
        """True when one of the networks holds this address."""
        return any(self.bits == network.bits and self.number >> network.shift == network.prefix for network in networks)

    def __str__(self) -> str:
        """``%{c}``: the form that people read."""
        return quad(self.number) if self.bits == _V4 else str(ipaddress.IPv6Address(self.number))


class Network(NamedTuple):
    """A network: the ``prefix`` is what its addresses have left when shifted right by ``shift``; ``bits`` as in :class:`Client`."""

    prefix: int
    shift: int
    bits: int

    @property
    def length(self) -> int:
        """How many bits its addresses have in common."""
        return self.bits - self.shift

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``192.0.2.0/24``, ``2001:db8::/32`` or one address. Bits behind the prefix do not matter. Raises ValueError."""
        address, slash, length = text.partition("/")
        client = Client.parse(address)
        if not slash:
            return cls(client.number, 0, client.bits)
        # Of a mapped address the length would count from the left of 128 bits: that is refused, not recalculated.
        if not (length.isascii() and length.isdigit() and len(length) <= 3) or (":" in address and client.bits == _V4):
            raise ValueError("not a network")
        shift = client.bits - int(length)
        if shift < 0:
            raise ValueError("not a network")
        return cls(client.number >> shift, shift, client.bits)


def quad(number: int) -> str:
    """A number of 32 bits as dotted quad."""
    return f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def ipv4(text: str) -> int | None:
    """The number of a dotted quad, None for anything else. RFC 7208 5.6 (qnum has no leading zero)."""
    parts = text.split(".", 4)
    if len(parts) != 4 or not text.isascii():
        return None
    number = 0
    for part in parts:
        if not part.isdigit() or len(part) > 3 or (part[0] == "0" and len(part) > 1):
            return None
        octet = int(part)
        if octet > 255:
            return None
        number = number << 8 | octet
    return number


def ipv6(text: str) -> int | None:
    """The number of an IPv6 address in any form of RFC 4291 2.2, None for anything else."""
    if len(text) > _LONGEST or "%" in text or "/" in text:
        return None
    try:
        return int(ipaddress.IPv6Address(text))
    except ValueError:
        return None


@lru_cache(maxsize=8192)
def _parse(text: str) -> Client | None:
    if len(text) > _LONGEST:
        return None
    number = ipv4(text)
    if number is not None:
        return Client(number, _V4)
    number = ipv6(text)
    if number is None:
        return None
    return Client(number & 0xFFFFFFFF, _V4) if number >> 32 == _MAPPED else Client(number, _V6)


@lru_cache(maxsize=8192)
def address_number(text: bytes | str, bits: int) -> int | None:
    """The number of an address as DNS gives it, in A (32 bits) or AAAA (128 bits) records; None for what is none."""
    if len(text) > _LONGEST or isinstance(text, bytes):
        return None
    return ipv4(text) if bits == _V4 else ipv6(text)
