"""DNS messages as octets: a query is written, a reply is read. RFC 1035 4.1 and RFC 6891 6.1.

Own code, since the reply is a stranger's: a library that builds an object of everything takes 13 seconds over one of 64 kB with 3,000 MX
records, and nothing else moves meanwhile. Here one pass goes over the records, each label is read once, and only what answers the question
is decoded. No record of the additional section is believed, so nothing can be planted there.
"""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from zegel.ask import Answer, Question, Rcode, RRType

PAYLOAD = 1232  # octets of a reply over UDP that pass every network whole
NEGATIVE_TTL = 60  # seconds that "no" holds when no SOA record says how long
_NEGATIVE_CAP = 900  # a key that was just published should not be missing for hours
_LONGEST = 604_800  # more than caches keep
_TTL_CAP = 86_400
_MAX_CNAMES = 8
_HEADER = struct.Struct("!6H")
_FIXED = struct.Struct("!HHIH")  # type, class, TTL and length, between the owner and the data of a record. RFC 1035 3.2.1
_IN, _OPT = 1, 41
_TYPES = {RRType.A: 1, RRType.NS: 2, RRType.CNAME: 5, RRType.SOA: 6, RRType.PTR: 12, RRType.MX: 15, RRType.TXT: 16, RRType.AAAA: 28}
_TYPES |= {RRType.DS: 43, RRType.TLSA: 52, RRType.SPF: 99, RRType.CAA: 257}
_NS, _CNAME, _SOA = _TYPES[RRType.NS], _TYPES[RRType.CNAME], _TYPES[RRType.SOA]
_RESPONSE, _OPCODE, _AUTHORITATIVE, _TRUNCATED, _RECURSE, _AUTHENTIC = 0x8000, 0x7800, 0x0400, 0x0200, 0x0100, 0x0020
_NOERROR, FORMERR, _SERVFAIL, _NXDOMAIN, _NOTIMP, REFUSED = range(6)
_PLAIN = re.compile(rb"[A-Za-z0-9_-]+")
_TROUBLE = Answer(Rcode.SERVFAIL)


class MalformedError(ValueError):
    """Octets that are no DNS message."""


@dataclass(frozen=True, slots=True)
class Query:
    """A question on the wire. ``end`` is where the question section ends in ``packet``."""

    packet: bytes
    end: int

    @classmethod
    def write(cls, question: Question, ident: int, *, edns: bool = True, authentic: bool = False, recurse: bool = True) -> Query:
        """Write a query, with EDNS(0) unless told otherwise; ``authentic`` asks for the AD bit (RFC 6840 5.7).

        Raises ValueError for what DNS has no name for.
        """
        flags = (_RECURSE if recurse else 0) | (_AUTHENTIC if authentic else 0)
        asked = _HEADER.pack(ident, flags, 1, 0, 0, edns) + _name(question.name) + struct.pack("!HH", _TYPES[question.type], _IN)
        return cls(asked + b"\0" + _FIXED.pack(_OPT, PAYLOAD, 0, 0) if edns else asked, len(asked))

    def answered_by(self, packet: bytes) -> bool:
        """Whether a packet is a reply to this query: its ID and its question. RFC 5452 9.1; the address is the socket's part."""
        if len(packet) < _HEADER.size or packet[:2] != self.packet[:2]:
            return False
        _, flags, questions, *_ = _HEADER.unpack_from(packet)
        if not flags & _RESPONSE or flags & _OPCODE:
            return False
        if questions == 0:  # what could not be read cannot be repeated
            return flags & 15 in (FORMERR, _SERVFAIL, _NOTIMP, REFUSED)
        end = self.end
        return (
            questions == 1
            and packet[12 : end - 4].lower() == self.packet[12 : end - 4].lower()
            and packet[end - 4 : end] == self.packet[end - 4 : end]
        )


def is_truncated(packet: bytes) -> bool:
    """Whether the reply did not fit: what is there is no answer. RFC 2181 9."""
    return bool(packet[2] << 8 & _TRUNCATED)


