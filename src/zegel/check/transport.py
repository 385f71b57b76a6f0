"""How mail to a domain is kept from being read on its way: DNSSEC, DANE, MTA-STS and TLS-RPT, as far as DNS tells.

RFC 7672 2.1 and 3.1, RFC 8461 3.1 to 3.3, RFC 8460 3, RFC 4035 4.9.3. The MTA-STS policy is judged when it was fetched, and the mail
servers when they were met (:mod:`zegel.check.handshake`); nothing of this is done here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from zegel.adapters.mailhost import Met
from zegel.ask import Answer, Dialogue, RRType, ask, side_by_side
from zegel.check import caa, handshake, mtasts, tlsrpt
from zegel.check.caa import Relevant
from zegel.check.handshake import Expected
from zegel.check.item import Item, Level, txt
from zegel.check.mx import MxFacts
from zegel.check.transportpoints import TransportPoint
from zegel.grammar.domain import Domain
from zegel.words import N_, Sentence

MAX_HOSTS = 10
_USABLE_TLSA = ("2", "3")  # RFC 7672 3.1.3: PKIX usages are not for SMTP


class Fetched(NamedTuple):
    """What came of fetching the policy file: its text, or None and why."""

    text: str | None
    trouble: Sentence | str = ""


class Beyond(NamedTuple):
    """What was looked at beyond DNS: the policy file of MTA-STS, and the mail servers; None for what was not."""

    sts: Fetched | None = None
    met: tuple[Met, ...] | None = None


class TransportFacts(NamedTuple):
    """What DNS has: the records of MTA-STS and TLS-RPT, the delegation's DS, and TLSA for each mail server."""

    sts: Answer
    tls_rpt: Answer
    ds: Answer
    tlsa: tuple[tuple[str, Answer], ...]
    caa: tuple[Relevant, ...] = ()


def look(domain: Domain, mx: MxFacts) -> Dialogue[TransportFacts]:
    """Ask for the records."""
    names = [(f"_mta-sts.{domain}", RRType.TXT), (f"_smtp._tls.{domain}", RRType.TXT), (str(domain), RRType.DS)]
    sts, tls_rpt, ds = yield from side_by_side([ask(name, kind) for name, kind in names])
    hosts = [host.name for host in mx.hosts[:MAX_HOSTS]]
    tlsa = yield from side_by_side([ask(f"_25._tcp.{host}", RRType.TLSA) for host in hosts])
    authorities = yield from caa.look(hosts)
    return TransportFacts(sts, tls_rpt, ds, tuple(zip(hosts, tlsa, strict=True)), authorities)


def judge(domain: Domain, facts: TransportFacts, mx: MxFacts, beyond: Beyond, *, trusted: bool) -> Iterator[Item]:
    """Judge what was seen. ``trusted``: the resolver validates DNSSEC and nobody on the way can forge its word (its AD bit)."""
    fetched = beyond.sts
    yield _dnssec(domain, facts, mx, trusted=trusted)
    if not mx.hosts:
        return
    dane = list(_dane(facts, mx, trusted=trusted))
    yield from dane
    guarded = any(item.level is Level.PASS for item in dane)
    yield from _sts(domain, facts.sts, mx, fetched, guarded=guarded)
    yield from _tls_rpt(domain, facts.tls_rpt, used=guarded or bool(_texts(facts.sts, mtasts.is_record)))
    yield from caa.judge(domain, facts.caa)
    yield from handshake.judge(beyond.met, _expected(facts, mx, fetched))


def _expected(facts: TransportFacts, mx: MxFacts, fetched: Fetched | None) -> Expected:
    """What senders go by when they meet a server."""
    tlsa = {host: tuple(map(str, answer.records)) for host, answer in facts.tlsa}
    signed = [host for host, answer in facts.tlsa if answer.authentic and mx.answer.authentic]
    policy = mtasts.parse_policy(fetched.text) if fetched is not None and fetched.text is not None else mtasts.StsPolicy()
    enforced = policy.valid and policy.mode is mtasts.Mode.ENFORCE
    return Expected(tlsa, signed, [host for host in tlsa if enforced and policy.covers(host)])


