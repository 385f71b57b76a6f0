"""A message from outside, on its way: SPF's questions leave at MAIL, those of DKIM, ARC and DMARC at the end of the header, and the end of
the message gives the verdict, the edits and the record. DESIGN 2, "The way of one inbound message".
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from dataclasses import replace
from typing import Any

from zegel.adapters.converse import Budget, converse
from zegel.adapters.journal import OUTCOMES, About
from zegel.ask import Dialogue
from zegel.dkim.header import Header
from zegel.gateway.settings import Settings
from zegel.gateway.testmail import BodyCopy, Trial
from zegel.gateway.way import Envelope, keep
from zegel.milter.edits import Outcome
from zegel.store.record import Result
from zegel.verdict.authenticate import AFTERWARDS, Authentication, Verdict, shared
from zegel.verdict.edits import Claims, outcome
from zegel.verdict.evidence import Evidence
from zegel.verdict.policy import Action


class Inbound:
    """The check of one message, from MAIL on."""

    def __init__(self, settings: Settings, envelope: Envelope) -> None:
        self._settings, self._envelope = settings, envelope
        evidence = Evidence(envelope.client.address, envelope.helo, envelope.sender, authserv_id=settings.authserv_id, now=settings.clock())
        self._checking = Authentication(evidence, settings.site, settings.limits)
        self._header: Header | None = None
        self._copy: BodyCopy | None = None  # of mail to the address that answers
        self._budget = Budget(shared(settings.limits))
        self._asking = [self._ask(self._checking.ask_sender())]

    def _ask(self, dialogue: Dialogue[None]) -> asyncio.Task[None]:
        return asyncio.create_task(converse(dialogue, self._settings.resolver, self._budget.leaving(AFTERWARDS)))

    def header(self, header: Header | None, claims: Claims) -> None:
        """Take the whole header: its questions leave while the body is on its way."""
        checking = self._checking
        self._header = header
        checking.evidence = replace(checking.evidence, recipients=tuple(self._envelope.recipients))
        checking.read_header(header)
        self._asking.append(self._ask(checking.ask_header()))
        tests = self._settings.answering
        if tests is not None and header is not None and tests.wants(self._envelope.recipients):
            self._copy = BodyCopy()

    def body(self, data: bytes) -> bool:
        """Take a chunk of the body; True when no more of it is needed."""
        copied = self._copy is None or self._copy.feed(data)
        if self._checking.needs_body:
            self._checking.feed(data)
            return False
        return copied

    def end(self, about: About, claims: Claims) -> Coroutine[Any, Any, Outcome]:
        """Wait for DNS, judge, and say what happens."""
        return self._end(about, claims)

    async def _end(self, about: About, claims: Claims) -> Outcome:
        settings = self._settings
        try:
            for task in self._asking:
                await task  # a fault of ours in any part is one of this message
            verdict = await converse(self._checking.finish(), settings.resolver, self._budget)
        except BaseException:
            self.stop()
            raise
        disposition = verdict.disposition
        settings.journal.verified(about, verdict, claims.count)
        keep(
            settings,
            self._envelope,
            about,
            action=OUTCOMES[disposition.action],
            reason=disposition.reason.id,
            author=disposition.domain or "",
            results=_results(verdict),
            story=verdict.story,
            header=self._header,
        )
        self._hand_over(about, verdict)
        quarantine = settings.quarantine
        return outcome(verdict, claims, field=quarantine.field, hold=quarantine.hold)

    def _hand_over(self, about: About, verdict: Verdict) -> None:
        """Give a test mail that is accepted to who answers it."""
        copy, header, tests = self._copy, self._header, self._settings.answering
        if copy is not None and header is not None and tests is not None and verdict.action is Action.ACCEPT:
            tests.take(Trial(header, copy.octets(), copy.whole, verdict, about.queue_id))

    def stop(self) -> None:
        """Stop asking: nobody waits for the answers any more. What a task may have failed with is nobody's either."""
        for task in self._asking:
            if not task.cancel() and not task.cancelled():
                task.exception()


def _results(verdict: Verdict) -> Iterator[Result]:
    """The results as they are recorded, in the order in which they are told."""
    for result in (verdict.spf.mail_from, verdict.spf.helo):
        yield Result("spf", result.status, result.reason.id, result.domain or "")
    for signature in verdict.dkim:
        yield Result("dkim", signature.status, signature.reason.id, signature.domain or "", signature.selector or "")
    yield Result("arc", verdict.arc.status, verdict.arc.reason.id)
    yield Result("dmarc", verdict.dmarc.status, verdict.dmarc.reason.id, verdict.dmarc.author_domain or "")
