"""Answers test mail: decides whom, keeps to its limits, writes the report, signs it and hands it to the outbox.

A report is made in a task of its own, after the mail server has had its reply, so that no mail waits for it. What can be in memory is
bounded: the tasks, and the senders and domains that are remembered. After a restart nothing is remembered; the limits begin anew.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from zegel.adapters.converse import AsyncResolver, Budget, converse
from zegel.adapters.journal import Journal
from zegel.adapters.keyring import Keyring
from zegel.check.answerable import Refused, whom
from zegel.check.language import asked_for
from zegel.check.message.examine import examine
from zegel.check.message.path import Envelope
from zegel.check.reply import Thread, reply
from zegel.config.check import Check
from zegel.dkim.sign import Style, sign_message
from zegel.gateway.testmail import Trial
from zegel.grammar.address import Mailbox, mailboxes
from zegel.limits import Limits
from zegel.verdict.authenticate import shared

MAX_TASKS = 8
MAX_REMEMBERED = 10_000
_HOUR = 3600.0
# Hands one answer over: whom it goes to, and its bytes. The envelope sender is the empty one. Returns when it is safe, else raises.
HandOver = Callable[[str, bytes], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Means:
    """What an answer is made with: the settings of now."""

    resolver: AsyncResolver
    keyring: Keyring
    style: Style
    limits: Limits


class Answers:
    """Who answers (:class:`zegel.gateway.testmail.Answering`). ``table`` may be changed at any time; with no address nobody is answered."""

    def __init__(
        self,
        table: Check,
        means: Callable[[], Means],
        hand_over: HandOver,
        journal: Journal,
        clock: Callable[[], float],
        *,
        version: str,
    ) -> None:
        self._means, self._hand_over, self._journal, self._clock, self._version = means, hand_over, journal, clock, version
        self._rates = Rates()
        self._tasks: set[asyncio.Task[None]] = set()
        self.table = table

    @property
    def table(self) -> Check:
        """The settings of now."""
        return self._table

    @table.setter
    def table(self, table: Check) -> None:
        self._table = table
        self._ours = mailboxes(table.answer.encode())[0] if table.answer else None

    def wants(self, recipients: list[str]) -> bool:
        """Tell if one of these is the address that answers."""
        ours = self._ours
        if ours is None:
            return False
        wanted = ours.address.lower()
        return any(recipient.removeprefix("<").removesuffix(">").lower() == wanted for recipient in recipients)

    def take(self, mail: Trial) -> None:
        """Answer one message, or note why not."""
        ours = self._ours
        if ours is None:
            return
        to = whom(mail.header, mail.verdict, ours)
        if isinstance(to, Mailbox):
            refused = self._refused(to, ours)
            if refused is None:
                task = asyncio.create_task(self._answer(mail, ours, to))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
                return
            to = refused
        self._journal.note("test mail not answered", queue_id=mail.queue_id, reason=to.id)

    def _refused(self, to: Mailbox, ours: Mailbox) -> Refused | None:
        if len(self._tasks) >= MAX_TASKS:
            return Refused.BUSY
        if not self._means().keyring.find(ours.domain):
            return Refused.NO_KEY
        return self._rates.take(to, self._table, self._clock())

    async def _answer(self, mail: Trial, ours: Mailbox, to: Mailbox) -> None:
        try:
            means = self._means()
            found = mail.verdict.findings.client
            client = Envelope(found.ip, found.helo, mail.verdict.evidence.mail_from)
            dialogue = examine(mail.header, mail.body, mail.verdict, client, whole=mail.whole)
            report = await converse(dialogue, means.resolver, Budget(shared(means.limits)))
            asked = b" ".join(mail.header.values("content-language")[:1])[:40].decode("ascii", "replace")
            language = asked_for(report.subject, asked, self._table.language)
            thread, token = Thread.of(mail.header), secrets.token_hex(12)
            message = reply(report, thread, ours, to, language=language, token=token, version=self._version)
            signed = sign_message(message, means.keyring.find(ours.domain), means.style, now=int(self._clock())) + message
            await self._hand_over(to.address, signed)
        except Exception as error:  # whatever it is, it is ours, and the mail itself has been taken
            self._journal.fault(error)
        else:
            self._journal.note("test mail answered", queue_id=mail.queue_id, result=str(report.level))

    async def stop(self, seconds: float) -> None:
        """Let the answers that are being written end, for so long at most."""
        if self._tasks:
            _done, late = await asyncio.wait(self._tasks, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)


class Rates:
    """How often answers may be given: to one sender, to one domain, and in all. It remembers a bounded number of each."""

    def __init__(self) -> None:
        # By their last answer, the oldest first: what no longer counts stands in front, and nobody pays for what others have asked.
        self._senders: OrderedDict[str, float] = OrderedDict()
        self._domains: OrderedDict[str, deque[float]] = OrderedDict()
        self._all: deque[float] = deque()

    def take(self, to: Mailbox, table: Check, now: float) -> Refused | None:
        """Count an answer to this sender, or say why there is none."""
        address, domain = to.address.lower(), str(to.domain)
        self._forget(now, table.pause)
        if now - self._senders.get(address, float("-inf")) < table.pause:
            return Refused.SENDER_PAUSE
        if len(self._all) >= table.hourly:
            return Refused.LIMIT
        times = self._domains.get(domain, deque())
        _let_go(times, now)
        if len(times) >= table.domain_hourly:
            return Refused.DOMAIN_LIMIT
        times.append(now)
        self._all.append(now)
        self._domains[domain] = times
        self._domains.move_to_end(domain)
        self._senders[address] = now
        self._senders.move_to_end(address)
        return None

    def _forget(self, now: float, pause: float) -> None:
        """Let go what no longer counts. There are never more of a kind than an hour, or a pause, allows in all."""
        _let_go(self._all, now)
        while self._domains and not 0 <= now - next(iter(self._domains.values()))[-1] < _HOUR:
            self._domains.popitem(last=False)
        while self._senders:
            time = next(iter(self._senders.values()))
            if 0 <= now - time < pause and len(self._senders) <= MAX_REMEMBERED:
                break
            self._senders.popitem(last=False)


def _let_go(times: deque[float], now: float) -> None:
    """Drop what is more than an hour ago, or after ``now``: the clock has been set back."""
    while times and not 0 <= now - times[0] < _HOUR:
        times.popleft()
