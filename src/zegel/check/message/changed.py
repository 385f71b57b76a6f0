"""What changed a body after it was signed, where that can be proven. RFC 6376 3.7.

A body hash that does not match says only that something changed. Here the usual changes are undone one at a time, and the body is hashed
again: when the hash is the signer's, that change was the only one, beyond doubt. Nothing else is named. The octets that may be hashed for
one message are counted, so that no message costs more than a number of its own lengths.
"""

from __future__ import annotations

import binascii
import hashlib
import quopri
import re
from collections.abc import Callable
from dataclasses import dataclass

from zegel.dkim.bodyhash import BodyHashes
from zegel.dkim.signature import Signature
from zegel.grammar.encodedword import printable
from zegel.grammar.message import CRLF
from zegel.words import N_, Sentence

MAX_BODY = 256 * 1024
MAX_WORK = 16 * MAX_BODY  # octets hashed for one signature
_MAX_TOP = 7  # one more than the lines that a banner on top may have
_MAX_BLOCK, _MAX_PARTS = 30, 4  # lines of a footer in a part, and boundaries that it may stand before
_MAX_ENDS = 20_000  # lines after which the signed body may have ended
_SHOWN = 80
_SPACES = re.compile(rb"[ \t]+")
_CUT = re.compile(rb"([^\r\n]{980,998})\r\n ")


class Work:
    """The octets that may still be hashed. ``done`` counts those that were."""

    def __init__(self, most: int = MAX_WORK) -> None:
        self.most, self.done = most, 0

    def take(self, octets: int) -> bool:
        """Spend so many, if there are that many left."""
        if self.done + octets > self.most:
            return False
        self.done += octets
        return True


@dataclass(frozen=True, slots=True)
class Change:
    """What was proven: an id, and a sentence."""

    id: str
    told: Sentence


def change(body: bytes, signature: Signature, encoding: bytes, work: Work | None = None) -> Change | None:
    """What alone was changed since ``signature`` was made, or None where none of the usual changes is proven.

    ``body`` is the whole body as it came, ``encoding`` the value of its Content-Transfer-Encoding.
    """
    work = work or Work()
    if signature.length is not None or len(body) > MAX_BODY:
        return None
    for id, sentence, undo in _UNDONE:
        other = undo(body, encoding)
        if other is not None and other != body and work.take(len(other)) and _matches(other, signature):
            return Change(id, Sentence(sentence))
    lines = _lines(body, signature.body_canonicalization)
    return (
        _line_feeds(body, signature, work)
        or _appended(lines, signature, work)
        or _prepended(lines, signature, work)
        or _inserted(lines, signature, work)
    )


def _matches(body: bytes, signature: Signature) -> bool:
    bodies = BodyHashes()
    wanted = bodies.want(signature.body_canonicalization, None)
    bodies.feed(body)
    bodies.finish()
    return wanted.digest() == signature.body_hash


def _no_body(body: bytes, encoding: bytes) -> bytes | None:
    return b""


def _mbox(body: bytes, encoding: bytes) -> bytes | None:
    """``>From`` at the beginning of a line: what mailboxes in mbox format make of ``From``."""
    return re.sub(rb"(?m)^>From ", b"From ", body)


def _dots(body: bytes, encoding: bytes) -> bytes | None:
    """Two dots at the beginning of a line where there was one: the dot of SMTP was added twice."""
    return re.sub(rb"(?m)^\.\.", b".", body)


def _lost_dots(body: bytes, encoding: bytes) -> bytes | None:
    """One dot where there were two: a dot was taken away that SMTP had not added."""
    return re.sub(rb"(?m)^\.", b"..", body)


def _long_lines(body: bytes, encoding: bytes) -> bytes | None:
    """A line end and a space in a line of over 998 octets: what Postfix does with these (smtp_line_length_limit)."""
    return _CUT.sub(rb"\1", body)


def _quoted(body: bytes, encoding: bytes) -> bytes | None:
    """8-bit text that a server turned into quoted-printable, as the next one took only 7 bits."""
    if encoding.strip().lower() != b"quoted-printable":
        return None
    return _as_lines(quopri.decodestring(body))


def _base64(body: bytes, encoding: bytes) -> bytes | None:
    """The same with base64."""
    if encoding.strip().lower() != b"base64":
        return None
    try:
        return _as_lines(binascii.a2b_base64(body))
    except binascii.Error:
        return None


