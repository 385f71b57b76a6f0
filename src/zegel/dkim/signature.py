"""The DKIM-Signature header field: its text and its value. RFC 6376 3.5, with UTF-8 and U-labels by RFC 8616 5.

Reading checks everything that needs neither DNS nor a clock (RFC 6376 6.1.1) and stops at the first fault with its reason; it never mends.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise, takewhile
from typing import NamedTuple

from zegel.ask import Question, RRType
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
_REQUIRED = frozenset(("v", "a", "b", "bh", "d", "h", "s"))
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
_LINE = 76
_COMPARED = 512  # octets of signatures that begin alike
_FEW = 100  # names in h= of ours that are worth remembering
_SHORT = 2048  # octets of a signature of theirs whose terms are worth remembering


class SignatureError(ValueError):
    """A DKIM-Signature that cannot be used; ``result`` says why, with whatever could be read."""

    def __init__(self, result: DkimResult) -> None:
        super().__init__(result.explanation)
        self.result = result


class Signature(NamedTuple):
    """A DKIM-Signature as a value.

    ``headers`` is ``h=`` in lower case, ``identity`` is ``i=`` decoded, ``key`` asks for the key record, times are epoch seconds.
    """

    algorithm: str
    header_canonicalization: str
    body_canonicalization: str
    domain: Domain
    selector: Domain
    headers: tuple[str, ...]
    identity: str
    identity_domain: Domain
    key: Question
    signature: bytes
    body_hash: bytes
    length: int | None = None
    timestamp: int | None = None
    expire: int | None = None

    @property
    def key_type(self) -> str:
        """The ``k=`` that the key record must have."""
        return ALGORITHMS[self.algorithm]

    @property
    def start(self) -> str:
        """The first characters of ``b=``, to tell signatures apart. RFC 6008 4."""
        return _encoded(self.signature[:6])

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


class _Terms(NamedTuple):
    """The first half of a :class:`Signature`: what a signer's signatures have in common."""

    algorithm: str
    header_canonicalization: str
    body_canonicalization: str
    domain: Domain
    selector: Domain
    headers: tuple[str, ...]
    identity: str
    identity_domain: Domain
    key: Question


class _FaultError(Exception):
    """A tag that cannot be used: the reason, and what of it to show."""

    def __init__(self, reason: DkimReason, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail


def parse(value: bytes) -> Signature:
    """Read the value of a DKIM-Signature field. Raises :class:`SignatureError`; the checks are those of RFC 6376 6.1.1."""
    try:
        tags = taglist.parse(value)
    except taglist.TagListError as error:
        raise SignatureError(DkimResult(DkimReason.TAG_LIST_SYNTAX, detail=str(error))) from None
    try:
        terms = _terms(tags, memorable=len(value) <= _SHORT)
        timestamp, expire = _number(tags, "t", 12), _number(tags, "x", 12)
        if timestamp is not None and expire is not None and expire <= timestamp:
            raise _FaultError(DkimReason.EXPIRES_BEFORE_SIGNED)
        # Copies of fields, for who looks for what was changed. They decide nothing, but their format is checked with the rest.
        if "z" in tags and not _COPIES.fullmatch(tags["z"]):
            raise _FaultError(DkimReason.TAG_SYNTAX, "z=")
        return Signature(*terms, _base64(tags, "b"), _base64(tags, "bh"), _number(tags, "l", 76), timestamp, expire)
    except _FaultError as fault:
        raise SignatureError(_refused(tags, fault)) from None


def _terms(tags: dict[str, str], *, memorable: bool) -> _Terms:
    if not tags.keys() >= _REQUIRED:
        missing = next(name for name in ("v", "a", "b", "bh", "d", "h", "s") if name not in tags)
        raise _FaultError(DkimReason.VERSION if missing == "v" else DkimReason.TAG_MISSING, f"{missing}=")
    read = _read_terms if memorable else _read_terms.__wrapped__
    get = tags.get
    return read(tags["v"], tags["a"], get("c", "simple/simple"), tags["d"], tags["s"], tags["h"], get("i"), get("q"))


@lru_cache(maxsize=512)
def _read_terms(v: str, a: str, c: str, d: str, s: str, h: str, i: str | None, q: str | None) -> _Terms:
    """Check the tags that a signer repeats from message to message. The last are remembered; faults are not."""
    if v != "1":
        raise _FaultError(DkimReason.VERSION, f"v={v[:20]}")
    algorithm = a.lower()
    if algorithm not in ALGORITHMS:
        raise _FaultError(DkimReason.ALGORITHM_SHA1 if algorithm == "rsa-sha1" else DkimReason.ALGORITHM_UNKNOWN, f"a={algorithm[:40]}")
    canonicalization = CANONICALIZATIONS.get(c.lower())
    if canonicalization is None:
        raise _FaultError(DkimReason.CANONICALIZATION_UNKNOWN, f"c={c[:40]}")
    domain, selector = _domain(d), _selector(s)
    if len(selector) + len(domain) > 253 - len("._domainkey."):
        raise _FaultError(DkimReason.SELECTOR_SYNTAX, "longer than a DNS name can be")
    identity, identity_domain = _identity(i, domain)
    headers = _headers(h)
    if q is not None:
        _check_queries(q)
    return _Terms(algorithm, *canonicalization, domain, selector, headers, identity, identity_domain, key_question(domain, selector))


def starts(signatures: Iterable[bytes]) -> dict[bytes, str]:
    """The beginning of ``b=`` of each of several signatures: eight characters, and as many more as it takes to be unique. RFC 6008 4.

    They are compared as far as RSA with 4096 bits goes. Sorted, the one that shares most with a signature stands beside it.
    """
    found = {octets: _encoded(octets[:_COMPARED]) for octets in signatures}
    encoded = dict(sorted(found.items(), key=lambda item: item[1]))
    sizes = dict.fromkeys(encoded, 8)
    for one, other in pairwise(encoded):
        shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(encoded[one], encoded[other], strict=False)))
        sizes[one], sizes[other] = max(sizes[one], shared + 1), max(sizes[other], shared + 1)
    return {octets: text[: sizes[octets]] for octets, text in encoded.items()}


