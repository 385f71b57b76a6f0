"""BIMI: the logo that some mailbox providers show beside mail that passes DMARC. It is optional, and no RFC.

Individual Internet-Draft draft-brand-indicators-for-message-identification. The logo and its certificate are not fetched.
"""

from __future__ import annotations

from collections.abc import Iterator

from zegel.ask import Answer, Dialogue, RRType, ask
from zegel.check.dmarc import DmarcFacts
from zegel.check.item import Item, Level, Point
from zegel.dmarc.record import Policy
from zegel.grammar import taglist
from zegel.grammar.domain import Domain
from zegel.words import N_

_NAME = "default._bimi"


class BimiPoint(Point):
    """What is looked at in BIMI."""

    RECORD = ("bimi.record", "RFC 6376 3.2", N_("a record that cannot be read shows no logo"))
    POLICY = ("bimi.policy", "RFC 9989 4.7", N_("a logo is shown only for a domain whose policy is quarantine or reject, for all its mail"))
    LOGO = ("bimi.logo", "RFC 6376 3.2", N_("logo and certificate are fetched over HTTPS, and by nothing else"))


def look(domain: Domain) -> Dialogue[Answer]:
    """Ask for the record of the usual selector."""
    answer = yield from ask(f"{_NAME}.{domain}", RRType.TXT)
    return answer


def judge(domain: Domain, answer: Answer, dmarc: DmarcFacts) -> Iterator[Item]:
    """Judge what was seen."""
    name, point = f"{_NAME}.{domain}", BimiPoint.RECORD
    if answer.temporary:
        yield point.untested(name, answer)
        return
    texts = [text for text in answer.records if isinstance(text, bytes) and text[:3].lower() in (b"v=b", b"v =")]
    if not texts:
        yield point.item(Level.INFO, N_("no logo is published (BIMI), which is optional"))
        return
    if len(texts) > 1:
        yield point.item(Level.FAIL, N_("{name} has {count} records instead of one"), seen=texts, name=name, count=len(texts))
        return
    try:
        tags = taglist.parse(texts[0])
    except taglist.TagListError as error:
        yield point.item(Level.FAIL, N_("the record of the logo cannot be read ({detail})"), seen=texts, detail=str(error)[:100])
        return
    if tags.get("v") != "BIMI1" or "l" not in tags:
        yield point.item(Level.FAIL, N_("the record of the logo needs v=BIMI1 and l="), seen=texts)
        return
    yield point.item(Level.PASS, N_("a record for a logo is published (BIMI)"), seen=texts)
    logo, evidence = tags["l"], tags.get("a", "")
    wrong = [url for url in (logo, evidence) if url and not url.lower().startswith("https://")]
    if wrong:
        yield BimiPoint.LOGO.item(Level.FAIL, N_("{url} does not begin with https://"), url=wrong[0][:200])
    elif logo and not evidence:
        yield BimiPoint.LOGO.item(Level.INFO, N_("the logo has no certificate (a=): large providers show it with one only"))
    else:
        yield BimiPoint.LOGO.item(Level.NOT_TESTED, N_("the logo itself is not fetched from here"))
    record = dmarc.record
    below = record.policy_for(subdomain=True, exists=True) if record else None
    if not dmarc.enforced or below is Policy.NONE or (record is not None and record.percentage < 100):
        yield BimiPoint.POLICY.item(Level.WARN, N_("the DMARC policy is too weak for a logo to be shown"))
    else:
        yield BimiPoint.POLICY.item(Level.PASS, N_("the DMARC policy is strong enough for a logo to be shown"))