def code(packet: bytes) -> int:
    """The RCODE of a reply."""
    return packet[3] & 15


def read(packet: bytes, question: Question, *, authentic: bool = False) -> Answer:
    """Read the answer to that question out of a reply to it; ``authentic`` says that its AD bit may be believed.

    Aliases are followed within the reply (RFC 1034 3.6.2). What is malformed or says nothing of the question is SERVFAIL: nobody said "no".
    """
    try:
        if code(packet) not in (_NOERROR, _NXDOMAIN):
            return _TROUBLE
        return _Reply(packet).answer(question.type, authentic=authentic and bool(packet[3] & _AUTHENTIC))
    except (MalformedError, IndexError, struct.error):
        return _TROUBLE


@dataclass(frozen=True, slots=True)
class Said:
    """What a server said of its own zones: nothing is followed, nothing is kept.

    ``answer`` has the records at the name itself. ``alias`` is what a CNAME there points to. ``zone`` is the owner of the SOA record and
    ``negative_ttl`` how long "no" holds in it, in seconds (RFC 2308 5), -1 where no SOA record came. ``cut`` and ``servers`` are a
    referral: the zone that is delegated, and the names of its servers.
    """

    code: int
    authoritative: bool
    answer: Answer
    alias: str = ""
    zone: str = ""
    negative_ttl: int = -1
    cut: str = ""
    servers: tuple[str, ...] = ()


def read_said(packet: bytes, question: Question) -> Said:
    """Read what an authoritative server said to a question without recursion. What is malformed is SERVFAIL."""
    try:
        return _Reply(packet).said(question.type)
    except (MalformedError, IndexError, struct.error):
        return Said(_SERVFAIL, False, _TROUBLE)


class _Place(NamedTuple):
    """The data of one record: from where to where, and what stands in the field of its TTL."""

    start: int
    end: int
    field: int

    @property
    def ttl(self) -> int:
        """Its TTL in seconds; with the highest bit set it is none. RFC 2181 8."""
        return self.field if self.field < 1 << 31 else 0