def _encoded(octets: bytes) -> str:
    return binascii.b2a_base64(octets, newline=False).decode()


@lru_cache(maxsize=512)
def key_question(domain: Domain, selector: Domain) -> Question:
    """Where the key record stands. RFC 6376 3.6.2.1."""
    return Question(f"{selector}._domainkey.{domain}", RRType.TXT)


def _refused(tags: dict[str, str], fault: _FaultError) -> DkimResult:
    """The result with what can be read of the signature, so that the report can name it. Unreadable names stay None."""
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
    return DkimResult(fault.reason, domain, selector, known, detail=fault.detail)


def _domain(text: str) -> Domain:
    try:
        domain = Domain.parse(text)
    except ValueError:
        raise _FaultError(DkimReason.DOMAIN_SYNTAX) from None
    # RFC 6376 3.5: domain-name = sub-domain 1*("." sub-domain); a final dot is not part of it.
    if "." not in domain or text.endswith("."):
        raise _FaultError(DkimReason.DOMAIN_SYNTAX)
    return domain


def _selector(text: str) -> Domain:
    try:
        if not text.endswith("."):
            return Domain.parse(text)
    except ValueError:
        pass
    raise _FaultError(DkimReason.SELECTOR_SYNTAX)


def _identity(text: str | None, domain: Domain) -> tuple[str, Domain]:
    """``i=``: an address whose domain is ``d=`` or below it; its local part is dkim-quoted-printable.

    An ``=`` that begins no escape stands for itself, against the letter of RFC 6376 2.11: mox and others write the local part as it is, and
    an address of VERP has one (``bounce+joe=example.net``). Only the domain of ``i=`` decides anything.
    """
    if text is None:
        return f"@{domain}", domain
    value = taglist.without_space(text)
    try:
        # The whole value is encoded, its domain too; what the escapes give is UTF-8 (RFC 6376 2.11, RFC 8616 3).
        decoded = _HEX_ESCAPE.sub(_octet, value.encode()).decode() if "=" in value else value
        local, at, host = decoded.rpartition("@")
        identity_domain = Domain.parse(host)
    except ValueError:
        raise _FaultError(DkimReason.TAG_SYNTAX, "i=") from None
    if not at or host.endswith("."):
        raise _FaultError(DkimReason.TAG_SYNTAX, "i=")
    if not identity_domain.within(domain):
        raise _FaultError(DkimReason.IDENTITY_MISMATCH, f"i=@{identity_domain}, d={domain}")
    return f"{local}@{identity_domain}", identity_domain


def _octet(escape: re.Match[bytes]) -> bytes:
    return bytes((int(escape[1], 16),))


def _headers(text: str) -> tuple[str, ...]:
    """The names of ``h=``, lower case: no item is empty or no field name, and From is one (RFC 6376 5.4)."""
    if not _FIELD_NAMES.fullmatch(text):
        raise _FaultError(DkimReason.TAG_SYNTAX, "h=")
    headers = tuple(taglist.without_space(text).lower().split(":"))
    if "from" not in headers:
        raise _FaultError(DkimReason.FROM_NOT_SIGNED)
    return headers


def _check_queries(text: str) -> None:
    """``q=``: every item is a method of the grammar, known or not, and ``dns/txt`` is one (RFC 6376 3.5)."""
    methods = [item.strip(" \t\r\n") for item in text.split(":")]
    if not all(map(_QUERY_METHOD.fullmatch, methods)):
        raise _FaultError(DkimReason.TAG_SYNTAX, "q=")
    if "dns/txt" not in map(str.lower, methods):
        raise _FaultError(DkimReason.QUERY_UNKNOWN, f"q={text[:40]}")


def _number(tags: dict[str, str], name: str, digits: int) -> int | None:
    text = tags.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= digits):
        raise _FaultError(DkimReason.TAG_SYNTAX, f"{name}=")
    return int(text)


def _base64(tags: dict[str, str], name: str) -> bytes:
    try:
        decoded = taglist.base64(tags[name])
    except ValueError:
        decoded = b""
    if not decoded:
        raise _FaultError(DkimReason.TAG_SYNTAX, f"{name}=")
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
    text, column = _append(text + ";", column + 1, f" bh={_encoded(signature.body_hash)};")
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
