from __future__ import annotations

import asyncio

import dns.flags
import dns.message
import dns.rcode
import pytest

import zegel
from support.lyingdns import Play, lying_dns, octets, reply
from zegel.adapters.exchange import Address
from zegel.adapters.nameservers import Looked, Nameservers, Offline, Server, ServerAnswer
from zegel.ask import Answer, Rcode, RRType
from zegel.grammar.domain import Domain
from zegel.rollout.readback import ReadBack, read_back, read_gone
from zegel.rollout.records import Record, txt
from zegel.rollout.visibility import Outcome, compare
from zegel.rollout.watch import look_at_foreign
from zegel.store.services import ForeignSelector

NAME = "_dmarc.example.be"
DMARC = "v=DMARC1; p=reject; rua=mailto:d@example.be"
SPF = "v=spf1 ip4:192.0.2.25 include:_spf.example.com ~all"


class Servers:
    """Servers that say what the test says, each its own."""

    def __init__(self, *says: tuple[bytes, ...] | str, ttl: int = 300) -> None:
        self._answers = [
            ServerAnswer(Server(f"ns{number}"), "", Answer(Rcode.SERVFAIL), said)
            if isinstance(said, str)
            else ServerAnswer(Server(f"ns{number}"), "", Answer(Rcode.NOERROR if said else Rcode.NXDOMAIN, said, ttl))
            for number, said in enumerate(says, 1)
        ]

    async def look_everywhere(self, name: str, rrtype: RRType) -> Looked:
        named = tuple(ServerAnswer(answer.server, name, answer.answer, answer.trouble) for answer in self._answers)
        return Looked("example.be", named if name == NAME else (), 60)


def back(*says: tuple[bytes, ...] | str, text: str = DMARC, former: tuple[str, ...] = ()) -> ReadBack:
    return asyncio.run(read_back(Servers(*says), txt(NAME, text), former=former))


RIGHT, OLD = (DMARC.encode(),), (b"v=DMARC1; p=none",)


@pytest.mark.parametrize(
    ("says", "outcome", "difference"),
    [
        ((RIGHT, RIGHT), Outcome.VISIBLE, ""),
        ((RIGHT, ()), Outcome.ABSENT, "not_everywhere"),
        ((RIGHT, OLD), Outcome.DIFFERENT, "not_everywhere"),
        ((OLD, OLD), Outcome.DIFFERENT, "old_record"),
        ((OLD, ()), Outcome.DIFFERENT, "old_record"),
        (((), ()), Outcome.ABSENT, "no_name"),
        ((RIGHT, "timeout"), Outcome.UNAVAILABLE, "timeout"),
        (((), "refused"), Outcome.ABSENT, "no_name"),
        (("lame", "timeout"), Outcome.UNAVAILABLE, "lame"),
        ((), Outcome.UNAVAILABLE, "unavailable"),
        (((b"other=1",), (b"other=1",)), Outcome.ABSENT, "no_record"),
    ],
)
def test_all_servers_together(says: tuple[tuple[bytes, ...] | str, ...], outcome: Outcome, difference: str) -> None:
    found = back(*says, former=("v=DMARC1; p=none",))
    assert (found.outcome, found.difference) == (outcome, difference)
    assert found.everywhere == (outcome is Outcome.VISIBLE)


def test_a_former_record_that_says_the_same_is_the_record() -> None:
    found = back(RIGHT, RIGHT, former=(f"{DMARC};",))
    assert (found.outcome, found.difference, {sight.seen.difference for sight in found.sights}) == (Outcome.VISIBLE, "", {""})


def test_loss_is_proven_by_all_servers_only() -> None:
    assert back((), OLD).lost
    assert not back(RIGHT, ()).lost
    assert not back((), "timeout").lost
    assert not back().lost


def test_ttls_are_the_longest() -> None:
    assert (back(RIGHT).ttl, back(RIGHT).negative_ttl, back(()).ttl) == (300, 60, 0)


