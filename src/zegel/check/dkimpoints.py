"""What is looked at in DKIM: each point with its id, the section that it comes from, and why it matters."""

from __future__ import annotations

from zegel.check.item import Point
from zegel.words import N_


class DkimPoint(Point):
    """What is looked at in DKIM."""

    ABOVE = (
        "dkim.domainkey",
        "RFC 8020 2",
        N_("a name that does not exist has nothing below it; tests that know no selector look here"),
    )
    SELECTORS = ("dkim.selectors", "RFC 6376 3.1", N_("DNS does not tell which selectors there are"))
    KEY = ("dkim.key", "RFC 6376 3.6.2.2", N_("without exactly one record, signatures with this selector are worth nothing"))
    SYNTAX = ("dkim.syntax", "RFC 6376 3.6.1", N_("a record that does not parse is no key: signatures with it fail"))
    BITS = ("dkim.bits", "RFC 8301 3.2", N_("who can break a short key can sign as this domain"))
    REVOKED = ("dkim.revoked", "RFC 6376 3.6.1", N_("nothing may be signed with a revoked key"))
    TESTING = ("dkim.testing", "RFC 6376 3.6.1", N_("some receivers then treat signed mail as if it were not signed"))
    HASH = ("dkim.hash", "RFC 6376 3.6.1", N_("a key that does not allow the hash of a signature does not verify it"))
    SERVICE = ("dkim.service", "RFC 6376 3.6.1", N_("a key that is not for e-mail does not verify e-mail"))
    VERSION = ("dkim.version", "RFC 6376 3.6.1", N_("a record should say what it is; some tools take no other for a key"))
    GRANULARITY = ("dkim.granularity", "RFC 4871", N_("old verifiers let a key with g= sign for one address only, or for none"))
    ALGORITHM = ("dkim.algorithm", "RFC 8463 3", N_("some large receivers do not know Ed25519, and take the mail for unsigned"))
