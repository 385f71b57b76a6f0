"""The From patterns of a signing table, in OpenDKIM's two spellings, and which of Zegel's senders they are.

In a flat file and a list (SigningTable in opendkim.conf(5)) the more precise key wins: ``user@host``, ``host``, ``.domain``, ``*``. In a
``refile:`` the first pattern that matches the whole address wins. What no sender of ours can say is :data:`Shape.ODD`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from zegel.grammar.domain import Domain


class Shape(Enum):
    """Whom a pattern is about."""

    ALL = "all"
    DOMAIN = "domain"
    BELOW = "below"
    ADDRESS = "address"
    NOBODY = "nobody"
    ODD = "odd"


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern. ``sender`` is how ``[[outbound.allow]]`` writes it; empty, as ``domain`` is, where no single domain is named."""

    shape: Shape
    domain: Domain | None = None
    sender: str = ""

    def wider(self) -> Iterator[str]:
        """The senders that take in this one as well, itself first: what an earlier pattern must be to keep this one from ever counting."""
        yield self.sender or "*"
        if self.domain is None:
            return
        if self.shape is Shape.ADDRESS:
            yield str(self.domain)
        for parent in self.domain.parents:
            yield f".{parent}"
        yield "*"


def read(text: str, *, wildcards: bool) -> Pattern:
    """Read a key of a signing table; ``wildcards`` for one of a ``refile:``."""
    local, at, host = text.rpartition("@")
    if text == "*" or (wildcards and text == "*@*"):
        return Pattern(Shape.ALL)
    if not at:
        return _host(host, wildcards=wildcards)
    if local == "*" and wildcards:
        return _below(host.removeprefix("*.")) if host.startswith("*.") else _plain(Shape.DOMAIN, host)
    if "*" in local or "*" in host or host.startswith("."):
        # In a flat file the stars stand for themselves, but for user@* and user@.domain.
        return Pattern(Shape.ODD if wildcards or "*" not in local else Shape.NOBODY)
    return _plain(Shape.ADDRESS, host, f"{local}@")


def _host(host: str, *, wildcards: bool) -> Pattern:
    if wildcards:
        # It is held against whole addresses: *.example.be has them all below, a bare name none.
        return _below(host.removeprefix("*.")) if host.startswith("*.") else Pattern(Shape.ODD if "*" in host else Shape.NOBODY)
    if host.startswith("."):
        return _below(host.removeprefix("."))
    return Pattern(Shape.NOBODY) if "*" in host else _plain(Shape.DOMAIN, host)


def _below(host: str) -> Pattern:
    return _plain(Shape.BELOW, host, ".")


def _plain(shape: Shape, host: str, before: str = "") -> Pattern:
    try:
        domain = Domain.parse(host)
    except ValueError:
        return Pattern(Shape.ODD)
    return Pattern(shape, domain, before + domain)
