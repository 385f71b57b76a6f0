"""Would this pass? A message of ours, signed, judged as its receiver would: SPF for the addresses that it leaves from, DKIM against the
key that DNS has, alignment, and the author's policy. RFC 9989 5.3.

The answer hangs on the domains and the keys, not on the message, so it is found with the first message of each kind and kept for minutes:
the next ones cost a look into a table. DNS trouble is no answer: it is told as unknown, and asked again soon.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from zegel.adapters.converse import Budget, converse
from zegel.ask import together
from zegel.dkim.crypto import Key
from zegel.dkim.header import Header
from zegel.dkim.result import DkimResult, DkimStatus
from zegel.dmarc.result import DmarcStatus
from zegel.gateway.settings import Settings
from zegel.grammar.domain import Domain
from zegel.grammar.message import split_message
from zegel.spf.result import SpfStatus
from zegel.store.record import Result
from zegel.verdict.authenticate import AFTERWARDS, Authentication, Verdict, shared
from zegel.verdict.evidence import Evidence
from zegel.verdict.explain import Item
from zegel.verdict.policy import Mode, Site

LARGE = 262_144  # octets; what is larger is worked on in a thread
_MAX_KNOWN = 2000
_PATIENCE = 8.0  # seconds that a client waits for DNS


class Answer(StrEnum):
    """Whether the message would pass at a receiver; unknown where DNS did not say now."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


# Seconds for which an answer holds: a no is mended by somebody who waits for it to be gone.
_HOLDS = {Answer.YES: 300.0, Answer.NO: 30.0, Answer.UNKNOWN: 15.0}


@dataclass(frozen=True, slots=True)
class Judgement:
    """The answer for mail of one kind: the results behind it, why it is no (a stable id and a sentence), and the story of a no."""

    answer: Answer
    results: tuple[Result, ...] = ()
    reason: str = ""
    sentence: str = ""
    story: tuple[Item, ...] = ()


_LATE = Judgement(Answer.UNKNOWN, reason="dns_trouble")
_RECEIVER = Site(Mode.REJECT)
_ANSWERS = {
    DmarcStatus.PASS: Answer.YES,
    DmarcStatus.FAIL: Answer.NO,
    DmarcStatus.PERMERROR: Answer.NO,
    DmarcStatus.TEMPERROR: Answer.UNKNOWN,
}


@dataclass(frozen=True, slots=True)
class Egress:
    """Where our mail leaves: the host's name, and its addresses as receivers see them (none: SPF is left out)."""

    hostname: str
    addresses: tuple[str, ...] = ()


class Judge:
    """Judges mail of ours. ``egress`` may be replaced at any time; what was known is forgotten then."""

    def __init__(self, egress: Egress) -> None:
        self._egress = egress
        self._known: OrderedDict[tuple[str, ...], tuple[float, asyncio.Task[Judgement]]] = OrderedDict()

    @property
    def egress(self) -> Egress:
        """Where our mail leaves."""
        return self._egress

    @egress.setter
    def egress(self, egress: Egress) -> None:
        if egress != self._egress:
            self._egress = egress
            self.forget()

    def forget(self) -> None:
        """Judge anew: keys or domains are others now, and what was found before holds no longer, nor what is being asked."""
        self._known.clear()

    async def judge(self, settings: Settings, message: bytes, author: Domain, mail_from: str, keys: Sequence[Key]) -> Judgement:
        """Judge a signed message of that author and envelope sender; from what is known where that is of now."""
        kind = (author, mail_from.rpartition("@")[2].lower(), *(key.name for key in keys))
        now = asyncio.get_running_loop().time()
        until, task = self._known.get(kind, (0.0, None))
        if task is None or (task.done() and until <= now):
            # Shared by all messages of the kind that come meanwhile, so it outlives the client that asked first.
            task = asyncio.get_running_loop().create_task(self._ask(settings, message, mail_from))
            self._keep(kind, task)
        if task.done():
            return task.result()
        done, _ = await asyncio.wait([task], timeout=_PATIENCE)
        return task.result() if done else _LATE

    def _keep(self, kind: tuple[str, ...], task: asyncio.Task[Judgement]) -> None:
        self._known[kind] = (0.0, task)
        self._known.move_to_end(kind)
        if len(self._known) > _MAX_KNOWN:
            self._known.popitem(last=False)

        def ended(task: asyncio.Task[Judgement]) -> None:
            if self._known.get(kind, (0.0, None))[1] is not task:
                return
            if task.cancelled() or task.exception() is not None:
                del self._known[kind]
                return
            self._known[kind] = (task.get_loop().time() + _HOLDS[task.result().answer], task)

        task.add_done_callback(ended)

    async def _ask(self, settings: Settings, message: bytes, mail_from: str) -> Judgement:
        """Judge it once for each address that it may leave from; the worst counts."""
        name, addresses = self._egress.hostname, self._egress.addresses
        judged = []
        for address in addresses or ("",):
            evidence = Evidence(address, name, mail_from, authserv_id=settings.authserv_id, now=settings.clock())
            judged.append(judgement(await _verdict(settings, message, evidence), spf=bool(addresses)))
        return min(judged, key=lambda one: (Answer.NO, Answer.UNKNOWN, Answer.YES).index(one.answer))


