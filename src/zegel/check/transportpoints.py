"""What is looked at in transport: each point with its id, the section that it comes from, and why it matters."""

from __future__ import annotations

from zegel.check.item import Point
from zegel.words import N_


class TransportPoint(Point):
    """What is looked at in transport."""

    DNSSEC = ("transport.dnssec", "RFC 4035 4.9.3", N_("unsigned answers can be forged: mail then goes to a stranger's server"))
    TLSA = ("transport.tlsa", "RFC 7672 3.1", N_("with TLSA, senders know which certificate to expect and do not go on without"))
    MTA_STS = ("transport.mta_sts", "RFC 8461 3.1", N_("without MTA-STS or DANE, senders go on without TLS when somebody takes it away"))
    POLICY = ("transport.mta_sts_policy", "RFC 8461 3.2", N_("a policy that cannot be read, or names other servers, guards nothing"))
    TLS_RPT = ("transport.tls_rpt", "RFC 8460 3", N_("who asks for TLS should hear when it fails"))
    CAA = (
        "transport.caa",
        "RFC 8659 3",
        N_("without CAA, one careless authority is enough for a stranger to get a certificate of this name"),
    )
    STARTTLS = ("transport.starttls", "RFC 8461 4.2", N_("without TLS, mail is read by whoever carries it"))
    TLS_VERSION = ("transport.tls_version", "RFC 8996 4", N_("old versions of TLS can be broken into"))
    CERTIFICATE = ("transport.certificate", "RFC 8461 4.2", N_("a certificate that nobody vouches for may be anybody's"))
    CERTIFICATE_NAME = ("transport.certificate_name", "RFC 8461 4.2", N_("a certificate of another name may be anybody's"))
    TLSA_MATCH = (
        "transport.tlsa_match",
        "RFC 7672 3.1",
        N_("where no TLSA record fits, senders that go by DANE return the mail"),
    )
