"""A message of a site, from whichever door it came: bounded, its sender corrected, made ready, signed, judged, put into the outbox, told.

The order is the one in which nothing has to be done twice: what a signature covers stands before it is made (RFC 6376 5.3), and what is
refused has cost no key. Accepted means on disk: the queue id is given only after the outbox has said so. Each message leaves one line in
the log and one record, with one reason, whatever became of it (:mod:`zegel.gateway.relayed`).
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from zegel.adapters.signer import Sign
from zegel.dkim.crypto import Key
from zegel.dkim.sign import Draft, draft_message
from zegel.gateway.judge import Answer, Judge, Judgement
from zegel.gateway.outbox import Full, Outbox, Posting, TooLarge
from zegel.gateway.rates import Rates
from zegel.gateway.relayed import Accepted, Prepared, Refused, Submission, tell_accepted, tell_refused
from zegel.gateway.settings import Settings
from zegel.grammar.domain import Domain
from zegel.grammar.message import CRLF
from zegel.store.errors import StoreError
from zegel.store.sites import Site
from zegel.submission.ready import Ready, make_ready
from zegel.submission.sender import Corrected, Foreign, SenderRules, correct
from zegel.submission.trace import MOST_HOPS, hops, received
from zegel.submission.unfit import Unfit
from zegel.submission.visitor import untagged

__all__ = ["Accepted", "Bounds", "Refused", "Relay", "Submission", "may_write_to"]
# What has so many octets and lines at most is looked at by the loop itself: fields and parts, which cost most, are at least a line each.
_SMALL, _SHORT = 65_536, 1000
_THREADS = 2


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one message may have: octets, and recipients."""

    size: int = 26_214_400
    recipients: int = 100


class Relay:
    """Takes messages of sites. ``sign`` does the work of the keys. ``bounds`` may be replaced at any time."""

    def __init__(self, settings: Callable[[], Settings], judge: Judge, outbox: Outbox, bounds: Bounds, sign: Sign) -> None:
        self._settings, self._judge, self._outbox, self.bounds = settings, judge, outbox, bounds
        self._by_site, self._by_visitor = Rates(), Rates()
        self._keeping: set[asyncio.Task[Accepted]] = set()
        self._sign = sign
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="relay")
        self._closed = False

    def close(self) -> None:
        """Take no more messages."""
        self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def submit(self, submission: Submission) -> Accepted:
        """Take a message; returns when it is on disk. Raises :class:`Refused`, ``Already``; all else is a fault of ours (451)."""
        if self._closed:
            raise RuntimeError("the relay is closed")
        with self._outbox.intake:
            settings = self._settings()
            prepared: Prepared | None = None
            try:
                self._check(submission)
                prepared = await self._prepared(submission, settings)
                self._check_visitor(submission.site, prepared.corrected.visitor)
                judged = await self._judged(submission.site, settings, prepared)
            except Refused as refused:
                tell_refused(settings, submission, refused, prepared)
                raise
            # It reaches the disk whoever still waits for it: a client that goes away now sends nothing without its line and its record.
            kept = asyncio.create_task(self._keep(submission, settings, prepared, judged))
            self._keeping.add(kept)
            kept.add_done_callback(self._kept)
            return await asyncio.shield(kept)

    async def _keep(self, submission: Submission, settings: Settings, prepared: Prepared, judged: Judgement) -> Accepted:
        """Put it on disk and tell of it. Raises :class:`Refused`."""
        try:
            queue_id = await self._put(submission, prepared)
        except Refused as refused:
            tell_refused(settings, submission, refused, prepared)
            raise
        try:
            return tell_accepted(settings, submission, queue_id, prepared, judged)
        except Exception as error:
            # It is on its way: whatever else is said than 250 would have it sent again.
            settings.journal.fault(error)
            return Accepted(queue_id, ())

    def _kept(self, kept: asyncio.Task[Accepted]) -> None:
        self._keeping.discard(kept)
        if not kept.cancelled():
            kept.exception()  # who waits has it; where nobody does, there is nobody to tell

    def _check(self, submission: Submission) -> None:
        """What can be said without looking into the message."""
        site, bounds = submission.site, self.bounds
        if not site.enabled:
            raise Refused("550", "5.7.1", f"the site {site.name} is disabled", reason="site_disabled")
        if not submission.recipients:
            raise Refused("554", "5.5.1", "no recipients", reason="no_recipients")
        if len(submission.recipients) > bounds.recipients:
            text = f"{len(submission.recipients)} recipients, and at most {bounds.recipients} are taken (relay.max_recipients)"
            raise Refused("550", "5.5.3", text, reason="too_many_recipients")
        if len(submission.data) > bounds.size:
            raise Refused("552", "5.3.4", f"the message is larger than {bounds.size} octets (relay.max_size)", reason="too_large")
        for recipient in submission.recipients:
            if not may_write_to(site, recipient):
                text = f"the site {site.name} may not write to {recipient}; see: zegel site show {site.name}"
                raise Refused("550", "5.7.1", text, reason="recipient_not_allowed")
        if wait := self._by_site.take(site.name, site.rate, _now()):
            text = f"the site {site.name} has sent its {site.rate} messages of this hour; the next one is taken in {wait} seconds"
            raise Refused("450", "4.7.1", text, reason="site_rate")

    def _check_visitor(self, site: Site, visitor: str) -> None:
        """A form that one visitor fills in again and again, or a program in his place."""
        if visitor and (wait := self._by_visitor.take((site.name, untagged(_folded(visitor))), site.visitor_rate, _now())):
            text = f"{visitor} has sent {site.visitor_rate} messages by {site.name} this hour; the next one is taken in {wait} seconds"
            raise Refused("450", "4.7.1", text, reason="visitor_rate")

    async def _prepared(self, submission: Submission, settings: Settings) -> Prepared:
        """Do all that is done to the bytes. Raises :class:`Refused`.

        A small message is looked at here and now: that is quicker than handing it to a thread that fights for the interpreter. A large one,
        or one of many lines, is a thread's. The work of the keys, most of a small one's time, is neither's.
        """
        if len(submission.data) > _SMALL or submission.data.count(CRLF) > _SHORT:
            drafted = await asyncio.get_running_loop().run_in_executor(self._threads, _draft, submission, settings)
        else:
            drafted = _draft(submission, settings)
        fields = [field.raw + CRLF for field in await self._sign(drafted.signatures)] if drafted.signatures else []
        return Prepared(b"".join([*fields, drafted.ready.data]), drafted.ready, drafted.corrected, drafted.keys)

    async def _judged(self, site: Site, settings: Settings, prepared: Prepared) -> Judgement:
        corrected = prepared.corrected
        judged = await self._judge.judge(settings, prepared.data, corrected.author.domain, corrected.mail_from, prepared.keys)
        if judged.answer is Answer.NO and site.would_fail == "refuse":
            text = f"this message would not pass at its receivers: {judged.sentence}"
            raise Refused("550", "5.7.1", text, reason=f"would_fail_{judged.reason}")
        return judged

    async def _put(self, submission: Submission, prepared: Prepared) -> str:
        site = submission.site
        utf8 = prepared.ready.utf8 or not all(address.isascii() for address in (prepared.corrected.mail_from, *submission.recipients))
        trace = received(submission.origin, by=self._judge.egress.hostname, now=self._settings().clock())
        posting = Posting(
            prepared.corrected.mail_from,
            submission.recipients,
            prepared.data,
            site.name,
            site.contact,
            utf8,
            once=submission.once,
            trace=trace,
        )
        try:
            return await self._outbox.put(posting)
        except Full as error:
            raise Refused("452", "4.3.1", str(error), reason="outbox_full") from error
        except TooLarge as error:
            raise Refused("552", "5.3.4", str(error), reason="too_large") from error
        except StoreError as error:
            # What is wrong with the disk is for the log; the client is to try again.
            settings = self._settings()
            settings.journal.fault(error)
            raise Refused("451", "4.3.0", "the message could not be written to disk; try again later", reason="not_stored") from error


