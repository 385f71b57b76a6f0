"""The ARC-Message-Signature and ARC-Seal fields: their text and their values. RFC 8617 4.1.2 and 4.1.3.

Both are DKIM-Signature fields with other tags, and become the same value as these, so that key records and canonical forms know one kind.
Reading checks everything that needs neither DNS nor a clock and stops at the first fault; it never mends. A ``v=`` is ignored, as the RFC
asks, and so is every tag that it does not define.
"""

from __future__ import annotations

import binascii
from typing import NamedTuple, NoReturn

from zegel.arc.result import ArcReason, ArcStatus
from zegel.authres.lexer import DIGITS, Cursor, FieldSyntaxError, unfold
from zegel.dkim.signature import ALGORITHMS, CANONICALIZATIONS, Signature, key_question
from zegel.grammar import taglist
from zegel.grammar.domain import Domain
from zegel.grammar.message import is_well_formed_name
from zegel.words import N_

MAX_INSTANCE = 50  # RFC 8617 4.2.1
_LINE = 76


class ArcFieldError(ValueError):
    """An ARC field that cannot be used; ``reason`` says why, ``detail`` names the tag."""

    def __init__(self, reason: ArcReason, detail: str = "") -> None:
        super().__init__(f"{reason.sentence} ({detail})")
        self.reason = reason
        self.detail = detail


class Seal(NamedTuple):
    """An ARC-Seal as a value: ``chain`` is ``cv=``; its signature has neither field names nor a body."""

    chain: ArcStatus
    signature: Signature


def read_tags(value: bytes) -> tuple[int, dict[str, str]]:
    """The instance and the other tags of an ARC-Message-Signature or ARC-Seal. Raises :class:`ArcFieldError`.

    ``i=`` may stand anywhere in the list: RFC 8617 4.1.2 has it in front, with comments, but sealers sort their tags.
    """
    instance, rest = None, value
    if b"(" in value:
        prefix = read_instance(value)
        if prefix is not None:
            instance, text = prefix
            rest = text.encode()
    try:
        tags = taglist.parse(rest)
    except taglist.TagListError as error:
        raise ArcFieldError(ArcReason.TAG_LIST_SYNTAX, str(error)) from None
    if instance is not None and "i" in tags:
        raise ArcFieldError(ArcReason.TAG_LIST_SYNTAX, "tag i= twice")
    if instance is None:
        text = tags.pop("i", "")
        if not DIGITS.fullmatch(text) or len(text) > 2:
            raise ArcFieldError(ArcReason.INSTANCE_SYNTAX, f"i={text[:20]}")
        instance = int(text)
    if not 1 <= instance <= MAX_INSTANCE:
        raise ArcFieldError(ArcReason.INSTANCE_SYNTAX, f"i={instance}")
    return instance, tags


def read_instance(value: bytes) -> tuple[int, str] | None:
    """The instance in front of a field and what follows its semicolon, or None. RFC 8617 3.9.

    ``[CFWS] "i" [CFWS] "=" [CFWS] position [CFWS] ";"``, the only form that ARC-Authentication-Results has (RFC 8617 4.1.1).
    """
    try:
        cursor = Cursor(unfold(value.decode("utf-8", "replace")))
        cursor.cfws()
        cursor.expect("i")
        cursor.cfws()
        cursor.expect("=")
        cursor.cfws()
        position = cursor.take(DIGITS) or ""
        cursor.cfws()
        cursor.expect(";")
    except FieldSyntaxError:
        return None
    if not (1 <= len(position) <= 2 and 1 <= int(position) <= MAX_INSTANCE):
        return None
    return int(position), cursor.text[cursor.at :]


def parse_message_signature(tags: dict[str, str]) -> Signature:
    """The value of an ARC-Message-Signature from its tags. RFC 8617 4.1.2, RFC 6376 3.5 and 6.1.1."""
    algorithm, domain, selector, signature = _common(tags)
    canonicalization = CANONICALIZATIONS.get(tags.get("c", "simple/simple").lower())
    if canonicalization is None:
        _refuse(ArcReason.ALGORITHM_UNKNOWN, f"c={tags['c'][:40]}")
    if "q" in tags and "dns/txt" not in taglist.colon_list(tags["q"]):
        _refuse(ArcReason.ALGORITHM_UNKNOWN, f"q={tags['q'][:40]}")
    timestamp, expire = _number(tags, "t", 12), _number(tags, "x", 12)
    if timestamp is not None and expire is not None and expire <= timestamp:
        _refuse(ArcReason.TAG_SYNTAX, N_("x= is not after t="))
    return Signature(
        algorithm=algorithm,
        signature=signature,
        body_hash=_base64(tags, "bh"),
        header_canonicalization=canonicalization[0],
        body_canonicalization=canonicalization[1],
        domain=domain,
        selector=selector,
        headers=_headers(tags),
        identity=f"@{domain}",
        identity_domain=domain,
        key=key_question(domain, selector),
        length=_number(tags, "l", 76),
        timestamp=timestamp,
        expire=expire,
    )


