"""The data of one part in a form that every next hop leaves alone: 7bit data, quoted-printable or base64. RFC 2045 2.7, 6.7 and 6.8.

What a reader decodes stays the same to the octet. Which form is chosen is told by the data alone, so that the same part always becomes the
same bytes.
"""

from __future__ import annotations

import binascii
from typing import NamedTuple

from zegel.grammar.message import CRLF
from zegel.submission.fields import has_short_lines

_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/= \t\r\n"
_PRINTABLE = bytes(set(range(32, 127)) - set(b"=")) + b"\t\r\n"
_LINE = 76  # characters, RFC 2045 6.7 (5) and 6.8
_MOST_ESCAPED = 6  # one octet in so many: from there on base64 is shorter
_BLOCK = 65_536  # octets that are cut into lines at a time
UNKNOWN = frozenset(("x-uuencode", "uuencode", "x-uue", "uue", "x-yenc", "yenc", "x-gzip64", "binhex", "x-binhex40", "mac-binhex40"))


class Encoded(NamedTuple):
    """The data of a part, and the word for its Content-Transfer-Encoding."""

    encoding: str
    data: bytes


def is_7bit(data: bytes) -> bool:
    """Tell if this is 7bit data: no octet over 127, no NUL, no line over 998 octets. RFC 2045 2.7. A CR or LF alone has been refused."""
    return data.isascii() and b"\0" not in data and has_short_lines(data)


def is_base64(data: bytes) -> bool:
    """Tell if there are the letters of base64 and white space alone. Readers make different things of others (RFC 2045 6.8)."""
    return not data.translate(None, _BASE64)


def encode(data: bytes, *, text: bool) -> Encoded:
    """Encode data that is not 7bit: text that is mostly ASCII in quoted-printable, all else in base64."""
    if text and len(data.translate(None, _PRINTABLE)) * _MOST_ESCAPED <= len(data):
        return Encoded("quoted-printable", _quoted_printable(data))
    return Encoded("base64", _wrapped(binascii.b2a_base64(data, newline=False)))


def mend(data: bytes, encoding: str) -> Encoded:
    """Write data that is encoded already, but not within the rules, anew: lines without an end, or 8-bit octets among the letters."""
    if encoding == "quoted-printable":
        return Encoded(encoding, _quoted_printable(binascii.a2b_qp(data)))
    # A decoder passes over line ends, wherever they are (RFC 2045 6.8).
    return Encoded("base64", _wrapped(data.translate(None, b" \t\r\n")))


def _quoted_printable(data: bytes) -> bytes:
    """Line by line: a CR or LF that is no line end of the text is encoded. RFC 2045 6.7 (4).

    Never all lines at once: 25 MB of empty ones are a gigabyte of objects.
    """
    blocks, at = [], 0
    while at >= 0:
        end = data.find(CRLF, at + _BLOCK)
        lines = data[at : end if end >= 0 else len(data)].split(CRLF)
        blocks.append(CRLF.join([binascii.b2a_qp(line, istext=False).replace(b"\n", CRLF) for line in lines]))
        at = end + len(CRLF) if end >= 0 else -1
    return CRLF.join(blocks)


def _wrapped(letters: bytes) -> bytes:
    return CRLF.join([letters[at : at + _LINE] for at in range(0, len(letters), _LINE)])