def test_gone_is_told_of_exactly_this_record() -> None:
    def gone(*says: tuple[bytes, ...] | str) -> ReadBack:
        return asyncio.run(read_gone(Servers(*says), txt(NAME, DMARC)))

    assert gone((), OLD).gone
    assert (gone(RIGHT).gone, gone(RIGHT).difference) == (False, "still_there")
    assert (gone((), "timeout").gone, gone().gone) == (False, False)


@pytest.mark.parametrize(
    ("expected", "seen", "difference", "words"),
    [
        (DMARC, DMARC + ";", "", ""),
        (DMARC, DMARC.replace("; ", ";"), "", ""),
        (DMARC, "v=DMARC1; rua=mailto:d@example.be; p=reject", "", ""),
        (DMARC, DMARC.replace("reject", "none"), "other_value", "says p=none where it should say p=reject"),
        (DMARC, "v=DMARC1; p=reject", "cut_at_semicolon", ""),
        (DMARC, "v=DMARC1; p=reject; rua=mailto:d@exam", "cut", "cut off after"),
        (DMARC, "v=DMARC1; p=reject; sp=none; rua=mailto:d@example.be", "other_value", "says sp=none besides"),
        (DMARC, f'"{DMARC}"', "quotes", ""),
        (DMARC, DMARC.replace("example", "exa mple"), "split", ""),
        (DMARC + ",mailto:e@example.be", DMARC + " , mailto:e@example.be", "", ""),
        (DMARC, "v=DMARC1 p=reject", "other_value", ""),
        (DMARC, "v=DMARC1; p=reject; p=none", "malformed", ""),
        (SPF, SPF.upper().replace("V=SPF1", "v=spf1"), "", ""),
        (SPF, SPF.replace(" ", "  "), "", ""),
        (SPF, "v=spf1 ip4:192.0.2.25 ~all", "other_value", "lacks include:_spf.example.com"),
        (SPF, "v=spf1 ip4:192.0.2.25 a include:_spf.example.com ~all", "other_value", "has a besides"),
        (SPF, "v=spf1 ip4:192.0.2.25 include:_spf.example.com -all", "other_value", "lacks ~all, and has -all in its place"),
        (SPF, "v=spf1 include:_spf.example.com ip4:192.0.2.25 ~all", "other_value", "another order"),
        (SPF, "v=spf1 ip4:192.0.2.25 include:_spf.exam ple.com ~all", "split", ""),
        (SPF, "v=spf1 ip4:192.0.2.25", "other_value", "lacks include:_spf.example.com ~all"),
        (SPF, SPF[:30], "cut", ""),
    ],
)
def test_what_differs_in_other_records(expected: str, seen: str, difference: str, words: str) -> None:
    found = compare("example.be", expected, [seen])
    assert found.difference == difference
    assert words in found.explanation


def test_of_several_only_those_of_its_kind_count() -> None:
    """RFC 7208 4.5 and RFC 9989 4.10: records of other kinds may stand at the name."""
    assert compare("example.be", SPF, ["google=1", SPF, "v=spf10"]).difference == "several"
    assert compare("example.be", SPF, ["google=1", SPF]).outcome is Outcome.VISIBLE
    assert compare("example.be", SPF, [SPF, "v=spf1 -all"]).difference == "several"
    assert compare("example.be", SPF, [SPF[:20], SPF[20:]]).difference == "spread"
    # Of keys every record counts. RFC 6376 3.6.2.2
    assert compare("s._domainkey.example.be", "v=DKIM1; p=", ["v=DKIM1; p=", "google=1"]).difference == "several"


def test_names_are_compared_as_dns_does() -> None:
    """RFC 4343 3."""
    assert compare("x.be", "z1.agency.be", ["Z1.Agency.be."], RRType.CNAME).outcome is Outcome.VISIBLE
    assert compare("x.be", "z1.agency.be", ["z1.agency.be.x.be"], RRType.CNAME).difference == "doubled_target"
    assert compare("x.be", "0 .", ["0 "], RRType.MX).outcome is Outcome.VISIBLE
    assert compare("x.be", "0 .", ["0 .", "10 mx.x.be"], RRType.MX).difference == "several"


