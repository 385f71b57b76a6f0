"""Which client SPF looks at, when a relay of ours or a secondary MX brought the message: the first host outside. RFC 7208 2.5, D.

Each of our relays puts one Received field on top, so the fields are read from the top for as long as the host that wrote them is ours. The
address must stand where Postfix, Exim, Sendmail or Exchange put it, and nothing else in that part may look like one: a HELO name is the
words of a stranger. What is not wholly clear is not guessed at, and SPF is not checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from zegel.spf.client import Client, Network
from zegel.spf.result import SpfCause, SpfReason
from zegel.words import N_

_MAX_HOPS = 10
_MAX_FIELD = 2048  # octets; the part that is read has far fewer
_IP = r"(?P<ip>(?:IPv6:)?[0-9A-Fa-f:.]{2,45})"
_NAME = r"[^\s()\[\]<>\"\\;]{1,255}"
_HELO = rf"(?P<helo>{_NAME}|\[[0-9A-Za-z:.]{{2,50}}\])"
_FORMS = (
    # Postfix: "from mail.example.org (host.example.org [192.0.2.1])"; Sendmail also without the name, or with "(may be forged)" behind it.
    re.compile(rf"from {_HELO} \((?:{_NAME} )?\[{_IP}\](?: \(may be forged\))?\)", re.ASCII),
    # Exim: "from host.example.org ([192.0.2.1] helo=mail.example.org)", the HELO name only where it is another; the port by setting.
    re.compile(rf"from (?P<name>{_NAME}) \(\[{_IP}\](?::[0-9]{{1,5}})?(?: port=[0-9]{{1,5}})?(?: helo={_HELO})?\)", re.ASCII),
    # Exim, for a client without a name: "from [192.0.2.1] (helo=mail.example.org)".
    re.compile(rf"from \[{_IP}\](?::[0-9]{{1,5}})? \((?:port=[0-9]{{1,5}} )?helo={_HELO}\)", re.ASCII),
    # Exchange: "from MAIL.example.org (192.0.2.1)".
    re.compile(rf"from {_HELO} \({_IP}\)", re.ASCII),
)
# What may follow before "by": comments about TLS and login, without a bracket or a second address in them.
_FOLLOWING = re.compile(r"(?: \((?:[^()\[\]]|\([^()\[\]]*\)){0,300}\)){0,4} by ")
_BY = re.compile(r" by ", re.IGNORECASE)
_ADDRESS = re.compile(r"\b[0-9]{1,3}(?:\.[0-9]{1,3}){3}\b|[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:]{2,}")


class OutsideClient(NamedTuple):
    """The host that handed the message to the first of ours: its address as text, and the HELO name that it gave."""

    ip: str
    helo: str


def first_outside(ip: str, helo: str, received: Sequence[bytes], trusted: Iterable[Network]) -> OutsideClient | SpfCause:
    """Find the client to check: the one that is connected, or the first of the Received fields that is not ours.

    ``received`` are the values of the Received fields, top first, without the one of our own MTA for this connection; ``trusted`` are the
    networks of our relays. Without a clear answer the cause says why SPF is skipped.
    """
    networks = tuple(trusted)
    client = _client(ip)
    if client is None or not client.within(networks):
        return OutsideClient(ip, helo)
    for value in received[:_MAX_HOPS]:
        found = read_received(value)
        if found is None:
            return SpfCause(SpfReason.BEHIND_RELAY, detail=N_("its Received field does not say clearly who sent it"))
        client = _client(found.ip)
        if client is not None and not client.within(networks):
            return found
    return SpfCause(SpfReason.BEHIND_RELAY, detail=N_("no Received field names a host outside"))


def read_received(value: bytes) -> OutsideClient | None:
    """Read who sent, from the value of one Received field. None when that is not wholly clear."""
    if len(value) > _MAX_FIELD:
        return None
    try:
        text = " ".join(value.decode("ascii").split())
    except UnicodeDecodeError:
        return None
    found = next(filter(None, (form.match(text) for form in _FORMS)), None)
    following = found and _FOLLOWING.match(text, found.end())
    # Postfix takes any text for a HELO name, one like "a (b [192.0.2.9]) by c" too: the MTA's own "by" is then the second.
    if not found or not following or _ADDRESS.search(following[0]) or len(_BY.findall(text)) != 1:
        return None
    groups = found.groupdict()
    address = groups["ip"].removeprefix("IPv6:")
    return OutsideClient(address, groups["helo"] or groups["name"]) if _client(address) else None


def _client(text: str) -> Client | None:
    try:
        return Client.parse(text)
    except ValueError:
        return None
