"""The author of a message, for whom DMARC asks: the one mailbox of the one From field, or the reason why there is none to trust.

RFC 9989 5.3.1 and RFC 9989 11.5. Where readers could see different authors (VU#517845) nothing is picked: neither
the first field nor the last address. What to do then is the policy's; each reason says whether it is fit for a refusal. This room asks no
DNS and knows no domain: whether the author is who it says is for the rooms above.
"""

from __future__ import annotations

import re
from enum import Enum
from functools import lru_cache
from typing import NamedTuple, Self

from zegel.dkim.header import Header
from zegel.grammar.address import AddressError, AddressFault, Mailbox, mailboxes
from zegel.grammar.domain import Domain
from zegel.grammar.encodedword import printable, shown
from zegel.grammar.message import CRLF, split_fields
from zegel.words import N_, Sentence

# The name, and what is no printable ASCII up to a colon: space, folds, NUL, a high octet. On a header in lower case.
_FROM = re.compile(rb"from([^!-~]*):")
_FOLDED_FROM = re.compile(rb"\r\n[ \t]+from[ \t]*:[^\r\n]*@")
_FOLD = re.compile(rb"\r\n(?=[ \t])")
# What ends a line for some reader: Python's own splits text at the separators too.
_BREAK = re.compile(rb"[\r\n\x0b\x0c\x1c-\x1e]")
_PRINTABLE = range(0x21, 0x7F)
_MOST_SHOWN = 300
_MAX_REMEMBERED = 512  # octets of a From field: a longer one is read anew each time


def _faulty(fault: AddressFault, *, refuse: bool) -> tuple[str, bool, str, str]:
    return fault.id, refuse, fault.section, fault.sentence


class AuthorReason(Enum):
    """Why a message has its author, or none: ``id``, ``refuse``, ``section`` and a sentence for people.

    ``refuse`` is True for what RFC 5322 does not allow and forgers use; False where the field is allowed but names no single author
    (RFC 9989 11.5), or is what careless software writes: fit for quarantine. An address fault has its own id here too.
    """

    ONE_AUTHOR = ("one_author", False, "RFC 9989 5.3.1", N_("it names one author"))

    NO_FIELD = ("no_field", True, "RFC 5322 3.6", N_("there is no From field"))
    SEVERAL_FIELDS = ("several_fields", True, "RFC 5322 3.6", N_("there are {fields} From fields, and there must be one"))
    SPACE_BEFORE_COLON = ("space_before_colon", True, "RFC 5322 4.5", N_("white space stands before the colon of a From field"))
    HIDDEN_FIELD = ("hidden_field", True, "RFC 5322 2.2", N_("a line that is no field can be taken for another From field"))
    FOLDED_FIELD = ("folded_field", False, "RFC 5322 2.2.3", N_("the continuation of another field can be taken for a From field"))
    SEVERAL_ADDRESSES = ("several_addresses", False, "RFC 9989 11.5", N_("it names {addresses} authors, and DMARC is about one"))

    GROUP = _faulty(AddressFault.GROUP, refuse=False)
    LITERAL = _faulty(AddressFault.LITERAL, refuse=False)
    NOT_UTF8 = _faulty(AddressFault.NOT_UTF8, refuse=False)
    NAME_NOT_QUOTED = _faulty(AddressFault.NAME_NOT_QUOTED, refuse=False)
    ROUTE = _faulty(AddressFault.ROUTE, refuse=True)
    CONTROL = _faulty(AddressFault.CONTROL, refuse=True)
    ENCODED_WORD = _faulty(AddressFault.ENCODED_WORD, refuse=True)
    INVISIBLE = _faulty(AddressFault.INVISIBLE, refuse=True)
    QUOTE_OPEN = _faulty(AddressFault.QUOTE_OPEN, refuse=True)
    COMMENT_OPEN = _faulty(AddressFault.COMMENT_OPEN, refuse=True)
    COMMENT_DEPTH = _faulty(AddressFault.COMMENT_DEPTH, refuse=True)
    BRACKETS = _faulty(AddressFault.BRACKETS, refuse=True)
    MISSING = _faulty(AddressFault.MISSING, refuse=True)
    NOT_SINGLE = _faulty(AddressFault.NOT_SINGLE, refuse=True)
    NO_ADDRESS = _faulty(AddressFault.NO_ADDRESS, refuse=True)
    DOMAIN = _faulty(AddressFault.DOMAIN, refuse=True)
    TOO_LONG = _faulty(AddressFault.TOO_LONG, refuse=True)
    TOO_MANY = _faulty(AddressFault.TOO_MANY, refuse=True)

    id: str
    refuse: bool
    section: str
    sentence: str

    def __new__(cls, id: str, refuse: bool, section: str, sentence: str) -> Self:
        """Take the id as the value: ``AuthorReason("several_fields")`` finds it again, in the store and in JSON."""
        member = object.__new__(cls)
        member._value_ = member.id = id
        member.refuse, member.section, member.sentence = refuse, section, sentence
        return member

    def __str__(self) -> str:
        return self.id


