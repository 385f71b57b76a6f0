"""CAA: which certificate authorities may make certificates for the mail servers. RFC 8659.

The names are climbed from each mail server up to, not with, the root, and the first record set on the way holds (RFC 8659 3). What a
resolver makes of an alias holds for the name itself. Records are kept as they are spelt: ``0 issue "ca.example"``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from zegel.ask import OUT_OF_BUDGET, Answer, Dialogue, RRType, ask, side_by_side
from zegel.check.item import Item, Level
from zegel.check.transportpoints import TransportPoint
from zegel.grammar.domain import Domain
from zegel.rollout.records import Record
from zegel.words import N_, Sentence

_MAX_LABELS = 12
_MAX_VALUE = 500
_RECORD = re.compile(r'(\d{1,3}) ([a-z0-9]{1,15}) "(.*)"', re.IGNORECASE | re.DOTALL)
_ISSUER = re.compile(r"[a-z0-9](?:-*[a-z0-9])*(?:\.[a-z0-9](?:-*[a-z0-9])*)*", re.IGNORECASE)
_PARAMETER = re.compile(r"[a-z0-9](?:-*[a-z0-9])*[ \t]*=[ \t]*[!-:<-~]*", re.IGNORECASE)
_CRITICAL = 128  # RFC 8659 4.1: the other bits are reserved
_ISSUES = ("issue", "issuewild", "issuemail", "issuevmc")  # RFC 8659 4.2 and 4.3; of S/MIME; of the marks of BIMI
_STEP = Sentence(N_("Where your certificates come from another authority, write its name instead: its own pages tell it."))
_KNOWN = (*_ISSUES, "iodef", "contactemail", "contactphone")


class Relevant(NamedTuple):
    """The record set that holds for one mail server, and the name at which it stands; without records there is none."""

    host: str
    name: str
    answer: Answer


class Property(NamedTuple):
    """One record, read: its tag in lower case, and for ``issue`` and its like the authority, empty where nobody may.

    ``trouble`` is what is wrong with it, or None; ``fatal`` when it keeps every authority from making a certificate.
    """

    tag: str
    issuer: str = ""
    trouble: Sentence | None = None
    fatal: bool = False


def look(hosts: Sequence[str]) -> Dialogue[tuple[Relevant, ...]]:
    """Ask for the record sets of these mail servers."""
    found = yield from side_by_side([_climb(host) for host in hosts])
    return found


def _climb(host: str) -> Dialogue[Relevant]:
    name, answer = host, OUT_OF_BUDGET
    if host.count(".") >= _MAX_LABELS:
        return Relevant(host, host, answer)
    while name:
        answer = yield from ask(name, RRType.CAA)
        if answer.records or answer.temporary:
            return Relevant(host, name, answer)
        name = name.partition(".")[2]
    return Relevant(host, "", answer)


def read(record: str) -> Property:
    """Read one record. RFC 8659 4.1; a tag is the same in all letter cases."""
    match = _RECORD.fullmatch(record)
    if match is None:
        return Property("", trouble=Sentence(N_("it is no CAA record")), fatal=True)
    flags, tag, value = int(match[1]), match[2].lower(), match[3]
    if tag not in _KNOWN:
        # RFC 8659 4.1: "a CA MUST NOT issue certificates" where it does not know a property that is critical.
        return Property(tag, trouble=Sentence(N_("no authority knows the property {tag}"), tag=tag), fatal=bool(flags & _CRITICAL))
    trouble = None if flags in (0, _CRITICAL) else Sentence(N_("its flags are {flags}; take 0 or 128"), flags=flags)
    if tag not in _ISSUES:
        contact = tag != "iodef" or value.startswith(("mailto:", "http://", "https://"))  # RFC 8659 4.4
        return Property(tag, trouble=trouble if contact else Sentence(N_("where incidents are told is no mailto: or https: address")))
    issuer, *rest = (part.strip(" \t") for part in value[:_MAX_VALUE].split(";"))
    fits = len(value) <= _MAX_VALUE and (not issuer or _ISSUER.fullmatch(issuer)) and (bool(value.strip(" \t")))
    if not fits or (rest != [""] and not all(map(_PARAMETER.fullmatch, rest))):
        # RFC 8659 4.2: what is malformed names no issuer, and so nobody may.
        return Property(tag, trouble=Sentence(N_("{value} is no name of an authority"), value=value[:100]), fatal=True)
    return Property(tag, issuer.lower(), trouble)


def judge(domain: Domain, found: Sequence[Relevant]) -> Iterator[Item]:
    """Judge what was seen: one item for each record set, and one for each place without."""
    point = TransportPoint.CAA
    for name, answer, hosts in _grouped(found):
        told = ", ".join(hosts)[:300]
        if answer.temporary:
            yield point.untested(name, answer)
        elif answer.records:
            yield from _judge_set(point, name, told, [str(record) for record in answer.records])
        elif ours := [host for host in hosts if host == domain or host.endswith(f".{domain}")]:
            finding = N_("no CAA: every authority may make a certificate for {hosts}")
            yield point.item(Level.WARN, finding, mend=map(_issue, ours), step=_STEP, hosts=told)
        else:
            yield point.item(Level.INFO, N_("no CAA for {hosts}, which others look after"), hosts=told)


def _grouped(found: Sequence[Relevant]) -> Iterator[tuple[str, Answer, list[str]]]:
    """Servers that share a record set, together; those without any, by the domain above them."""
    groups: dict[str, tuple[str, Answer, list[str]]] = {}
    for one in found:
        key = one.name or f" {one.host.partition('.')[2]}"
        groups.setdefault(key, (one.name, one.answer, []))[2].append(one.host)
    yield from groups.values()


def _judge_set(point: TransportPoint, name: str, hosts: str, records: Sequence[str]) -> Iterator[Item]:
    properties = [read(record) for record in records]
    for one, record in zip(properties, records, strict=True):
        if one.trouble is not None:
            level = Level.FAIL if one.fatal else Level.WARN
            yield point.item(level, N_("the CAA record at {name} cannot be used: {told}"), seen=[record], name=name, told=one.trouble)
    if any(one.fatal for one in properties):
        return
    issuers = sorted({one.issuer for one in properties if one.tag == "issue" and one.issuer})
    if issuers:
        finding = N_("only {issuers} may make certificates for {hosts} (CAA)")
        yield point.item(Level.PASS, finding, seen=records, issuers=", ".join(issuers)[:300], hosts=hosts)
    elif any(one.tag == "issue" for one in properties):
        yield point.item(Level.PASS, N_("nobody may make certificates for {hosts} (CAA)"), seen=records, hosts=hosts)
    else:
        # RFC 8659 4.2: without issue, there is no restriction.
        finding = N_("CAA at {name} names nobody in an issue property: every authority may make certificates for {hosts}")
        yield point.item(Level.WARN, finding, seen=records, mend=[_issue(name)], step=_STEP, name=name, hosts=hosts)


def _issue(name: str) -> Record:
    return Record(name, "CAA", ('0 issue "letsencrypt.org"',))
