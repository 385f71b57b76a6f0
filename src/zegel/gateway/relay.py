"""A message of a site, from whichever door it came: bounded, made ready, its sender corrected, signed, judged, put into the outbox, told.

The order is the one in which nothing has to be done twice: what a signature covers stands before it is made (RFC 6376 5.3), and what is
refused has cost no key. Accepted means on disk: the queue id is given only after the outbox has said so. Each message leaves one line in
the log and one record, with one reason, whatever became of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from zegel.adapters.journal import About
from zegel.dkim.crypto import Key
from zegel.dkim.sign import sign_message
from zegel.gateway.judge import LARGE, Answer, Judge, Judgement
from zegel.gateway.outbox import Full, Outbox, Posting
from zegel.gateway.rates import Rates
from zegel.gateway.settings import Settings
from zegel.grammar.address import Mailbox
from zegel.store.errors import StoreError
from zegel.store.record import Direction, Record, Result
from zegel.store.sites import Site
from zegel.submission.ready import Ready, Unfit, make_ready
from zegel.submission.sender import Corrected, Foreign, SenderRules, correct
from zegel.verdict.explain import Item


@dataclass(frozen=True, slots=True)
class Submission:
    """A message as a site hands it in: CRLF line ends; ``client`` is who brought it (an address, or a user), ``via`` by which door."""

    site: Site
    sender: str
    recipients: tuple[str, ...]
    data: bytes
    client: str
    via: str


class Accepted(NamedTuple):
    """The message is on disk. The warnings are for who runs the site."""

    queue_id: str
    warnings: tuple[str, ...] = ()


class Refused(Exception):  # noqa: N818 - what the client gets is a refusal
    """The message is not taken: the reply code, the enhanced status code (RFC 3463), a text for who runs the site, and a stable id."""

    def __init__(self, code: str, enhanced: str, text: str, *, reason: str) -> None:
        super().__init__(f"{code} {enhanced} {text}")
        self.code, self.enhanced, self.text, self.reason = code, enhanced, text, reason


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one message may be: octets, and recipients."""

    size: int = 26_214_400
    recipients: int = 100


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A message ready to leave: signed, with what was done to it."""

    data: bytes
    ready: Ready
    corrected: Corrected
    keys: tuple[Key, ...]


class Relay:
    """Takes messages of sites. ``bounds`` may be replaced at any time."""

    def __init__(self, settings: Callable[[], Settings], judge: Judge, outbox: Outbox, bounds: Bounds) -> None:
        self._settings, self._judge, self._outbox, self.bounds = settings, judge, outbox, bounds
        self._by_site, self._by_visitor = Rates(), Rates()

    async def submit(self, submission: Submission) -> Accepted:
        """Take a message; returns when it is on disk. Raises :class:`Refused`; anything else is a fault of ours (451)."""
        settings = self._settings()
        told = _Told(settings, submission)
        try:
            self._check(submission, settings)
            # Parsing, encoding and signing take time with the size; a large message must not hold up the others.
            work = _prepare if len(submission.data) <= LARGE else _in_thread
            prepared = work(submission, settings)
            if not isinstance(prepared, _Prepared):
                prepared = await prepared
            self._check_visitor(submission, settings, prepared.corrected.visitor)
            judged = await self._judged(settings, submission, prepared)
            queue_id = await self._put(submission, prepared)
        except Refused as refused:
            told.refused(refused)
            raise
        return told.accepted(queue_id, prepared, judged)
