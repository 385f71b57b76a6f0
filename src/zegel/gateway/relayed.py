"""What a submission is, what became of it, and how that is told: one line in the log, one record, one reason. It decides nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from zegel.adapters.journal import About
from zegel.dkim.crypto import Key
from zegel.dkim.header import Header
from zegel.gateway.judge import LARGE, Answer, Judgement
from zegel.gateway.settings import Settings
from zegel.grammar.message import split_message
from zegel.store.record import MAX_RECIPIENTS, Direction, Record, Result
from zegel.store.sites import Site
from zegel.submission.ready import Ready
from zegel.submission.sender import Corrected
from zegel.submission.trace import Origin
from zegel.verdict.explain import Item
from zegel.verdict.unsigned import Unsigned, UnsignedReason, unsigned

_MAX_SUBJECT = 400  # octets
_MAX_TEXT = 254


@dataclass(frozen=True, slots=True)
class Submission:
    """A message as a site hands it in.

    ``sender`` ("" for ``<>``) and ``recipients`` are the envelope, without angle brackets; ``data`` has CRLF line ends; ``client`` is who
    brought it (an address, or a user), ``via`` the door: smtp, sendmail, django or test; ``utf8`` tells that SMTPUTF8 was asked for;
    ``once`` is a name under which it is taken once, where it may be handed in again; ``origin`` tells of the client of SMTP.
    """

    site: Site
    sender: str
    recipients: tuple[str, ...]
    data: bytes
    client: str
    via: str
    utf8: bool = False
    once: str = ""
    origin: Origin | None = None


class Accepted(NamedTuple):
    """The message is on disk. ``warnings`` are sentences for who runs the site."""

    queue_id: str
    warnings: tuple[str, ...] = ()


class Refused(Exception):  # noqa: N818 - what the client gets is a refusal
    """The message is not taken: SMTP's reply code, the enhanced code (RFC 3463), a text for who runs the site, and a stable id."""

    def __init__(self, code: str, enhanced: str, text: str, *, reason: str) -> None:
        super().__init__(f"{code} {enhanced} {text}")
        self.code, self.enhanced, self.text, self.reason = code, enhanced, text, reason


@dataclass(frozen=True, slots=True)
class Prepared:
    """A message as it leaves: signed with ``keys`` (none: unsigned), and what was done to it before."""

    data: bytes
    ready: Ready
    corrected: Corrected
    keys: tuple[Key, ...]


def tell_accepted(settings: Settings, submission: Submission, queue_id: str, prepared: Prepared, judged: Judgement) -> Accepted:
    """Write the line and the record of a message that is on disk; the answer for who handed it in."""
    corrected, keys = prepared.corrected, prepared.keys
    about = _about(submission, corrected.mail_from, queue_id)
    words: dict[str, object] = {"would_pass": judged.answer}
    if judged.reason:
        words["would_pass"] = f"{judged.answer} ({judged.reason})"
    if corrected.changed:
        words["original"] = corrected.original
    reason = ""
    if keys:
        settings.journal.signed(about, [key.name for key in keys], keys[0].domain, words=words)
    else:
        reason = "no_key"
        settings.journal.not_signed(about, reason, str(_keyless(prepared).told), words=words)
    if judged.answer is Answer.NO:
        reason = f"would_fail_{judged.reason}"
    results = (*(Result("dkim", "signed", "", key.domain, key.selector) for key in keys), *judged.results)
    _keep(settings, submission, about, prepared, "signed" if keys else "unsigned", reason, results, judged)
    return Accepted(queue_id, tuple(_warnings(prepared, judged)))


def tell_refused(settings: Settings, submission: Submission, refused: Refused, prepared: Prepared | None) -> None:
    """Write the line of a message that is not taken; its record too, unless the client is to come again with it."""
    about = _about(submission, submission.sender, "")
    settings.journal.refused(about, refused.reason, f"refused: {refused.text}")
    if refused.code.startswith("5"):
        _keep(settings, submission, about, prepared, "refused", refused.reason, (), None)


def _about(submission: Submission, mail_from: str, queue_id: str) -> About:
    return About(queue_id, mail_from, submission.via, submission.client, site=submission.site.name)


def _keep(
    settings: Settings,
    submission: Submission,
    about: About,
    prepared: Prepared | None,
    action: str,
    reason: str,
    results: tuple[Result, ...],
    judged: Judgement | None,
) -> None:
    # Before From could be read, it is of the organisation whose address the site has.
    author = prepared.corrected.author.domain if prepared is not None else submission.site.address.rpartition("@")[2]
    settings.recorder.take(
        Record(
            int(settings.clock()),
            Direction.OUTBOUND,
            about.queue_id,
            about.sender,
            submission.recipients[: MAX_RECIPIENTS + 1],
            author,
            action,
            reason,
            results,
            tuple(_story(submission, prepared, judged)),
            _subject(prepared) if settings.subjects and prepared is not None else "",
        )
    )


def _story(submission: Submission, prepared: Prepared | None, judged: Judgement | None) -> Iterator[Item]:
    """What happened to it, in order; behind a no all that led to it."""
    yield {"step": "site", "about": "relay", "site": submission.site.name, "via": submission.via, "client": submission.client[:_MAX_TEXT]}
    if prepared is None:
        return
    if prepared.ready.changed:
        yield {"step": "ready", "about": "relay", "changed": ", ".join(prepared.ready.changed)}
    if prepared.corrected.changed:
        original, address = prepared.corrected.original[:_MAX_TEXT], prepared.corrected.author.address
        yield {"step": "corrected", "about": "relay", "original": original, "address": address}
    if not prepared.keys:
        yield _keyless(prepared).item
    if judged is not None:
        would: Item = {"step": "would", "about": "relay", "answer": judged.answer.value}
        yield would | {"reason": judged.reason} if judged.reason else would
        yield from judged.story


def _keyless(prepared: Prepared) -> Unsigned:
    return unsigned(UnsignedReason.NO_KEY, domain=prepared.corrected.author.domain)


def _warnings(prepared: Prepared, judged: Judgement) -> Iterator[str]:
    if not prepared.keys:
        yield f"it is not signed: there is no active key for {prepared.corrected.author.domain}"
    if judged.answer is Answer.NO:
        yield f"it would not pass at its receivers: {judged.sentence}"


def _subject(prepared: Prepared) -> str:
    header = Header(split_message(prepared.data, header_bytes=LARGE).header)
    return b"".join(header.values("subject")[:1])[:_MAX_SUBJECT].decode("utf-8", "replace").strip()
