"""The reader of DNS replies: what it believes, dnspython reads as well; a plain answer is read. RFC 1035 4.1."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype

from zegel.adapters import wire
from zegel.ask import Answer, Question, Rcode, RRType

WORDS = (
    *(b"\xc0\x0c", b"\xc0\x1b", b"\0\x10\0\1\0\0\0\x3c", b"\0\5\0\1\0\0\0\x3c", b"\0\x0f\0\1\0\0\0\x3c", b"\0\6\0\1\0\0\0\x3c"),
    *(
        b"\0\x29\4\xd0\1\0\0\0\0\0",
        b"\0\1\0\1\0\0\0\x3c\0\4\x7f\0\0\1",
        b"\1q\7example\0",
        b"\1a\xc0\x0c",
        b"\2ns\xc0\x0e",
        b"\0\2",
        b"\0\4",
    ),
)
TYPES = tuple(RRType)
NAME = "q.example"
_QUESTION = b"\1q\7example\0"


def starts() -> Iterator[bytes]:
    """The type, the flags, the three counts, and the sections."""
    txt = b"\xc0\x0c\0\x10\0\1\0\0\0\x3c\0\5\4true"
    alias = b"\xc0\x0c\0\5\0\1\0\0\0\x3c\0\4\1a\xc0\x0e"
    soa = b"\xc0\x0e\0\6\0\1\0\0\0\x3c\0\x1c\2ns\xc0\x0e\1h\xc0\x0e" + struct.pack("!5I", 1, 2, 3, 4, 5)
    yield bytes((0, 0x81, 0x80, 1, 0, 0)) + txt
    yield bytes((0, 0x81, 0x80, 3, 0, 0)) + alias + b"\1a\xc0\x0e" + txt[2:] + txt
    yield bytes((0, 0x81, 0x83, 0, 1, 1)) + soa + b"\0" + WORDS[6]
    yield bytes((3, 0x81, 0x80, 2, 0, 0)) + (b"\xc0\x0c\0\x0f\0\1\0\0\0\x3c\0\7\0\1\2mx\xc0\x0e") * 2


def fuzz(data: bytes) -> None:
    if len(data) < 6 or len(data) > 3000:
        return
    rrtype = TYPES[data[0] % len(TYPES)]
    flags = (data[1] << 8 | data[2]) & 0x07FF | 0x8000
    number = wire._TYPES[rrtype]
    packet = struct.pack("!6H", 1, flags, 1, *data[3:6]) + _QUESTION + struct.pack("!HH", number, 1) + data[6:]
    answer = wire.read(packet, Question(NAME, rrtype), authentic=True)
    check(answer, rrtype, flags)
    said = wire.read_said(packet, Question(NAME, rrtype))
    check_said(said)
    try:
        whole = dns.message.from_wire(packet, ignore_trailing=True)
    except (dns.exception.DNSException, ValueError):
        return
    own = whole.get_rrset(whole.answer, dns.name.from_text(NAME), dns.rdataclass.IN, dns.rdatatype.from_text(rrtype))
    if said.answer.records:
        assert {by_us(record, rrtype) for record in said.answer.records} == {by_dnspython(record) for record in own or ()}
    second = {by_dnspython(record) for record in found(whole, rrtype)}
    if answer.records:
        assert {by_us(record, rrtype) for record in answer.records} == second
    elif whole.rcode() == 0 and len(whole.answer) == 1:
        assert not second, "a plain answer is not read"


def check_said(said: wire.Said) -> None:
    """What holds of every reply of an authoritative server: trouble, absence, records, an alias and a referral exclude one another."""
    answer = said.answer
    assert 0 <= answer.ttl <= 604_800
    assert -1 <= said.negative_ttl <= 604_800
    assert (said.negative_ttl == -1) == (not said.zone) or said.zone == ""
    assert not (answer.records and (answer.rcode is not Rcode.NOERROR or said.cut))
    assert bool(said.cut) == bool(said.servers)
    assert not (said.cut and (said.authoritative or said.alias or answer.temporary))


def check(answer: Answer, rrtype: RRType, flags: int) -> None:
    """What holds of every answer."""
    assert answer.rcode in (Rcode.NOERROR, Rcode.NXDOMAIN, Rcode.SERVFAIL)
    assert not answer.records or answer.rcode is Rcode.NOERROR
    assert 0 <= answer.ttl <= 86_400
    assert not answer.authentic or flags & dns.flags.AD
    for record in answer.records:
        if rrtype is RRType.TXT:
            assert isinstance(record, bytes)
        else:
            assert isinstance(record, str)
            assert record.isascii()
            assert record.isprintable()
            assert record == record.lower()


def found(whole: dns.message.Message, rrtype: RRType) -> Sequence[dns.rdata.Rdata]:
    """The records of the answer by dnspython, aliases followed."""
    name, wanted = dns.name.from_text(NAME), dns.rdatatype.from_text(rrtype)
    for _ in range(10):
        records = whole.get_rrset(whole.answer, name, dns.rdataclass.IN, wanted)
        if records is not None:
            return list(records)
        alias = whole.get_rrset(whole.answer, name, dns.rdataclass.IN, dns.rdatatype.CNAME)
        if alias is None:
            return []
        name = next(iter(alias)).target
    return []


def by_dnspython(record: Any) -> tuple[object, ...]:
    """What a record says, names as names: they have more than one text."""
    match dns.rdatatype.to_text(record.rdtype):
        case "TXT":
            return (b"".join(record.strings),)
        case "A" | "AAAA":
            return (record.address,)
        case "MX":
            return record.preference, record.exchange
        case "SOA":
            numbers = (record.serial, record.refresh, record.retry, record.expire, record.minimum)
            return record.mname, record.rname, *map(str, numbers)
        case _:
            return (record.target,)


def by_us(record: bytes | str, rrtype: RRType) -> tuple[object, ...]:
    if isinstance(record, bytes) or rrtype in (RRType.A, RRType.AAAA):
        return (record,)
    match rrtype:
        case RRType.MX:
            preference, _, host = record.partition(" ")
            return int(preference), dns.name.from_text(host)
        case RRType.SOA:
            primary, mailbox, *numbers = record.split(" ")
            return dns.name.from_text(primary), dns.name.from_text(mailbox), *numbers
        case _:
            return (dns.name.from_text(record),)