def _as_lines(text: bytes) -> bytes:
    return text.replace(CRLF, b"\n").replace(b"\n", CRLF)


_UNDONE: tuple[tuple[str, str, Callable[[bytes, bytes], bytes | None]], ...] = (
    ("empty", N_("the signer saw an empty body: it signed before the body was there, or a filter put one in"), _no_body),
    ("quoted_printable", N_("a server turned 8-bit text into quoted-printable after it was signed"), _quoted),
    ("base64", N_("a server turned 8-bit text into base64 after it was signed"), _base64),
    ("mbox", N_("a mailbox put > before a line that begins with From"), _mbox),
    ("dots_added", N_("a program doubled the dot at the beginning of a line"), _dots),
    ("dots_lost", N_("a program took away a dot at the beginning of a line"), _lost_dots),
    ("long_lines", N_("a server cut lines of over 998 octets"), _long_lines),
)


def _line_feeds(body: bytes, signature: Signature, work: Work) -> Change | None:
    """A signer that hashed the lines of its file, which end in LF alone: every receiver sees CRLF (RFC 6376 5.3)."""
    if not work.take(len(body)):
        return None
    text = body.replace(CRLF, b"\n").rstrip(b"\n") + b"\n"
    if hashlib.sha256(text).digest() != signature.body_hash:
        return None
    return Change("line_feeds", Sentence(N_("the signer hashed lines that end in LF; in mail they end in CRLF")))


def _lines(body: bytes, form: str) -> list[bytes]:
    """The lines in their canonical form, without the empty ones at the end. RFC 6376 3.4.3 and 3.4.4."""
    lines = body.split(CRLF)
    if form == "relaxed":
        lines = [_SPACES.sub(b" ", line).rstrip(b" ") for line in lines]
    while lines and not lines[-1]:
        lines.pop()
    return [line + CRLF for line in lines]


def _appended(lines: list[bytes], signature: Signature, work: Work) -> Change | None:
    """Lines at the end, such as a list's footer: the signer's body is found by its hash, in one pass over the lines."""
    if not work.take(sum(map(len, lines))):
        return None
    digest, empty = hashlib.sha256(), b""
    for place, line in enumerate(lines[:_MAX_ENDS]):
        if line == CRLF:  # no body ends with it
            empty += line
            continue
        digest.update(empty + line)
        empty = b""
        if digest.copy().digest() == signature.body_hash and place + 1 < len(lines):
            return Change("appended", Sentence(N_("something was added at the end: {text}"), text=_shown(lines[place + 1 :])))
    return None


def _prepended(lines: list[bytes], signature: Signature, work: Work) -> Change | None:
    """Lines on top, such as the banner for mail from outside."""
    for place in range(1, min(_MAX_TOP, len(lines))):
        rest = b"".join(lines[place:])
        if not work.take(len(rest)):
            return None
        if hashlib.sha256(rest).digest() == signature.body_hash:
            return Change("prepended", Sentence(N_("something was put on top: {text}"), text=_shown(lines[:place])))
    return None


def _inserted(lines: list[bytes], signature: Signature, work: Work) -> Change | None:
    """Lines at the end of a part of a multipart, before the boundary that follows: where lists and gateways put their footers."""
    ends = [place for place, line in enumerate(lines) if line.startswith(b"--")]
    for end in ends[: -_MAX_PARTS - 1 : -1]:
        rest = b"".join(lines[end:])
        start = max(0, end - _MAX_BLOCK)
        if not work.take(sum(map(len, lines[:end]))):
            return None
        digest = hashlib.sha256(b"".join(lines[:start]))
        for place in range(start, end):
            if not work.take(len(rest)):
                return None
            whole = digest.copy()
            whole.update(rest)
            if whole.digest() == signature.body_hash:
                return Change("inserted", Sentence(N_("something was put into a part of it: {text}"), text=_shown(lines[place:end])))
            digest.update(lines[place])
    return None


def _shown(lines: list[bytes]) -> str:
    """The lines in one, cut and printable."""
    text = b"".join(lines[:20])[: 8 * _SHOWN]
    return printable(text.decode("utf-8", "replace"), longest=_SHOWN)
