"""What the verdict on a message says to its owner: author, SPF, DMARC by both RFCs, seals, each with what would mend it.

The verdict is the receiver's; nothing here judges again. RFC 7208 2.6, RFC 9989 5.3, RFC 7489 6.6.3, RFC 8617 5.2.
"""

from __future__ import annotations

import ipaddress

from zegel.arc.result import ArcStatus
from zegel.ask import RRType
from zegel.check.item import Area, Item, Level, Value
from zegel.dkim.result import DkimStatus
from zegel.dmarc.result import DmarcResult, DmarcStatus
from zegel.grammar.domain import Domain
from zegel.grammar.encodedword import printable
from zegel.rollout.records import Record, cut
from zegel.spf.result import SpfReason, SpfStatus
from zegel.verdict.authenticate import Verdict
from zegel.words import N_, Sentence

_MAX_RECORD = 2000
_FORWARDED = N_("DKIM must carry it alone, also when SPF passes: whoever forwards the mail breaks SPF")


def author(verdict: Verdict) -> list[Item]:
    """Whom From names."""
    found = verdict.author
    seen = (found.text,) if found.text else ()
    if found.domain is not None:
        return [Item("message.from", Area.DMARC, Level.PASS, found.told, seen=seen, values={"domain": str(found.domain)})]
    why = Sentence(N_("receivers judge the domain in From; without a clear one they refuse ({section})"), section=found.reason.section)
    step = Sentence(N_("write one From field with one address"))
    return [Item("message.from", Area.DMARC, Level.FAIL, found.told, why, seen, step=step)]


def spf(verdict: Verdict, *, known: bool) -> list[Item]:
    """SPF of the envelope; ``known`` tells that the client is known at all."""
    if not known:
        shown = Sentence(N_("SPF is not judged: the server that brought the message is not known"))
        return [Item("message.spf", Area.SPF, Level.NOT_TESTED, shown)]
    result = verdict.spf.mail_from
    domain, ip = result.domain or "-", printable(verdict.findings.client.ip, longest=60)
    reason = Sentence(result.reason.sentence)
    shown = Sentence(N_("SPF of {domain} for {ip}: {status}, {reason}"), domain=domain, ip=ip, status=result.status, reason=reason)
    seen = tuple(printable(text, longest=_MAX_RECORD) for text in (*_record(verdict, result.domain)[:1], result.cause.place) if text)
    values: dict[str, Value] = {"status": str(result.status), "reason": result.reason.id, "domain": str(domain), "ip": ip}
    values["aligned"] = verdict.dmarc.aligned_spf
    if result.status is SpfStatus.PASS:
        return [Item("message.spf", Area.SPF, Level.PASS, shown, seen=seen, values=values)]
    why = Sentence(N_("receivers refuse or suspect mail from a server that the sender's domain does not list"))
    mend, step = _mended(verdict, result.domain, result.reason)
    level = Level.WARN if result.status in (SpfStatus.NEUTRAL, SpfStatus.TEMPERROR) else Level.FAIL
    return [Item("message.spf", Area.SPF, level, shown, why, seen, mend, step, values)]


def _record(verdict: Verdict, domain: Domain | None) -> list[str]:
    """The SPF records of the domain that DNS gave for this verdict."""
    texts = (record for question, answer in verdict.trails.spf.asked if question == (domain, RRType.TXT) for record in answer.records)
    decoded = (text.decode("latin-1") if isinstance(text, bytes) else text for text in texts)
    return [text for text in decoded if text.lower() == "v=spf1" or text.lower().startswith("v=spf1 ")]


def _mended(verdict: Verdict, domain: Domain | None, reason: SpfReason) -> tuple[tuple[Record, ...], Sentence | None]:
    """The record with this server in it. It is for the owner to say that the server is his: the step says so."""
    if domain is None:
        return (), Sentence(N_("give the server a full name for HELO, and the mail a sender with a domain"))
    try:
        address = ipaddress.ip_address(verdict.findings.client.ip)
    except ValueError:
        return (), None
    network = f"ip{address.version}:{address}"
    records = _record(verdict, domain)
    if not records and reason in (SpfReason.NO_RECORD, SpfReason.NO_SUCH_DOMAIN):
        text = f"v=spf1 {network} -all"
    elif len(records) == 1 and reason in (SpfReason.NOT_PERMITTED, SpfReason.PROBABLY_NOT, SpfReason.NOT_ASSERTED, SpfReason.NO_MATCH):
        first, *terms = records[0].split()
        text = " ".join((first, network, *terms))
    else:
        return (), Sentence(N_("mend the SPF record of {domain}; zegel check {domain} shows what is wrong with it"), domain=domain)
    if not text.isascii() or not text.isprintable() or len(text) > _MAX_RECORD:
        return (), None
    step = Sentence(N_("only if {ip} is a server of yours: publish this record"), ip=str(address))
    return (Record(str(domain), "TXT", cut(text)),), step


