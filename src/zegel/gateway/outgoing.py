"""A message of ours, on its way out: who may sign as whom is decided at the end of the header, and the end of the message gives the
signatures, or the reason why there are none. RFC 6376 5.1.
"""

from __future__ import annotations

from zegel.adapters.journal import About
from zegel.dkim.header import Header
from zegel.dkim.sign import Signing, hop_may_break
from zegel.gateway.outbound import Decision, Route, decide
from zegel.gateway.settings import Settings
from zegel.gateway.way import Envelope, keep
from zegel.milter.edits import Edit, InsertHeader, Outcome
from zegel.store.record import Result
from zegel.verdict.edits import Claims
from zegel.verdict.unsigned import UnsignedReason, unsigned

_TOP = 0  # above the fields that are signed and those of the way: RFC 6376 5.6


class Outgoing:
    """The signing of one message."""

    def __init__(self, settings: Settings, envelope: Envelope) -> None:
        self._settings, self._envelope = settings, envelope
        self._decision: Decision | None = None
        self._signing: Signing | None = None
        self._header: Header | None = None
        self._warning = ""

    def header(self, header: Header | None, claims: Claims) -> None:
        """Decide who signs."""
        settings, envelope = self._settings, self._envelope
        self._header = header
        if header is None:
            limit = settings.limits.header_bytes
            self._decision = Decision(unsigned=unsigned(UnsignedReason.HEADER_TOO_LARGE, limit=limit))
        elif header.malformed:
            self._decision = Decision(unsigned=unsigned(UnsignedReason.HEADER_MALFORMED))
        else:
            authors = header.values("from")
            decision = decide(settings.policy, settings.keyring, envelope.client, envelope.route, authors, ours=claims.ours)
            if decision.keys:
                self._signing = Signing(header, decision.keys, settings.style, now=int(settings.clock()))
                self._warning = hop_may_break(header.block, b"") or ""
            self._decision = decision

    def body(self, data: bytes) -> bool:
        """Take a chunk of the body; True when no more of it is needed."""
        if self._signing is None:
            return True
        self._signing.feed(data)
        self._warning = self._warning or hop_may_break(b"", data) or ""
        return False

    def end(self, about: About, claims: Claims) -> Outcome:
        """Sign, and give the edits."""
        decision, settings = self._decision, self._settings
        if decision is None:
            raise RuntimeError("the end of the message came before the end of its header")
        # Only a listed listener behind a filter can be believed to hand back what we wrote: elsewhere our name is forged, or has served.
        edits: list[Edit] = claims.removals() if self._envelope.route is not Route.REINJECTED else []
        author = decision.author.domain if decision.author else ""
        if self._signing is None:
            why = decision.unsigned
            if why is None:
                raise RuntimeError("a message without a signature and without a reason")
            settings.journal.not_signed(about, why.id, str(why.told))
            story = (why.item,)
            keep(settings, self._envelope, about, action="unsigned", reason=why.id, author=author, story=story, header=self._header)
            return Outcome(tuple(edits))
        signatures = self._signing.finish()
        settings.journal.signed(about, [key.name for key in decision.keys], decision.keys[0].domain, warning=self._warning)
        results = [Result("dkim", "signed", "", key.domain, key.selector) for key in decision.keys]
        keep(settings, self._envelope, about, action="signed", author=author, results=results, header=self._header)
        return Outcome((*edits, *(InsertHeader(_TOP, item.name, item.value) for item in reversed(signatures))))

    def stop(self) -> None:
        """Nothing is under way."""
