"""Why a message of ours leaves without a signature: the table of reasons, and one of them with what fills it in.

It is told in the log, in English, and kept as the story of the message, to be told in anybody's language.
"""

from __future__ import annotations

from typing import NamedTuple

from zegel.grammar.address import AddressFault
from zegel.reason import Reason
from zegel.verdict.details import said
from zegel.words import N_, Sentence

Item = dict[str, str | int | bool]
STEP = "not_signed"
_MAX_TEXT = 255


class UnsignedReason(Reason):
    """Why it is not signed: ``id``, ``section`` and a sentence for people. RFC 6376 5.1 leaves to the site what it signs."""

    REINJECTED = (
        "reinjected",
        "RFC 6376 5.1",
        N_("not signed: mail that comes back from a content filter ({daemon})"),
    )
    CHECKED_BEFORE = (
        "checked_before",
        "RFC 8601 5",
        N_("not signed: the message carries our own Authentication-Results, so it came in from outside"),
    )
    FROM_COUNT = ("from_count", "RFC 5322 3.6.2", N_("not signed: the message has {count} From fields, it must have one"))
    FROM_SYNTAX = ("from_syntax", "RFC 5322 3.4", N_("not signed: From cannot be read: {error}"))
    FROM_SEVERAL = ("from_several", "RFC 5322 3.6.2", N_("not signed: From names several domains"))
    NOT_ALLOWED = (
        "not_allowed",
        "RFC 6376 5.1",
        N_("not signed: {who} is not listed for {author}; see [[outbound.allow]] in zegel.toml"),
    )
    NO_KEY = ("no_key", "RFC 6376 5.1", N_("not signed: no key for {domain}"))
    HEADER_TOO_LARGE = ("header_too_large", "RFC 6376 5.1", N_("not signed: the header is larger than {limit} octets"))
    # A reader that ends lines at a bare CR shows another From than the one that was looked at (RFC 6376 3.8).
    HEADER_MALFORMED = ("header_malformed", "RFC 6376 3.8", N_("not signed: a header line is no field, or has a bare CR"))


_SENTENCES: dict[object, str] = {reason.id: reason.sentence for reason in UnsignedReason}
_FAULTS: dict[object, str] = {fault.id: fault.sentence for fault in AddressFault}


class Unsigned(NamedTuple):
    """A reason and the values of its sentence: numbers and texts, and of an address that breaks a rule the id of its fault."""

    reason: UnsignedReason
    values: dict[str, str | int]

    @property
    def id(self) -> str:
        """The stable id of the reason."""
        return self.reason.id

    @property
    def told(self) -> Sentence:
        """The reason as a sentence."""
        return told(self.item)

    @property
    def item(self) -> Item:
        """The same as an item of a story."""
        return {"step": STEP, "about": "action", "reason": self.reason.id, "section": self.reason.section, **self.values}


def unsigned(reason: UnsignedReason, **values: str | int) -> Unsigned:
    """A reason with what fills it in, cut to what a story keeps."""
    return Unsigned(reason, {name: value[:_MAX_TEXT] if isinstance(value, str) else value for name, value in values.items()})


def told(item: Item) -> Sentence:
    """Such an item as a sentence, to be translated. Raises LookupError for what is none."""
    values: dict[str, object] = {name: value for name, value in item.items() if name not in ("step", "about", "reason", "section")}
    if "error" in values:
        values["error"] = Sentence(_FAULTS[values["error"]])
    if "who" in values:
        values["who"] = said(str(values["who"]))
    return Sentence(_SENTENCES[item["reason"]], **values)