def dmarc(verdict: Verdict, older: DmarcResult | None) -> list[Item]:
    """What a receiver does by RFC 9989; where one of RFC 7489 decides otherwise; and if DKIM alone would carry it."""
    result = verdict.dmarc
    domain = result.author_domain or verdict.author.text or "-"
    reason = Sentence(result.reason.sentence)
    shown = Sentence(N_("DMARC of {domain}: {status}, {reason}"), domain=domain, status=result.status, reason=reason)
    seen = _policy(result)
    values: dict[str, Value] = {"status": str(result.status), "reason": result.reason.id, "domain": str(domain)}
    levels = {DmarcStatus.PASS: Level.PASS, DmarcStatus.TEMPERROR: Level.WARN}
    level = levels.get(result.status, Level.FAIL)
    mend: tuple[Record, ...] = ()
    step = None
    if result.status is DmarcStatus.NONE and result.author_domain is not None:
        mend = (Record(f"_dmarc.{result.author_domain}", "TXT", (f"v=DMARC1; p=none; rua=mailto:dmarc@{result.author_domain}",)),)
        step = Sentence(N_("publish a policy; begin with none, and read the reports"))
    elif result.status is DmarcStatus.FAIL:
        step = Sentence(N_("let the server sign with {tag}, or send with a MAIL FROM of that domain that SPF lets pass"), tag=f"d={domain}")
    listed = [Item("message.dmarc", Area.DMARC, level, shown, seen=seen, mend=mend, step=step, values=values)]
    if older is not None and older.psl is not None and older.differences:
        listed.append(_older(older))
    return listed + ([_carried(verdict)] if result.author_domain is not None and verdict.dkim else [])


def _policy(result: DmarcResult) -> tuple[str, ...]:
    if result.policy_domain is None:
        return ()
    applied = f" ({result.applied})" if result.applied is not result.policy else ""
    return (f"_dmarc.{result.policy_domain}: {result.policy or '-'}{applied}",)


def _older(result: DmarcResult) -> Item:
    psl = result.psl
    if psl is None:
        raise RuntimeError("there is no answer of RFC 7489")
    shown = Sentence(
        N_("a receiver that still follows RFC 7489 finds {other} with the policy {policy}, where RFC 9989 finds {status}"),
        other=psl.status,
        policy=psl.policy or "-",
        status=result.status,
    )
    why = Sentence(N_("the two find the organization's domain in different ways"))
    seen = (f"RFC 9989: {result.organizational_domain or '-'}", f"RFC 7489: {psl.organizational_domain}")
    level = Level.WARN if psl.status is not result.status or psl.policy is not result.policy else Level.INFO
    return Item("message.dmarc.rfc7489", Area.DMARC, level, shown, why, seen, values={"differences": ", ".join(result.differences)})


def _carried(verdict: Verdict) -> Item:
    domain = verdict.dmarc.author_domain
    why = Sentence(_FORWARDED)
    if any(verdict.dmarc.aligned_dkim):
        shown = Sentence(N_("a valid signature is aligned with {domain}"), domain=domain)
        return Item("message.aligned", Area.DMARC, Level.PASS, shown, why)
    passing = sorted({str(result.domain) for result in verdict.dkim if result.status is DkimStatus.PASS})
    if passing and verdict.dmarc.status is not DmarcStatus.NONE:
        shown = Sentence(N_("the valid signatures are of {domains}, not of {domain}"), domains=", ".join(passing), domain=domain)
    else:
        shown = Sentence(N_("no valid signature is known to be aligned with {domain}"), domain=domain)
    # One of its own that does not hold is told by itself: another signature would not mend it.
    broken = any(result.domain is not None and domain is not None and domain.within(result.domain) for result in verdict.dkim)
    step = None if broken else Sentence(N_("let the server sign with {tag}"), tag=f"d={domain}")
    return Item("message.aligned", Area.DMARC, Level.FAIL, shown, why, step=step)


def arc(verdict: Verdict) -> list[Item]:
    """The seals of those who handed the message on."""
    result = verdict.arc
    if result.status is ArcStatus.NONE:
        return []
    seen = tuple(f"i={one.instance}: {one.domain} (cv={one.chain})" for one in result.instances[:10])
    reason = Sentence(result.reason.sentence)
    shown = Sentence(N_("ARC: {status}, {reason}"), status=result.status, reason=reason)
    level = Level.INFO if result.status is ArcStatus.PASS else Level.WARN
    why = Sentence(N_("it counts only where the receiver trusts the sealer"))
    return [Item("message.arc", Area.ARC, level, shown, why, seen, values={"status": str(result.status), "sets": len(result.instances)})]