_BY_ID = {reason.id: reason for reason in AuthorReason}


class Author(NamedTuple):
    """What the From of a message says.

    ``mailbox`` is the one that may be judged, None where From cannot be trusted. ``mailboxes`` are all that a single, well-formed field
    names, at most 100: for RFC 9989 11.5, which lets a receiver judge each. ``fields`` counts the From fields; ``text`` is what stands in
    them and ``display_name`` the name in it, both for people: decoded, in one line, bounded.
    """

    reason: AuthorReason
    mailbox: Mailbox | None = None
    mailboxes: tuple[Mailbox, ...] = ()
    fields: int = 0
    text: str = ""
    display_name: str = ""

    @property
    def domain(self) -> Domain | None:
        """The Author Domain (RFC 9989 3.2.2), or None where there is none to trust."""
        return None if self.mailbox is None else self.mailbox.domain

    @property
    def domains(self) -> tuple[Domain, ...]:
        """The domains of ``mailboxes``, each once, in their order."""
        return tuple(dict.fromkeys(mailbox.domain for mailbox in self.mailboxes))

    @property
    def told(self) -> Sentence:
        """The reason as a sentence: "From cannot be trusted: ...", or who the author is."""
        if self.mailbox is not None:
            return Sentence(N_("From names one author, {address}"), address=self.mailbox.address)
        reason = Sentence(self.reason.sentence, fields=self.fields, addresses=len(self.mailboxes))
        return Sentence(N_("From cannot be trusted: {reason}"), reason=reason)


def read_author(header: Header) -> Author:
    """Read the author of a message with this header. It never fails: bytes that break a rule become a reason."""
    values = header.values("from")
    reason = _strange(header.block, len(values))
    if reason is None and len(values) == 1:
        (value,) = values
        return _remembered(value) if len(value) <= _MAX_REMEMBERED else _read(value)
    reason = reason or (AuthorReason.SEVERAL_FIELDS if values else AuthorReason.NO_FIELD)
    return Author(reason, fields=len(values), text=_for_people(values))


def _read(value: bytes) -> Author:
    """Read the author in the one From field that there is."""
    nothing = Author(AuthorReason.NO_FIELD, fields=1, text=_for_people([value]))
    try:
        found = tuple(mailboxes(value))
    except AddressError as error:
        return nothing._replace(reason=_BY_ID[error.fault.id])
    if len(found) > 1:
        return nothing._replace(reason=AuthorReason.SEVERAL_ADDRESSES, mailboxes=found)
    (mailbox,) = found
    return nothing._replace(reason=AuthorReason.ONE_AUTHOR, mailbox=mailbox, mailboxes=found, display_name=shown(mailbox.display_name))


_remembered = lru_cache(maxsize=1024)(_read)  # the same people write again and again, and an address is read letter by letter


def _strange(block: bytes, fields: int) -> AuthorReason | None:
    """What some reader would take for a From field and another would not: ``From :``, or one behind a blank or a bare CR.

    ``fields`` were found by the rules.
    """
    lowered = block.lower()
    proper, spaced = 0, False
    for match in _FROM.finditer(lowered):
        gap, tail = _before(lowered, match.start()), match[1]
        first = len(gap) == match.start()  # nothing printable stands before it
        _, crlf, last = gap.rpartition(CRLF)
        if _BREAK.search(last) or (first and last) or (crlf and last and last[0] not in b" \t"):
            return AuthorReason.HIDDEN_FIELD
        if last or not (crlf or first):
            continue  # within a line, or a fold
        if _FOLD.sub(b"", tail).strip(b" \t"):
            return AuthorReason.HIDDEN_FIELD
        proper, spaced = proper + 1, spaced or bool(tail)
    if spaced:
        return AuthorReason.SPACE_BEFORE_COLON
    if proper != fields:
        return AuthorReason.HIDDEN_FIELD
    return AuthorReason.FOLDED_FIELD if _is_folded(block, lowered) else None


def _before(text: bytes, end: int) -> bytes:
    """The run of octets before ``end`` that are no printable ASCII. Two runs never overlap, so that all of them are one pass."""
    start = end
    while start and text[start - 1] not in _PRINTABLE:
        start -= 1
    return text[start:end]


def _is_folded(block: bytes, lowered: bytes) -> bool:
    """Tell if a field goes on with a line like ``From: a@b``. It is allowed; only signatures hold one honestly (``h=`` and ``z=``)."""
    found = len(_FOLDED_FROM.findall(lowered))
    if not found:
        return False
    signatures = (field.value.lower() for field in split_fields(block)[0] if field.key.endswith(b"signature"))
    return found > sum(len(_FOLDED_FROM.findall(value)) for value in signatures)


def _for_people(values: list[bytes]) -> str:
    return printable(shown(" | ".join(value[:2000].decode("utf-8", "replace") for value in values[:5]), longest=_MOST_SHOWN))
