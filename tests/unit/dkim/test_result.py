"""Every reason of a DKIM result, reached by a real message through the front door; and the table from reason to status."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from functools import cache

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

import zegel
from support import samples
from zegel.dkim.result import DkimReason, DkimResult, DkimStatus


def signed(message: bytes = samples.MESSAGE, **options: object) -> bytes:
    return zegel.sign(message, samples.rsa(), now=samples.NOW, **options) + message  # type: ignore[arg-type]


def tags(**changed: str | None) -> bytes:
    """A message whose DKIM-Signature has some tags changed, or left out (None)."""
    known: dict[str, str | None] = {"v": "1", "a": "rsa-sha256", "d": "example.org", "s": "rsa", "h": "from:to", "bh": "AAAA", "b": "AAAA"}
    text = "; ".join(f"{name}={value}" for name, value in {**known, **changed}.items() if value is not None)
    return b"DKIM-Signature: " + text.encode() + b"\r\n" + samples.MESSAGE


@cache
def weak_key(bits: int) -> str:
    """The ``p=`` of an RSA key of that size; the modulus is no product of primes, which nobody looks at before its size."""
    if bits < 4096:
        public = rsa.generate_private_key(65537, bits).public_key() if bits >= 1024 else _small(bits)
    else:
        public = rsa.RSAPublicNumbers(65537, (1 << (bits - 1)) + 12345).public_key()
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


def _small(bits: int) -> rsa.RSAPublicKey:
    return rsa.RSAPublicNumbers(65537, (1 << (bits - 1)) + 12345).public_key()


def with_record(record: str | bytes | zegel.Rcode | None, message: bytes | None = None) -> tuple[bytes, zegel.Zone]:
    name = samples.rsa().name
    if record is None:
        return message or signed(), zegel.Zone.from_dict({("other.example", "TXT"): ["x"]})
    return message or signed(), zegel.Zone.from_dict({(name, "TXT"): record if isinstance(record, zegel.Rcode) else [record]})


def length(message: bytes) -> bytes:
    """The message signed by hand with an ``l=`` that leaves its last line out."""
    import hashlib

    from zegel.dkim.canonical import simple_field
    from zegel.grammar.message import Field

    head, _, body = message.partition(b"\r\n\r\n")
    part = body[: body.rindex(b"\r\n", 0, -2) + 2]
    bh = base64.b64encode(hashlib.sha256(part).digest()).decode()
    value = f" v=1; a=rsa-sha256; d=example.org; s=rsa; h=from; l={len(part)}; bh={bh}; b=".encode()
    (sender,) = [line for line in head.split(b"\r\n") if line.startswith(b"From:")]
    data = sender + b"\r\n" + simple_field(Field(b"DKIM-Signature", value))
    return b"DKIM-Signature:" + value + base64.b64encode(samples.rsa().sign(data)) + b"\r\n" + message


P = samples.rsa().public
Z = samples.zone()
TABLE: dict[DkimReason, Callable[[], tuple[bytes, zegel.Zone]]] = {
    DkimReason.VERIFIED: lambda: (signed(), Z),
    DkimReason.BODY_CHANGED: lambda: (signed().replace(b"this is", b"that is"), Z),
    DkimReason.SIGNATURE_MISMATCH: lambda: (signed().replace(b"hello", b"hallo"), Z),
    DkimReason.BODY_PARTLY_SIGNED: lambda: (length(samples.MESSAGE), Z),
    DkimReason.FIELD_ADDED: lambda: (b"Subject: spoof\r\n" + signed(headers=["from", "subject"]), Z),
    DkimReason.TOO_MANY_SIGNATURES: lambda: (tags().replace(samples.MESSAGE, b"") * 11 + samples.MESSAGE, Z),
    DkimReason.HEADER_TOO_LARGE: lambda: (b"X: " + b"y" * 300_000 + b"\r\n" + signed(), Z),
    DkimReason.TAG_LIST_SYNTAX: lambda: (tags(b="AAAA; b=AAAA"), Z),
    DkimReason.VERSION: lambda: (tags(v="2"), Z),
    DkimReason.TAG_MISSING: lambda: (tags(bh=None), Z),
    DkimReason.TAG_SYNTAX: lambda: (tags(h="from::to"), Z),
    DkimReason.ALGORITHM_UNKNOWN: lambda: (tags(a="rsa-sha512"), Z),
    DkimReason.ALGORITHM_SHA1: lambda: (tags(a="rsa-sha1"), Z),
    DkimReason.CANONICALIZATION_UNKNOWN: lambda: (tags(c="nofws"), Z),
    DkimReason.QUERY_UNKNOWN: lambda: (tags(q="http"), Z),
    DkimReason.DOMAIN_SYNTAX: lambda: (tags(d="exa(mple.org"), Z),
    DkimReason.SELECTOR_SYNTAX: lambda: (tags(s="a..b"), Z),
    DkimReason.IDENTITY_MISMATCH: lambda: (tags(i="joe@example.com"), Z),
    DkimReason.FROM_NOT_SIGNED: lambda: (tags(h="to:subject"), Z),
    DkimReason.EXPIRED: lambda: (tags(x=str(samples.NOW - 1)), Z),
    DkimReason.EXPIRES_BEFORE_SIGNED: lambda: (tags(t="20", x="20"), Z),
    DkimReason.HEADER_MALFORMED: lambda: (b"From joe@example.org Sat Nov 21 09:12:42 2026\r\n" + signed(), Z),
    DkimReason.KEY_NOT_FOUND: lambda: with_record(None),
    DkimReason.KEY_UNAVAILABLE: lambda: with_record(zegel.Rcode.SERVFAIL),
    DkimReason.KEY_SYNTAX: lambda: with_record("v=spf1 -all"),
    DkimReason.KEY_REVOKED: lambda: with_record("v=DKIM1; p="),
    DkimReason.KEY_OTHER_HASH: lambda: with_record(f"v=DKIM1; h=sha1; p={P}"),
    DkimReason.KEY_OTHER_SERVICE: lambda: with_record(f"v=DKIM1; s=tlsrpt; p={P}"),
    DkimReason.KEY_OTHER_TYPE: lambda: with_record(f"v=DKIM1; k=ed25519; p={samples.ed25519().public}"),
    DkimReason.KEY_STRICT_DOMAIN: lambda: with_record(f"v=DKIM1; t=s; p={P}", signed(identity="@mail.example.org")),
    DkimReason.KEY_TOO_SHORT: lambda: with_record(f"v=DKIM1; p={weak_key(512)}"),
    DkimReason.KEY_TOO_LONG: lambda: with_record(f"v=DKIM1; p={weak_key(16384)}"),
}


@pytest.mark.parametrize("reason", list(DkimReason), ids=str)
def test_reason(reason: DkimReason) -> None:
    message, zone = TABLE[reason]()
    results = zegel.verify(message, resolver=zone, now=samples.NOW)
    assert reason in {result.reason for result in results}, results
    result = next(result for result in results if result.reason is reason)
    assert result.status is reason.status
    assert reason.sentence in result.explanation
    assert not re.search(r"[\x00-\x1f]", result.explanation)


def test_the_table_covers_all_reasons() -> None:
    assert set(TABLE) == set(DkimReason)


def test_reasons_force_their_status() -> None:
    assert {DkimReason.__members__[reason.id.upper()] for reason in DkimReason} == set(DkimReason)
    assert {reason for reason in DkimReason if reason.status is DkimStatus.PASS} == {DkimReason.VERIFIED}
    assert {reason for reason in DkimReason if reason.status is DkimStatus.TEMPERROR} == {DkimReason.KEY_UNAVAILABLE}
    for reason in DkimReason:
        assert re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*", reason.id)
        assert re.fullmatch(r"RFC \d{4} [\d.]+", reason.section)
        assert str(DkimResult(reason).status) == reason.status.value


def test_a_result_says_what_could_be_read() -> None:
    message = signed(identity="joe@mail.example.org", expire=60)
    (result,) = zegel.verify(message, resolver=Z, now=samples.NOW + 60)
    assert (result.domain, result.selector, result.algorithm) == ("example.org", "rsa", "rsa-sha256")
    assert (result.identity, result.timestamp, result.expire) == ("joe@mail.example.org", samples.NOW, samples.NOW + 60)
    assert (result.key_bits, result.testing, result.normalized) == (2048, False, False)
    assert result.signature_start
    assert b"b=" + result.signature_start.encode() in message
    assert result.signed_fields[:2] == ("from", "from")
    (early,) = zegel.verify(tags(a="rsa-sha1"), resolver=Z, now=samples.NOW)
    assert (early.domain, early.selector, early.algorithm) == ("example.org", "rsa", "rsa-sha1")
    (worse,) = zegel.verify(tags(d="\u00ad", s="a b", a="x"), resolver=Z, now=samples.NOW)
    assert (worse.domain, worse.selector, worse.algorithm) == (None, None, None)


def test_expiry_is_at_the_second() -> None:
    message = signed(expire=60)
    reasons = [str(zegel.verify(message, resolver=Z, now=samples.NOW + seconds)[0].reason) for seconds in (60, 60.5)]
    assert reasons == ["verified", "expired"]


def test_each_signature_has_its_own_result() -> None:
    ed = samples.ed25519()
    both = zegel.sign(samples.MESSAGE, [samples.rsa(), ed], now=samples.NOW) + samples.MESSAGE
    broken = tags(v="3").replace(samples.MESSAGE, b"") + both
    zone = zegel.Zone.from_dict({(samples.rsa().name, "TXT"): zegel.Rcode.TIMEOUT, (ed.name, "TXT"): [ed.record]})
    results = zegel.verify(broken, resolver=zone, now=samples.NOW)
    assert [str(result.reason) for result in results] == ["version", "key_unavailable", "verified"]


def test_an_explanation_is_one_line_whatever_a_stranger_wrote() -> None:
    for odd in ("\r\n dkim=pass", "\u202egnp\u2028"):
        (result,) = zegel.verify(tags(a=f"x{odd}"), resolver=Z, now=samples.NOW)
        assert str(result.reason) == "algorithm_unknown"
        assert result.explanation.isprintable()
