"""Selectors: the names under which keys are published (RFC 6376 3.1).

A selector that a mail provider also tells its customers to use (``mail`` is Brevo's, ``google`` Google's) ends in one of the two
overwriting the other's record. So the names made here are unlikely to be anybody else's, and the well-known ones are refused unless
insisted upon.
"""

from __future__ import annotations

import re
import secrets
import time

from zegel.grammar.domain import Domain
from zegel.store.errors import StoreError
from zegel.words import N_

ALGORITHMS = {"rsa2048": "rsa", "rsa3072": "rsa", "rsa4096": "rsa", "ed25519": "ed25519"}
"""The words of ``Key.generate``, each with its key type: the ``k=`` of the key record (RFC 6376 3.6.1, RFC 8463 4.2)."""

# Keys that were made elsewhere have other sizes; RFC 8301 3.2: 1024 bits at the least.
_RSA = re.compile(r"rsa(?:102[4-9]|10[3-9][0-9]|1[1-9][0-9]{2}|[2-7][0-9]{3}|8(?:0[0-9]{2}|1(?:[0-8][0-9]|9[0-2])))")

# Neither vowels nor the pairs that people mix up: no words, no l, 0 or 1.
_LETTERS = "bcdfghjkmnpqrstvwxz23456789"
_MAX_NAME = 253

WELL_KNOWN = frozenset(
    """
    20161025 20210112 20221208 20230601 brevo1 brevo2 cm default dkim dkim1 dkim2 em everlytickey1 everlytickey2 fm1 fm2 fm3 google hs1 hs2
    k1 k2 k3 key1 key2 krs mail mailgun mailjet mandrill mesmtp mg mx mxvault pic pm pm-bounces protonmail protonmail2 protonmail3 s1 s1024
    s2 s2048 selector selector1 selector2 sendgrid sig1 smtp smtpapi turbo-smtp zendesk1 zendesk2 zmail zoho
    """.split()  # noqa: SIM905 - a list this long is read as text
)
"""Selectors that mail providers and other software hand out."""


def key_type(algorithm: str) -> str:
    """Return the ``k=`` word of an algorithm. Raises StoreError for one that Zegel does not know."""
    found = ALGORITHMS.get(algorithm) or ("rsa" if _RSA.fullmatch(algorithm) else None)
    if found is None:
        raise StoreError(N_("{algorithm!r} is no kind of key; take one of: {known}"), algorithm=algorithm, known=", ".join(ALGORITHMS))
    return found


def propose(algorithm: str, now: int) -> str:
    """Make a selector such as ``z202611r-k7qd``: year, month, first letter of the key type, four letters by chance. ``now`` in seconds."""
    month = time.strftime("%Y%m", time.gmtime(now))
    chance = "".join(secrets.choice(_LETTERS) for _ in range(4))
    return f"z{month}{key_type(algorithm)[0]}-{chance}"


def parse(text: str, domain: Domain, *, force: bool = False) -> str:
    """Read a selector for ``domain``, lower case. Raises StoreError when it is no DNS name, too long, or well known without ``force``."""
    try:
        selector = str(Domain.parse(text))
    except ValueError:
        raise StoreError(N_("{text!r} cannot be a selector; take letters, digits and hyphens"), text=text[:100]) from None
    if len(f"{selector}._domainkey.{domain}") > _MAX_NAME:
        raise StoreError(
            N_("the selector {selector} is too long for {domain}; a DNS name has at most 253 characters"), selector=selector, domain=domain
        )
    if selector in WELL_KNOWN and not force:
        sentence = N_(
            "the selector {selector} is one that mail providers hand out; another system may need that record. Take another, or force it"
        )
        raise StoreError(sentence, selector=selector)
    return selector