async def _verdict(settings: Settings, message: bytes, evidence: Evidence) -> Verdict:
    """What a receiver finds."""
    limits = settings.limits
    split = split_message(message, header_bytes=limits.header_bytes)
    checking = Authentication(evidence, _RECEIVER, limits)
    checking.read_header(None if split.oversized else Header(split.header))
    budget = Budget(shared(limits))
    await converse(together(checking.ask_sender(), checking.ask_header()), settings.resolver, budget.leaving(AFTERWARDS))
    if len(split.body) > LARGE:
        await asyncio.to_thread(checking.feed, split.body)
    else:
        checking.feed(split.body)
    return await converse(checking.finish(), settings.resolver, budget)


def judgement(verdict: Verdict, *, spf: bool) -> Judgement:
    """What a verdict says of our mail; ``spf`` tells that the addresses were known, so that SPF counts."""
    dmarc, sender = verdict.dmarc, verdict.spf.mail_from
    results = (
        *([Result("spf", sender.status, sender.reason.id, sender.domain or "")] if spf else []),
        # That a signature of ours passes is what "signed" says already.
        *(Result("dkim", one.status, one.reason.id, one.domain or "", one.selector or "") for one in _failed(verdict)),
        Result("dmarc", dmarc.status, dmarc.reason.id, dmarc.author_domain or ""),
    )
    answer = _ANSWERS.get(dmarc.status) or _without_policy(verdict)
    if answer is not Answer.NO:
        return Judgement(answer, results, dmarc.reason.id if answer is Answer.UNKNOWN else "")
    # The first of our signatures that fails is what is to be mended: SPF is the next hop's affair.
    failed = next(iter(_failed(verdict)), None)
    sentence = dmarc.explanation if failed is None else f"{dmarc.explanation}; DKIM {failed.selector}: {failed.explanation}"
    return Judgement(answer, results, failed.reason.id if failed is not None else dmarc.reason.id, sentence, tuple(verdict.story))


def _failed(verdict: Verdict) -> list[DkimResult]:
    return [one for one in verdict.dkim if one.status is not DkimStatus.PASS]


def _without_policy(verdict: Verdict) -> Answer:
    """The author's domain has no policy that applies: whether anything proves it all the same."""
    author = verdict.author.domain
    if author is None:
        return Answer.NO
    if any(author.within(domain) or domain.within(author) for domain in verdict.findings.authenticated):
        return Answer.YES
    waiting = any(one.status is DkimStatus.TEMPERROR for one in verdict.dkim) or verdict.spf.mail_from.status is SpfStatus.TEMPERROR
    return Answer.UNKNOWN if waiting else Answer.NO