class _Reply:
    """The records of one reply."""

    __slots__ = ("_additional", "_answers", "_authority", "_names", "_packet")

    def __init__(self, packet: bytes) -> None:
        self._packet = packet
        # Where a name begins: its text, its length in octets, and where it ends. Each label is read once however many pointers lead to it.
        self._names: dict[int, tuple[str, int, int]] = {}
        _, _, questions, self._answers, self._authority, self._additional = _HEADER.unpack_from(packet)
        if questions != 1:
            raise MalformedError("no question")

    def answer(self, rrtype: RRType, *, authentic: bool) -> Answer:
        name, _, at = self._name(_HEADER.size)
        at += 4
        known: dict[tuple[str, int], list[_Place]] = {}
        for owner, number, place in self._section(at, self._answers):
            known.setdefault((owner, number), []).append(place)
            at = place.end
        absent, wanted, ttl, aliases = code(self._packet) == _NXDOMAIN, _TYPES[rrtype], _TTL_CAP, 0
        while (found := known.get((name, wanted))) is None and (alias := known.get((name, _CNAME))) is not None:
            aliases += 1
            if aliases == _MAX_CNAMES:
                return _TROUBLE  # a loop, or a chain as long as one: nothing was said of what stands at its end
            name, ttl = self._only_name(alias[0].start, alias[0].end), min(ttl, alias[0].ttl)
        if found is not None:
            # A record set has no record twice (RFC 2181 5), and a name that does not exist has none.
            records = tuple(dict.fromkeys(self._record(rrtype, place) for place in found))
            return _TROUBLE if absent else Answer(Rcode.NOERROR, records, min(ttl, *(place.ttl for place in found)), authentic)
        if self._answers and not aliases:
            return _TROUBLE  # records of other names or types: neither an answer nor "no"
        holds = self._negative_ttl(at)
        if holds is None:
            return _TROUBLE
        return Answer(Rcode.NXDOMAIN if absent else Rcode.NOERROR, (), min(ttl, holds), authentic)

    def said(self, rrtype: RRType) -> Said:
        """All that matters of a reply of an authoritative server. RFC 1034 4.3.2."""
        rcode, authoritative = code(self._packet), bool(self._packet[2] << 8 & _AUTHORITATIVE)
        if rcode not in (_NOERROR, _NXDOMAIN):
            return Said(rcode, authoritative, _TROUBLE)
        name, _, at = self._name(_HEADER.size)
        found, zone, holds, cut, servers, alias = [], "", -1, "", [], ""
        for number, (owner, kind, place) in enumerate(self._section(at + 4, self._answers + self._authority)):
            answers = number < self._answers
            if kind == _SOA and (not answers or owner == name):
                zone, holds = owner, min(place.ttl, int.from_bytes(self._packet[place.end - 4 : place.end]), _LONGEST)
            if answers and owner == name and kind == _TYPES[rrtype]:
                found.append(place)
            elif answers and owner == name and kind == _CNAME:
                alias = self._only_name(place.start, place.end)
            elif not answers and kind == _NS:
                cut = owner
                servers.append(self._only_name(place.start, place.end))
        records = tuple(dict.fromkeys(self._record(rrtype, place) for place in found))
        if (rcode == _NXDOMAIN and records) or (self._answers and not records and not alias):
            return Said(_SERVFAIL, authoritative, _TROUBLE)  # records of other names only, or of a name that is not there: that is no "no"
        # RFC 2308 2.1: after an alias, NXDOMAIN is of the name that it points to.
        gone = rcode == _NXDOMAIN and not records and not alias
        ttl = min((place.ttl for place in found), default=max(holds, 0))
        answer = Answer(Rcode.NXDOMAIN if gone else Rcode.NOERROR, records, min(ttl, _LONGEST))
        referred = bool(cut) and not authoritative and not found and not alias and not zone
        return Said(rcode, authoritative, answer, alias, zone, holds, cut if referred else "", tuple(servers) if referred else ())

    def _negative_ttl(self, at: int) -> int | None:
        """How long "no" holds: the lesser of the SOA's TTL and its last field (RFC 2308 5).

        None when this says not "no": a referral to other servers (RFC 2308 2.2.1), or an RCODE whose upper bits stand in the OPT record
        (RFC 6891 6.1.3).
        """
        holds: int | None = NEGATIVE_TTL
        numbers = set()
        for _, number, place in self._section(at, self._authority + self._additional):
            if number == _OPT and place.field >> 24:
                return None
            if number == _SOA and _SOA not in numbers:
                holds = min(place.ttl, int.from_bytes(self._packet[place.end - 4 : place.end]), _NEGATIVE_CAP)
            numbers.add(number)
        return None if _NS in numbers and _SOA not in numbers else holds

    def _section(self, at: int, count: int) -> Iterator[tuple[str, int, _Place]]:
        """The records of class IN in a section: owner, type, data."""
        for _ in range(count):
            owner, _, at = self._name(at)
            number, kind, field, length = _FIXED.unpack_from(self._packet, at)
            start, at = at + _FIXED.size, at + _FIXED.size + length
            if at > len(self._packet):
                raise MalformedError("a record ends after the message")
            yield owner, number if kind == _IN or number == _OPT else 0, _Place(start, at, field)

    def _record(self, rrtype: RRType, place: _Place) -> bytes | str:
        start, end, _ = place
        data = self._packet[start:end]
        match rrtype:
            case RRType.TXT | RRType.SPF:
                return _strings(data)
            case RRType.A | RRType.AAAA:
                if len(data) != (4 if rrtype is RRType.A else 16):
                    raise MalformedError("no address")
                return socket.inet_ntop(socket.AF_INET if rrtype is RRType.A else socket.AF_INET6, data)
            case RRType.MX:
                return f"{data[0] << 8 | data[1]} {self._only_name(start + 2, end)}"
            case RRType.TLSA:  # RFC 6698 2.1
                return f"{data[0]} {data[1]} {data[2]} {data[3:].hex()}"
            case RRType.CAA:  # RFC 8659 4.1
                tag = data[2 : 2 + data[1]]
                if not tag.isalnum() or len(tag) != data[1]:
                    raise MalformedError("no CAA record")
                return f'{data[0]} {tag.decode("ascii")} "{_quoted(data[2 + len(tag) :])}"'
            case RRType.DS:  # RFC 4034 5.1
                return f"{data[0] << 8 | data[1]} {data[2]} {data[3]} {data[4:].hex()}"
            case RRType.SOA:
                primary, _, at = self._name(start)
                numbers = struct.unpack("!5I", self._packet[end - 20 : end])
                return " ".join((primary, self._only_name(at, end - 20), *map(str, numbers)))
            case _:
                return self._only_name(start, end)

    def _only_name(self, start: int, end: int) -> str:
        """The name that fills these octets. RFC 1035 3.3."""
        text, _, ends = self._name(start)
        if ends != end:
            raise MalformedError("no name")
        return text

    def _name(self, start: int) -> tuple[str, int, int]:
        """Read a name, compressed or not: RFC 1035 4.1.4. A pointer leads to what stands before its name, so that none goes round."""
        packet, names = self._packet, self._names
        at = before = start
        steps: list[tuple[int, bytes | None]] = []
        while at not in names:
            length = packet[at]
            if length == 0:
                names[at] = ("", 1, at + 1)
            elif length < 64:
                steps.append((at, packet[at + 1 : at + 1 + length]))
                at += 1 + length
            elif length >= 192 and (target := (length & 63) << 8 | packet[at + 1]) < before:
                steps.append((at, None))
                at = before = target
            else:
                raise MalformedError("no name")
        text, octets, end = names[at]
        for at, label in reversed(steps):
            if label is None:
                end = at + 2
            else:
                text = f"{_text(label)}.{text}" if text else _text(label)
                octets += len(label) + 1
            if octets > 255:
                raise MalformedError("a name is too long")
            names[at] = (text, octets, end)
        return names[start]


