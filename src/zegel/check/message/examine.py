"""The whole report on one test mail, from its bytes and the verdict on it, as items like those of a domain.

The verdict is that of :mod:`zegel.verdict`, made once for all; the dialogue here asks only what a receiver does not need: the name of the
server, and what RFC 7489 would have said. The body may be a part of the whole: then what needs all of it is not tested.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from zegel.ask import Dialogue
from zegel.check.item import Area, Item, Level
from zegel.check.message import changed, form, host, judged, path, signatures, traces, unsubscribe
from zegel.check.message.path import Envelope
from zegel.check.message.signatures import Seen
from zegel.dkim.header import Header
from zegel.dkim.result import DkimReason
from zegel.dmarc.evaluate import check_author
from zegel.dmarc.result import DmarcResult, DmarcStatus
from zegel.grammar.encodedword import shown
from zegel.verdict.authenticate import Verdict
from zegel.verdict.evidence import sender, signer
from zegel.words import N_, Sentence

MAX_BODY = changed.MAX_BODY


class MessageReport(NamedTuple):
    """What was found out about one message: its items in the order of a report, and the plain answer with its level.

    ``subject``, ``author`` and ``message_id`` are the message's own words, decoded, printable and cut; ``now`` is when it was judged.
    """

    items: tuple[Item, ...]
    level: Level
    answer: Sentence
    subject: str
    author: str
    message_id: str
    now: float


def examine(header: Header | None, body: bytes, verdict: Verdict, client: Envelope, *, whole: bool = True) -> Dialogue[MessageReport]:
    """Report on a message. ``header`` is None where it was larger than what is read; ``whole`` tells that ``body`` is all of it."""
    if header is None:
        fault = Sentence(N_("the header is larger than what is read"))
        items = [Item("message.form.malformed", Area.MESSAGE, Level.FAIL, fault)]
        return _report(None, items, verdict)
    names = yield from host.look_up(client.ip)
    older = yield from _older(verdict)
    found = signatures.read(header, verdict.dkim)
    listed = path.hops(header)
    more = len(header.layout.places("received")) - len(listed)
    return _report(
        header,
        [
            *path.items(listed, client, more=more),
            *host.items(client.ip, names),
            *traces.items(header),
            *judged.spf(verdict, known=bool(client.ip)),
            *signatures.items(header, verdict, found),
            *_changes(header, body, found, whole=whole),
            *judged.author(verdict),
            *judged.dmarc(verdict, older),
            *judged.arc(verdict),
            *unsubscribe.items(header, verdict),
            *form.items(header, body),
        ],
        verdict,
    )


def _older(verdict: Verdict) -> Dialogue[DmarcResult | None]:
    """The author's policy once more, with the answer of RFC 7489 beside it. What was asked before is in the resolver's cache."""
    author = verdict.author.domain
    if author is None:
        return None
    mail_from = sender(verdict.spf)
    dkim = [(status, str(domain or "")) for status, domain in map(signer, verdict.dkim)]
    spf = None if mail_from.domain is None else (mail_from.status, str(mail_from.domain))
    return (yield from check_author(author, spf, dkim, psl=True))


def _changes(header: Header, body: bytes, found: Sequence[Seen], *, whole: bool) -> list[Item]:
    """What broke the body hashes, once for all signatures that say the same."""
    items: list[Item] = []
    encoding = b"".join(header.values("content-transfer-encoding")[:1])
    told: set[str] = set()
    for seen in found:
        if seen.result.reason is not DkimReason.BODY_CHANGED or seen.signature is None:
            continue
        change = changed.change(body, seen.signature, encoding) if whole else None
        id = change.id if change else ""
        if id in told:
            continue
        told.add(id)
        domain = seen.signature.domain
        if change is None:
            text = Sentence(N_("the body was changed after {domain} signed it; none of the usual changes alone explains it"), domain=domain)
        else:
            text = Sentence(N_("proven by the hash of {domain}: {change}"), domain=domain, change=change.told)
        step = Sentence(N_("sign behind the program that changes the body, or let it leave the body alone"))
        level = Level.FAIL if change else Level.INFO
        items.append(Item("message.changed", Area.DKIM, level, text, step=step, values={"change": id, "domain": str(domain)}))
    return items


def _report(header: Header | None, items: Sequence[Item], verdict: Verdict) -> MessageReport:
    level, answer = _answer(items, verdict)
    subject, message_id = _words(header, "subject"), _words(header, "message-id")
    return MessageReport(tuple(items), level, answer, subject, verdict.author.text, message_id, verdict.evidence.now)


def _words(header: Header | None, name: str) -> str:
    """The first field of that name, for people."""
    value = b"".join(header.values(name)[:1]) if header is not None else b""
    return shown(value[:2000].decode("utf-8", "replace"))


def _answer(items: Sequence[Item], verdict: Verdict) -> tuple[Level, Sentence]:
    """The plain answer: does it arrive as what it is, also when it is forwarded?"""
    domain = verdict.author.domain or "-"
    wrong = [item for item in items if item.level is Level.FAIL]
    if verdict.dmarc.status is not DmarcStatus.PASS:
        if verdict.dmarc.status is DmarcStatus.NONE and any(seen.status == "pass" for seen in verdict.dkim):
            return Level.WARN, Sentence(N_("Signed, but {domain} has no DMARC policy that would protect it"), domain=domain)
        return Level.FAIL, Sentence(N_("No: receivers cannot tell this message from a forgery of {domain}"), domain=domain)
    if not any(verdict.dmarc.aligned_dkim):
        return Level.WARN, Sentence(N_("Only half: SPF alone proves {domain}, and forwarding breaks it"), domain=domain)
    if wrong:
        return Level.WARN, Sentence(N_("Yes, DKIM proves {domain}; but something else is wrong"), domain=domain)
    return Level.PASS, Sentence(N_("Yes: DKIM proves that the message is of {domain}, also when it is forwarded"), domain=domain)