def test_a_zone_file_in_place_of_servers() -> None:
    zone = zegel.Zone.from_dict({(NAME, "TXT"): [DMARC], (f"s._domainkey.{NAME}", "TXT"): zegel.Rcode.TIMEOUT})
    assert asyncio.run(read_back(Offline(zone), txt(NAME, DMARC))).everywhere
    assert asyncio.run(read_back(Offline(zone), txt(f"s._domainkey.{NAME}", DMARC))).difference == "timeout"
    doubled = zegel.Zone.from_dict({("_dmarc.example.be.example.be", "TXT"): [DMARC]})
    assert asyncio.run(read_back(Offline(doubled), txt(NAME, DMARC))).difference == "doubled_name"


def test_a_selector_of_a_service() -> None:
    one = ForeignSelector(Domain("example.be"), "sel", "A service", 0)
    key = zegel.Key.generate("example.be", "sel", "ed25519").record
    name = one.record_name
    for records, difference in (
        ({(name, "CNAME"): ["k.service.example"], ("k.service.example", "TXT"): [key]}, ""),
        ({(name, "TXT"): ["v=DKIM1; p="]}, "revoked"),
        ({(name, "TXT"): ["nonsense"]}, "revoked"),
        ({}, "no_name"),
        ({(name, "A"): ["192.0.2.1"]}, "no_record"),
        ({(name, "TXT"): zegel.Rcode.SERVFAIL}, "unavailable"),
    ):
        zone = zegel.Zone.from_dict(records)
        assert asyncio.run(look_at_foreign(Offline(zone), one)).difference == difference


def test_a_server_that_lies() -> None:
    """Records of other names, forged additional ones, no authority, another ID, silence, REFUSED: never the record, never its absence."""

    def says(*records: str, aa: bool = True, rcode: int = 0, additional: tuple[str, ...] = ()) -> object:
        def play(query: dns.message.Message) -> Play:
            made = reply(query, *records, additional=additional)
            made.flags = (made.flags & ~dns.flags.RA) | (dns.flags.AA if aa else 0)
            made.set_rcode(dns.rcode.Rcode(rcode))
            return Play([octets(made)])

        return play

    text = '{q} 300 TXT "v=DMARC1; p=reject; rua=mailto:d@example.be"'
    plays = {
        "honest": says(text),
        "resolver": says(text, aa=False),
        "forbidden": says(rcode=5),
        "elsewhere": says(text.replace("{q}", "other.example.be.")),
        "beside": says(additional=(text,)),
    }
    with lying_dns(**plays) as server:  # type: ignore[arg-type]
        labels = [*plays, "silent", "wrong-id", "garbage", "pointer-loop"]
        found = {label: asyncio.run(_one(server.port, f"{label}.example.be")) for label in labels}
    assert {label: seen.difference for label, seen in found.items()} == {
        "honest": "",
        "resolver": "lame",
        "forbidden": "refused",
        "elsewhere": "servfail",
        "beside": "no_record",
        "silent": "timeout",
        "wrong-id": "timeout",
        "garbage": "timeout",
        "pointer-loop": "servfail",
    }


async def _one(port: int, name: str) -> ReadBack:
    servers = Nameservers(zegel.Zone.from_dict({}), zones={"example.be": [f"127.0.0.1:{port}"]}, timeout=1.0, tries=1)
    return await read_back(_Direct(servers, name), txt(name, DMARC))


class _Direct:
    """Only the name itself is looked at: the lying server knows no others."""

    def __init__(self, servers: Nameservers, name: str) -> None:
        self._servers, self._name = servers, name

    async def look_everywhere(self, name: str, rrtype: RRType) -> Looked:
        return await self._servers.look_everywhere(name, rrtype) if name == self._name else Looked("")


def test_how_a_server_is_named() -> None:
    servers = (Server("ns", Address("::1", 5353)), Server("ns", Address("192.0.2.1", 53)), Server("", Address("192.0.2.1", 54)))
    assert [str(server) for server in servers] == ["ns ([::1]:5353)", "ns (192.0.2.1)", "192.0.2.1:54"]


def test_a_record_of_another_type() -> None:
    found = asyncio.run(read_back(Servers((b"0 .",)), Record(NAME, "MX", ("0 .",))))
    assert found.outcome is Outcome.VISIBLE
