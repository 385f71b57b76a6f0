"""Where programs hand in mail over SMTP: who they are, what they may send now, and their message to the relay.

One desk for the daemon, one caller for each connection. A caller is a site by its login, or on this machine by its network; what it may do
is asked of the book of now with each message, so that a site that is disabled or removed, or has another secret or other networks, sends
nothing more over a connection that it has open. All messages in hand together are bounded, those of one site too: past that, who comes is
told to come again.
"""

from __future__ import annotations

import asyncio
from collections import Counter

from zegel.adapters.journal import Journal
from zegel.adapters.submission import network_of
from zegel.gateway.guard import Guard
from zegel.gateway.relay import Refused, Relay, Submission, may_write_to
from zegel.gateway.sitebook import Sitebook
from zegel.smtp.auth import Credentials
from zegel.smtp.events import MailFrom, Recipient, Reply
from zegel.store.sites import Site
from zegel.submission.trace import Origin

_MAX_HELD = 268_435_456  # octets of all messages in hand
# A timer of the loop counts from the beginning of the turn that sets it, and so ends a little early: a wait is never shorter than it says.
_TICK = 0.01
_WELCOME = Reply("235", "2.7.0", "welcome")
_WRONG = Reply("535", "5.7.8", "name or secret are wrong, or not for this address")
_TOO_OFTEN = Reply("454", "4.7.0", "too many logins have failed; try again later")
_NOT_NOW = Reply("550", "5.7.1", "this site is disabled, or its login is no longer right")
_BUSY = Reply("452", "4.3.1", "too much mail at the moment; try again later")


class Desk:
    """What all callers share."""

    def __init__(self, book: Sitebook, relay: Relay, journal: Journal, *, max_held: int = _MAX_HELD) -> None:
        self.book, self.relay, self.journal = book, relay, journal
        self.guard = Guard()
        self.held, self.max_held = Counter[str](), max_held

    def has_room(self, name: str, octets: int) -> bool:
        """Whether a site may hold so much more: half of all room is for the others."""
        return self.held.total() + octets <= self.max_held and self.held[name] + octets <= self.max_held // 2

    def caller(self, address: str, loopback: bool) -> Caller:
        """The handler of one connection (see ``adapters.submission.Handler``)."""
        return Caller(self, address, loopback)


class Caller:
    """One connection."""

    def __init__(self, desk: Desk, address: str, loopback: bool) -> None:
        self._desk, self._address, self._loopback = desk, address, loopback
        self._login: Site | None = None  # as it was when it logged in
        self._site: Site | None = None  # of the message in hand, as it was at its beginning
        self._sender, self._utf8 = "", False
        self._origin: Origin | None = None
        self._recipients: list[str] = []
        self._content = bytearray()
        self._size = 0
        self._busy = False

    @property
    def known(self) -> bool:
        """True when it may send without a login."""
        return self._of_now() is not None

    async def login(self, credentials: Credentials) -> Reply:
        """Look at a login. Who has failed before waits first, so that guessing is slow."""
        desk, name, address = self._desk, credentials.name, network_of(self._address)
        clock = asyncio.get_running_loop().time
        wait = desk.guard.wait(address, name, clock())
        if wait is None:
            desk.journal.login_failed(self._address, self._told(name), "login_too_often", 0)
            return _TOO_OFTEN
        if wait:
            await asyncio.sleep(wait + _TICK)
        site = desk.book.login(name, credentials.secret, self._address)
        if site is None:
            failures = desk.guard.failed(address, name, clock())
            desk.journal.login_failed(self._address, self._told(name), "login_wrong", failures)
            return _WRONG
        desk.guard.succeeded(address, name)
        self._login = site
        return _WELCOME

    def mail_from(self, event: MailFrom) -> Reply | None:
        """Begin a message."""
        site = self._of_now()
        if site is None:
            return _NOT_NOW
        self._forget()
        if not self._desk.has_room(site.name, event.size):
            return _BUSY
        self._site, self._sender, self._utf8 = site, event.sender, event.utf8
        self._origin = Origin(event.helo, self._address, event.protocol)
        return None

    def recipient(self, event: Recipient) -> Reply | None:
        """Take a recipient that the site may write to."""
        site = self._current
        if not may_write_to(site, event.address):
            return Reply("550", "5.7.1", f"the site {site.name} may not write to {event.address}")
        self._recipients.append(event.address)
        return None

    def content(self, data: bytes) -> None:
        """Keep octets of the message, while there is room for all that is in hand."""
        desk = self._desk
        holder = self._current.name
        if self._busy or not desk.has_room(holder, len(data)):
            self._busy = True
            return
        desk.held[holder] += len(data)
        self._size += len(data)
        self._content += data

    async def end_of_message(self) -> Reply:
        """Hand it to the relay."""
        try:
            if self._busy:
                return _BUSY
            data, self._content = bytes(self._content), bytearray()
            submission = Submission(
                self._current, self._sender, tuple(self._recipients), data, self._address, "smtp", utf8=self._utf8, origin=self._origin
            )
            try:
                accepted = await self._desk.relay.submit(submission)
            except Refused as refused:
                return Reply(refused.code, refused.enhanced, refused.text)
            warnings = "; ".join(("", *accepted.warnings))
            return Reply("250", "2.0.0", f"queued as {accepted.queue_id}{warnings}")
        finally:
            self._forget()

    def aborted(self, reason: str) -> None:
        """Forget the message."""
        if reason:
            self._desk.journal.connection_refused(self._address, self._name, reason)
        self._forget()

    def misused(self, reason: str) -> None:
        """Tell of what no honest client does."""
        self._desk.journal.connection_refused(self._address, self._name, reason)

    def closed(self) -> None:
        """The connection is over."""
        self._forget()

    def _of_now(self) -> Site | None:
        """Whose connection this is, by the book of now."""
        if self._login is not None:
            return self._desk.book.still(self._login, self._address)
        return self._desk.book.of_network(self._address) if self._loopback else None

    @property
    def _name(self) -> str:
        """For the log: whose it was, also where it is so no longer."""
        site = self._login or self._of_now()
        return site.name if site is not None else ""

    def _told(self, name: str) -> str:
        """The name for the log. One that is no site's may be a secret in the wrong place."""
        return name if self._desk.book.named(name) is not None else ""

    @property
    def _current(self) -> Site:
        if self._site is None:
            raise RuntimeError("a part of a message came before MAIL")
        return self._site

    def _forget(self) -> None:
        held = self._desk.held
        if self._site is not None:  # as it was when the message began: the book may be another by now
            held[self._site.name] -= self._size
            if not held[self._site.name]:
                del held[self._site.name]
        self._size, self._busy, self._site = 0, False, None
        self._recipients, self._content = [], bytearray()
