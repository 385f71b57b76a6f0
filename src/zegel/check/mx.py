"""Where a domain's mail goes: its mail servers, or that it takes none; and whether the names of its servers fit their addresses.

RFC 5321 5.1, RFC 7505, RFC 2181 10.3. No connection is made: what needs one is not tested here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from zegel.ask import Answer, Dialogue, Rcode, RRType, ask, side_by_side
from zegel.check.item import Item, Level, Point
from zegel.grammar.domain import Domain
from zegel.rollout.records import Record
from zegel.spf.client import Client, ipv4
from zegel.words import N_, Sentence

MAX_HOSTS = 20
_MAX_ADDRESSES = 16  # whose reverse names are asked for
_MAX_NAMES = 3


class MxPoint(Point):
    """What is looked at in the mail servers."""

    DOMAIN = ("mx.domain", "RFC 8020 2", N_("receivers refuse mail from a domain that does not exist"))
    RECORD = ("mx.record", "RFC 5321 5.1", N_("without a mail server, nobody can answer mail from this domain"))
    NULL = ("mx.null", "RFC 7505 3", N_("a null MX beside others means nothing that senders agree on"))
    HOST = ("mx.host", "RFC 5321 5.1", N_("mail for a server that has no address waits for days, and then comes back"))
    ALIAS = ("mx.alias", "RFC 2181 10.3", N_("the name of a mail server must not be an alias: some senders do not follow it"))
    REVERSE = (
        "mx.reverse",
        "RFC 1912 2.1",
        N_("large receivers refuse mail from an address whose name does not lead back to it"),
    )
    IPV6 = ("mx.ipv6", "RFC 3596 2.1", N_("senders that have IPv6 only cannot reach a server without"))


class Host(NamedTuple):
    """One mail server: its preference, its name, and what DNS has for that name; ``txt`` for the SPF of HELO."""

    preference: int
    name: str
    four: Answer
    six: Answer
    alias: Answer
    txt: Answer

    @property
    def addresses(self) -> tuple[str, ...]:
        """Its addresses, as text."""
        return tuple(str(record) for answer in (self.four, self.six) for record in answer.records)


class MxFacts(NamedTuple):
    """What DNS has: the MX records, the servers in them, and the domain's own addresses, which stand in for a missing MX."""

    answer: Answer
    hosts: tuple[Host, ...]
    own: tuple[Answer, ...] = ()

    @property
    def null(self) -> bool:
        """True when the domain says that it takes no mail. RFC 7505 3."""
        return any(host_of(record) == "" for record in self.answer.records)

    @property
    def receives(self) -> bool:
        """True when it has a server for its mail, or may have one."""
        if self.answer.temporary:
            return True
        return bool(self.hosts) or (not self.null and any(answer.records for answer in self.own))


def look(domain: Domain) -> Dialogue[MxFacts]:
    """Ask for the mail servers and their addresses."""
    answer = yield from ask(domain, RRType.MX)
    if not answer.records:
        own = yield from side_by_side([ask(domain, RRType.A), ask(domain, RRType.AAAA)])
        return MxFacts(answer, (), own)
    found = sorted({(_preference(record), host) for record in answer.records if (host := host_of(record))})[:MAX_HOSTS]
    hosts = yield from side_by_side([_look_host(preference, host) for preference, host in found])
    return MxFacts(answer, hosts)


def _look_host(preference: int, name: str) -> Dialogue[Host]:
    four, six, alias, txt = yield from side_by_side([ask(name, kind) for kind in (RRType.A, RRType.AAAA, RRType.CNAME, RRType.TXT)])
    return Host(preference, name, four, six, alias, txt)


def host_of(record: bytes | str) -> str:
    """The name in an MX record; "" for the null MX, whose name is the root."""
    return str(record).partition(" ")[2].strip().removesuffix(".").lower()


def _preference(record: bytes | str) -> int:
    first = str(record).split(" ", 1)[0]
    return int(first) if first.isdecimal() and len(first) <= 5 else 0


class Reverse(NamedTuple):
    """One address: the answer for its name, and the names that do and do not lead back to it."""

    address: str
    answer: Answer
    confirmed: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


def look_back(addresses: Sequence[str]) -> Dialogue[tuple[Reverse, ...]]:
    """Ask for the names of addresses, and whether they lead back. RFC 1912 2.1; RFC 7208 5.5 validates in the same way."""
    clients = [Client.parse(address) for address in dict.fromkeys(addresses) if _is_address(address)]
    found = yield from side_by_side([_look_back(client) for client in clients[:_MAX_ADDRESSES]])
    return found