def _text(label: bytes) -> str:
    """A label as text, lower case; what is special there is escaped, so that no two names look alike. RFC 1035 5.1."""
    if _PLAIN.fullmatch(label):
        return label.decode("ascii").lower()
    return "".join(chr(octet) if 33 <= octet < 127 and octet not in b'."\\;()@$' else f"\\{octet:03d}" for octet in label.lower())


def _quoted(octets: bytes) -> str:
    """A character-string as a zone file has it in quotes. RFC 1035 5.1."""
    return "".join(f"\\{chr(octet)}" if octet in b'"\\' else chr(octet) if 32 <= octet < 127 else f"\\{octet:03d}" for octet in octets)


def _strings(data: bytes) -> bytes:
    """The character-strings of a TXT record, joined without anything between. RFC 1035 3.3.14, RFC 6376 3.6.2.2, RFC 7208 3.3."""
    if data and data[0] + 1 == len(data):
        return data[1:]
    parts, at = [], 0
    while at < len(data):
        end = at + 1 + data[at]
        parts.append(data[at + 1 : end])
        at = end
    if at > len(data):
        raise MalformedError("a string ends after its record")
    return b"".join(parts)


def _name(text: str) -> bytes:
    """A name as labels. Raises ValueError for what DNS has no name for. RFC 1035 3.1."""
    labels = text.encode("ascii").removesuffix(b".").split(b".") if text else []
    if not all(0 < len(label) < 64 for label in labels):
        raise ValueError("a label has 1 to 63 octets")
    name = b"".join(bytes((len(label),)) + label for label in labels) + b"\0"
    if len(name) > 255:
        raise ValueError("a name has at most 255 octets")
    return name
