"""Whose an address is: this machine's, a local network's, or of the Internet at large.

A stranger writes his own MX records, and the address of his policy host. Neither may lead us to a machine that listens to us and not to
him: this one, or one behind the same wall. An IPv6 address that holds an IPv4 address counts as that one: it is where packets to it end.
"""

from __future__ import annotations

import ipaddress
from enum import IntEnum
from typing import Final

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_COMPATIBLE: Final = ipaddress.IPv6Network("::/96")  # RFC 4291 2.5.5.1
_TRANSLATED: Final = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052 2.1
# Written in examples, and nobody's: RFC 5737 3, RFC 3849 2.
_EXAMPLES: Final = tuple(map(ipaddress.ip_network, ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")))


class Whose(IntEnum):
    """How near an address is."""

    NOBODY = 0  # no address of one machine
    MACHINE = 1
    LOCAL = 2
    INTERNET = 3


def whose(text: str) -> Whose:
    """Tell whose an address is; what is no address is nobody's."""
    try:
        address = _inner(ipaddress.ip_address(text))
    except ValueError:
        return Whose.NOBODY
    if address.is_loopback or address.is_unspecified:
        return Whose.MACHINE  # Linux takes 0.0.0.0 for this machine too
    if address.is_multicast or address.is_link_local or (address.version == 4 and address.is_reserved):
        return Whose.NOBODY
    if address.is_global and not (isinstance(address, ipaddress.IPv6Address) and address.is_site_local):
        return Whose.INTERNET
    return Whose.INTERNET if any(address in network for network in _EXAMPLES if network.version == address.version) else Whose.LOCAL


def _inner(address: _Address) -> _Address:
    """The IPv4 address within, where there is one: mapped, compatible (but ``::`` and ``::1``), translated, or 6to4 (RFC 3056 2)."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if within := address.ipv4_mapped or address.sixtofour:
        return within
    if address in _TRANSLATED or (address in _COMPATIBLE and int(address) > 1):
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address
