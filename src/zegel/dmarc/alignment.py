"""Identifier Alignment: whether a domain that SPF or DKIM authenticated belongs to the author's. RFC 9989 4.4 and 4.10.2.

Relaxed alignment compares Organizational Domains, each found by a Tree Walk of its own (RFC 9989 3.2.10.1); strict alignment compares the
names (RFC 9989 3.2.10.2). Whether SPF or DKIM passed is no question here.
"""

from __future__ import annotations

from zegel.ask import Dialogue
from zegel.dmarc.discover import Lookups, Walk, walk
from zegel.dmarc.record import Alignment
from zegel.grammar.domain import Domain


def is_aligned(lookups: Lookups, author: Walk, domain: Domain, mode: Alignment) -> Dialogue[bool | None]:
    """Whether a domain is aligned with the one that ``author`` is the walk of; None when DNS does not say now.

    The walk of the other domain is left out where its end cannot matter: for the same domain, in strict mode, and for a domain outside of
    the author's Organizational Domain, as a walk from there ends at a name that is above it. So a stranger's domain whose name servers are
    dead cannot turn a failure into a temporary error.
    """
    if domain == author.start:
        return True
    if mode is Alignment.STRICT:
        return False
    organization = author.organizational_domain
    if organization is None:
        # It ends with the author's top level in any case.
        return None if domain.within(author.start.labels[-1]) else False
    if not domain.within(organization):
        return False
    other = yield from walk(lookups, domain)
    return None if other.trouble is not None else other.organizational_domain == organization
