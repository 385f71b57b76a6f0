"""What another signer's configuration says, in Zegel's words: who is signed for, with which key, from where; and what has no equal.

Plain values, made by the readers. A *sender* is written as in ``[[outbound.allow]]``: ``example.be``, ``.example.be`` (all names below it)
or ``info@example.be``.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from zegel.grammar.domain import Domain
from zegel.words import N_, Sentence, SpokenError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
# Entries of one table. A hosting company has some ten thousand domains.
MAX_ENTRIES = 100_000


ONE_FOR_ALL = N_("one key signs there as whatever domain From names; here each has its own: zegel import pem DOMAIN SELECTOR FILE")
NO_NAME = N_("'{domain}' or '{selector}' is no name for DNS")


class UnreadableError(SpokenError):
    """A file cannot be read, or not be trusted; the text says which, why, and what to do."""


class Files(Protocol):
    """Where the readers get what a configuration names. Paths are absolute."""

    def read(self, path: str) -> bytes:
        """A configuration or a table, whole. Raises UnreadableError."""

    def secret(self, path: str) -> bytes:
        """A private key, refused when others can read or change it. Raises UnreadableError."""

    def names(self, folder: str) -> Sequence[str]:
        """What is in a folder, by name; nothing when there is no such folder. Raises UnreadableError."""


class Weight(StrEnum):
    """What a remark means: ``broken`` stands in the way, ``unequal`` is not done by Zegel, ``note`` is good to know."""

    BROKEN = "broken"
    UNEQUAL = "unequal"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Remark:
    """Something to tell of a configuration: ``at`` is file and line, ``about`` the word there, ``sentence`` the reason and what to do."""

    weight: Weight
    at: str
    about: str
    sentence: Sentence


@dataclass(frozen=True, slots=True)
class Source:
    """Where a private key is: in the file ``path``, or as ``text`` in the table itself, which is kept out of the representation."""

    path: str = ""
    text: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Signer:
    """One signature that is made: for which ``senders``, as ``domain`` (d=) and ``selector`` (s=), and where that was said."""

    senders: tuple[str, ...]
    domain: Domain
    selector: str
    source: Source
    at: str

    @property
    def below(self) -> bool:
        """Whether it signs for a name below its domain."""
        names = (sender.rpartition("@")[2] for sender in self.senders)
        return any(name.startswith(".") or name != self.domain for name in names)


@dataclass(slots=True)
class Found:
    """What a configuration says. ``key_type`` is the one kind of key that it signs with, when it says so.

    ``signs`` is False when it is not in use; ``single`` is True for one key that somebody named, which is wanted in the store in any case.
    """

    signers: list[Signer] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    networks: list[Network] = field(default_factory=list)
    local: bool = False
    logins: bool = False
    key_type: str | None = None
    signs: bool = True
    single: bool = False

    def remark(self, weight: Weight, at: str, about: str, sentence: str, /, **values: object) -> None:
        """Add a remark; ``sentence`` is a marked one."""
        self.remarks.append(Remark(weight, at, about, Sentence(sentence, **values)))