class _Drafted(NamedTuple):
    """A message that lacks its signatures only."""

    ready: Ready
    corrected: Corrected
    keys: tuple[Key, ...]
    signatures: list[Draft]


def _draft(submission: Submission, settings: Settings) -> _Drafted:
    """All that is done to the bytes but the work of the keys. Raises :class:`Refused`."""
    site = submission.site
    now = settings.clock()
    if (count := hops(submission.data)) > MOST_HOPS:
        raise Refused("554", "5.4.6", f"the message goes in circles: {count} mail servers have had it already", reason="loop")
    try:
        domain = site.address.rpartition("@")[2]
        corrected = correct(submission.data, _rules(site), mail_from=submission.sender)
        ready = make_ready(corrected.data, now=now, unique=secrets.token_hex(12), domain=domain, utf8=submission.utf8)
    except Unfit as unfit:
        raise Refused("554", "5.6.0", str(unfit), reason=unfit.id) from unfit
    except Foreign as foreign:
        raise Refused("550", "5.7.1", str(foreign), reason=foreign.id) from foreign
    keys = settings.keyring.find(corrected.author.domain)
    return _Drafted(ready, corrected, keys, draft_message(ready.data, keys, settings.style, now=int(now)) if keys else [])


@lru_cache(maxsize=1024)
def _rules(site: Site) -> SenderRules:
    return SenderRules(site.address, frozenset(site.senders), site.foreign_from == "refuse")


def may_write_to(site: Site, recipient: str) -> bool:
    """Tell if a site may write to an address: its list has the address, or the domain; an empty list has everybody."""
    if not site.recipients:
        return True
    listed = _listed(site)
    local, _, host = recipient.rpartition("@")
    try:
        domain = Domain.parse(host)
    except ValueError:
        return False
    return domain in listed or f"{_folded(local)}@{domain}" in listed


@lru_cache(maxsize=1024)
def _listed(site: Site) -> frozenset[str]:
    return frozenset(map(_folded, site.recipients))


def _folded(text: str) -> str:
    """Lower case of ASCII alone: ``str.lower`` makes the Kelvin sign a plain k, and so one mailbox another."""
    return text.encode("utf-8", "surrogateescape").lower().decode("utf-8", "surrogateescape")


def _now() -> float:
    return asyncio.get_running_loop().time()