def _look_back(client: Client) -> Dialogue[Reverse]:
    answer = yield from ask(client.reverse_name, RRType.PTR)
    names = tuple(str(record) for record in answer.records[:_MAX_NAMES])
    kind = RRType.A if client.bits == 32 else RRType.AAAA
    forward = yield from side_by_side([ask(name, kind) for name in names])
    back = tuple(name for name, there in zip(names, forward, strict=True) if _holds(there, client))
    return Reverse(str(client), answer, back, names)


def _holds(answer: Answer, client: Client) -> bool:
    return any(_is_address(str(text)) and Client.parse(str(text)) == client for text in answer.records)


def _is_address(text: str) -> bool:
    try:
        Client.parse(text)
    except ValueError:
        return False
    return True


def null_mx(domain: Domain) -> Record:
    """The record that says that a domain takes no mail. RFC 7505 3."""
    return Record(domain, "MX", ("0 .",))


def judge(domain: Domain, facts: MxFacts, reverse: Sequence[Reverse]) -> Iterator[Item]:
    """Judge what was seen."""
    answer = facts.answer
    seen = [str(record) or "." for record in answer.records]
    if answer.temporary:
        yield MxPoint.RECORD.untested(domain, answer)
        return
    if answer.rcode is Rcode.NXDOMAIN:
        step = Sentence(N_("See if it is typed right; a new name is registered first, and a name below your domain needs a record."))
        yield MxPoint.DOMAIN.item(Level.FAIL, N_("{domain} does not exist in DNS"), step=step, domain=domain)
        return
    if facts.null and facts.hosts:
        step = Sentence(N_("Keep either the null MX or the servers."))
        yield MxPoint.NULL.item(Level.FAIL, N_("a null MX stands beside mail servers"), seen=seen, step=step)
    elif facts.null:
        yield MxPoint.RECORD.item(Level.PASS, N_("{domain} says that it takes no mail (null MX)"), seen=seen, domain=domain)
    elif facts.hosts:
        finding = N_("mail goes to {hosts}")
        names = ", ".join(host.name for host in facts.hosts)
        yield MxPoint.RECORD.item(Level.PASS, finding, seen=seen, hosts=names[:500], count=len(facts.hosts))
    elif facts.receives:
        finding = N_("{domain} has no MX record; senders try its own address instead")
        step = Sentence(N_("Name the mail server in an MX record, or say with a null MX that there is none."))
        yield MxPoint.RECORD.item(Level.WARN, finding, mend=[null_mx(domain)], step=step, domain=domain)
    else:
        finding = N_("{domain} has neither mail servers nor a null MX that says so")
        yield MxPoint.RECORD.item(Level.WARN, finding, mend=[null_mx(domain)], domain=domain)
    for host in facts.hosts:
        yield from _judge_host(host)
    yield from _judge_reverse(reverse)


def _judge_host(host: Host) -> Iterator[Item]:
    point = MxPoint.HOST
    values: dict[str, Any] = {"host": host.name}
    silent = next((answer for answer in (host.four, host.six) if answer.temporary), None)
    if ipv4(host.name) is not None or ":" in host.name:
        yield point.item(Level.FAIL, N_("{host} is an address; an MX record must have a name"), **values)
    elif host.addresses:
        yield point.item(Level.PASS, N_("{host} has an address"), seen=host.addresses, **values)
    elif silent is not None:
        yield point.untested(host.name, silent)
    elif host.four.rcode is Rcode.NXDOMAIN:
        step = Sentence(N_("Take the record out: whoever gets that name gets the mail."))
        yield point.item(Level.FAIL, N_("{host} does not exist"), step=step, **values)
    else:
        yield point.item(Level.FAIL, N_("{host} has no address"), **values)
    if host.alias.records:
        yield MxPoint.ALIAS.item(Level.WARN, N_("{host} is an alias"), seen=host.alias.records, **values)
    if host.four.records and not host.six.records and not host.six.temporary:
        yield MxPoint.IPV6.item(Level.INFO, N_("{host} has no IPv6 address"), **values)


def _judge_reverse(reverse: Sequence[Reverse]) -> Iterator[Item]:
    point = MxPoint.REVERSE
    step = Sentence(N_("Have whoever owns the address, mostly the hoster, give it a name (PTR), and that name this address."))
    for one in reverse:
        if one.confirmed:
            yield point.item(Level.PASS, N_("{address} is {name}, and the name leads back"), address=one.address, name=one.confirmed[0])
        elif one.answer.temporary:
            yield point.untested(one.address, one.answer)
        elif one.names:
            finding = N_("{address} is said to be {name}, but that name has another address")
            yield point.item(Level.WARN, finding, step=step, address=one.address, name=one.names[0])
        else:
            yield point.item(Level.WARN, N_("{address} has no name"), step=step, address=one.address)
