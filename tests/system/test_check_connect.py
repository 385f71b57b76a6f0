"""The check connects to mail servers: a real Postfix with good certificates and bad ones, DANE, MTA-STS, and what is no mail server.

RFC 3207 4.2, RFC 8461 4.2, RFC 8996 4; RFC 7672 3.1, 3.1.1, 3.1.2 and 3.2.2; RFC 7671 5.1; RFC 9525 6.3.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pytest
from cryptography import x509

import zegel
from support import checks
from support.certificates import Authority, der, key_der
from support.nexthop import HANG, NextHop
from support.postfix import Postfix
from support.servers import free_port
from zegel.adapters.mailhost import MailHosts, Met, Way
from zegel.ask import Answer, Question, Rcode
from zegel.check.profiles.known import PROFILES, of_domain
from zegel.check.profiles.profile import Line
from zegel.check.report import Options, Report, judged
from zegel.check.run import Reach, check_one
from zegel.check.transport import Fetched
from zegel.grammar.domain import Domain

HOST = "mx.example.com"
POLICY = "version: STSv1\r\nmode: enforce\r\nmax_age: 86400\r\nmx: mx.example.com\r\n"
KINDS = ("good", "wild", "stranger", "other_name", "expired", "old", "plain")


@dataclass
class Site:
    """A Postfix that listens once for each kind of certificate."""

    authority: Authority
    certificates: dict[str, x509.Certificate]
    ports: dict[str, int]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("chains")
    authority, stranger = Authority(), Authority("Somebody else")
    certificates = {
        "good": authority.make(folder / "good", HOST),
        "wild": authority.make(folder / "wild", "*.example.com", "example.net"),
        "stranger": stranger.make(folder / "stranger", HOST),
        "other_name": authority.make(folder / "other_name", "mx.example.net", "*.mx.example.com"),
        "expired": authority.make(folder / "expired", HOST, days=-1),
    }
    certificates["old"] = certificates["good"]
    ports = {kind: free_port() for kind in KINDS}
    services = []
    for kind in KINDS:
        options = [f"smtpd_tls_chain_files={folder / ('good' if kind == 'old' else kind)}", "smtpd_tls_security_level=may"]
        if kind != "old":  # of itself, Debian's Postfix takes TLS 1.0
            options.append("smtpd_tls_protocols=>=TLSv1.2")
        if kind == "plain":
            options = ["smtpd_tls_security_level=none"]
        services.append(f"127.0.0.1:{ports[kind]} inet n - n - - smtpd" + "".join(f"\n  -o {option}" for option in options))
    with Postfix(services=services):
        yield Site(authority, certificates, ports)


class Signed:
    """A zone whose answers DNSSEC signs, as a resolver on this machine that validates says."""

    def __init__(self, zone: zegel.Zone) -> None:
        self._zone = zone

    def cached(self, question: Question) -> Answer:
        return replace(self._zone.answer(question), authentic=True)

    async def resolve(self, question: Question) -> Answer:
        return self.cached(question)


def check(site: Site, kind: str, *tlsa: str, way: Way | None = None, policy: str = "") -> Report:
    """Check a domain whose mail server is that one, at all of whose names DNSSEC signs."""
    records = {
        ("example.com", "MX"): [f"10 {HOST}"],
        (HOST, "A"): ["127.0.0.1"],
        ("_mta-sts.example.com", "TXT"): ["v=STSv1; id=1"],
        (f"_25._tcp.{HOST}", "TLSA"): list(tlsa) if tlsa else Rcode.NXDOMAIN,
    }
    resolver, domain = Signed(zegel.Zone.from_dict(records)), Domain("example.com")
    way = way or Way(port=site.ports[kind], context=site.authority.context, anywhere=True, wait=10)

    async def work() -> Report:
        options = Options(trusted=True, sts=Fetched(policy) if policy else None)
        return await check_one(domain, resolver, options, Reach(hosts=MailHosts(way)))

    return asyncio.run(work())


def told(report: Report) -> list[str]:
    """What was found of TLS, in few words."""
    wanted = ("starttls", "tls_version", "certificate", "certificate_name", "tlsa_match")
    return [f"{item.level} {item.id.removeprefix('transport.')}" for item in report.items if item.id.removeprefix("transport.") in wanted]


def lines(profile: str, report: Report) -> Sequence[Line]:
    return of_domain(report, [PROFILES[profile]])[0].lines


def own(certificate: x509.Certificate) -> str:
    return "3 1 1 " + hashlib.sha256(key_der(certificate)).hexdigest()


FINE = ["pass starttls", "pass tls_version", "pass certificate", "pass certificate_name"]


def test_a_server_that_is_as_it_should_be(site: Site) -> None:
    certificate = site.certificates["good"]
    report = check(site, "good", own(certificate), "3 1 1 " + "ab" * 32)
    assert told(report) == [*FINE[:2], "pass tlsa_match", *FINE[2:]]
    assert checks.one(report, "transport.starttls").values["version"] == "TLSv1.3"
    until = certificate.not_valid_after_utc.date().isoformat()
    assert until in str(checks.one(report, "transport.certificate").finding)
    found = {line.test.id: str(line.result) for line in lines("internet.nl", report)}
    names = ("tls_available", "cert_chain", "cert_domain", "dane_exist", "dane_valid")
    assert {found[f"mail_starttls_{name}"] for name in names} == {"pass"}
    # What no library offers was not tried: so not all is known of versions.
    assert (found["mail_starttls_tls_version"], found["mail_starttls_tls_ciphers"]) == ("not_tested", "not_tested")
    found = {line.test.id: str(line.result) for line in lines("bod-18-01", report)}
    assert found["BOD 18-01 STARTTLS"] == "pass"
    assert told(check(site, "wild")) == FINE


@pytest.mark.parametrize(
    ("kind", "detail", "expected"),
    [
        ("stranger", "self-signed certificate in certificate chain", ["bad certificate", "pass certificate_name"]),
        ("expired", "certificate has expired", ["bad certificate", "pass certificate_name"]),
        ("other_name", "", ["pass certificate", "bad certificate_name"]),
    ],
)
def test_a_certificate_is_bad_by_what_senders_go_by(site: Site, kind: str, detail: str, expected: list[str]) -> None:
    def as_level(level: str) -> list[str]:
        return ["pass starttls", "pass tls_version", *(line.replace("bad", level) for line in expected)]

    report = check(site, kind)
    assert checks.one(report, "transport.certificate").values.get("detail", "") == detail
    assert told(report) == as_level("warn")
    assert told(check(site, kind, policy=POLICY)) == as_level("fail")
    # RFC 7672 3.1.1: with DANE for its own key, names and dates do not matter.
    dane = told(check(site, kind, own(site.certificates[kind])))
    assert dane == [*as_level("info")[:2], "pass tlsa_match", *as_level("info")[2:]]


def test_each_form_of_a_tlsa_record(site: Site) -> None:
    certificate, above = site.certificates["good"], site.authority.certificate
    for usage, one in (("3", certificate), ("2", above)):
        for selector, octets in (("0", der(one)), ("1", key_der(one))):
            for matching, data in (("0", octets), ("1", hashlib.sha256(octets).digest()), ("2", hashlib.sha512(octets).digest())):
                record = f"{usage} {selector} {matching} {data.hex()}"
                assert checks.one(check(site, "good", record), "transport.tlsa_match").level == "pass", record


@pytest.mark.parametrize("kind", ["other_name", "expired"])
def test_an_authority_of_dane_vouches_for_names_and_dates(site: Site, kind: str) -> None:
    """RFC 7672 3.1.2 and 3.2.2."""
    above = "2 1 1 " + hashlib.sha256(key_der(site.authority.certificate)).hexdigest()
    assert checks.one(check(site, kind, above), "transport.tlsa_match").level == "fail"
    assert checks.one(check(site, "good", above), "transport.tlsa_match").level == "pass"
    # Of another authority, and of the server's own key under the usage of an authority.
    for wrong in ("2 1 1 " + "ab" * 32, "2" + own(site.certificates["good"])[1:]):
        assert checks.one(check(site, "good", wrong), "transport.tlsa_match").level == "fail"


def test_a_record_that_does_not_fit_is_mended_by_one_that_does(site: Site) -> None:
    report = check(site, "good", "3 1 1 " + "ab" * 32)
    item = checks.one(report, "transport.tlsa_match")
    assert (item.level, checks.mends(item)) == ("fail", [f"_25._tcp.{HOST} TLSA {own(site.certificates['good'])}"])
    assert checks.one(check(site, "good", *item.mend[0].strings), "transport.tlsa_match").level == "pass"
    found = {line.test.id: str(line.result) for line in lines("internet.nl", report)}
    assert (found["mail_starttls_dane_exist"], found["mail_starttls_dane_valid"]) == ("pass", "fail")


def test_only_the_servers_own_certificate_is_known(site: Site) -> None:
    """Where Python does not tell the whole chain, an authority in it is not told to be missing."""
    above = "2 1 1 " + hashlib.sha256(key_der(site.authority.certificate)).hexdigest()
    report = check(site, "good", above)
    way = Way(port=site.ports["good"], context=site.authority.context, anywhere=True)
    met = asyncio.run(MailHosts(way).meet(HOST, ["127.0.0.1"]))
    alone = replace(met, chain=met.chain[:1], whole=False)
    again = judged(report.domain, report.facts, Options(trusted=True, met=(alone,)))
    assert checks.one(again, "transport.tlsa_match").level == "not_tested"


def test_old_versions_and_no_tls(site: Site) -> None:
    assert told(check(site, "old")) == ["pass starttls", "warn tls_version", *FINE[2:]]
    assert told(check(site, "plain")) == ["fail starttls"]
    assert told(check(site, "plain", own(site.certificates["good"]))) == ["fail starttls"]


def test_a_server_that_cannot_be_met_is_not_judged(site: Site) -> None:
    nobody = Way(port=free_port(), anywhere=True)
    assert told(check(site, "good", way=nobody)) == ["not_tested starttls"]
    report = check(site, "good", way=Way(port=site.ports["good"]))
    assert told(report) == ["not_tested starttls"]
    assert "outside local networks" in str(checks.one(report, "transport.starttls").finding)
    found = {line.test.id: str(line.result) for line in lines("internet.nl", report)}
    assert {result for id, result in found.items() if id.startswith("mail_starttls")} <= {"not_tested", "fail"}
    assert found["mail_starttls_tls_available"] == "not_tested"


@pytest.mark.parametrize(
    ("hop", "trouble"),
    [
        (NextHop(greeting=HANG), "unreachable"),
        (NextHop(greeting="554 5.7.1 not you"), "refused"),
        (NextHop(ehlo="550 5.7.1 not with that name"), "refused"),
        (NextHop(ehlo="502 5.5.1 what"), "no_starttls"),
        (NextHop(offers=("STARTTLS",), ehlo=HANG), "unreachable"),
    ],
)
def test_servers_that_misbehave_end_in_time(hop: NextHop, trouble: str) -> None:
    with hop:
        way = Way(seconds=5, wait=0.5, port=hop.port, anywhere=True)
        assert asyncio.run(MailHosts(way).meet(HOST, ["127.0.0.1"])).trouble == trouble


def test_octets_without_end_are_cut_off() -> None:
    """Twice as much to read is no more read: the reply is cut off where its bound is."""

    def octets(line: bytes) -> int:
        sent = 0

        async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal sent
            try:
                while True:
                    writer.write(line)
                    await writer.drain()
                    sent += len(line)
            except OSError:
                return
            finally:
                writer.transport.abort()

        async def work() -> Met:
            async with await asyncio.start_server(pour, "127.0.0.1", 0) as server:
                port = server.sockets[0].getsockname()[1]
                return await MailHosts(Way(seconds=5, wait=2, port=port, anywhere=True)).meet(HOST, ["127.0.0.1"])

        assert asyncio.run(work()).trouble == "unreachable"
        return sent

    assert octets(b"220-" + b"x" * 60 + b"\r\n") < 16 << 20
    assert octets(b"x" * 4096) < 16 << 20


def test_a_server_of_many_domains_is_met_once() -> None:
    with NextHop() as hop:
        hosts = MailHosts(Way(port=hop.port, anywhere=True))

        async def work() -> list[Met]:
            return list(await asyncio.gather(*(hosts.meet(HOST, ["127.0.0.1"]) for _ in range(50))))

        assert {met.trouble for met in asyncio.run(work())} == {"no_starttls"}
        assert hop.connections == 1
