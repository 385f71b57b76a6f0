"""Mail that programs on this machine hand over, by the local socket, or by the drop folder while no daemon ran.

Whose it is the system says: a user of this system is of one site at most (``zegel site add --unix-user``), and without one nothing is
taken. What lies in the drop folder was said to be safe, so it goes nowhere but into the outbox, or aside with a line in the log when it is
refused. What comes a second time under its name, as its program or we ended before the answer, is taken once.
"""

from __future__ import annotations

import asyncio
import contextlib
import pwd
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime

from zegel.adapters.dropfolder import DropError, DropFolder, Dropped
from zegel.adapters.journal import Journal
from zegel.gateway.outbox import Already
from zegel.gateway.relay import Refused, Relay, Submission
from zegel.gateway.sitebook import Sitebook
from zegel.grammar.message import CRLF, named, split_fields
from zegel.smtp.path import PathError, mailbox
from zegel.store.sites import Site
from zegel.submission.handed import Handed

_LOOK_SECONDS = 1.0
_NAMES_A_SECOND, _LONGEST_PAUSE = 10_000, 60.0  # anybody may fill the folder with names
_AGAIN_SECONDS = 30.0  # after the relay could not take one
_AT_ONCE = 100
_STALE_SECONDS = 86_400.0


class Handover:
    """Takes messages of users of this system, each for the site of that user."""

    def __init__(self, relay: Relay, book: Sitebook, journal: Journal, *, clock: Callable[[], float] = time.time) -> None:
        self._relay, self._book, self._journal, self._clock = relay, book, journal, clock

    async def admit(self, uid: int) -> str:
        """ "" for a user who has a site, or the refusal."""
        user, site = await self._site(uid)
        if site is not None:
            return ""
        self._journal.note("handover refused", user=user, reason="no_site")
        return f"550 5.7.1 the user {user} is of no site that may send; see: zegel site add --unix-user {user}"

    async def take(self, uid: int, handed: Handed, data: bytes) -> str:
        """Take a message; the answer is "250 ..." when it is on disk."""
        user, site = await self._site(uid)
        if site is None:
            return await self.admit(uid)
        try:
            # Any text of one line comes in here; what goes out stands between angle brackets.
            recipients = tuple(map(mailbox, handed.recipients))
        except PathError as error:
            self._journal.note("handover refused", user=user, reason="no_address")
            return f"{error.code} {error.enhanced} {error}"
        data = data if data.endswith(CRLF) else data + CRLF
        utf8 = not all(address.isascii() for address in (handed.sender, *recipients))
        # The name is of this user: nobody can take one before its message comes.
        submission = Submission(site, handed.sender, recipients, data, f"user {user}", handed.via, utf8, once=f"{uid} {handed.id}")
        try:
            accepted = await self._relay.submit(submission)
        except Refused as refused:
            return f"{refused.code} {refused.enhanced} {refused.text}"
        except Already as already:
            self._journal.note("handed over again, and taken once", user=user, queue_id=already.queue_id)
            return f"250 2.0.0 {already.queue_id}"
        return f"250 2.0.0 {accepted.queue_id}"

    async def _site(self, uid: int) -> tuple[str, Site | None]:
        """The user's name, and the site. A directory service may take its time."""
        user = await asyncio.to_thread(_user, uid)
        return user, self._book.of_user(user)


class PickUp:
    """Follows the drop folder. Run it as a task, and end it by :meth:`stop`: a message that is being taken is taken once."""

    def __init__(self, folder: DropFolder, handover: Handover, journal: Journal, *, clock: Callable[[], float] = time.time) -> None:
        self._folder, self._handover, self._journal, self._clock = folder, handover, journal, clock
        self._later: dict[str, float] = {}  # files that could not be taken, and when to look at them again
        self._trouble = ""
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """Begin no other message."""
        self._stop.set()

    async def run(self) -> None:
        """Look once a second, until it is stopped."""
        swept = 0.0
        while not self._stop.is_set():
            try:
                if self._clock() - swept > _STALE_SECONDS / 24:
                    swept = self._clock()
                    await asyncio.to_thread(self._folder.sweep, before=swept - _STALE_SECONDS)
                await self.look()
                self._trouble = ""
            except OSError as error:
                if str(error) != self._trouble:  # told once, not once a second
                    self._trouble = str(error)
                    self._journal.fault(error)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), self.pause)

    @property
    def pause(self) -> float:
        """Seconds to the next look: more where the last one had many names to pass."""
        return min(max(_LOOK_SECONDS, self._folder.passed / _NAMES_A_SECOND), _LONGEST_PAUSE)

    async def look(self) -> int:
        """Take what lies there now; how many messages went into the outbox."""
        now = self._clock()
        self._later = {name: at for name, at in self._later.items() if at > now}
        waiting = await asyncio.to_thread(self._folder.waiting, _AT_ONCE, passed_over=frozenset(self._later))
        if waiting.over:
            await self._clear(waiting.over)
        taken = 0
        for name in waiting.names:
            if self._stop.is_set():
                break
            try:
                taken += await self._one(name)
            except OSError as error:
                # It cannot be read, or put aside: it is tried again, and holds up none behind it.
                self._later[name] = self._clock() + _AGAIN_SECONDS
                self._journal.note("drop folder: cannot be taken now", file=name[:64], reason=error.strerror or str(error))
        return taken

    async def _clear(self, over: Sequence[tuple[str, int]]) -> None:
        """Take away what is beyond its owner's share: nobody was told by us that it is safe."""
        for user, files in Counter(uid for _name, uid in over).items():
            self._journal.note("drop folder: more files of this user than its share; taken away", user=_user(user), files=files)
        for name, _uid in over:
            await self._away(name)

    async def _one(self, name: str) -> bool:
        try:
            dropped = await asyncio.to_thread(self._folder.take, name)
        except FileNotFoundError:
            return False
        except DropError as error:
            self._journal.note("drop folder: not a message", file=name[:64], reason=str(error))
            await self._away(name)
            return False
        answer = await self._submit(dropped)
        if answer.startswith("2"):
            await self._away(name)
        elif answer.startswith("4"):
            self._later[name] = self._clock() + _AGAIN_SECONDS
        else:
            path = await asyncio.to_thread(self._folder.set_aside, dropped)
            self._journal.note("drop folder: refused", file=str(path), user=_user(dropped.uid), reason=answer)
        return answer.startswith("2")

    async def _submit(self, dropped: Dropped) -> str:
        try:
            return await self._handover.take(dropped.uid, dropped.handed, _dated(dropped, self._clock()))
        except Exception as error:
            self._journal.fault(error)
            return "451 4.3.0"

    async def _away(self, name: str) -> None:
        try:
            await asyncio.to_thread(self._folder.remove, name)
        except OSError as error:
            # A folder with files in it, say: it is left, and not looked at for a while.
            self._later[name] = self._clock() + _STALE_SECONDS
            self._journal.note("drop folder: cannot be removed", file=name[:64], reason=error.strerror or str(error))


def _dated(dropped: Dropped, now: float) -> bytes:
    """The message with the time at which it was left as its Date, where it has none: it may have waited long. RFC 6409 8.2."""
    header = dropped.data.partition(CRLF + CRLF)[0]
    if named(split_fields(header)[0], b"date"):
        return dropped.data
    left = datetime.fromtimestamp(min(max(int(dropped.time), 0), int(now)), UTC)
    return f"Date: {format_datetime(left)}\r\n".encode("ascii") + dropped.data


def _user(uid: int) -> str:
    """The name of a user, or the number where there is none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
