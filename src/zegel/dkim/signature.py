"""The DKIM-Signature header field: its text and its value. RFC 6376 3.5, with UTF-8 and U-labels by RFC 8616 5.

Reading checks everything that needs neither DNS nor a clock (RFC 6376 6.1.1) and stops at the first fault with its reason; it never mends.
"""

from __future__ import annotations

import binascii
import re
from functools import lru_cache
from typing import NamedTuple, NoReturn

from zegel.dkim.result import DkimReason, DkimResult
from zegel.grammar import taglist
from zegel.grammar.domain import Domain

ALGORITHMS = {"rsa-sha256": "rsa", "ed25519-sha256": "ed25519"}
CANONICALIZATIONS = {
    "simple": ("simple", "simple"),
    "relaxed": ("relaxed", "simple"),
    "simple/simple": ("simple", "simple"),
    "simple/relaxed": ("simple", "relaxed"),
    "relaxed/simple": ("relaxed", "simple"),
    "relaxed/relaxed": ("relaxed", "relaxed"),
}
_REQUIRED = ("v", "a", "b", "bh", "d", "h", "s")
_HEX_ESCAPE = re.compile(rb"=([0-9A-F]{2})")
# FWS may stand on either side of a colon, not within a name. Possessive: no bad list is worth a second look.
_FIELD_NAMES = re.compile(r"[!-9<-~]++(?:(?:[ \t]|\r\n)*+:(?:[ \t]|\r\n)*+[!-9<-~]++)*+")
_LINE = 76
_FEW = 100  # names in h= of ours that are worth remembering
_SHORT = 2048  # characters of h= that are worth remembering


class SignatureError(ValueError):
    """A DKIM-Signature that cannot be used; ``result`` says why, with whatever could be read."""

    def __init__(self, result: DkimResult) -> None:
        super().__init__(result.explanation)
        self.result = result


class Signature(NamedTuple):
    """A DKIM-Signature as a value. ``headers`` is ``h=`` in lower case, ``identity`` is ``i=`` decoded, times are epoch seconds."""

    algorithm: str
    signature: bytes
    body_hash: bytes
    header_canonicalization: str
    body_canonicalization: str
    domain: Domain
    selector: Domain
    headers: tuple[str, ...]
    identity: str
    identity_domain: Domain
    length: int | None
    timestamp: int | None
    expire: int | None

    @property
    def key_name(self) -> str:
        """The DNS name of the key record. RFC 6376 3.6.2.1."""
        return f"{self.selector}._domainkey.{self.domain}"

    @property
    def key_type(self) -> str:
        """The ``k=`` that the key record must have."""
        return ALGORITHMS[self.algorithm]

    @property
    def start(self) -> str:
        """The first characters of ``b=``, to tell signatures apart. RFC 6008 4."""
        return binascii.b2a_base64(self.signature[:6], newline=False).decode()

    def result(self, reason: DkimReason, *, detail: str = "", testing: bool = False, key_bits: int | None = None) -> DkimResult:
        """The result of this signature for a reason."""
        return DkimResult(
            reason,
            self.domain,
            str(self.selector),
            self.algorithm,
            self.identity,
            self.start,
            detail,
            testing,
            key_bits,
            self.timestamp,
            self.expire,
            self.headers,
        )


