"""Every authoritative server asked itself: Knot (one that lags), unbound before it, delegations and aliases followed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import dns.message
import dns.query
import dns.rcode
import pytest

import zegel
from support.authority import AGENCY, CUSTOMER, DELEGATED, HOSTS, NEGATIVE_TTL, Authority, authority
from zegel.adapters.nameservers import Looked, Nameservers
from zegel.ask import Rcode, RRType


@pytest.fixture(scope="module")
def dns_(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    with authority(tmp_path_factory.mktemp("authority")) as found:
        yield found


def look(there: Authority, name: str, rrtype: RRType = RRType.TXT) -> Looked:
    servers = Nameservers(zegel.Resolver([there.resolver], timeout=5), port=there.port)
    return asyncio.run(servers.look_everywhere(name, rrtype))


def hosts(looked: Looked) -> list[str]:
    return [answer.server.address.host for answer in looked.servers if answer.server.address]


def test_all_servers_of_the_zone_are_asked(dns_: Authority) -> None:
    looked = look(dns_, AGENCY)
    assert (looked.zone, looked.trouble, hosts(looked)) == (AGENCY, "", [HOSTS[0], HOSTS[1]])
    assert [str(answer.server) for answer in looked.servers] == [f"ns{n}.{AGENCY} (127.0.0.{n}:{dns_.port})" for n in (1, 2)]
    assert {answer.answer.records for answer in looked.servers} == {(b"somebody-else=verification",)}
    assert look(dns_, AGENCY, RRType.MX).servers[0].answer.records == (f"10 mx.{AGENCY}",)


def test_absence_is_told_with_how_long_it_may_be_kept(dns_: Authority) -> None:
    looked = look(dns_, f"none._domainkey.{AGENCY}")
    assert [answer.answer.rcode for answer in looked.servers] == [Rcode.NXDOMAIN] * 2
    assert looked.negative_ttl == NEGATIVE_TTL
    nothing = look(dns_, f"ns1.{AGENCY}")
    assert [(answer.answer.rcode, answer.answer.records) for answer in nothing.servers] == [(Rcode.NOERROR, ())] * 2


def test_the_negative_ttl_is_known_of_what_is_there_too(dns_: Authority) -> None:
    assert look(dns_, AGENCY).negative_ttl == NEGATIVE_TTL


def test_a_delegation_below_is_followed(dns_: Authority) -> None:
    """RFC 1034 5.3.3: a referral leads to the servers of the zone below, and to those alone."""
    looked = look(dns_, f"z1.customer.{DELEGATED}")
    assert (looked.zone, hosts(looked)) == (DELEGATED, [HOSTS[2]])
    assert looked.servers[0].answer.records == (b"v=DKIM1; k=rsa; p=AAAA",)


def test_an_alias_leads_to_the_servers_of_its_target(dns_: Authority) -> None:
    """RFC 1034 4.3.2; RFC 2308 2.1: behind an alias, NXDOMAIN is of the name that it points to."""
    name = f"z1._domainkey.{CUSTOMER}"
    looked = look(dns_, name)
    assert (looked.zone, hosts(looked)) == (CUSTOMER, [HOSTS[2]])
    assert looked.servers[0].name == f"z1.customer.{DELEGATED}"
    assert [(str(alias.server).split(".")[0], alias.target) for alias in looked.aliases] == [
        ("ns1", f"z1.customer.{DELEGATED}"),
        ("ns2", f"z1.customer.{DELEGATED}"),
    ]
    direct = look(dns_, name, RRType.CNAME)
    assert {answer.answer.records for answer in direct.servers} == {(f"z1.customer.{DELEGATED}",)}
    dangling = look(dns_, f"z9._domainkey.{CUSTOMER}")
    assert [answer.answer.rcode for answer in dangling.servers] == [Rcode.NXDOMAIN] * 2


def test_aliases_that_lead_round_end(dns_: Authority) -> None:
    looked = look(dns_, f"loop._domainkey.{CUSTOMER}")
    assert {answer.trouble for answer in looked.servers} == {"alias_loop"}


def test_the_resolver_is_never_asked_for_the_name(dns_: Authority) -> None:
    """A "no" that unbound kept would hide the record for the whole negative TTL when it comes."""
    name = f"fresh._domainkey.{AGENCY}"
    assert not look(dns_, name).servers[0].answer.records
    assert not any(kept(dns_, asked) for asked in (name, f"_domainkey.{AGENCY}"))
    asyncio.run(zegel.Resolver([dns_.resolver], timeout=5).resolve(zegel.Question(name, RRType.TXT)))
    assert kept(dns_, name)


def kept(there: Authority, name: str) -> bool:
    """Whether unbound has kept a "no" for a name: without RD it answers from its cache alone."""
    host, port = there.resolver.split(":")
    reply = dns.query.udp(dns.message.make_query(name, "TXT", flags=0), host, port=int(port), timeout=5)
    return reply.rcode() == dns.rcode.NXDOMAIN


def test_who_is_not_found() -> None:
    """A domain that nobody delegates is not there; that DNS says nothing is no such proof."""
    for rcode, trouble in ((Rcode.NXDOMAIN, "no_delegation"), (Rcode.SERVFAIL, "unavailable")):
        zone = zegel.Zone.from_dict({("nobody.example", "NS"): rcode, ("example", "NS"): Rcode.NXDOMAIN})
        looked = asyncio.run(Nameservers(zone).look_everywhere("sel._domainkey.nobody.example", RRType.TXT))
        assert (looked.servers, looked.trouble) == ((), trouble)


def test_what_a_stranger_chooses_is_bounded() -> None:
    """However many servers and addresses a zone names, and twice as many: no more are asked."""

    def asked(servers: int, addresses: int) -> int:
        names = [f"ns{n}.example" for n in range(servers)]
        records: dict[tuple[str, str], list[str]] = {("victim.example", "NS"): names}
        records |= {(name, "A"): [f"127.0.{n}.{m}" for m in range(1, addresses + 1)] for n, name in enumerate(names)}
        walker = Nameservers(zegel.Zone.from_dict(records), timeout=0.05, tries=1, port=9)
        return len(asyncio.run(walker.look_everywhere("sel._domainkey.victim.example", RRType.TXT)).servers)

    assert (asked(3, 2), asked(3, 100)) == (6, 12)
    assert asked(40, 4) == asked(80, 8) == 16


def test_listed_servers_are_taken_as_they_are(dns_: Authority) -> None:
    servers = Nameservers(
        zegel.Resolver(["127.0.0.1:9"], timeout=0.2, tries=1), zones={CUSTOMER: [f"{HOSTS[1]}:{dns_.port}", "127.0.0.1:9"]}
    )
    looked = asyncio.run(servers.look_everywhere(CUSTOMER, RRType.TXT))
    assert [(answer.trouble, answer.answer.records) for answer in looked.servers] == [
        ("", (b"google-site-verification=1234",)),
        ("unreachable", ()),
    ]


def test_who_does_not_hold_the_zone_is_no_witness(dns_: Authority) -> None:
    """The resolver answers, but with no authority; the third server refuses."""
    listed = {CUSTOMER: [dns_.resolver, f"{HOSTS[2]}:{dns_.port}"]}
    servers = Nameservers(zegel.Resolver([dns_.resolver]), zones=listed)
    asyncio.run(zegel.Resolver([dns_.resolver], timeout=5).resolve(zegel.Question(CUSTOMER, RRType.TXT)))
    looked = asyncio.run(servers.look_everywhere(CUSTOMER, RRType.TXT))
    assert [answer.trouble for answer in looked.servers] == ["lame", "refused"]
    assert all(answer.answer.temporary for answer in looked.servers)
