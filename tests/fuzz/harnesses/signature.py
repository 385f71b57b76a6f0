"""The DKIM-Signature field: read, written, and read again. RFC 6376 3.5 and 6.1.1."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fuzz import reference, seeds
from zegel.dkim import signature
from zegel.dkim.result import DkimReason, DkimStatus
from zegel.dkim.signature import ALGORITHMS, CANONICALIZATIONS, Signature, SignatureError
from zegel.grammar.domain import Domain

WORDS = (
    *(b"v=1", b"; ", b"a=rsa-sha256", b"a=ed25519-sha256", b"a=rsa-sha1", b"c=relaxed", b"c=relaxed/simple", b"d=example.org", b"s=sel"),
    *(b"h=From", b"h=from:to", b"bh=AAAA", b"b=AAAA", b"i=@example.org", b"i=a=3Bb@sub.example.org", b"l=10", b"t=1", b"x=2", b"q=dns/txt"),
    *(b"\r\n ", b":", b" : ", b"xn--", b"\xc3\xa9", b"z=From:a|To:b", b"=C3=A9", b"\xe3\x80\x82", b"999999999999"),
)


def starts() -> Iterator[bytes]:
    yield from seeds.fields(b"dkim-signature")
    yield (
        b" v=1; a=ed25519-sha256; c=simple; d=m\xc3\xbcnchen.example; s=s; h=From:from:to; i=J=C3=B6@a.m\xc3\xbcnchen.example;"
        b" l=5; t=1; x=2; bh=AA==; b=AA"
    )


def fuzz(data: bytes) -> None:
    try:
        found = signature.parse(data)
    except SignatureError as error:
        assert error.result.status in (DkimStatus.PERMERROR,)
        assert error.result.status is error.result.reason.status
        assert error.result.explanation
        return
    accepted(found, reference.tag_list(data))
    written_again(found)


def accepted(found: Signature, tags: dict[str, str] | None) -> None:
    """What is accepted has the form that the RFC gives each tag."""
    assert tags is not None
    assert tags["v"] == "1"
    assert found.algorithm == tags["a"].lower() in ALGORITHMS
    assert CANONICALIZATIONS[tags.get("c", "simple").lower()] == (found.header_canonicalization, found.body_canonicalization)
    assert found.domain == Domain.parse(tags["d"])
    assert found.selector == Domain.parse(tags["s"])
    assert len(found.key.name) <= 253
    assert found.key.name.isascii()
    assert [item.strip(" \t\r\n").lower() for item in tags["h"].split(":")] == list(found.headers)
    assert "from" in found.headers
    assert all(re.fullmatch("[!-9;-~]+", name) for name in found.headers)
    assert found.identity_domain == found.domain or found.identity_domain.endswith("." + found.domain)
    assert found.identity.endswith(f"@{found.identity_domain}")
    assert (reference.decode(tags["b"]), reference.decode(tags["bh"])) == (found.signature, found.body_hash)
    for name, number in (("l", found.length), ("t", found.timestamp), ("x", found.expire)):
        assert (name in tags) == (number is not None)
        assert number is None or (re.fullmatch("[0-9]+", tags[name]) and number == int(tags[name]))
    assert found.expire is None or found.timestamp is None or found.timestamp < found.expire
    result = found.result(DkimReason.VERIFIED)
    assert (result.status, result.domain, result.signed_fields) == (DkimStatus.PASS, found.domain, found.headers)


def written_again(found: Signature) -> None:
    form = f"{found.header_canonicalization}/{found.body_canonicalization}"
    text = signature.format_unsigned(found, canonicalization=form, identity=None) + signature.format_signature(found.signature)
    plain = found._replace(length=None, identity=f"@{found.domain}", identity_domain=found.domain)
    assert signature.parse(text) == plain
    for line in text.split(b"\r\n")[1:]:
        assert line[:1] == b" "
        assert line.strip()
    assert b"\r" not in text.replace(b"\r\n", b"")
    assert text.isascii()
