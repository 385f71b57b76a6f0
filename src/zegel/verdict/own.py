"""Our own names in the From of mail from outside: without an aligned pass it imitates us, whatever policy we publish, or none.

RFC 9989 7.4 leaves a receiver its own knowledge; which domains are ours, and that our mail is signed, is such knowledge. Mail that leaves
from here does not come by this rule, and who may use our names from outside is a matter of local rules, which are the policy's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from zegel.grammar.domain import Domain
from zegel.words import N_, Sentence


class Names:
    """A list of domain names, each with all names below it."""

    __slots__ = ("listed",)

    def __init__(self, listed: Iterable[Domain]) -> None:
        self.listed = frozenset(listed)

    def holding(self, domain: Domain) -> Domain | None:
        """The listed name that ``domain`` is, or the nearest that it is below; None when there is none."""
        if domain in self.listed:
            return domain
        return next((parent for parent in domain.parents if parent in self.listed), None)


@dataclass(frozen=True, slots=True)
class ImitatesUs:
    """An author in our own name whom nothing proves: the Author Domain, and the name of ours that it is or is below."""

    author: Domain
    own: Domain

    id: ClassVar[str] = "imitates_us"
    section: ClassVar[str] = "RFC 9989 7.4"

    @property
    def told(self) -> Sentence:
        """The finding as a sentence with its values."""
        sentence = N_("{author} is ours ({own}), and the message came from outside without proof of it")
        return Sentence(sentence, author=self.author, own=self.own)


def imitates_us(author: Domain | None, own: Names, *, aligned: bool) -> ImitatesUs | None:
    """Judge a message that came from outside. ``aligned``: SPF or DKIM passes for a domain aligned with the author's (RFC 9989 5.3.5).

    ``author`` is None where From cannot be trusted; that has its own reason already. DNS trouble is no pass either: the caller knows
    whether it is to be waited for.
    """
    found = None if author is None or aligned else own.holding(author)
    return None if found is None or author is None else ImitatesUs(author, found)
