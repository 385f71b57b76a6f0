"""One SMTP client's messages on their way through the milter: gather, then sign what is ours and check what is not.

Header and body of a message arrive in pieces; the envelope tells its way, and the way does the rest. Each message has a state of its own:
nothing of it is left for the next one on the connection.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from typing import Any

from zegel.adapters.journal import About
from zegel.dkim.header import Header
from zegel.gateway.inbound import Inbound
from zegel.gateway.outbound import Client, Route
from zegel.gateway.outgoing import Outgoing
from zegel.gateway.settings import Settings
from zegel.gateway.way import Envelope, Way, keep
from zegel.grammar.message import CRLF
from zegel.milter.edits import Outcome, Reject
from zegel.milter.events import Connected, Headers, MailFrom, Recipient
from zegel.milter.session import Session
from zegel.store.record import MAX_RECIPIENTS
from zegel.verdict.edits import Claims
from zegel.words import N_

_BARE_LF = re.compile(rb"(?<!\r)\n")
# No mail system writes so many in one name; Postfix reads the whole header again for each deletion.
_MAX_REMOVALS = 500
_TOO_MANY = Outcome(action=Reject("550", "5.7.1", "Too many Authentication-Results header fields"))


class _Message:
    """One message between MAIL and its end."""

    __slots__ = ("block", "claims", "envelope", "header_bytes", "settings", "way")

    def __init__(self, settings: Settings, envelope: Envelope) -> None:
        self.settings, self.envelope = settings, envelope
        self.block: list[bytes] = []  # the header in pieces
        self.header_bytes = 0
        self.claims = Claims(settings.quarantine.field)
        self.way: Way = (Inbound if envelope.route is Route.INBOUND else Outgoing)(settings, envelope)


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
        session = self._session
        login = session.macro(b"{auth_authen}") if session.macro(b"{auth_type}") else None
        client = Client(self._address, self._port, _text(login), _text(session.macro(b"{daemon_name}")))
        settings = self._current_settings()
        envelope = Envelope(client, settings.policy.route(client), _text(session.helo), _text(event.mailbox))
        self._message = _Message(settings, envelope)

    def recipient(self, event: Recipient) -> None:
        """Recipients choose the mode, and are recorded: one more than is kept tells that there were more."""
        recipients = self._current.envelope.recipients
        if len(recipients) <= MAX_RECIPIENTS:
            recipients.append(_text(event.mailbox))

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
        """The header is whole."""
        message = self._current
        oversized = message.header_bytes > message.settings.limits.header_bytes
        header = None if oversized else Header(b"".join(message.block))
        message.block.clear()
        message.way.header(header, message.claims)

    def body(self, data: bytes) -> bool:
        """Take a chunk of the body; True when no more of it is needed."""
        return self._current.way.body(data)

    def end_of_message(self, session: Session) -> Outcome | Coroutine[Any, Any, Outcome]:
        """Sign or judge, and give the edits: at once, but where DNS has not answered yet."""
        message = self._current
        client, envelope = message.envelope.client, message.envelope
        about = About(_text(session.macro(b"i")), envelope.sender, envelope.route, client.address or "local", client.login)
        self._message = None
        if envelope.route is not Route.REINJECTED and message.claims.count > _MAX_REMOVALS:
            message.way.stop()
            sentence = N_("refused: more than {limit} Authentication-Results fields claim our name").format(limit=_MAX_REMOVALS)
            message.settings.journal.refused(about, "too_many_claims", sentence)
            keep(message.settings, envelope, about, action="refused", reason="too_many_claims")
            return _TOO_MANY
        return message.way.end(about, message.claims)

    def aborted(self) -> None:
        """The message is over without an end: forget it, and stop asking for it."""
        if self._message is not None:
            self._message.way.stop()
        self._message = None

    def closed(self) -> None:
        """The connection is over."""
        self.aborted()

    @property
    def _current(self) -> _Message:
        if self._message is None:
            raise RuntimeError("a part of a message came before MAIL")
        return self._message


def _text(octets: bytes | None) -> str:
    """Octets of the mail server as text for the log and for comparing: two that differ stay different."""
    return (octets or b"").decode("utf-8", "surrogateescape")
