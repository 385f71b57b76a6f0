"""Signing, in three stages: header, body chunks, finish. RFC 6376 5.

It chooses the fields (RFC 6376 5.4.1, with List-*), names single-instance fields once more than they are there, so that none can be added
(RFC 6376 5.4.2, 8.15), and never writes ``l=`` (RFC 6376 5.3.1, 8.2). It does not mend the message: who wants 8-bit data re-encoded does it
before (RFC 6376 5.3).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from zegel.dkim.canonical import BODY_FORMS, FIELD_FORMS
from zegel.dkim.crypto import Key
from zegel.dkim.header import Header, Layout
from zegel.dkim.signature import CANONICALIZATIONS, Signature, format_signature, format_unsigned, key_question
from zegel.grammar.domain import Domain
from zegel.grammar.message import CRLF, Field, is_well_formed_name, split_message

# RFC 6376 5.4.1, and what has come since: List-Unsubscribe-Post must be signed (RFC 8058 4).
SIGNED = (
    *("from", "to", "cc", "subject", "date", "message-id", "reply-to", "sender", "in-reply-to", "references"),
    *("mime-version", "content-type", "content-transfer-encoding", "content-id", "content-description", "content-disposition"),
    *("resent-date", "resent-from", "resent-sender", "resent-to", "resent-cc", "resent-message-id"),
    *("list-id", "list-help", "list-unsubscribe", "list-unsubscribe-post", "list-subscribe", "list-post", "list-owner", "list-archive"),
)
# Named once more than they are there, present or not: a second one, or a first, would change what people see.
OVERSIGNED = frozenset(("from", "to", "cc", "subject", "reply-to", "mime-version", "content-type", "content-transfer-encoding"))
# The same once they are there. Absent, they may be added by the next server in good faith (RFC 6409 8.1 to 8.3).
OVERSIGNED_IF_PRESENT = frozenset(("sender", "date", "message-id"))
_MAX_HEADER = 16 * 1024 * 1024  # octets; our own mail: only what could not be a message is refused
_MAX_INSTANCES = 64  # of one field name: beyond that h= would grow with what a stranger sends
_LONGEST_LINE = 998  # octets, RFC 5322 2.1.1
_SIGNATURE = "dkim-signature"
_EPOCH_LIKE = 1_000_000_000  # no signature lives for thirty years: such an expire is a time, not a duration


@dataclass(frozen=True, slots=True)
class Style:
    """How signatures are written.

    ``headers`` replaces the choice of fields. ``expire`` is in seconds after ``now`` (from 1e9 on a time itself); None writes no ``x=``.
    """

    canonicalization: str = "relaxed/relaxed"
    headers: tuple[str, ...] | None = None
    identity: str | None = None
    expire: int | None = None

    def __post_init__(self) -> None:
        if self.canonicalization not in CANONICALIZATIONS:
            raise ValueError(f"canonicalization is one of {', '.join(sorted(CANONICALIZATIONS))}, not {self.canonicalization!r}")
        if self.expire is not None and self.expire <= 0:
            raise ValueError("expire is a number of seconds after now, more than 0")
        if self.headers is not None:
            if not all(is_well_formed_name(name.encode()) and ";" not in name for name in self.headers):
                raise ValueError("headers holds names of header fields, without colon or space")
            if "from" not in (name.lower() for name in self.headers):
                raise ValueError('headers must hold "from" (RFC 6376 5.4)')


class Draft(NamedTuple):
    """A DKIM-Signature field that lacks its signature, and the octets that this key is to sign for it. RFC 6376 3.7.

    What is left is the key's own work, most of the time that a signature takes: it can be done elsewhere.
    """

    key: Key
    field: Field
    octets: bytes

    def sign(self) -> Field:
        """The field with its signature."""
        return self.signed(self.key.sign(self.octets))

    def signed(self, signature: bytes) -> Field:
        """The field with the signature that somebody else made of it with this key."""
        return self.field._replace(value=self.field.value + format_signature(signature))


class Signing:
    """The signing of one message with one or more keys.

    Make it when the header is complete; give every chunk of the body to :meth:`feed`; then :meth:`finish` gives one DKIM-Signature field
    for each key, in the order of the keys, to be put in front of the message: with an RSA and an Ed25519 key every receiver finds one that
    it knows (RFC 8463 6). Raises ValueError without a From field (RFC 6376 5.4).
    """

    def __init__(self, header: Header, keys: Sequence[Key], style: Style, *, now: int) -> None:
        if not keys:
            raise ValueError("signing needs at least one key")
        self._header = header
        if not header.layout.places("from"):
            raise ValueError("the message has no From field; DKIM must sign one (RFC 6376 5.4)")
        self._keys, self._now = keys, now
        self._expire = _expire(style.expire, now)
        self._identity = _identity(style.identity, keys)
        self._header_form, self._body_form = CANONICALIZATIONS[style.canonicalization]
        self._names = tuple(name.lower() for name in style.headers) if style.headers is not None else choose_fields(header.layout)
        if len(keys) > 1 and self._names.count(_SIGNATURE) > len(header.layout.places(_SIGNATURE)):
            # Each would say that it alone is there, and the other would make it untrue (RFC 6376 5.4.2).
            raise ValueError(
                'several keys, and headers names "dkim-signature" more often than the message has it: each would break the other'
            )
        self._hash = hashlib.sha256()
        self._body = BODY_FORMS[self._body_form](self._hash.update)

    def feed(self, chunk: bytes) -> None:
        """Take the next octets of the body."""
        self._body.feed(chunk)

    def finish(self) -> list[Field]:
        """The signature fields, one for each key. Call it once, or :meth:`drafts`."""
        return [draft.sign() for draft in self.drafts()]

    def drafts(self) -> list[Draft]:
        """The signature fields before a key has touched them, for who signs them elsewhere. Call it once, or :meth:`finish`."""
        self._body.finish()
        digest = self._hash.digest()
        signed = self._header.lines(self._header_form, self._header.layout.picked(self._names))
        return [self._draft(key, signed, digest) for key in self._keys]

    def _draft(self, key: Key, signed: list[bytes], digest: bytes) -> Draft:
        """The field that covers the body by its hash, and the header with itself. RFC 6376 5.5."""
        domain, selector = Domain(key.domain), Domain(key.selector)
        unsigned = Signature(
            key.algorithm,
            self._header_form,
            self._body_form,
            domain,
            selector,
            self._names,
            f"@{domain}",
            domain,
            key_question(domain, selector),
            signature=b"",
            body_hash=digest,
            timestamp=self._now,
            expire=self._expire,
        )
        value = format_unsigned(unsigned, canonicalization=f"{self._header_form}/{self._body_form}", identity=self._identity)
        field = Field(b"DKIM-Signature", value)
        return Draft(key, field, CRLF.join([*signed, FIELD_FORMS[self._header_form](field)]))


def sign_message(message: bytes, keys: Sequence[Key], style: Style, *, now: int) -> bytes:
    """Sign a whole message: the fields to put in front of all others (RFC 6376 5.6), each with its CRLF.

    Raises ValueError for what cannot be signed.
    """
    return b"".join([draft.sign().raw + CRLF for draft in draft_message(message, keys, style, now=now)])


def draft_message(message: bytes, keys: Sequence[Key], style: Style, *, now: int) -> list[Draft]:
    """Do all of :func:`sign_message` but the keys' own work. Raises ValueError for what cannot be signed."""
    split = split_message(message, header_bytes=_MAX_HEADER)
    header = Header(split.header)
    if split.oversized or header.malformed:
        raise ValueError("the header has lines that are no field, or never ends; what is not RFC 5322 cannot be signed (RFC 6376 3.8)")
    signing = Signing(header, keys, style, now=now)
    signing.feed(split.body)
    return signing.drafts()


