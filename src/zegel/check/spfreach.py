"""Whom an SPF record lets in: how many addresses, whose else they are, and what cannot be counted. RFC 7208 11.4.

The count is exact for what DNS tells (see :mod:`zegel.check.networks`). IPv6 is counted in networks of 64 bits, as one machine may have a
whole one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from zegel.check.item import Item, Level, txt
from zegel.check.mx import Host
from zegel.check.networks import Range, size, size_in_networks
from zegel.check.shared import service
from zegel.check.spfpoints import SpfPoint
from zegel.check.spftree import UNCOUNTED, Node, Term, TooManyError, addresses
from zegel.grammar.domain import Domain
from zegel.spf.record import Mechanism, select
from zegel.words import N_

# Large providers come to half a million addresses; a sixteenth of the whole Internet of IPv4 is beyond any sender.
_MANY_V4, _FAR_TOO_MANY_V4 = 1 << 20, 1 << 28
_MANY_V6 = 1 << 32  # networks of 64 bits: what one provider gets at once
_V6_SHIFT = 64
_BY_SENDER = frozenset("hls")  # RFC 7208 7.2: HELO, the local part and the whole sender are the sender's words


def reach(tree: Node) -> Iterator[Item]:
    """Judge whom the record lets in."""
    yield from _size(tree)
    shared: dict[str, bool] = {}
    for _, _, term in tree.walk():
        known = service(term.name) if term.leads and term.permits and term.trouble is None else None
        if known is not None:
            shared.setdefault(known.name, known.hosting)
    for name, hosting in shared.items():
        if hosting:
            finding = N_("every customer who is hosted at {service} may pass SPF as this domain")
            yield SpfPoint.SHARED.item(Level.WARN, finding, service=name, hosting=hosting)
        else:
            finding = N_("{service} sends for all its customers from the addresses that are let in")
            yield SpfPoint.SHARED.item(Level.INFO, finding, service=name, hosting=hosting)
    yield from _macros(tree)


def _size(tree: Node) -> Iterator[Item]:
    try:
        four, six = addresses(tree, 32), addresses(tree, 128)
    except TooManyError:
        yield SpfPoint.SIZE.item(Level.WARN, N_("the record names more networks than are counted here"))
        return
    count, networks = size(four), size_in_networks(six, _V6_SHIFT)
    uncounted = sum(_uncounted(term) for _, _, term in tree.walk())
    level = Level.PASS
    if count >= _FAR_TOO_MANY_V4 or networks >= 1 << 56:
        level = Level.FAIL
    elif count > _MANY_V4 or networks > _MANY_V6:
        level = Level.WARN
    finding = N_("addresses that may send as this domain: {ipv4} of IPv4, and {ipv6} networks (/64) of IPv6")
    if uncounted:
        finding = N_(
            "addresses that may send as this domain: {ipv4} of IPv4, and {ipv6} networks (/64) of IPv6; terms not counted: {terms}"
        )
    yield SpfPoint.SIZE.item(level, finding, ipv4=count, ipv6=networks, terms=uncounted, widest=_widest(four))


def _widest(ranges: list[Range]) -> int:
    """The addresses of the largest range."""
    return max((last - first + 1 for first, last in ranges), default=0)


def _uncounted(term: Term) -> bool:
    return term.permits and term.trouble in UNCOUNTED


def helo(domain: Domain, hosts: Iterable[Host]) -> Iterator[Item]:
    """Judge the names that the domain's own mail servers may give in HELO. RFC 7208 10.1.3.

    For a bounce there is no other name to check (RFC 7208 2.4). That they send at all is not known, so a missing record is no fault.
    """
    point = SpfPoint.HELO
    for host in hosts:
        if not host.name.endswith(f".{domain}") or not host.addresses:
            continue
        if host.txt.temporary:
            yield point.untested(host.name, host.txt)
        elif select(host.txt.records):
            yield point.item(Level.PASS, N_("{host} has an SPF record for its own name"), host=host.name)
        else:
            finding = N_("{host} has no SPF record for its own name, which it gives when it sends bounces")
            yield point.item(Level.INFO, finding, mend=[txt(host.name, "v=spf1 a -all")], host=host.name)


def _macros(tree: Node) -> Iterator[Item]:
    """Terms of the domain's own record whose target depends on the message."""
    for term in tree.terms:
        spec = term.directive.domain if term.directive else tree.record and tree.record.redirect
        letters = spec.string.letters if spec else frozenset()
        if (term.directive and term.directive.mechanism is Mechanism.ALL) or not letters:
            continue
        chosen = sorted(letters & _BY_SENDER)
        if chosen:
            finding = N_("{term}: the sender chooses what this asks for")
            yield SpfPoint.MACROS.item(Level.WARN, finding, term=term.text[:200])
        elif term.trouble in UNCOUNTED:
            finding = N_("{term} is answered for each message, and cannot be followed from here")
            yield SpfPoint.MACROS.item(Level.INFO, finding, term=term.text[:200])
