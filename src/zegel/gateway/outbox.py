"""The outbox as those see it who hand mail in: :meth:`Outbox.put` returns when the message is on disk, and not before.

What is put is on its way from then on, whatever happens to this process; what could not be put is refused, and who handed it in still has
it. The courier (:mod:`zegel.gateway.courier`) sends it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from sqlalchemy import Connection

from zegel.config.outbox import Outbox as Settings
from zegel.gateway.intake import Intake
from zegel.store import once, post, transit
from zegel.store.group import Group
from zegel.store.posting import Posting, queue_id
from zegel.store.spool import Spool
from zegel.words import N_, SpokenError

__all__ = ["Already", "Full", "Outbox", "Posting", "TooLarge"]  # Posting: who hands mail in finds all here

# Of the disk, kept for writing down what becomes of the mail that has been taken.
RESERVE = 32 << 20
# A page that is written is in the log first, and then once more in the file.
_TWICE = 2
_COUNT_SECONDS = 1.0  # between two counts


class Full(SpokenError):  # noqa: N818 - a state of the outbox, as its name says
    """The outbox has no room for this now: SMTP's 452 4.3.1."""


class TooLarge(SpokenError):  # noqa: N818 - a property of the message
    """The message is larger than any may be: SMTP's 552 5.3.4."""


class Already(Exception):  # noqa: N818 - it is safe, and nothing is to be done
    """The message was taken before, under the same name (:attr:`Posting.once`); ``queue_id`` is that one's."""

    def __init__(self, queue_id: str) -> None:
        super().__init__(queue_id)
        self.queue_id = queue_id


# The number and the message as it is on disk, or why it is not put.
_Result = tuple[int, Posting] | Full | Already


class Outbox:
    """The outbox of one running daemon, from :meth:`start` (in its loop) to :meth:`close`.

    ``arrived`` is called, in the loop, with the number of a message and the message once it is on disk. Who takes in a message does so
    within :attr:`intake`.
    """

    def __init__(
        self,
        spool: Spool,
        settings: Callable[[], Settings],
        *,
        clock: Callable[[], float] = time.time,
        reserve: int = RESERVE,
    ) -> None:
        self.spool, self._settings, self._clock, self._reserve = spool, settings, clock, reserve
        self.group, self.intake = Group(spool), Intake()
        self.arrived: Callable[[int, Posting], None] = lambda _number, _posting: None
        # Of the thread: the newest number, and what is there, counted at the last look and never less than it is.
        self._last, self._weight, self._counted = 0, 0, float("-inf")

    def start(self) -> None:
        """Begin to take mail."""
        self.group.start()

    async def put(self, posting: Posting) -> str:
        """Take a message; returns its queue id when it is on disk. Raises Full, TooLarge, Already, StoreError; ValueError for misuse."""
        _check(posting)
        most = self._settings().max_message_bytes
        if len(posting.data) > most:
            sentence = N_("the message has {size} octets, and at most {most} are taken (outbox.max_message_bytes)")
            raise TooLarge(sentence, size=len(posting.data), most=most)
        taken = self.group.join(self._take, posting)
        taken.add_done_callback(self._taken)
        # Whoever put it may go meanwhile: it is in the outbox all the same.
        result = await asyncio.shield(taken)
        if isinstance(result, (Full, Already)):
            raise result
        number, _stamped = result
        return queue_id(number)

    def add(self, tx: Connection, posting: Posting) -> str:
        """In the group's thread: take a message of our own, in the transaction of what it tells of and whatever room there is."""
        self._last = self._stamp(tx)
        transit.add(tx, [(self._last, posting)], now=int(self._clock()), direct=self._settings().direct)
        self._weight += posting.weight
        return queue_id(self._last)

    async def close(self) -> None:
        """Write what was put, and take no more."""
        await self.group.close()

    def _taken(self, done: asyncio.Future[_Result]) -> None:
        """In the loop: tell of what is on disk."""
        if done.exception() is None and not isinstance(result := done.result(), (Full, Already)):
            self.arrived(*result)

    # -- in the thread ---------------------------------------------------------------------------------------------------------------

    def _take(self, tx: Connection, postings: Sequence[Posting]) -> list[_Result]:
        """Write all for which there is room; what became of each."""
        room = self.spool.free() - self._reserve
        results: list[_Result] = []
        entries: list[tuple[int, Posting]] = []
        for posting in postings:
            if posting.once and (former := once.taken(tx, posting.once)) is not None:
                results.append(Already(queue_id(former)))
                continue
            room -= _TWICE * posting.weight
            refusal = self._refusal(tx, posting.weight, room)
            if refusal is not None:
                room += _TWICE * posting.weight
                results.append(refusal)
                continue
            self._last = self._stamp(tx)
            self._weight += posting.weight
            entry = (self._last, posting.stamped(queue_id(self._last)))
            entries.append(entry)
            if posting.once:
                once.remember(tx, posting.once, self._last, now=int(self._clock()))
            results.append(entry)
        if entries:
            transit.add(tx, entries, now=int(self._clock()), direct=self._settings().direct)
        return results

    def _refusal(self, tx: Connection, weight: int, room: int) -> Full | None:
        if room < 0:
            sentence = N_("the disk that holds {folder} is nearly full; make room there, and mail is taken again")
            return Full(sentence, folder=self.spool.folder)
        most = self._settings().max_bytes
        if self._counted == float("-inf") or (self._weight + weight > most and self._clock() - self._counted > _COUNT_SECONDS):
            # What has been delivered since is not in it any more.
            self._weight, self._counted = post.weight(tx), self._clock()
        if self._weight + weight > most:
            self._weight -= post.make_room(tx, self._weight + weight - most)
        if self._weight + weight > most:
            sentence = N_("the outbox holds {most} octets of mail that waits, and takes no more (outbox.max_bytes); see: zegel outbox list")
            return Full(sentence, most=most)
        return None

    def _stamp(self, tx: Connection) -> int:
        """A new number: the microsecond of now, and larger than any."""
        return max((self._last or post.newest(tx)) + 1, time.time_ns() // 1000)


def _check(posting: Posting) -> None:
    """Misuse that would harm the next hop or be lost on the way: whoever puts mail has looked at it before."""
    data = posting.data
    if not posting.recipients:
        raise ValueError("a message needs a recipient")
    if not data.endswith(b"\r\n") or not data.count(b"\r") == data.count(b"\n") == data.count(b"\r\n"):
        # A bare CR or LF is a line end to some servers: RFC 5321 2.3.8 forbids it, and smuggling lives on it.
        raise ValueError("a message has CRLF line ends, and no other CR or LF")
    for address in (posting.sender, posting.contact, *posting.recipients):
        if not set(address).isdisjoint("\r\n\0") or (not set(address).isdisjoint("<> ") and not address.startswith('"')):
            raise ValueError("an address of the envelope has a character that none may have")
