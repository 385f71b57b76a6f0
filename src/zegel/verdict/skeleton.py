"""What a name looks like: two names that people cannot tell apart have one skeleton. UTS 39 4, for names in Latin letters.

Further than UTS 39 goes, marks fall away ("é" is "e") and case does; ``rn`` is ``m``, ``vv`` is ``w``, and i, l and 1 are one, as forgers
know: a capital I is a small l, and what UTS 39 takes for an i may have no dot (the Cyrillic palochka). A skeleton is for comparing alone:
it is no name, and it is shown to nobody.
"""

from __future__ import annotations

import re
import unicodedata

from zegel.grammar.domain import Domain
from zegel.verdict.confusables import ALIKE

_ALIKE = str.maketrans({char: letter for letter, chars in ALIKE.items() for char in chars} | {"0": "o", "1": "l", "|": "l"})
_UNIT = re.compile("rn|vv|.", re.DOTALL)
_LONGEST = 1000


def skeleton(text: str) -> str:
    """The skeleton of a text of at most a thousand characters; what is longer is cut."""
    text = text[:_LONGEST]
    if not text.isascii():
        text = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text).casefold()[: 4 * _LONGEST])
        text = "".join([char for char in text if not unicodedata.combining(char) and unicodedata.category(char) != "Cf"])
    return text.lower().translate(_ALIKE).replace("i", "l").replace("rn", "m").replace("vv", "w")


def label_skeleton(label: str) -> str:
    """The skeleton of one label of a domain name, as a reader sees it: an A-label by its letters."""
    return skeleton(seen_label(label))


def seen_label(label: str) -> str:
    """A label as a mail program may show it. Some decode what RFC 5891 does not allow, so this does."""
    if not label.startswith("xn--"):
        return label
    shown = Domain(label).unicode
    if shown != label:
        return shown
    try:
        return label[4:].encode("ascii").decode("punycode")
    except UnicodeError:
        return label


def substitutions(one: str, other: str) -> int:
    """In how many places two texts of one skeleton differ: ``rn`` for ``m`` is one."""
    return sum(a != b for a, b in zip(_UNIT.findall(one), _UNIT.findall(other), strict=False))
