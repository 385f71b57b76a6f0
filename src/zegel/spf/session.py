"""The arguments of check_host(): the client, and the identities that it gave. RFC 7208 2.3, 2.4, 4.1 and 4.3.

An identity is read once, strictly: either it has a full domain name, or there is nothing to check. Nothing is picked from the malformed.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from zegel.grammar.domain import Domain
from zegel.spf.client import Client

MAX_IDENTITY = 1024  # characters; RFC 5321 4.5.3.1.3 has 256 for a path
_ROUTE = re.compile(r"@[^@:\"]+(?:,@[^@:\"]+)*:")
_POSTMASTER = "postmaster"  # RFC 7208 4.3, for a sender without local-part


class Session(NamedTuple):
    """What one SMTP session told, and what we tell: ``receiver`` is ``%{r}``, ``now`` seconds since the epoch, for ``%{t}``.

    ``helo`` is as given; ``default_explanation`` is what a sender that fails is told when its domain says nothing.
    """

    client: Client
    helo: str
    receiver: str = "unknown"
    now: float = 0
    default_explanation: str = ""


class Sender(NamedTuple):
    """An identity as the <sender> of check_host(); ``domain`` is None when it has no full domain name."""

    local_part: str
    domain: Domain | None
    text: str

    @property
    def is_ascii(self) -> bool:
        """False for a local part that no macro can put into a name of DNS. RFC 8616 4."""
        return self.local_part.isascii()


def helo_sender(helo: str) -> Sender:
    """The HELO identity. RFC 7208 2.3: a valid, multi-label domain name, or nothing to check."""
    domain = full_domain(helo)
    return Sender(_POSTMASTER, domain, _POSTMASTER + "@" + (domain or helo[:MAX_IDENTITY]))


def mail_from_sender(mail_from: str, helo: str) -> Sender:
    """The MAIL FROM identity: the reverse-path, with or without angle brackets; postmaster at the HELO name for the empty one.

    RFC 7208 2.2 and 2.4. A source route is left out (RFC 5321 C); the domain is what follows the last "@".
    """
    path = mail_from[1:-1] if mail_from[:1] == "<" and mail_from[-1:] == ">" else mail_from
    if not path:
        return helo_sender(helo)
    if len(path) > MAX_IDENTITY:
        return Sender("", None, path[:MAX_IDENTITY])
    if path[0] == "@" and (route := _ROUTE.match(path)):
        path = path[route.end() :]
    local_part, at, host = path.rpartition("@")
    domain = full_domain(host) if at else None
    if domain is None:
        return Sender(local_part, None, path)
    local_part = local_part or _POSTMASTER
    return Sender(local_part, domain, local_part + "@" + domain)


@lru_cache(maxsize=4096)
def full_domain(text: str) -> Domain | None:
    """A domain name with more than one label (A-labels), whose last is not a number as in an address; None for what is none."""
    try:
        domain = Domain.parse(text)
    except ValueError:
        return None
    top = domain.rpartition(".")
    return domain if top[1] and not top[2].isdigit() else None
