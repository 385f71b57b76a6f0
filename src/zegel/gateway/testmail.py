"""Mail to the address that answers with a report: what of such a message is kept until its verdict is there.

The header is at hand in any case; of the body a bounded copy is kept, and only of mail to that address. Who answers, and whether, is not
decided here: :class:`Answering` is built above.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from zegel.dkim.header import Header
from zegel.verdict.authenticate import Verdict

MAX_BODY = 256 * 1024


class Trial(NamedTuple):
    """One message to that address, after its verdict. ``whole`` tells that ``body`` is all of it."""

    header: Header
    body: bytes
    whole: bool
    verdict: Verdict
    queue_id: str


class Answering(Protocol):
    """Who answers."""

    def wants(self, recipients: list[str]) -> bool:
        """Tell if one of these is the address that answers."""

    def take(self, mail: Trial) -> None:
        """Take one message; it waits for nothing and raises nothing."""


class BodyCopy:
    """The first octets of a body."""

    __slots__ = ("_chunks", "_left", "whole")

    def __init__(self, most: int = MAX_BODY) -> None:
        self._chunks: list[bytes] = []
        self._left = most
        self.whole = True

    def feed(self, chunk: bytes) -> bool:
        """Take the next octets; True when no more of them are kept."""
        kept = chunk[: self._left]
        if kept:
            self._chunks.append(kept)
            self._left -= len(kept)
        self.whole = self.whole and len(kept) == len(chunk)
        return not self.whole

    def octets(self) -> bytes:
        """What was kept."""
        return b"".join(self._chunks)
