"""People's addresses as the store keeps them: always under a keyed hash, and beside it in clear or not.

The hash (HMAC-SHA256, 96 bits of it, under a key derived from the master key, behind 32 bits that tell the domain) is what
people are found by. So looking up,
exporting and erasing work the same when the address itself is not kept, and over a change of that setting. Without the master key a hash
tells nothing; with it, and a guess of the address, it does: it is a pseudonym, and still personal data. The domain is kept in clear.

A story may name addresses too. They are found in its JSON text, so that what a person has erased is not left there.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from zegel.grammar.domain import Domain
from zegel.store.record import printable
from zegel.store.vault import Vault

_DOMAIN_OCTETS, _ADDRESS_OCTETS = 4, 12
MAX_ADDRESS = 320
_ONE_TEXT = re.compile(r'(?:[^"\\]|\\.)*+', re.DOTALL)
_MAX_HOST = 253
# More addresses than this, and a story is not kept: it must hold none that is not accounted for.
_MAX_MENTIONS = 200
_MAX_QUOTED = 70  # escaped quotes in one local part, which has 64 octets
_PLAIN_LOCAL = re.compile(r'"([^\s()<>\[\]:;@\\,"]+)"')
_ENDS = frozenset(' \t\r\n<>()[]:;,"\\@')


class Person(NamedTuple):
    """An address as it is stored: the keyed hash, the address in clear (None when hashed), and its domain ("" without one)."""

    key: bytes
    address: str | None
    domain: str


class Mentions(NamedTuple):
    """A story's text as it may be stored, and whom it names; ``text`` is None when it names too many to keep account of."""

    text: str | None
    people: tuple[Person, ...]


class Addresses:
    """Turns addresses into what is stored, under the key of one vault. ``hashed``: the address itself is not kept."""

    def __init__(self, vault: Vault, *, hashed: bool) -> None:
        self._key = vault.address_key
        self.hashed = hashed
        self.person = lru_cache(maxsize=8192)(self._person)

    def key(self, address: str) -> bytes:
        """The keyed hash of an address, the same for every way to write it that reaches one mailbox."""
        return self.person(address).key

    def _person(self, address: str) -> Person:
        local, at, host = address.rpartition("@")
        if not at:
            local, host = host, ""
        elif plain := _PLAIN_LOCAL.fullmatch(local):
            local = plain[1]
        domain = _host(host)
        composed = local if local.isascii() else unicodedata.normalize("NFC", local)
        # RFC 6532 3.1 for the form. ASCII's case alone: beyond it, what a host takes for one mailbox is not known.
        folded = f"{composed}@{domain}".encode("utf-8", "surrogatepass").lower()
        keyed = hmac.digest(self._key, folded, "sha256")
        return Person(
            domain_prefix(domain) + keyed[:_ADDRESS_OCTETS], None if self.hashed else printable(f"{local}{at}{domain}", MAX_ADDRESS), domain
        )

    def in_story(self, text: str) -> Mentions:
        """Find the addresses in the JSON text of a story; where addresses are hashed, the hash stands in their place."""
        if "@" not in text:
            return Mentions(text, ())
        people: dict[bytes, Person] = {}

        def told(address: str, written: str) -> str:
            person = self.person(address)
            people[person.key] = person
            return token(person) if self.hashed else written

        replaced = _each_address(text, told)
        return Mentions(None, ()) if replaced is None else Mentions(replaced, tuple(people.values()))

    def found(self, text: str) -> list[str]:
        """The addresses in a JSON text, at most so many as are looked at in a story."""
        found: list[str] = []

        def told(address: str, written: str) -> str:
            found.append(address)
            return written

        _each_address(text, told)
        return found

    def withheld(self, text: str, own: bytes) -> str:
        """A story's text for one person, with the addresses of all others withheld."""
        mark = f"#{own.hex()}@"

        def told(address: str, written: str) -> str:
            if self.key(address) == own or address.startswith(mark):
                return written
            return f"(withheld)@{_host(address.rpartition('@')[2])}"

        return _each_address(text, told) or "[]"


@lru_cache(maxsize=8192)
def domain_prefix(domain: str) -> bytes:
    """What the hash of every address in a domain begins with: an index finds them all. It is not keyed, as the domain itself is kept."""
    return hashlib.sha256(domain.encode("utf-8", "surrogatepass")).digest()[:_DOMAIN_OCTETS]


def token(person: Person) -> str:
    """What is shown for an address that is not kept: ``#`` and the hash, and its domain."""
    return f"#{person.key.hex()}@{person.domain}"


def _host(host: str) -> str:
    try:
        return Domain.parse(host) if host else ""
    except (ValueError, UnicodeError):
        return printable(host.lower(), _MAX_HOST).replace("@", "?")


def _each_address(text: str, told: Callable[[str, str], str]) -> str | None:
    """Hand each address in a JSON text over as it reads and as it is written, and put what comes back in its place; None for too many.

    Each ``@`` is looked at once, and from there to the end of the words at its sides; no word is read twice.
    """
    pieces: list[str] = []
    done, found = 0, 0
    at = text.find("@")
    while at >= 0:
        start, stop = _start(text, at), at + 1
        if start is None or found == _MAX_MENTIONS:
            return None
        while stop < len(text) and text[stop] not in _ENDS:
            stop += 1
        if stop == at + 1 and text.startswith("[", stop):
            closed = text.find("]", stop, stop + _MAX_HOST)
            stop = closed + 1 if closed > 0 else stop
        if start < at and stop > at + 1:
            found += 1
            # In a@b@c both a@b and b@c are one: of the second, only what follows is left to write.
            written = text[max(start, done) : stop]
            shown = told(json.loads(f'"{text[start:stop]}"'), written)
            pieces += (text[done:start], shown if start >= done or shown != written else written)
            done = stop
        at = text.find("@", at + 1)
    pieces.append(text[done:])
    return "".join(pieces)


def _start(text: str, at: int) -> int | None:
    """Where the local part before this ``@`` begins; ``at`` itself when there is none, None for a quoted one whose start is not found."""
    if text[at - 2 : at] == '\\"':
        opening = at - 2
        for _ in range(_MAX_QUOTED):
            opening = text.rfind('\\"', max(0, at - 6 * _MAX_QUOTED), opening)
            if opening < 0:
                return None
            if text[opening - 1 : opening] != "\\":
                # Both ends must stand in one text of the JSON.
                return opening if _ONE_TEXT.fullmatch(text, opening, at) else None
        return None
    start = at
    while start > 0 and text[start - 1] not in _ENDS:
        start -= 1
    backslashes = 0
    while backslashes < start and text[start - 1 - backslashes] == "\\":
        backslashes += 1
    if backslashes % 2:
        # The first letter belongs to an escape of JSON: \n, or \u and four digits.
        start += 5 if text[start] == "u" else 1
    return min(start, at)