def _dnssec(domain: Domain, facts: TransportFacts, mx: MxFacts, *, trusted: bool) -> Item:
    """Whether the answers about the domain are signed. RFC 4035 4.9.3."""
    point = TransportPoint.DNSSEC
    if mx.answer.authentic:
        return point.item(Level.PASS, N_("the answers about {domain} are signed with DNSSEC, and the signatures hold"), domain=domain)
    if mx.answer.temporary:
        return point.untested(domain, mx.answer)
    if trusted:
        return point.item(Level.WARN, N_("the answers about {domain} are not signed with DNSSEC"), domain=domain)
    if facts.ds.records:
        finding = N_("{domain} has a DS record, but the resolver asked here cannot be believed about DNSSEC")
        return point.item(Level.NOT_TESTED, finding, domain=domain)
    finding = N_("DNSSEC is not tested: it takes a resolver on this machine that validates (dns.trust_ad)")
    return point.item(Level.NOT_TESTED, finding, domain=domain)


def _dane(facts: TransportFacts, mx: MxFacts, *, trusted: bool) -> Iterator[Item]:
    """TLSA for each mail server: of use only with DNSSEC for MX and TLSA. RFC 7672 2.1 and 3.1."""
    point = TransportPoint.TLSA
    for host, answer in facts.tlsa:
        usable = [record for record in map(str, answer.records) if record.split(" ", 1)[0] in _USABLE_TLSA]
        if answer.temporary:
            yield point.untested(f"_25._tcp.{host}", answer)
        elif not answer.records:
            yield point.item(Level.INFO, N_("{host} has no TLSA record (DANE)"), host=host)
        elif not usable:
            finding = N_("{host}: its TLSA records are of uses that SMTP does not know; take 3 1 1")
            yield point.item(Level.FAIL, finding, seen=answer.records, host=host)
        elif answer.authentic and mx.answer.authentic:
            yield point.item(Level.PASS, N_("{host} has TLSA records, and DNSSEC signs them (DANE)"), seen=answer.records, host=host)
        elif trusted:
            finding = N_("{host} has TLSA records, but without DNSSEC no sender goes by them")
            yield point.item(Level.WARN, finding, seen=answer.records, host=host)
        else:
            finding = N_("{host} has TLSA records; that DNSSEC signs them cannot be told from here")
            yield point.item(Level.NOT_TESTED, finding, seen=answer.records, host=host)


def _texts(answer: Answer, is_one: Callable[[bytes], bool]) -> list[bytes]:
    return [text for text in answer.records if isinstance(text, bytes) and is_one(text)]


def _sts(domain: Domain, answer: Answer, mx: MxFacts, fetched: Fetched | None, *, guarded: bool) -> Iterator[Item]:
    """The record of MTA-STS, and the policy. RFC 8461 3.1: several records are as none."""
    point, name = TransportPoint.MTA_STS, f"_mta-sts.{domain}"
    texts = _texts(answer, mtasts.is_record)
    if answer.temporary:
        yield point.untested(name, answer)
        return
    if len(texts) > 1:
        yield point.item(Level.FAIL, N_("{name} has {count} records instead of one"), seen=texts, name=name, count=len(texts))
        return
    if not texts:
        strange = [text for text in answer.records if isinstance(text, bytes)]
        if strange:
            finding = N_("{name} has a record that is none of MTA-STS")
            yield point.item(Level.FAIL, finding, seen=strange, name=name)
        else:
            finding = N_("no MTA-STS: who sits between two mail servers can switch off TLS") if not guarded else N_("no MTA-STS")
            step = Sentence(N_("Publish the policy file first, in mode testing; then the record. Or use DANE."))
            yield point.item(Level.INFO if guarded else Level.WARN, finding, step=None if guarded else step)
        return
    record = mtasts.parse_record(texts[0])
    yield from _noted(point, record.notes, texts)
    if record.valid:
        yield point.item(Level.PASS, N_("MTA-STS is announced, with the policy of id {id}"), seen=texts, id=record.id)
    yield from policy_items(fetched, [host.name for host in mx.hosts])