def choose_fields(layout: Layout) -> tuple[str, ...]:
    """The names for ``h=``: each signed field as often as it is there, and once more where one may be there only once."""
    if layout.chosen is None:
        names: list[str] = []
        for name in SIGNED:
            count = min(len(layout.places(name)), _MAX_INSTANCES)
            once_more = name in OVERSIGNED or (count > 0 and name in OVERSIGNED_IF_PRESENT)
            names.extend([name] * (count + once_more))
        layout.chosen = tuple(names)
    return layout.chosen


def hop_may_break(header: bytes, body_chunk: bytes) -> str | None:
    """Why the next hop may change the body, or None: 8-bit data, a CR or LF alone, or a line over 998 octets. RFC 6376 5.3, RFC 5322 2.1.1.

    A mail server makes a line end of a CR or LF, or a space, or drops it: only CRLF comes through. ``body_chunk`` is one chunk; what a
    chunk boundary cuts may be missed. The answer is a warning for the log, no verdict.
    """
    if not body_chunk.isascii():
        return "8-bit data in the body"
    if not header.isascii():
        return "8-bit data in the header"
    # A LF in front may end the chunk before, and a CR at the end begin the next one. To count is the quickest way to look at each.
    ends = len(body_chunk) - len(body_chunk.translate(None, CRLF)) - body_chunk.startswith(b"\n") - body_chunk.endswith(b"\r")
    if ends != 2 * body_chunk.count(CRLF):
        return "a CR or LF alone in the body"
    at = 0
    while len(body_chunk) - at > _LONGEST_LINE:  # from line end to line end, as far apart as they may be
        end = body_chunk.rfind(CRLF, at, at + _LONGEST_LINE + len(CRLF))
        if end < 0:
            return "a line of over 998 octets"
        at = end + len(CRLF)
    return None


def _identity(identity: str | None, keys: Sequence[Key]) -> str | None:
    """Check ``i=`` against every key's ``d=``, and write its local part as dkim-quoted-printable. RFC 6376 3.5 and 2.11."""
    if identity is None:
        return None
    local, at, host = identity.rpartition("@")
    if not at:
        raise ValueError("identity is an address, or @ and a domain")
    domain = Domain.parse(host)
    for key in keys:
        if not domain.within(key.domain):
            raise ValueError(f"identity {identity!r} is not within {key.domain} (RFC 6376 3.5)")
    quoted = "".join(c if c > "\x7f" or ("!" <= c <= "~" and c not in ";=") else f"={ord(c):02X}" for c in local)
    return f"{quoted}@{domain}"


def _expire(expire: int | None, now: int) -> int | None:
    if expire is None:
        return None
    end = expire if expire >= _EPOCH_LIKE else now + expire
    if end <= now:
        raise ValueError(f"expire is a time that has passed ({end}); x= must be after t= (RFC 6376 3.5)")
    return end