def parse_seal(tags: dict[str, str]) -> Seal:
    """The value of an ARC-Seal from its tags. RFC 8617 4.1.3."""
    # RFC 8617 4.1.3: "the DKIM "h" tag is NOT allowed and, if found, MUST result in a cv status of "fail"".
    if "h" in tags:
        _refuse(ArcReason.SEAL_NAMES_FIELDS, "h=")
    chain = chain_value(tags)
    if chain is None:
        _refuse(ArcReason.TAG_SYNTAX if "cv" in tags else ArcReason.TAG_MISSING, "cv=")
    algorithm, domain, selector, signature = _common(tags)
    return Seal(
        chain,
        Signature(
            algorithm=algorithm,
            signature=signature,
            body_hash=b"",
            header_canonicalization="relaxed",
            body_canonicalization="relaxed",
            domain=domain,
            selector=selector,
            headers=(),
            identity=f"@{domain}",
            identity_domain=domain,
            key=key_question(domain, selector),
            timestamp=_number(tags, "t", 12),
        ),
    )


def chain_value(tags: dict[str, str]) -> ArcStatus | None:
    """``cv=``, or None when it is missing or no chain status: ``[CFWS] ("none" / "fail" / "pass")``. RFC 8617 3.9."""
    try:
        cursor = Cursor(tags.get("cv", "").replace("\r\n", ""))
        cursor.cfws()
        return ArcStatus(cursor.text[cursor.at :].lower())
    except ValueError:
        return None


def _common(tags: dict[str, str]) -> tuple[str, Domain, Domain, bytes]:
    """What both fields have of DKIM: ``a=``, ``d=``, ``s=`` and ``b=``."""
    for name in ("a", "b", "d", "s"):
        if name not in tags:
            _refuse(ArcReason.TAG_MISSING, f"{name}=")
    algorithm = tags["a"].lower()
    if algorithm not in ALGORITHMS:
        _refuse(ArcReason.ALGORITHM_UNKNOWN, f"a={algorithm[:40]}")
    domain, selector = _domain(tags, "d"), _domain(tags, "s")
    # RFC 6376 3.5: domain-name = sub-domain 1*("." sub-domain)
    if "." not in domain or len(selector) + len(domain) > 253 - len("._domainkey."):
        _refuse(ArcReason.TAG_SYNTAX, "d=")
    return algorithm, domain, selector, _base64(tags, "b")


def _domain(tags: dict[str, str], name: str) -> Domain:
    """``d=`` or ``s=``, in A-labels or U-labels. RFC 8617 4.1.4."""
    try:
        domain = Domain.parse(tags[name])
    except ValueError:
        _refuse(ArcReason.TAG_SYNTAX, f"{name}=")
    if tags[name].endswith("."):  # RFC 6376 3.5: a final dot is not part of a domain-name
        _refuse(ArcReason.TAG_SYNTAX, f"{name}=")
    return domain


def _headers(tags: dict[str, str]) -> tuple[str, ...]:
    """``h=`` in lower case: ``hdr-name *( [FWS] ":" [FWS] hdr-name )``, From among them. RFC 6376 3.5 and 6.1.1."""
    if "h" not in tags:
        _refuse(ArcReason.TAG_MISSING, "h=")
    names = tuple(item.strip(" \t\r\n") for item in tags["h"].lower().split(":"))
    if not all(names) or not is_well_formed_name("".join(names).encode()):
        _refuse(ArcReason.TAG_SYNTAX, "h=")
    if "from" not in names:
        _refuse(ArcReason.FROM_NOT_SIGNED, "h=")
    # RFC 8617 4.1.2: ARC fields "MUST NOT be included in the list of header fields covered by the signature". Sealers name the other two
    # nevertheless, which come before the signature and are sealed anyway; a seal comes after it.
    if "arc-seal" in names:
        _refuse(ArcReason.SEAL_SIGNED, "h=")
    return names


def _number(tags: dict[str, str], name: str, digits: int) -> int | None:
    text = tags.get(name)
    if text is None:
        return None
    if not DIGITS.fullmatch(text) or len(text) > digits:
        _refuse(ArcReason.TAG_SYNTAX, f"{name}=")
    return int(text)


def _base64(tags: dict[str, str], name: str) -> bytes:
    if name not in tags:
        _refuse(ArcReason.TAG_MISSING, f"{name}=")
    try:
        decoded = taglist.base64(tags[name])
    except ValueError:
        decoded = b""
    if not decoded:
        _refuse(ArcReason.TAG_SYNTAX, f"{name}=")
    return decoded


def _refuse(reason: ArcReason, detail: str) -> NoReturn:
    raise ArcFieldError(reason, detail)


def format_message_signature(instance: int, signature: Signature) -> bytes:
    """The value of an ARC-Message-Signature with an empty ``b=``, folded, leading space included."""
    lines = [
        f" i={instance}; a={signature.algorithm}; c={signature.header_canonicalization}/{signature.body_canonicalization};",
        f" d={signature.domain}; s={signature.selector}; t={signature.timestamp};",
    ]
    line = " h="
    for name in signature.headers:
        if len(line) + len(name) >= _LINE:
            lines.append(line)
            line = " "
        line += f"{name}:"
    lines.append(f"{line.removesuffix(':')};")
    lines.append(f" bh={binascii.b2a_base64(signature.body_hash, newline=False).decode()};")
    return "\r\n".join([*lines, " b="]).encode()


def format_seal(instance: int, seal: Seal) -> bytes:
    """The value of an ARC-Seal with an empty ``b=``, folded, leading space included."""
    signature = seal.signature
    first = f" i={instance}; a={signature.algorithm}; t={signature.timestamp}; cv={seal.chain};"
    return f"{first}\r\n d={signature.domain}; s={signature.selector};\r\n b=".encode()
