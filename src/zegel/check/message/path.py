"""The way a message came: its Received fields, as what they are, the words of whoever wrote them. RFC 5321 4.4.

Only the topmost field is of the server that the reader trusts; all below it can be made up. So the fields are shown, and where a file
comes without its envelope one of them says which client to judge; nothing else rests on them. Each list and each field is bounded.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from zegel.check.item import Area, Item, Level
from zegel.dkim.header import Header
from zegel.grammar.address import AddressError, mailboxes
from zegel.grammar.encodedword import printable
from zegel.spf.relay import read_received
from zegel.words import N_, Sentence

MAX_HOPS = 30
_MAX_FIELD = 2048  # octets that are read of one field
_SHOWN = 120
# Each clause of RFC 5321 4.4 up to the next one; all pieces are bounded, and the text is cut before.
_FROM = re.compile(r"\A\s*from\s+(.{1,400}?)(?=\s+(?:by|via|with|id|for)\s|;|\Z)", re.IGNORECASE | re.DOTALL)
_BY = re.compile(r"(?:\A|\s)by\s+([^\s;()]{1,255})", re.IGNORECASE)
_WITH = re.compile(r"\swith\s+([A-Za-z0-9-]{1,40})", re.IGNORECASE)
# RFC 3848: the protocols with STARTTLS end in S or SA.
_TLS = re.compile(r"(?:UTF8)?(?:E?SMTP|LMTP)SA?", re.IGNORECASE)
_TLS_COMMENT = re.compile(r"\b(?:version=|using |\()TLS ?v?1[._][0-3]", re.IGNORECASE)


class Hop(NamedTuple):
    """One Received field: who handed over, who took it, with which protocol, when (epoch seconds); "" and None for what is not said.

    ``tls`` is True where the field tells of an encrypted connection.
    """

    sender: str
    taker: str
    protocol: str
    time: float | None
    tls: bool

    def __str__(self) -> str:
        sender, taker = self.sender or "?", self.taker or "?"
        return f"{sender} > {taker}{f' ({self.protocol})' if self.protocol else ''}"


class Envelope(NamedTuple):
    """The client and the sender of a message. ``hop`` is the place of the Received field that tells of them, None where none does."""

    ip: str = ""
    helo: str = ""
    mail_from: str = ""
    hop: int | None = None


def hops(header: Header) -> list[Hop]:
    """The Received fields, the newest first, at most so many."""
    return [_read(value) for value in header.values("received")[:MAX_HOPS]]


def _read(value: bytes) -> Hop:
    text = " ".join(value[:_MAX_FIELD].decode("utf-8", "replace").split())
    clauses, _, date = text.rpartition(";")
    clauses = clauses or text
    sender, taker = _FROM.match(clauses), _BY.search(clauses)
    # "with" may stand in the comment about TLS as well, before "by".
    protocol = _WITH.search(clauses, taker.end() if taker else 0)
    said = protocol[1] if protocol else ""
    return Hop(
        printable(sender[1], longest=_SHOWN) if sender else "",
        printable(taker[1], longest=_SHOWN) if taker else "",
        said,
        _time(date),
        bool(_TLS.fullmatch(said) or _TLS_COMMENT.search(clauses)),
    )


def _time(text: str) -> float | None:
    """The time of a date, in the old forms too: RFC 5322 4.3."""
    try:
        return parsedate_to_datetime(text[:100].strip()).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def envelope(header: Header) -> Envelope:
    """The envelope as a message from a mailbox tells it: the first Received field with a client on the public internet, and Return-Path.

    A field of a form that is not wholly clear is passed over (:func:`zegel.spf.relay.read_received`): who gets a wrong answer from it
    names the client himself.
    """
    mail_from = _return_path(header)
    for place, value in enumerate(header.values("received")[:MAX_HOPS]):
        found = read_received(value)
        if found is not None and is_public(found.ip):
            return Envelope(found.ip, found.helo, mail_from, place)
    return Envelope(mail_from=mail_from)


def _return_path(header: Header) -> str:
    """The address of Return-Path (RFC 5321 4.4): "" for the empty path, for none, and for what cannot be read."""
    values = header.values("return-path")
    if len(values) != 1 or values[0].strip() == b"<>":
        return ""
    try:
        found = mailboxes(values[0])
    except AddressError:
        return ""
    return found[0].address if len(found) == 1 else ""


def is_public(ip: str) -> bool:
    """Tell if an address is one of the public internet; examples of documentation count, so that they can be tried."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return False
    private = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
    inside = any(address in ipaddress.ip_network(network) for network in private)
    return not (inside or address.is_loopback or address.is_link_local or address.is_unspecified or address.is_multicast)


def items(found: Sequence[Hop], client: Envelope, *, more: int = 0) -> list[Item]:
    """What the path says: its hops, the client that is judged, and if the last step was encrypted. ``more`` hops are not shown."""
    seen = tuple(f"{len(found) - place}. {hop}" for place, hop in enumerate(found))
    ours = client.hop is None and bool(client.ip)
    if ours:
        shown = Sentence(N_("the server {helo} [{ip}] brought it"), ip=client.ip, helo=_clean(client.helo) or "-")
    elif client.ip:
        sentence = N_("the server {helo} [{ip}] brought it, as the Received field of {taker} says")
        taker = found[client.hop or 0].taker or "?"
        shown = Sentence(sentence, ip=client.ip, helo=_clean(client.helo) or "-", taker=taker)
    else:
        shown = Sentence(N_("no Received field says clearly which server brought it, so that SPF cannot be judged"))
    step = None if ours else Sentence(N_("name the server with --ip and --helo where this is another one"))
    level = Level.INFO if client.ip else Level.NOT_TESTED
    listed = [Item("message.path", Area.PATH, level, shown, seen=seen, step=step, values={"hops": len(found) + more})]
    if client.hop is not None:
        listed.append(_encrypted(found[client.hop]))
    return listed


def _encrypted(hop: Hop) -> Item:
    why = Sentence(N_("Google and others want mail over TLS"))
    if hop.tls:
        return Item("message.tls", Area.PATH, Level.PASS, Sentence(N_("it came over an encrypted connection (TLS)")), why, (str(hop),))
    shown = Sentence(N_("the Received field does not say that the connection was encrypted (TLS)"))
    step = Sentence(N_("let the sending server use TLS; in Postfix: {setting}"), setting="smtp_tls_security_level = may")
    return Item("message.tls", Area.PATH, Level.WARN, shown, why, (str(hop),), step=step)


def _clean(text: str) -> str:
    return printable(text, longest=_SHOWN)