def parse(value: bytes) -> Signature:
    """Read the value of a DKIM-Signature field. Raises :class:`SignatureError`; the steps are those of RFC 6376 6.1.1."""
    try:
        tags = taglist.parse(value)
    except taglist.TagListError as error:
        raise SignatureError(DkimResult(DkimReason.TAG_LIST_SYNTAX, detail=str(error))) from None
    for name in _REQUIRED:
        if name not in tags:
            _refuse(tags, DkimReason.VERSION if name == "v" else DkimReason.TAG_MISSING, f"{name}=")
    if tags["v"] != "1":
        _refuse(tags, DkimReason.VERSION, f"v={tags['v'][:20]}")
    algorithm = tags["a"].lower()
    if algorithm not in ALGORITHMS:
        _refuse(tags, DkimReason.ALGORITHM_SHA1 if algorithm == "rsa-sha1" else DkimReason.ALGORITHM_UNKNOWN, f"a={algorithm[:40]}")
    canonicalization = CANONICALIZATIONS.get(tags.get("c", "simple/simple").lower())
    if canonicalization is None:
        _refuse(tags, DkimReason.CANONICALIZATION_UNKNOWN, f"c={tags['c'][:40]}")
    domain, selector = _domain(tags), _selector(tags)
    if len(selector) + len(domain) > 253 - len("._domainkey."):
        _refuse(tags, DkimReason.SELECTOR_SYNTAX, "longer than a DNS name can be")
    identity, identity_domain = _identity(tags, domain)
    headers = _headers(tags)
    if "q" in tags and "dns/txt" not in taglist.colon_list(tags["q"]):
        _refuse(tags, DkimReason.QUERY_UNKNOWN, f"q={tags['q'][:40]}")
    timestamp, expire = _number(tags, "t", 12), _number(tags, "x", 12)
    if timestamp is not None and expire is not None and expire <= timestamp:
        _refuse(tags, DkimReason.EXPIRES_BEFORE_SIGNED)
    return Signature(
        algorithm,
        _base64(tags, "b"),
        _base64(tags, "bh"),
        *canonicalization,
        domain,
        selector,
        headers,
        identity,
        identity_domain,
        _number(tags, "l", 76),
        timestamp,
        expire,
    )


def _refuse(tags: dict[str, str], reason: DkimReason, detail: str = "") -> NoReturn:
    """Raise with what can be read of the signature, so that the report can name it. Unreadable names stay None."""
    try:
        domain = Domain.parse(tags.get("d", ""))
    except ValueError:
        domain = None
    try:
        selector = str(Domain.parse(tags.get("s", "")))
    except ValueError:
        selector = None
    algorithm = tags.get("a", "").lower()
    known = algorithm if algorithm in ALGORITHMS or algorithm == "rsa-sha1" else None
    raise SignatureError(DkimResult(reason, domain, selector, known, detail=detail))


def _domain(tags: dict[str, str]) -> Domain:
    try:
        domain = Domain.parse(tags["d"])
    except ValueError:
        _refuse(tags, DkimReason.DOMAIN_SYNTAX)
    # RFC 6376 3.5: domain-name = sub-domain 1*("." sub-domain); a final dot is not part of it.
    if "." not in domain or tags["d"].endswith("."):
        _refuse(tags, DkimReason.DOMAIN_SYNTAX)
    return domain


def _selector(tags: dict[str, str]) -> Domain:
    try:
        if not tags["s"].endswith("."):
            return Domain.parse(tags["s"])
    except ValueError:
        pass
    _refuse(tags, DkimReason.SELECTOR_SYNTAX)


def _identity(tags: dict[str, str], domain: Domain) -> tuple[str, Domain]:
    """``i=``: an address whose domain is ``d=`` or below it; its local part is dkim-quoted-printable."""
    if "i" not in tags:
        return f"@{domain}", domain
    value = taglist.without_space(tags["i"])
    try:
        # The whole value is encoded, its domain too; what the escapes give is UTF-8 (RFC 6376 2.11, RFC 8616 3).
        decoded = _HEX_ESCAPE.sub(_octet, value.encode()).decode() if "=" in value else value
    except UnicodeDecodeError:
        _refuse(tags, DkimReason.TAG_SYNTAX, "i=")
    local, at, host = decoded.rpartition("@")
    try:
        identity_domain = Domain.parse(host)
    except ValueError:
        _refuse(tags, DkimReason.TAG_SYNTAX, "i=")
    if not at or host.endswith("."):
        _refuse(tags, DkimReason.TAG_SYNTAX, "i=")
    if not identity_domain.within(domain):
        _refuse(tags, DkimReason.IDENTITY_MISMATCH, f"i=@{identity_domain}, d={domain}")
    return f"{local}@{identity_domain}", identity_domain


