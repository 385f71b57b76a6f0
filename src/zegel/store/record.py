"""What is recorded of one message, as plain values: the gateway makes them, the store keeps them.

They know no database, so that making one costs the way of a message next to nothing. What is kept of them, and in which form, is decided
where they are written (:mod:`zegel.store.messages`). They hold no body, and of the header the From domain only (and the subject where the
configuration says so).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple, Protocol

# What one message may add to the store, whatever a stranger writes. Postfix takes 1,000 recipients for one message
# (smtpd_recipient_limit), and the other bounds are above what Limits let through.
MAX_RECIPIENTS = 1000
MAX_RESULTS = 100
MAX_STORY_OCTETS = 32_768


class Direction(StrEnum):
    """Which way a message went: from outside to us, or from us out."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


class Result(NamedTuple):
    """One result, in the words of RFC 8601 2.7: ``method`` (dkim, spf, arc, dmarc), ``status``, the stable id of its ``reason``, and whom
    it is about. A signature of ours has the method ``dkim`` and the status ``signed``. Of SPF, which
    has no selector, that place holds the identity: ``mailfrom`` or ``helo``.
    """

    method: str
    status: str
    reason: str = ""
    domain: str = ""
    selector: str = ""


class Record(NamedTuple):
    """One message at its end.

    ``time`` is in seconds since the epoch; ``sender`` (empty for a bounce) and ``recipients`` are the envelope, addresses without angle
    brackets; ``from_domain`` is the author's, empty when From cannot be read; ``action`` is a word (signed, unsigned, accepted,
    quarantined, refused) and ``reason`` the stable id of why; ``story`` is an ordered list of small JSON objects.
    ``would`` is the word for what the mode reject would have done, ``marks`` the ids of what people should see of it.
    """

    time: int
    direction: Direction
    queue_id: str
    sender: str
    recipients: tuple[str, ...]
    from_domain: str
    action: str
    reason: str = ""
    results: tuple[Result, ...] = ()
    story: tuple[Mapping[str, object], ...] = ()
    subject: str = ""
    would: str = ""
    marks: tuple[str, ...] = ()

    @property
    def weight(self) -> int:
        """How much of a bounded queue it takes: its parts counted."""
        return 1 + len(self.recipients) + len(self.results) + len(self.story)


class Recording(Protocol):
    """What takes the messages: it waits for nothing and raises nothing."""

    def take(self, record: Record) -> None:
        """Take one message."""


def printable(text: str, most: int) -> str:
    """The text in at most ``most`` characters, with ``?`` for what nobody can print: no row steers a terminal or breaks an encoding."""
    shown = text[:most]
    return shown if shown.isprintable() else "".join(char if char.isprintable() else "?" for char in shown)
