"""The records that a domain has to publish: their name, their strings, and their two spellings for people.

Pure text: a key's public half becomes a record, a record becomes the line of a zone file or the value for a provider's web form. RFC 6376
3.6.1 and 3.6.2, RFC 8463 4.2, RFC 1035 3.3.14 and 5.1. It publishes nothing and asks nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from zegel.grammar.taglist import format_tags

STRING_OCTETS = 255
TTL = 3600


class PublicHalf(Protocol):
    """What of a key is published: a stored key, or anything with these four."""

    @property
    def domain(self) -> str:
        """The domain that it signs for."""

    @property
    def selector(self) -> str:
        """The name of the key below ``_domainkey``."""

    @property
    def key_type(self) -> str:
        """The word of ``k=``: "rsa" or "ed25519"."""

    @property
    def public(self) -> str:
        """The base64 of ``p=``."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record: ``name`` in full without the final dot, ``type``, and strings of at most 255 octets, which readers join as they are."""

    name: str
    type: str
    strings: tuple[str, ...]

    def relative_to(self, zone: str) -> str:
        """The name as written inside ``zone``: ``@`` for the zone itself. Raises ValueError when the name is not in it."""
        if self.name == zone:
            return "@"
        if not self.name.endswith(f".{zone}"):
            raise ValueError(f"{self.name} is not within {zone}")
        return self.name.removesuffix(f".{zone}")


def key_record(key: PublicHalf) -> Record:
    """The key record of a key. RFC 6376 3.6.1: v= first; h=, s= and t= stay away, so that nothing is restricted."""
    text = format_tags({"v": "DKIM1", "k": key.key_type, "p": key.public})
    return Record(f"{key.selector}._domainkey.{key.domain}", "TXT", cut(text))


def cut(text: str) -> tuple[str, ...]:
    """Cut text into strings of at most 255 octets (RFC 1035 3.3.14); they belong to one record, in this order."""
    octets = text.encode("ascii")
    return tuple(octets[at : at + STRING_OCTETS].decode("ascii") for at in range(0, len(octets), STRING_OCTETS)) or ("",)


def as_value(record: Record) -> str:
    """The value as one string: what a web form wants, which cuts and quotes by itself."""
    return "".join(record.strings)


def as_zone_line(record: Record) -> str:
    """The record as one line of a zone file (RFC 1035 5.1). Its strings are quoted: bare, the semicolons would start a comment."""
    strings = " ".join(f'"{_escaped(string)}"' if record.type == "TXT" else string for string in record.strings)
    return f"{record.name}. {TTL} IN {record.type} {strings}"


def _escaped(string: str) -> str:
    return string.replace("\\", "\\\\").replace('"', '\\"')