def _octet(escape: re.Match[bytes]) -> bytes:
    return bytes((int(escape[1], 16),))


def _headers(tags: dict[str, str]) -> tuple[str, ...]:
    text = tags["h"]
    headers = _names(text) if len(text) <= _SHORT else _names.__wrapped__(text)
    if not headers:
        _refuse(tags, DkimReason.TAG_SYNTAX, "h=")
    if "from" not in headers:
        _refuse(tags, DkimReason.FROM_NOT_SIGNED)
    return headers


@lru_cache(maxsize=512)
def _names(text: str) -> tuple[str, ...]:
    """The names of ``h=``, lower case; none when an item is empty or no field name. Senders repeat theirs, so the last are remembered."""
    return tuple(taglist.without_space(text).lower().split(":")) if _FIELD_NAMES.fullmatch(text) else ()


def _number(tags: dict[str, str], name: str, digits: int) -> int | None:
    text = tags.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= digits):
        _refuse(tags, DkimReason.TAG_SYNTAX, f"{name}=")
    return int(text)


def _base64(tags: dict[str, str], name: str) -> bytes:
    try:
        decoded = taglist.base64(tags[name])
    except ValueError:
        decoded = b""
    if not decoded:
        _refuse(tags, DkimReason.TAG_SYNTAX, f"{name}=")
    return decoded


def format_unsigned(signature: Signature, *, canonicalization: str, identity: str | None) -> bytes:
    """The value of the field with an empty ``b=``, folded, leading space included: what is hashed, and what the signature follows."""
    tags = [
        "v=1",
        f"a={signature.algorithm}",
        f"c={canonicalization}",
        f"d={signature.domain}",
        f"s={signature.selector}",
    ]
    if identity is not None:
        tags.append(f"i={identity}")
    if signature.timestamp is not None:
        tags.append(f"t={signature.timestamp}")
    if signature.expire is not None:
        tags.append(f"x={signature.expire}")
    text, column = "", len("DKIM-Signature:")
    for tag in tags:
        text, column = _append(text, column, f" {tag};")
    text, column = _append_names(text, column, signature.headers)
    text, column = _append(text + ";", column + 1, f" bh={binascii.b2a_base64(signature.body_hash, newline=False).decode()};")
    return f"{text}\r\n b=".encode()


def _append_names(text: str, column: int, headers: tuple[str, ...]) -> tuple[str, int]:
    names, after = _fold_names(column, headers) if len(headers) <= _FEW else _fold_names.__wrapped__(column, headers)
    return text + names, after


@lru_cache(maxsize=256)
def _fold_names(column: int, headers: tuple[str, ...]) -> tuple[str, int]:
    """``h=`` folded from a column on. Mail of one kind has the same names, so the last are remembered."""
    first, *rest = headers
    text, column = _append("", column, f" h={first}")
    for name in rest:
        text, column = _append(text, column, f":{name}")
    return text, column


def _append(text: str, column: int, piece: str) -> tuple[str, int]:
    """Add a piece, on a new line where it would pass the margin. A fold may stand before a tag and after a colon of ``h=``."""
    if column + len(piece) <= _LINE:
        return text + piece, column + len(piece)
    if piece[0] == ":":
        return f"{text}:\r\n {piece[1:]}", len(piece)
    return f"{text}\r\n{piece}", len(piece)


def format_signature(signature: bytes) -> bytes:
    """The value of ``b=``, folded: what is put behind :func:`format_unsigned`."""
    encoded = binascii.b2a_base64(signature, newline=False)
    first = _LINE - 3
    lines = [encoded[:first], *(encoded[i : i + _LINE - 1] for i in range(first, len(encoded), _LINE - 1))]
    return b"\r\n ".join(lines)
