"""A message from outside, on its way: SPF's questions leave at MAIL, those of DKIM, ARC and DMARC at the end of the header, and the end of
the message gives the verdict, the edits and the record.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from dataclasses import replace
from typing import Any

from zegel.adapters.converse import Budget, Conversation
from zegel.adapters.journal import OUTCOMES, About
from zegel.ask import Dialogue
from zegel.dkim.bodyhash import BodyHashes
from zegel.dkim.header import Header
from zegel.gateway import sealing
from zegel.gateway.keeping import LATER, Copy, passed, token, token_removals
from zegel.gateway.settings import Settings
from zegel.gateway.testmail import BodyCopy, Trial
from zegel.gateway.way import Envelope, keep
from zegel.milter.edits import InsertHeader, Outcome
from zegel.store.record import Result
from zegel.verdict.authenticate import AFTERWARDS, Authentication, Verdict, shared
from zegel.verdict.edits import Claims, outcome
from zegel.verdict.evidence import Evidence
from zegel.verdict.policy import Action, Mode


class Inbound:
    """The check of one message, from MAIL on."""

    def __init__(self, settings: Settings, envelope: Envelope) -> None:
        self._settings, self._envelope = settings, envelope
        evidence = Evidence(envelope.client.address, envelope.helo, envelope.sender, authserv_id=settings.authserv_id, now=settings.clock())
        self._checking = Authentication(evidence, settings.site, settings.limits)
        self._header: Header | None = None
        self._bodies: BodyHashes | None = None  # for a seal
        self._copy: Copy | None = None  # for the quarantine
        self._sample: BodyCopy | None = None  # of mail to the address that answers
        self._budget = Budget(shared(settings.limits))
        self._asking: list[asyncio.Task[None]] = []
        self._ask(self._checking.ask_sender())

    def _ask(self, dialogue: Dialogue[None]) -> None:
        """Let its questions leave; those whose answers are kept need no task."""
        conversation = Conversation(dialogue, self._settings.resolver, self._budget.leaving(AFTERWARDS))
        if not conversation.done:
            self._asking.append(asyncio.create_task(conversation.rest()))

    def header(self, header: Header | None, claims: Claims) -> None:
        """Take the whole header: its questions leave while the body is on its way."""
        checking = self._checking
        self._header = header
        checking.evidence = replace(checking.evidence, recipients=tuple(self._envelope.recipients))
        checking.read_header(header)
        if self._settings.seal_as is not None and header is not None:
            self._bodies = checking.want_body(sealing.BODY_FORM)
        depot = self._settings.quarantine.depot
        if depot is not None and header is not None and self._settings.site.mode_for(checking.evidence.recipients) is not Mode.OBSERVE:
            self._copy = Copy(depot, header)
        self._ask(checking.ask_header())
        tests = self._settings.answering
        if tests is not None and header is not None and tests.wants(self._envelope.recipients):
            self._sample = BodyCopy()

    def body(self, data: bytes) -> bool:
        """Take a chunk of the body; True when no more of it is needed."""
        if self._copy is not None:
            self._copy.feed(data)
        sampled = self._sample is None or self._sample.feed(data)
        if self._checking.needs_body:
            self._checking.feed(data)
            return False
        return sampled and self._copy is None

    def end(self, about: About, claims: Claims) -> Outcome | Coroutine[Any, Any, Outcome]:
        """Judge, and say what happens: at once, but where DNS or the quarantine is to be waited for."""
        if self._asking or self._settings.quarantine.depot is not None:
            return self._wait(about, claims)
        finishing = self._finishing()
        return self._conclude(finishing.result, about, claims) if finishing.done else self._judge(finishing, about, claims)

    def _finishing(self) -> Conversation[Verdict]:
        return Conversation(self._checking.finish(), self._settings.resolver, self._budget)

    async def _wait(self, about: About, claims: Claims) -> Outcome:
        released = await self._released(about, claims)
        if released is not None:
            return released
        try:
            for task in self._asking:
                await task  # a fault of ours in any part is one of this message
            return await self._judge(self._finishing(), about, claims)
        except BaseException:
            self.stop()
            raise

    async def _judge(self, finishing: Conversation[Verdict], about: About, claims: Claims) -> Outcome:
        verdict = await finishing.rest()
        return self._conclude(verdict, about, claims, await self._keep(verdict, about))

    def _conclude(self, verdict: Verdict, about: About, claims: Claims, kept: Outcome | None = None) -> Outcome:
        """Tell the log and the record, and give the edits; ``kept`` is what our quarantine has said, where it has the message."""
        settings, disposition = self._settings, verdict.disposition
        settings.journal.verified(about, verdict, claims.count)
        keep(
            settings,
            self._envelope,
            about,
            action="deferred" if kept == LATER else OUTCOMES[disposition.action],
            reason=disposition.reason.id,
            would=OUTCOMES[disposition.would],
            marks=[mark.id for mark in disposition.marks],
            author=disposition.domain or "",
            results=_results(verdict),
            story=verdict.story,
            header=self._header,
        )
        if kept is not None:
            return kept
        self._hand_over(about, verdict)
        quarantine = settings.quarantine
        said = outcome(verdict, claims, field=quarantine.field, hold=quarantine.hold, spf=settings.received_spf)
        seal = self._seal(verdict)
        # Our results stay on top: each insertion is above the one before it.
        edits = (*token_removals(self._header), *reversed(seal), *said.edits) if quarantine.depot is not None or seal else said.edits
        return Outcome(edits, said.action)

    async def _keep(self, verdict: Verdict, about: About) -> Outcome | None:
        """Put the message in our quarantine, where it belongs there. What cannot be kept is deferred, and told."""
        if self._copy is None:
            return None
        try:
            if verdict.action is not Action.QUARANTINE:
                return None
            outcome, name = await self._copy.keep(verdict, self._envelope, about, now=int(self._settings.clock()))
        finally:
            self._copy.close()
        event = "not kept in quarantine: deferred" if outcome == LATER else "kept in quarantine"
        self._settings.journal.note(event, queue_id=about.queue_id, quarantine=name)
        return outcome

    async def _released(self, about: About, claims: Claims) -> Outcome | None:
        """Let a message pass that somebody released, with what was found when it came."""
        depot, given = self._settings.quarantine.depot, token(self._header)
        if depot is None or not given:
            return None
        kept = await asyncio.to_thread(depot.redeem, given, self._envelope.recipients, now=int(self._settings.clock()))
        if kept is None:
            return None
        self.stop()
        self._settings.journal.note("released from quarantine", queue_id=about.queue_id, quarantine=kept.name)
        keep(self._settings, self._envelope, about, action="released", reason=kept.reason, author=kept.from_domain, header=self._header)
        return passed(kept, [*claims.removals(), *token_removals(self._header)])

    def _seal(self, verdict: Verdict) -> list[InsertHeader]:
        """The ARC set of ours, where the site wants one and the domain that it names has a key."""
        if self._bodies is None or self._header is None or self._settings.seal_as is None:
            return []
        keys = self._settings.keyring.find(self._settings.seal_as)
        return sealing.seal(verdict, self._header, self._bodies, keys[0]) if keys else []

    def _hand_over(self, about: About, verdict: Verdict) -> None:
        """Give a test mail that is accepted to who answers it."""
        sample, header, tests = self._sample, self._header, self._settings.answering
        if sample is not None and header is not None and tests is not None and verdict.action is Action.ACCEPT:
            tests.take(Trial(header, sample.octets(), sample.whole, verdict, about.queue_id))

    def stop(self) -> None:
        """Stop asking: nobody waits for the answers any more. What a task may have failed with is nobody's either."""
        if self._copy is not None:
            self._copy.close()
        for task in self._asking:
            if not task.cancel() and not task.cancelled():
                task.exception()


def _results(verdict: Verdict) -> Iterator[Result]:
    """The results as they are recorded, in the order in which they are told. RFC 9989 5.3.3: the domains, the selectors and the reasons."""
    for result in (verdict.spf.mail_from, verdict.spf.helo):
        yield Result("spf", result.status, result.reason.id, result.domain or "", result.identity)
    for signature in verdict.dkim:
        yield Result("dkim", signature.status, signature.reason.id, signature.domain or "", signature.selector or "")
    yield Result("arc", verdict.arc.status, verdict.arc.reason.id)
    yield Result("dmarc", verdict.dmarc.status, verdict.dmarc.reason.id, verdict.dmarc.author_domain or "")
