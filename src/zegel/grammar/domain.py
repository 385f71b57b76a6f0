"""Domain names as values: one spelling (A-labels, lower case), checked once, compared often.

RFC 1034 3.5 and RFC 5321 2.3.5 for the letters, RFC 1035 3.1 for the labels, RFC 5890 2.3 for internationalised ones. It asks nothing of
DNS, and it refuses what is not a name rather than mend it: control characters in ``d=`` or ``s=`` are an attack.
"""

from __future__ import annotations

import re
from functools import lru_cache

import idna

# Underscores are no host names, but they are DNS names that people publish and sign with (_domainkey, _dmarc).
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
_MAX_NAME = 253
_MAX_INPUT = 1024
_MAX_SHOWN = 64  # characters of what was refused that an error names
_MAX_WHY = 120  # and of why the library refuses it, which names a letter and its label


class Domain(str):
    """A domain name in its one spelling: A-labels, lower case, no final dot. Made by :meth:`parse` only."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str | bytes) -> Domain:
        """Read a domain name, A-labels or U-labels (UTF-8). Raises ValueError for anything that is not one.

        The error names what was given: its beginning, quoted, in printable ASCII.
        """
        if isinstance(text, str):
            return _parse(text)
        try:
            return _parse(text.decode("utf-8"))
        except UnicodeDecodeError:
            raise ValueError(f"{_shown(text.decode('latin-1'))} is not a domain name: it is not UTF-8") from None

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, leftmost first."""
        return tuple(self.split("."))

    @property
    def parents(self) -> tuple[Domain, ...]:
        """The names above this one, nearest first."""
        labels = self.split(".")
        return tuple(Domain(".".join(labels[i:])) for i in range(1, len(labels)))

    @property
    def unicode(self) -> str:
        """The name as people write it (U-labels), or the A-labels where they do not decode."""
        try:
            return idna.decode(self)
        except idna.IDNAError:
            return str(self)

    def within(self, parent: str) -> bool:
        """True when this is ``parent`` or a name below it."""
        return self == parent or self.endswith("." + parent)


@lru_cache(maxsize=4096)
def _parse(text: str) -> Domain:
    if len(text) > _MAX_INPUT:
        raise ValueError(f"{_shown(text)} is not a domain name: one has at most {_MAX_NAME} characters")
    name = text.removesuffix(".").lower() if text.isascii() else _to_ascii(text)
    if not name or len(name) > _MAX_NAME:
        raise ValueError(f"{_shown(text)} is not a domain name: one has 1 to {_MAX_NAME} characters")
    if not all(map(_LABEL.fullmatch, name.split("."))):
        raise ValueError(f"{_shown(text)} is not a domain name")
    return Domain(name)


def _to_ascii(text: str) -> str:
    try:
        return idna.encode(text.removesuffix("."), uts46=True).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError) as error:
        why = ascii(str(error))[1:-1][:_MAX_WHY]
        raise ValueError(f"{_shown(text)} is not an internationalised domain name: {why}") from None


def _shown(text: str) -> str:
    """What was refused, for the error: a stranger may have written it, so it is bounded and steers no terminal."""
    return ascii(text[:_MAX_SHOWN]) + "..." * (len(text) > _MAX_SHOWN)
