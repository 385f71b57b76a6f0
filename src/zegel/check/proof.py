"""The one plain answer: is the domain DKIM-proof?

It is when nobody can send mail in its name that a receiver who reads DKIM and DMARC takes for genuine: its own mail can be told by a key
that holds (RFC 9989 8: a domain that asks to reject "MUST NOT rely solely on SPF"), and what cannot be told is not delivered as if nothing
were wrong. A domain that sends nothing is proof when it says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from zegel.check.dkim import DkimFacts
from zegel.check.dmarc import DmarcFacts
from zegel.check.item import Area, Item, Level
from zegel.words import N_, Sentence


class Answer(StrEnum):
    """Yes, no, or not to be told from here."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Proof(NamedTuple):
    """The answer, the sentence for people, and the ids of the items that stand against it."""

    answer: Answer
    sentence: Sentence
    against: tuple[str, ...] = ()


def proof(dkim: DkimFacts, dmarc: DmarcFacts, items: Iterable[Item], *, parked: bool) -> Proof:
    """Answer from what was seen and judged."""
    found = list(items)
    if parked:
        against = _against(found, Area.PARKED)
        if against:
            return Proof(Answer.NO, Sentence(N_("No: the domain has no mail, but does not say so everywhere.")), against)
        return Proof(Answer.YES, Sentence(N_("Yes: the domain has no mail, and says so everywhere.")))
    weak_keys, weak_policy = _against(found, Area.DKIM), _against(found, Area.DMARC)
    if dmarc.discovery.trouble is not None or dmarc.discovery.existence_unknown:
        return Proof(Answer.UNKNOWN, Sentence(N_("It cannot be told: DNS does not answer for the DMARC record.")), ("dmarc.record",))
    if not dmarc.enforced:
        against = weak_policy or ("dmarc.policy",)
        if dkim.sound and not weak_keys:
            return Proof(Answer.NO, Sentence(N_("No: mail is signed with a good key, but forged mail is delivered all the same.")), against)
        return Proof(Answer.NO, Sentence(N_("No: forged mail is delivered like any other, as no DMARC policy stands against it.")), against)
    if weak_policy:
        return Proof(Answer.NO, Sentence(N_("No: there is a DMARC policy, but its record is wrong.")), weak_policy)
    if "dkim.domainkey" in weak_keys:
        sentence = N_("No: forged mail is kept out, but the domain has no DKIM key by which its own mail could be told.")
        return Proof(Answer.NO, Sentence(sentence), weak_keys)
    if weak_keys:
        return Proof(Answer.NO, Sentence(N_("No: there is a DMARC policy, but a DKIM key is wrong.")), weak_keys)
    if not dkim.sound:
        sentence = N_("It cannot be told: forged mail is kept out, but no DKIM key of the domain is known here.")
        return Proof(Answer.UNKNOWN, Sentence(sentence), ("dkim.selectors",))
    return Proof(Answer.YES, Sentence(N_("Yes: its keys hold, and forged mail is kept out.")))


def missing() -> Proof:
    """The answer for a name that is not in DNS: nothing is said of a domain that is none."""
    return Proof(Answer.UNKNOWN, Sentence(N_("The name does not exist: is it typed right?")), ("mx.domain",))


def _against(items: Iterable[Item], area: Area) -> tuple[str, ...]:
    return tuple(dict.fromkeys(item.id for item in items if item.area is area and item.level is Level.FAIL))