def policy_items(fetched: Fetched | None, hosts: Sequence[str]) -> Iterator[Item]:
    """Judge the policy file of MTA-STS against the mail servers. RFC 8461 3.2 and 4.1."""
    point = TransportPoint.POLICY
    if fetched is None:
        step = Sentence(N_("Have it fetched: zegel check --fetch"))
        yield point.item(Level.NOT_TESTED, N_("the policy file of MTA-STS was not fetched"), step=step)
        return
    if fetched.text is None:
        yield point.item(Level.FAIL, N_("the policy file of MTA-STS cannot be had: {told}"), told=fetched.trouble)
        return
    policy = mtasts.parse_policy(fetched.text)
    seen = fetched.text[:1000].splitlines()[:20]
    yield from _noted(point, policy.notes, seen)
    if not policy.valid or policy.mode is None:
        return
    outside = [host for host in hosts if not policy.covers(host)]
    if policy.mode is mtasts.Mode.NONE:
        yield point.item(Level.WARN, N_("the policy has the mode none: senders need no TLS"), seen=seen, mode=str(policy.mode))
    elif outside:
        level = Level.FAIL if policy.mode is mtasts.Mode.ENFORCE else Level.WARN
        finding = N_("the policy does not name {hosts}: in mode enforce, senders leave these servers out")
        yield point.item(level, finding, seen=seen, hosts=", ".join(outside)[:300], mode=str(policy.mode))
    elif policy.mode is mtasts.Mode.TESTING:
        yield point.item(Level.WARN, N_("the policy has the mode testing: mail goes on when TLS fails"), seen=seen, mode=str(policy.mode))
    else:
        yield point.item(Level.PASS, N_("the policy is enforced, and names all mail servers"), seen=seen, mode=str(policy.mode))


def _tls_rpt(domain: Domain, answer: Answer, *, used: bool) -> Iterator[Item]:
    """The record of TLS-RPT. RFC 8460 3: several records are as none."""
    point, name = TransportPoint.TLS_RPT, f"_smtp._tls.{domain}"
    texts = _texts(answer, tlsrpt.is_record)
    if answer.temporary:
        yield point.untested(name, answer)
    elif len(texts) > 1:
        yield point.item(Level.FAIL, N_("{name} has {count} records instead of one"), seen=texts, name=name, count=len(texts))
    elif not texts:
        strange = [text for text in answer.records if isinstance(text, bytes)]
        mend = [txt(name, f"v=TLSRPTv1; rua=mailto:tls-reports@{domain}")]
        if strange:
            yield point.item(Level.FAIL, N_("{name} has a record that is none of TLS-RPT"), seen=strange, mend=mend, name=name)
        else:
            finding = N_("no TLS-RPT: nobody tells when TLS to this domain fails")
            yield point.item(Level.WARN if used else Level.INFO, finding, mend=mend if used else ())
    else:
        record = tlsrpt.parse_record(texts[0])
        yield from _noted(point, record.notes, texts)
        if record.valid:
            addresses = ", ".join(record.rua)[:300]
            yield point.item(Level.PASS, N_("reports about TLS go to {addresses}"), seen=texts, addresses=addresses)


def _noted(point: TransportPoint, notes: Sequence[mtasts.Note], seen: Sequence[bytes | str]) -> Iterator[Item]:
    """What the reader of a record or a file noted."""
    for note in notes:
        level, told = Level.FAIL if note.fatal else Level.WARN, Sentence(note.sentence)
        if note.text:
            yield point.item(level, N_("{part}: {told}"), seen=seen, part=note.text, told=told)
        else:
            yield point.item(level, note.sentence, seen=seen)
