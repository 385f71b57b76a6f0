"""Where DMARC reports go: whether the addresses of ``rua=`` and ``ruf=`` can be written to, and whether others agree to have them.

RFC 9990 4 for aggregate reports, RFC 9991 5 for failure reports: a destination outside the organisation says yes in DNS, or gets nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from zegel.ask import Answer, Dialogue, RRType, ask, side_by_side
from zegel.check.dmarc import DmarcFacts
from zegel.check.item import Item, Level, Point, txt
from zegel.check.mx import host_of
from zegel.dmarc import record as policy_record
from zegel.dmarc.discover import Lookups, walk
from zegel.dmarc.record import ReportUri
from zegel.grammar.domain import Domain
from zegel.words import N_, Sentence

MAX_DESTINATIONS = 10
_MAX_NAME = 253


class ReportsPoint(Point):
    """What is looked at in the destinations of reports."""

    RUA = ("reports.rua", "RFC 9989 4.7", N_("without reports, nobody sees who sends as this domain, and what would be lost"))
    RUF = ("reports.ruf", "RFC 9991 2", N_("failure reports hold parts of people's mail; few receivers send them"))
    CONSENT = (
        "reports.consent",
        "RFC 9990 4",
        N_("receivers send no reports outside the organisation unless the destination agrees in DNS"),
    )
    DELIVERABLE = ("reports.deliverable", "RFC 5321 5.1", N_("reports to a domain without mail servers come back, or are lost"))


class Destination(NamedTuple):
    """One address for reports: where its domain's mail goes, and the answer of the consent record, None where none is needed.

    ``organization`` is the Organizational Domain of the destination, None where DNS does not say now.
    """

    tag: str
    uri: ReportUri
    host: Domain
    mail: tuple[Answer, ...]
    organization: Domain | None
    consent_name: str = ""
    consent: Answer | None = None


class ReportsFacts(NamedTuple):
    """The destinations that can be looked at, the first ten, and how many there are."""

    destinations: tuple[Destination, ...] = ()
    total: int = 0


def look(facts: DmarcFacts) -> Dialogue[ReportsFacts]:
    """Ask for what is needed to send a report to each destination of the record that applies."""
    record, place = facts.record, facts.discovery.domain
    if record is None or place is None:
        return ReportsFacts()
    lookups = Lookups()
    own = yield from walk(lookups, place)
    wanted = [(tag, uri) for tag, uris in (("rua", record.rua), ("ruf", record.ruf)) for uri in uris if uri.address is not None]
    found = []
    for tag, uri in wanted[:MAX_DESTINATIONS]:
        found.append((yield from _destination(lookups, tag, uri, place, own.organizational_domain)))
    return ReportsFacts(tuple(found), len(wanted))


def _destination(lookups: Lookups, tag: str, uri: ReportUri, place: Domain, organization: Domain | None) -> Dialogue[Destination]:
    host = Domain.parse((uri.address or "").rpartition("@")[2])
    mail = yield from side_by_side([ask(host, kind) for kind in (RRType.MX, RRType.A, RRType.AAAA)])
    # RFC 9990 4, step 2: the same Organizational Domain needs no consent.
    walked = yield from walk(lookups, host)
    found = Destination(tag, uri, host, mail, walked.organizational_domain)
    if None in (organization, walked.organizational_domain) or organization == walked.organizational_domain:
        return found
    name = f"{place}._report._dmarc.{host}"
    if len(name) > _MAX_NAME:
        return found._replace(consent_name=name)
    answer = yield from ask(name, RRType.TXT)
    return found._replace(consent_name=name, consent=answer)


def judge(facts: DmarcFacts, found: ReportsFacts, *, sends: bool) -> Iterator[Item]:
    """Judge what was seen."""
    record, place = facts.record, facts.discovery.domain
    if record is None or place is None:
        return
    rua = [str(uri) for uri in record.rua]
    if any(uri.address for uri in record.rua):
        yield ReportsPoint.RUA.item(Level.PASS, N_("aggregate reports go to {addresses}"), seen=rua, addresses=", ".join(rua)[:300])
    else:
        level = Level.FAIL if sends else Level.WARN
        finding = N_("nobody gets aggregate reports: there is no rua= with a mail address")
        step = Sentence(N_("Add rua=mailto: with an address that somebody, or a program, reads."))
        yield ReportsPoint.RUA.item(level, finding, seen=rua, step=step)
    if record.ruf:
        ruf = [str(uri) for uri in record.ruf]
        yield ReportsPoint.RUF.item(Level.INFO, N_("failure reports go to {addresses}"), seen=ruf, addresses=", ".join(ruf)[:300])
    for one in found.destinations:
        yield from _deliverable(one)
        yield from _consent(one, place)


def _deliverable(one: Destination) -> Iterator[Item]:
    point, (mx, *addresses) = ReportsPoint.DELIVERABLE, one.mail
    values: dict[str, Any] = {"tag": one.tag, "host": str(one.host)}
    if any(host_of(record) == "" for record in mx.records):
        yield point.item(Level.FAIL, N_("{host} takes no mail (null MX), so no reports either"), seen=[str(one.uri)], **values)
    elif mx.records or any(answer.records for answer in addresses):
        yield point.item(Level.PASS, N_("{host} has servers that take mail"), **values)
    elif mx.temporary or any(answer.temporary for answer in addresses):
        yield point.untested(one.host, next(answer for answer in one.mail if answer.temporary))
    else:
        yield point.item(Level.FAIL, N_("{host} has no server that takes mail"), seen=[str(one.uri)], **values)


def _consent(one: Destination, place: Domain) -> Iterator[Item]:
    """Whether a destination outside agrees. RFC 9990 4, steps 3 to 8."""
    point = ReportsPoint.CONSENT
    values: dict[str, Any] = {"tag": one.tag, "host": str(one.host), "name": one.consent_name}
    if not one.consent_name:
        if one.organization is None:
            finding = N_("DNS does not say now if {host} belongs to the same organisation")
            yield point.item(Level.NOT_TESTED, finding, **values)
        return
    mend = [txt(one.consent_name, "v=DMARC1;")]
    step = Sentence(N_("Whoever runs the DNS of {host} has to publish it."), host=one.host)
    if one.consent is None:
        yield point.item(Level.FAIL, N_("{host} cannot agree: the name of its record would be too long"), **values)
        return
    if one.consent.temporary:
        yield point.untested(one.consent_name, one.consent)
        return
    texts = [text for text in one.consent.records if isinstance(text, bytes) and policy_record.is_record(text)]
    if not texts:
        finding = N_("{host} does not agree to have reports about {domain}")
        yield point.item(Level.FAIL, finding, seen=one.consent.records, mend=mend, step=step, domain=place, **values)
        return
    read = policy_record.parse(texts[0])
    others = [uri for uri in read.rua if uri.address is None or not _at(uri, one.host)] if read and one.tag == "rua" else []
    if others:
        finding = N_("{host} agrees, but sends the reports on to another host, which is not allowed: nobody gets them")
        yield point.item(Level.FAIL, finding, seen=texts, mend=mend, step=step, **values)
    else:
        yield point.item(Level.PASS, N_("{host} agrees to have reports about {domain}"), seen=texts, domain=place, **values)


def _at(uri: ReportUri, host: Domain) -> bool:
    return (uri.address or "").lower().endswith(f"@{host}")
