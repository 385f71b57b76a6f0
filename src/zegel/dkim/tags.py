"""The tags of a DKIM-Signature, each by itself: what it may say, and what that is then. RFC 6376 3.5, UTF-8 and U-labels by RFC 8616 5.

In what order they are read, and what they mean together, is for :mod:`zegel.dkim.signature`. Nothing is mended.
"""

from __future__ import annotations

import re

from zegel.dkim.result import DkimReason
from zegel.grammar import taglist
from zegel.grammar.domain import Domain

_HEX_ESCAPE = re.compile(rb"=([0-9A-F]{2})")
# FWS may stand on either side of a colon, not within a name. Possessive: no bad list is worth a second look.
_FIELD_NAMES = re.compile(r"[!-9<-~]++(?:(?:[ \t]|\r\n)*+:(?:[ \t]|\r\n)*+[!-9<-~]++)*+")
# RFC 6376 2.11 and 2.8, UTF-8 by RFC 8616 5. FWS may stand anywhere, within an escape too: it is removed before decoding. A ";" cannot come
# here, "|" must be encoded. Possessive as above.
_FWS = r"(?:[ \t]|\r\n)*+"
_TEXT = rf"(?:[!-:<>-{{}}~\x80-\U0010FFFF \t]++|\r\n|={_FWS}[0-9A-F]{_FWS}[0-9A-F])*+"
_COPY = rf"[!-9<-~]++{_FWS}:{_TEXT}"
_COPIES = re.compile(rf"{_COPY}(?:\|{_FWS}{_COPY})*+")
_QUERY_METHOD = re.compile(rf"{taglist.WORD}(?:/{_TEXT})?")


class FaultError(Exception):
    """A tag that cannot be used: the reason, and what of it to show."""

    def __init__(self, reason: DkimReason, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail


def domain(text: str) -> Domain:
    """``d=``: a domain of two labels at the least. Raises :class:`FaultError`, as all that follow do."""
    try:
        found = Domain.parse(text)
    except ValueError:
        raise FaultError(DkimReason.DOMAIN_SYNTAX) from None
    # RFC 6376 3.5: domain-name = sub-domain 1*("." sub-domain); a final dot is not part of it.
    if "." not in found or text.endswith("."):
        raise FaultError(DkimReason.DOMAIN_SYNTAX)
    return found


def selector(text: str) -> Domain:
    """``s=``: labels of DNS, one or several."""
    try:
        if not text.endswith("."):
            return Domain.parse(text)
    except ValueError:
        pass
    raise FaultError(DkimReason.SELECTOR_SYNTAX)


def identity(text: str | None, signer: Domain) -> tuple[str, Domain]:
    """``i=``: an address whose domain is ``d=`` or below it; its local part is dkim-quoted-printable. Gives it decoded, and its domain.

    An ``=`` that begins no escape stands for itself, against the letter of RFC 6376 2.11: mox and others write the local part as it is, and
    an address of VERP has one (``bounce+joe=example.net``). Only the domain of ``i=`` decides anything.
    """
    if text is None:
        return f"@{signer}", signer
    value = taglist.without_space(text)
    try:
        # The whole value is encoded, its domain too; what the escapes give is UTF-8 (RFC 6376 2.11, RFC 8616 3).
        decoded = _HEX_ESCAPE.sub(_octet, value.encode()).decode() if "=" in value else value
        local, at, host = decoded.rpartition("@")
        below = Domain.parse(host)
    except ValueError:
        raise FaultError(DkimReason.TAG_SYNTAX, "i=") from None
    if not at or host.endswith("."):
        raise FaultError(DkimReason.TAG_SYNTAX, "i=")
    if not below.within(signer):
        raise FaultError(DkimReason.IDENTITY_MISMATCH, f"i=@{below}, d={signer}")
    return f"{local}@{below}", below


def _octet(escape: re.Match[bytes]) -> bytes:
    return bytes((int(escape[1], 16),))


def headers(text: str) -> tuple[str, ...]:
    """The names of ``h=``, lower case: no item is empty or no field name, and From is one (RFC 6376 5.4)."""
    if not _FIELD_NAMES.fullmatch(text):
        raise FaultError(DkimReason.TAG_SYNTAX, "h=")
    names = tuple(taglist.without_space(text).lower().split(":"))
    if "from" not in names:
        raise FaultError(DkimReason.FROM_NOT_SIGNED)
    return names


def check_queries(text: str) -> None:
    """``q=``: every item is a method of the grammar, known or not, and ``dns/txt`` is one (RFC 6376 3.5)."""
    methods = [item.strip(" \t\r\n") for item in text.split(":")]
    if not all(map(_QUERY_METHOD.fullmatch, methods)):
        raise FaultError(DkimReason.TAG_SYNTAX, "q=")
    if "dns/txt" not in map(str.lower, methods):
        raise FaultError(DkimReason.QUERY_UNKNOWN, f"q={text[:40]}")


def check_copies(text: str) -> None:
    """``z=``: copies of fields, for who looks for what was changed. They decide nothing, but their format is checked with the rest."""
    if not _COPIES.fullmatch(text):
        raise FaultError(DkimReason.TAG_SYNTAX, "z=")


def number(tags: dict[str, str], name: str, digits: int) -> int | None:
    """A number of so many digits at the most; None where the tag is not there."""
    text = tags.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= digits):
        raise FaultError(DkimReason.TAG_SYNTAX, f"{name}=")
    return int(text)


def base64(tags: dict[str, str], name: str) -> bytes:
    """The octets of ``b=`` or ``bh=``, one at the least; the tag is there."""
    try:
        decoded = taglist.base64(tags[name])
    except ValueError:
        decoded = b""
    if not decoded:
        raise FaultError(DkimReason.TAG_SYNTAX, f"{name}=")
    return decoded
