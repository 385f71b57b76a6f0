"""One SMTP client's messages on their way through the milter: gather, then sign what is ours and check what is not.

Header and body of a message arrive in pieces; at the end of the header the way is chosen, the body is canonicalised as it comes, and the
end of the message gives the edits. Each message has a state of its own: nothing of it is left for the next one on the connection.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from zegel.adapters.converse import AsyncResolver, Budget, converse
from zegel.adapters.journal import About, Journal
from zegel.adapters.keyring import Keyring
from zegel.dkim.header import Header
from zegel.dkim.result import DkimReason, DkimResult
from zegel.dkim.sign import Signing, Style, hop_may_break
from zegel.dkim.verify import Verification
from zegel.gateway.outbound import Client, Decision, Policy, Route, Unsigned, decide
from zegel.grammar.message import CRLF
from zegel.limits import Limits
from zegel.milter.edits import Edit, InsertHeader, Outcome, Reject
from zegel.milter.events import Connected, Headers, MailFrom, Recipient
from zegel.milter.session import Session
from zegel.verdict.edits import Claims, results_field
from zegel.words import N_

_TOP = 0
_BARE_LF = re.compile(rb"(?<!\r)\n")
# No mail system writes so many in one name; Postfix reads the whole header again for each deletion.
_MAX_REMOVALS = 500
_TOO_MANY = Outcome(action=Reject("550", "5.7.1", "Too many Authentication-Results header fields"))


@dataclass(frozen=True, slots=True)
class Settings:
    """What all messages share. ``authserv_id`` is in A-labels and lower case."""

    policy: Policy
    keyring: Keyring
    resolver: AsyncResolver
    journal: Journal
    authserv_id: str
    style: Style
    limits: Limits
    clock: Callable[[], float] = time.time


@dataclass(slots=True)
class _Message:
    """One message between MAIL and its end."""

    settings: Settings
    sender: bytes
    client: Client
    route: Route
    block: list[bytes] = field(default_factory=list)  # the header in pieces
    header_bytes: int = 0
    claims: Claims = field(default_factory=Claims)
    decision: Decision | None = None
    signing: Signing | None = None
    verification: Verification | None = None
    look_up: asyncio.Task[None] | None = None
    warning: str = ""


class Gateway:
    """The handler of one milter connection (see ``adapters.pump.Handler``).

    ``current`` gives the settings of now; a message keeps those that it began with.
    """

    def __init__(self, current: Callable[[], Settings], session: Session) -> None:
        self._current_settings, self._session = current, session
        self._address, self._port = "", -1
        self._message: _Message | None = None

    def connected(self, event: Connected) -> None:
        """Remember the SMTP client."""
        self._address, self._port = event.address, event.port

    def mail_from(self, event: MailFrom) -> None:
        """Begin a message. The route is known here: Postfix has given the login and the daemon's name by now."""
        login = self._session.macro(b"{auth_authen}") if self._session.macro(b"{auth_type}") else None
        client = Client(self._address, self._port, _text(login), _text(self._session.macro(b"{daemon_name}")))
        settings = self._current_settings()
        self._message = _Message(settings, event.mailbox, client, settings.policy.route(client))

    def recipient(self, event: Recipient) -> None:
        """Recipients do not change what is signed or verified."""

    def headers(self, event: Headers) -> None:
        """Take some fields. Postfix sends LF inside folded values; signatures are over CRLF. Past the bound nothing more is kept."""
        message = self._current
        message.claims.see(event.fields, message.settings.authserv_id)
        size, limit = message.header_bytes, message.settings.limits.header_bytes
        block = message.block
        for name, value in event.fields:
            size += len(name) + len(value) + 3
            if size <= limit:
                if b"\n" in value:
                    # Some mail servers send CRLF. A CR on its own stands: what was signed had it, or not.
                    value = _BARE_LF.sub(CRLF, value) if b"\r" in value else value.replace(b"\n", CRLF)
                block += (name, b":", value, CRLF)
        message.header_bytes = size

    def end_of_headers(self) -> None:
        """Choose the way of this message, and let the questions leave."""
        message = self._current
        settings = message.settings
        oversized = message.header_bytes > settings.limits.header_bytes
        header = Header(b"" if oversized else b"".join(message.block))
        message.block.clear()
        if message.route is Route.INBOUND:
            if not oversized:
                message.verification = Verification(header, now=settings.clock(), limits=settings.limits)
                if message.verification.needs_body:
                    message.look_up = asyncio.create_task(_look_up(message.verification, settings))
        elif oversized:
            sentence = N_("not signed: the header is larger than {limit} octets").format(limit=settings.limits.header_bytes)
            message.decision = Decision(unsigned=Unsigned("header_too_large", sentence))
        elif header.malformed:
            # A reader that ends lines at a bare CR shows another From than the one that was looked at (RFC 6376 3.8, STANDARDS 3.2 A7).
            sentence = N_("not signed: a header line is no field, or has a bare CR")
            message.decision = Decision(unsigned=Unsigned("header_malformed", sentence))
        else:
            authors = header.values("from")
            message.decision = decide(settings.policy, settings.keyring, message.client, message.route, authors, ours=message.claims.ours)
            if message.decision.keys:
                message.signing = Signing(header, message.decision.keys, settings.style, now=int(settings.clock()))
                message.warning = hop_may_break(header.block, b"") or ""

    def body(self, data: bytes) -> bool:
        """Take a chunk of the body; True when no more of it is needed."""
        message = self._current
        if message.signing is not None:
            message.signing.feed(data)
            message.warning = message.warning or hop_may_break(b"", data) or ""
            return False
        if message.verification is not None and message.verification.needs_body:
            message.verification.feed(data)
            return False
        return True

    def end_of_message(self, session: Session) -> Outcome | Coroutine[Any, Any, Outcome]:
        """Sign or judge, and give the edits: at once, but where DNS has not answered yet."""
        message = self._current
        about = self._about(message, session)
        self._message = None
        removes = message.route is not Route.REINJECTED
        if removes and message.claims.count > _MAX_REMOVALS:
            _stop(message.look_up)
            sentence = N_("refused: more than {limit} Authentication-Results fields claim our name").format(limit=_MAX_REMOVALS)
            message.settings.journal.refused(about, "too_many_claims", sentence)
            return _TOO_MANY
        if message.route is Route.INBOUND:
            waits = message.look_up is not None and not message.look_up.done()
            return self._awaited(message, about) if waits else self._verified(message, about)
        decision = message.decision
        if decision is None:
            raise RuntimeError("the end of the message came before the end of its header")
        # Only a listed listener behind a filter can be believed to hand back what we wrote: elsewhere our name is forged, or has served.
        edits = message.claims.removals() if removes else []
        journal = message.settings.journal
        if message.signing is None:
            unsigned = decision.unsigned
            journal.not_signed(about, unsigned.id if unsigned else "", unsigned.sentence if unsigned else "")
            return Outcome(tuple(edits))
        signatures = message.signing.finish()
        names = [key.name for key in decision.keys]
        journal.signed(about, names, decision.keys[0].domain, warning=message.warning)
        return Outcome((*edits, *(InsertHeader(_TOP, item.name, item.value) for item in reversed(signatures))))

    async def _awaited(self, message: _Message, about: About) -> Outcome:
        if message.look_up is not None:
            await message.look_up
        return self._verified(message, about)

    def _verified(self, message: _Message, about: About) -> Outcome:
        settings = message.settings
        if message.verification is None:
            results = [DkimResult(DkimReason.HEADER_TOO_LARGE, detail=f"over {settings.limits.header_bytes} octets")]
        else:
            if message.look_up is not None:
                message.look_up.result()  # a fault of ours in it is one of this message
            results = message.verification.finish()
        forged = message.claims.removals()
        settings.journal.verified(about, results, len(forged))
        edits: tuple[Edit, ...] = (*forged, results_field(settings.authserv_id, results))
        return Outcome(edits)

    def aborted(self) -> None:
        """The message is over without an end: forget it, and stop asking for it."""
        if self._message is not None:
            _stop(self._message.look_up)
        self._message = None

    def closed(self) -> None:
        """The connection is over."""
        self.aborted()

    @property
    def _current(self) -> _Message:
        if self._message is None:
            raise RuntimeError("a part of a message came before MAIL")
        return self._message

    def _about(self, message: _Message, session: Session) -> About:
        client = message.client
        return About(_text(session.macro(b"i")), _text(message.sender), message.route, client.address or "local", client.login)


async def _look_up(verification: Verification, settings: Settings) -> None:
    await converse(verification.look_up(), settings.resolver, Budget(settings.limits))


def _stop(look_up: asyncio.Task[None] | None) -> None:
    """Cancel a look-up that nobody waits for any more; what it may have failed with is nobody's either."""
    if look_up is not None and not look_up.cancel() and not look_up.cancelled():
        look_up.exception()


def _text(octets: bytes | None) -> str:
    """Octets of the mail server as text for the log and for comparing: two that differ stay different."""
    return (octets or b"").decode("utf-8", "surrogateescape")
