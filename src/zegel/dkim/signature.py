"""The DKIM-Signature header field: its text and its value. RFC 6376 3.5, with UTF-8 and U-labels by RFC 8616 5.

Reading checks everything that needs neither DNS nor a clock (RFC 6376 6.1.1) and stops at the first fault with its reason; it never mends.
What each tag may be by itself is in :mod:`zegel.dkim.tags`.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise, takewhile
from typing import NamedTuple

from zegel.ask import Question, RRType
from zegel.dkim import tags as tag
from zegel.dkim.result import DkimReason, DkimResult
from zegel.dkim.tags import FaultError
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


def parse(value: bytes) -> Signature:
    """Read the value of a DKIM-Signature field. Raises :class:`SignatureError`; the checks are those of RFC 6376 6.1.1."""
    try:
        tags = taglist.parse(value)
    except taglist.TagListError as error:
        raise SignatureError(DkimResult(DkimReason.TAG_LIST_SYNTAX, detail=str(error))) from None
    try:
        terms = _terms(tags, memorable=len(value) <= _SHORT)
        timestamp, expire = tag.number(tags, "t", 12), tag.number(tags, "x", 12)
        if timestamp is not None and expire is not None and expire <= timestamp:
            raise FaultError(DkimReason.EXPIRES_BEFORE_SIGNED)
        if "z" in tags:
            tag.check_copies(tags["z"])
        return Signature(*terms, tag.base64(tags, "b"), tag.base64(tags, "bh"), tag.number(tags, "l", 76), timestamp, expire)
    except FaultError as fault:
        raise SignatureError(_refused(tags, fault)) from None


def _terms(tags: dict[str, str], *, memorable: bool) -> _Terms:
    if not tags.keys() >= _REQUIRED:
        missing = next(name for name in ("v", "a", "b", "bh", "d", "h", "s") if name not in tags)
        raise FaultError(DkimReason.VERSION if missing == "v" else DkimReason.TAG_MISSING, f"{missing}=")
    read = _read_terms if memorable else _read_terms.__wrapped__
    get = tags.get
    return read(tags["v"], tags["a"], get("c", "simple/simple"), tags["d"], tags["s"], tags["h"], get("i"), get("q"))


@lru_cache(maxsize=512)
def _read_terms(v: str, a: str, c: str, d: str, s: str, h: str, i: str | None, q: str | None) -> _Terms:
    """Check the tags that a signer repeats from message to message. The last are remembered; faults are not."""
    if v != "1":
        raise FaultError(DkimReason.VERSION, f"v={v[:20]}")
    algorithm = a.lower()
    if algorithm not in ALGORITHMS:
        raise FaultError(DkimReason.ALGORITHM_SHA1 if algorithm == "rsa-sha1" else DkimReason.ALGORITHM_UNKNOWN, f"a={algorithm[:40]}")
    canonicalization = CANONICALIZATIONS.get(c.lower())
    if canonicalization is None:
        raise FaultError(DkimReason.CANONICALIZATION_UNKNOWN, f"c={c[:40]}")
    domain, selector = tag.domain(d), tag.selector(s)
    if len(selector) + len(domain) > 253 - len("._domainkey."):
        raise FaultError(DkimReason.SELECTOR_SYNTAX, "longer than a DNS name can be")
    identity, identity_domain = tag.identity(i, domain)
    headers = tag.headers(h)
    if q is not None:
        tag.check_queries(q)
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


def _refused(tags: dict[str, str], fault: FaultError) -> DkimResult:
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
    for piece in tags:
        text, column = _append(text, column, f" {piece};")
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
