"""What is looked at in DMARC: each point with its id, the section that it comes from, and why it matters."""

from __future__ import annotations

from zegel.check.item import Point
from zegel.words import N_


class DmarcPoint(Point):
    """What is looked at in DMARC."""

    RECORD = (
        "dmarc.record",
        "RFC 9989 4.10",
        N_("without one DMARC record, nobody is told what to do with mail that only claims to come from here"),
    )
    VERSION = ("dmarc.version", "RFC 9989 4.7", N_("a record counts only when it begins with v=DMARC1, in these letters"))
    LABELS = (
        "dmarc.labels",
        "RFC 9989 5.1.8",
        N_("of a name with more than eight labels receivers ask only for the last seven and the whole"),
    )
    SYNTAX = ("dmarc.syntax", "RFC 9989 4.8", N_("a part that is wrong is dropped: receivers do as if it were not there"))
    ORDER = ("dmarc.order", "RFC 7489 6.3", N_("older readers want p= right behind v=, and internet.nl tests it so"))
    SIZE_LIMIT = ("dmarc.size_limit", "RFC 9989 4.8", N_("a size limit is no longer part of DMARC; some readers drop the whole address"))
    OPTIONS = ("dmarc.options", "RFC 9989 4.7", N_("fo= says when failure reports are wanted, and there is no address for them"))
    HISTORIC = ("dmarc.historic", "RFC 9989 9.3", N_("pct, rf and ri are given up: some receivers follow them, some do not"))
    POLICY = ("dmarc.policy", "RFC 9989 4.7", N_("only quarantine or reject keeps forged mail away from people"))
    TESTING = ("dmarc.testing", "RFC 9989 4.7", N_("while testing, a policy is not the policy that is published"))
    SUBDOMAINS = ("dmarc.subdomains", "RFC 9989 4.7", N_("forgers take the name that is guarded least"))
    NONEXISTENT = ("dmarc.nonexistent", "RFC 9989 4.7", N_("forgers can make up names that nobody has, as many as they like"))
    PSD = ("dmarc.psd", "RFC 9989 5.2", N_("psd=y is for registries: in another domain's record it cuts the organisation into pieces"))
    ALIGNMENT = ("dmarc.alignment", "RFC 9989 4.4", N_("alignment ties SPF and DKIM to the domain that people see"))
    OLDER = (
        "dmarc.older",
        "RFC 7489 3.2",
        N_("receivers of both kinds are about; what they do with the same message should not differ"),
    )
