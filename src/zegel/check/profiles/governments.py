"""What governments ask: the United States (BOD 18-01 and CISA's ScubaGear baseline), and Belgium (CCB and DNS Belgium).

The ids MS.EXO are those of the baseline for Exchange Online, of which only what stands in DNS can be seen from here. The Belgian guidelines
have no ids of their own; the four measures that they name stand here under their names.
"""

from __future__ import annotations

from zegel.check.item import Item, Level
from zegel.check.profiles.profile import Demand, Need, Profile, flawless, not_failed, value_in
from zegel.words import N_

NOT_FEDERAL = "not of the United States' federal government"
NO_MAIL = "no mail"
_AGENCY = "reports@dmarc.cyber.dhs.gov"
_CONNECT = N_("it takes a connection to the mail server: zegel check --connect")
_OLD = N_("what our own library does not offer cannot be tried from here")


def _refuses(item: Item) -> bool | None:
    """The record is there, and its end refuses: ``-all``. Version 2 of the policy says that softfail is not enough."""
    if item.id == "spf.all":
        return value_in("qualifier", "-")(item)
    return not_failed(item)


def _agency(item: Item) -> bool | None:
    """The agency is among the destinations of aggregate reports."""
    return None if item.level is Level.NOT_TESTED else any(_AGENCY in seen.lower() for seen in item.seen)


def _contact(item: Item) -> bool | None:
    """Somebody else than the agency gets the reports; an item about failure reports is there only when somebody does."""
    if item.id == "reports.ruf":
        return True
    return None if item.level is Level.NOT_TESTED else any(_AGENCY not in seen.lower() for seen in item.seen)


def _rejects(item: Item) -> bool | None:
    return value_in("policy", "reject")(item) if item.id == "dmarc.policy" else not_failed(item)


def _keyed(item: Item) -> bool | None:
    """A key was seen; that the name above the keys exists is not yet one."""
    return not_failed(item) if item.id == "dkim.bits" else None if item.level in (Level.PASS, Level.NOT_TESTED) else False


BOD_18_01 = Profile(
    "bod-18-01",
    "BOD 18-01 / CISA ScubaGear",
    "cisa.gov, BOD 18-01; github.com/cisagov/ScubaGear, baselines/exo.md",
    (
        Demand(
            "MS.EXO.2.2v3",
            N_("SPF fails all servers that are not listed"),
            ("spf.record", "spf.all"),
            _refuses,
            clear=("spf.syntax", "spf.include"),
        ),
        Demand("MS.EXO.3.1v1", N_("DKIM is in use"), ("dkim.bits|dkim.domainkey",), _keyed, need=Need.SHOULD, unless=NO_MAIL),
        Demand("MS.EXO.4.1v1", N_("there is a DMARC record"), ("dmarc.record",), clear=("dmarc.version", "dmarc.syntax")),
        Demand("MS.EXO.4.2v1", N_("the DMARC policy is reject"), ("dmarc.record", "dmarc.policy"), _rejects),
        Demand("MS.EXO.4.3v1", N_("CISA gets the aggregate reports"), ("reports.rua",), _agency, unless=NOT_FEDERAL),
        Demand(
            "MS.EXO.4.4v1",
            N_("a contact of one's own gets aggregate and failure reports"),
            ("reports.rua", "reports.ruf"),
            _contact,
            need=Need.SHOULD,
        ),
        Demand("BOD 18-01 STARTTLS", N_("mail servers offer STARTTLS"), ("transport.starttls",), flawless, note=_CONNECT, unless=NO_MAIL),
        Demand("BOD 18-01 SSLv2, SSLv3", N_("mail servers refuse SSLv2 and SSLv3"), note=_OLD, unless=NO_MAIL),
        Demand("BOD 18-01 3DES, RC4", N_("mail servers refuse 3DES and RC4"), note=_OLD, unless=NO_MAIL),
    ),
)

BELGIUM = Profile(
    "belgium",
    "Belgium: CCB and DNS Belgium",
    "dnsbelgium.be/en/news/guidelines-better-cybersecurity, atwork.safeonweb.be",
    (
        Demand("SPF", N_("SPF says which servers may send"), ("spf.record", "spf.all"), clear=("spf.syntax", "spf.include", "spf.lookups")),
        Demand("DKIM", N_("DKIM signs the mail"), ("dkim.bits|dkim.domainkey",), _keyed, clear=("dkim.key", "dkim.syntax"), unless=NO_MAIL),
        Demand(
            "DMARC", N_("DMARC says what happens to forged mail"), ("dmarc.record", "dmarc.policy"), clear=("dmarc.version", "dmarc.syntax")
        ),
        Demand(
            "DMARC (enforced)",
            N_("the DMARC policy is quarantine or reject"),
            ("dmarc.policy",),
            value_in("applied", "quarantine", "reject"),
            need=Need.SHOULD,
        ),
        Demand("DNSSEC", N_("DNSSEC signs the domain"), ("transport.dnssec",), flawless),
    ),
)
