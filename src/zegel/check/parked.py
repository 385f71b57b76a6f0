"""A domain that sends and takes no mail: whether it says so in all four places, so that nobody can use its name.

RFC 7505 3 for MX, RFC 7208 10.1.2 for SPF, RFC 6376 3.6.1 for keys that are revoked, RFC 9989 4.7 for the policy.
"""

from __future__ import annotations

from collections.abc import Iterator

from zegel.check.dkim import DkimFacts
from zegel.check.dmarc import DmarcFacts
from zegel.check.dmarcmend import refusing
from zegel.check.item import Item, Level, Point, txt
from zegel.check.mx import MxFacts, null_mx
from zegel.check.spf import SpfFacts
from zegel.dmarc.record import Policy
from zegel.grammar.domain import Domain
from zegel.words import N_


class ParkedPoint(Point):
    """What is looked at in a domain without mail."""

    MX = ("parked.mx", "RFC 7505 3", N_("senders then know at once that no answer can reach it"))
    SPF = ("parked.spf", "RFC 7208 10.1.2", N_("receivers then know that every host that sends as this domain lies"))
    DKIM = ("parked.dkim", "RFC 6376 3.6.1", N_("every signature with this domain then fails, whatever its selector"))
    DMARC = ("parked.dmarc", "RFC 9989 4.7", N_("receivers are then asked to refuse all mail from this domain"))


def is_parked(mx: MxFacts, spf: SpfFacts) -> bool:
    """True when the domain itself says that it takes or sends no mail, and nothing that it says speaks against that."""
    if mx.hosts or mx.answer.temporary:
        return False
    return spf.sends_nothing or (mx.null and (spf.tree.record is None or not spf.tree.terms))


def judge(domain: Domain, mx: MxFacts, spf: SpfFacts, dkim: DkimFacts, dmarc: DmarcFacts) -> Iterator[Item]:
    """Judge a domain without mail."""
    if mx.answer.temporary:
        yield ParkedPoint.MX.untested(domain, mx.answer)
    elif mx.null and not mx.hosts:
        yield ParkedPoint.MX.item(Level.PASS, N_("a null MX says that the domain takes no mail"))
    else:
        yield ParkedPoint.MX.item(Level.WARN, N_("a domain that takes no mail should say so with a null MX"), mend=[null_mx(domain)])
    if spf.txt.temporary:
        yield ParkedPoint.SPF.untested(domain, spf.txt)
    elif spf.sends_nothing:
        yield ParkedPoint.SPF.item(Level.PASS, N_("SPF says that nobody may send"))
    else:
        finding = N_("the SPF record of a parked domain should let nobody send")
        yield ParkedPoint.SPF.item(Level.FAIL, finding, seen=spf.tree.records, mend=[txt(domain, "v=spf1 -all")])
    name = f"*._domainkey.{domain}"
    if dkim.wildcard.temporary:
        yield ParkedPoint.DKIM.untested(name, dkim.wildcard)
    elif dkim.all_revoked:
        yield ParkedPoint.DKIM.item(Level.PASS, N_("every selector answers that its key is revoked"))
    else:
        finding = N_("no record says that all keys are revoked")
        yield ParkedPoint.DKIM.item(Level.WARN, finding, seen=dkim.wildcard.records, mend=[txt(name, "v=DKIM1; p=")])
    if dmarc.discovery.trouble is not None:
        yield ParkedPoint.DMARC.untested(domain, dmarc.answer)
    elif dmarc.applied is Policy.REJECT:
        yield ParkedPoint.DMARC.item(Level.PASS, N_("DMARC asks to refuse all mail from the domain"))
    else:
        finding = N_("the DMARC policy of a parked domain should be reject")
        yield ParkedPoint.DMARC.item(Level.FAIL, finding, mend=[refusing(domain, dmarc.record)])
