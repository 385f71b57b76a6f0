"""Header fields that would not reach the next hop as they are, written so that they do: what is not ASCII, and what is too long.

RFC 2047 for text and names, RFC 2231 for the name of a file, folding by RFC 5322 2.2.3. A field that may go as it is stays as it is, to
the octet. What would need a guess is refused: 8-bit characters that are not UTF-8, or that stand in an identifier.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import quote

from zegel.grammar.address import AddressError, mailboxes, written
from zegel.grammar.encodedword import decoded, encoded
from zegel.grammar.message import CRLF, Field
from zegel.submission.unfit import Unfit, Unfitness

LONGEST = 998  # octets of a line, RFC 5322 2.1.1
_ADDRESSES = frozenset((b"from", b"sender", b"reply-to", b"to", b"cc", b"bcc"))
_ADDRESSES |= frozenset(b"resent-" + name for name in _ADDRESSES)
# Text of any words: RFC 5322 3.6.5, RFC 2045 8. So are the fields that nobody has written a grammar for.
_TEXT = frozenset((b"subject", b"comments", b"content-description", b"organization", b"thread-topic", b"user-agent"))
_PARAMETERS = frozenset((b"content-type", b"content-disposition"))
_FILE_NAME = re.compile(rb'(;[ \t]*(?:file)?name)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*+)"|([^\s;"]+))', re.IGNORECASE)
_FOLD = re.compile(rb"\r\n(?=[ \t])")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_COMMA = re.compile(rb'"(?:[^"\\]|\\.)*+"?|,')
_BREAK = re.compile(rb"[ \t](?=[^ \t])")


def is_fit(raw: bytes, *, utf8: bool) -> bool:
    """Tell if a field, or a whole header block, may go as it is. ``utf8``: the client asked for SMTPUTF8 (RFC 6531)."""
    return b"\0" not in raw and (utf8 or raw.isascii()) and has_short_lines(raw)


def has_short_lines(data: bytes) -> bool:
    """Tell if no line is over 998 octets, going from line end to line end, as far apart as they may be."""
    at = 0
    while len(data) - at > LONGEST:
        end = data.rfind(CRLF, at, at + LONGEST + len(CRLF))
        if end < 0:
            return False
        at = end + len(CRLF)
    return True


def make_fit(field: Field, *, utf8: bool) -> Field:
    """Write a field so that it may go; the very same one when it may already. Raises :class:`Unfit`."""
    if is_fit(field.raw, utf8=utf8):
        return field
    name = field.name.decode("latin-1")
    if b"\0" in field.raw:
        raise Unfit(Unfitness.FIELD_NUL, field=name)
    if not utf8 and not field.value.isascii():
        field = field._replace(value=_encoder(field.key)(name, field))
    return field if has_short_lines(field.raw) else _folded(name, field)


def _encoder(key: bytes) -> Callable[[str, Field], bytes]:
    if key in _ADDRESSES:
        return _addresses
    if key in _PARAMETERS:
        return _parameters
    return _text if key in _TEXT or key.startswith(b"x-") else _refused


def _utf8(name: str, value: bytes) -> str:
    try:
        return _FOLD.sub(b"", value).decode("utf-8")
    except UnicodeDecodeError:
        raise Unfit(Unfitness.FIELD_NOT_UTF8, field=name) from None


def _text(name: str, field: Field) -> bytes:
    """Unstructured text, as encoded words from its first letter to its last. RFC 2047 5 (1)."""
    # Encoded words of its own are decoded with the rest, or they would be read as text.
    text = _CONTROL.sub(" ", decoded(_utf8(name, field.value))).strip()
    return f" {encoded(text)}".encode("ascii")


def _addresses(name: str, field: Field) -> bytes:
    """A list of mailboxes, their names in encoded words (RFC 2047 5 (3)) and their domains in A-labels. A local part cannot be encoded."""
    _utf8(name, field.value)
    try:
        found = mailboxes(field.value)
    except AddressError:
        raise Unfit(Unfitness.FIELD_8BIT, field=name) from None
    for mailbox in found:
        if not mailbox.local_part.isascii():
            raise Unfit(Unfitness.ADDRESS_8BIT, field=name, address=mailbox.address)
    return (" " + ",\r\n ".join(written(decoded(mailbox.display_name), mailbox.address) for mailbox in found)).encode("ascii")


def _parameters(name: str, field: Field) -> bytes:
    """The name of a file as RFC 2231 4 has it."""

    def rewritten(match: re.Match[bytes]) -> bytes:
        value = re.sub(rb"\\(.)", rb"\1", match[2]) if match[2] is not None else match[3]
        if value.isascii():
            return match[0]
        return match[1] + b"*=UTF-8''" + quote(_utf8(name, value), safe="").encode("ascii")

    value = _FILE_NAME.sub(rewritten, _FOLD.sub(b"", field.value))
    if not value.isascii():
        raise Unfit(Unfitness.FIELD_8BIT, field=name)
    return value


def _refused(name: str, field: Field) -> bytes:
    raise Unfit(Unfitness.FIELD_8BIT, field=name)


def _folded(name: str, field: Field) -> Field:
    """A field with line ends before some of its white space, which changes nothing in it. RFC 5322 2.2.3."""
    value = field.value
    if field.key in _ADDRESSES:
        value = _COMMA.sub(lambda match: b", " if match[0] == b"," else match[0], value)
    lines = [_broken(line) for line in (field.name + b":" + value).split(CRLF)]
    if all(line is not None for line in lines):
        return field._replace(value=CRLF.join([line for line in lines if line is not None])[len(field.name) + 1 :])
    if field.key in _TEXT or field.key.startswith(b"x-"):
        return field._replace(value=_text(name, field))
    raise Unfit(Unfitness.FIELD_LONG, field=name)


def _broken(line: bytes) -> bytes | None:
    """The line in pieces of at most 998 octets, each but the first behind a space that was there; None where there is none."""
    pieces, start = [], 0
    while len(line) - start > LONGEST:
        # The last white space within reach that has a word behind it: a line of white space alone ends a header for some readers.
        at = 0
        for match in _BREAK.finditer(line, start + 1, start + LONGEST + 2):
            at = match.start()
        if not at or not line[start:at].strip(b" \t"):
            return None
        pieces.append(line[start:at])
        start = at
    return CRLF.join([*pieces, line[start:]])
