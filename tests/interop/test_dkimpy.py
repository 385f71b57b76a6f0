"""dkimpy verifies what we sign, and we verify what it signs, over one matrix: ``verify(sign(m))`` alone proves nothing."""

from __future__ import annotations

import base64
from collections.abc import Callable
from functools import partial

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

import dkim
import zegel
from support import samples

CANONICALIZATIONS = ["simple/simple", "simple/relaxed", "relaxed/simple", "relaxed/relaxed"]
BODIES = {
    "plain": b"Hello,\r\nworld.\r\n",
    "8-bit": "Dag, één émigré: 日本語\r\n".encode() + bytes(range(128, 256)) + b"\r\n",
    "empty": b"",
    "only-newlines": b"\r\n\r\n\r\n",
    "one-newline": b"\r\n",
    "no-final-newline": b"first\r\nlast",
    "many-final-newlines": b"first\r\n\r\n\r\n\r\n",
    "trailing-white-space": b"a  \r\nb\t\r\n \t \r\nc \r\n",
    "white-space-at-the-end": b"a\r\n  \t\r\n \r\n",
    "tabs": b"\tindented\twith\t\ttabs \t mixed\r\n",
    "leading-empty-lines": b"\r\n\r\ntext\r\n",
    "dots-and-from": b".\r\n..\r\nFrom here\r\n",
    "long-line": b"x" * 5000 + b" " * 3000 + b"y\r\n",
    "nul": b"a\x00b\r\n",
}
KEYS: dict[str, Callable[[], list[zegel.Key]]] = {
    "rsa": lambda: [samples.rsa()],
    "ed25519": lambda: [samples.ed25519()],
    "both": lambda: [samples.rsa(), samples.ed25519()],
}
LARGE = b"".join(b"%06d the quick  brown fox \t jumps over the lazy dog \r\n" % number for number in range(100_000))


def dns_txt(name: bytes | str, **_: object) -> bytes | None:
    """dkimpy's DNS: the same records, as bytes."""
    text = name.decode() if isinstance(name, bytes) else name
    records = samples.zone().answer(zegel.Question(text.rstrip("."), zegel.RRType.TXT)).records
    return records[0] if records and isinstance(records[0], bytes) else None


def theirs_verifies(message: bytes, count: int) -> None:
    """Each signature by itself, by number."""
    for index in range(count):
        assert dkim.DKIM(message, minkey=1024).verify(index, dnsfunc=dns_txt) is True, f"signature {index}"


def theirs_signs(message: bytes, key: zegel.Key, canonicalization: str) -> bytes:
    header, _, body = canonicalization.partition("/")
    pem = key.private_key if isinstance(key.private_key, bytes) else key.private_key.encode()
    if key.type == "ed25519":
        loaded = load_pem_private_key(pem, None)
        assert isinstance(loaded, Ed25519PrivateKey)
        pem = base64.b64encode(loaded.private_bytes_raw())
    signed: bytes = dkim.sign(
        message,
        key.selector.encode(),
        key.domain.encode(),
        pem,
        canonicalize=(header.encode(), body.encode()),
        signature_algorithm=key.algorithm.encode(),
    )
    return signed


ours_verify = partial(zegel.verify, resolver=samples.zone(), now=samples.NOW)


@pytest.mark.parametrize("canonicalization", CANONICALIZATIONS)
@pytest.mark.parametrize("keys", KEYS)
@pytest.mark.parametrize("body", BODIES)
def test_they_verify_what_we_sign(body: str, keys: str, canonicalization: str) -> None:
    message = samples.HEADER + b"\r\n" + BODIES[body]
    made = KEYS[keys]()
    signed = zegel.sign(message, made, canonicalization=canonicalization, now=samples.NOW) + message
    theirs_verifies(signed, len(made))
    assert [str(result.status) for result in ours_verify(signed)] == ["pass"] * len(made)


@pytest.mark.parametrize("canonicalization", CANONICALIZATIONS)
@pytest.mark.parametrize("keys", ["rsa", "ed25519"])
@pytest.mark.parametrize("body", BODIES)
def test_we_verify_what_they_sign(body: str, keys: str, canonicalization: str) -> None:
    message = samples.HEADER + b"\r\n" + BODIES[body]
    (key,) = KEYS[keys]()
    signed = theirs_signs(message, key, canonicalization) + message
    (result,) = ours_verify(signed)
    assert str(result.status) == "pass", result
    assert (result.domain, result.selector, result.algorithm) == (key.domain, key.selector, key.algorithm)


@pytest.mark.parametrize("canonicalization", CANONICALIZATIONS)
def test_five_megabytes(canonicalization: str) -> None:
    message = samples.HEADER + b"\r\n" + LARGE
    assert len(message) > 5_000_000
    theirs_verifies(zegel.sign(message, samples.rsa(), canonicalization=canonicalization, now=samples.NOW) + message, 1)
    (result,) = ours_verify(theirs_signs(message, samples.rsa(), canonicalization) + message)
    assert str(result.status) == "pass"


@pytest.mark.parametrize("canonicalization", CANONICALIZATIONS)
@pytest.mark.parametrize(
    "header",
    [
        b"From: a@example.org\r\nSubject:\r\nTo:\r\n\tsuzie@example.com\r\n",
        b"FROM:  a@example.org  \r\nsUBJECT:\tx\r\n  y\r\n\t\tz  \r\n",
        b"From: a@example.org\r\nSubject: \xc3\xa9t\xc3\xa9 \xe9\r\n",
        b"Subject: one\r\nFrom: a@example.org\r\nReferences: <1@a>\r\n <2@b>\r\n\t<3@c>\r\nList-Id: x\r\n",
    ],
    ids=["empty-and-folded", "odd-names", "8-bit", "several"],
)
def test_headers_both_ways(header: bytes, canonicalization: str) -> None:
    message = header + b"\r\nbody\r\n"
    theirs_verifies(zegel.sign(message, samples.rsa(), canonicalization=canonicalization, now=samples.NOW) + message, 1)
    (result,) = ours_verify(theirs_signs(message, samples.rsa(), canonicalization) + message)
    assert str(result.status) == "pass"


def test_options_are_understood() -> None:
    message = samples.HEADER + b"\r\nbody\r\n"
    field = zegel.sign(message, samples.rsa(), identity="jörg;=@mail.example.org", expire=4_000_000_000, now=samples.NOW)
    theirs_verifies(field + message, 1)
    (result,) = ours_verify(field + message)
    assert (result.identity, result.expire) == ("jörg;=@mail.example.org", 4_000_000_000)


def test_white_space_after_the_last_newline() -> None:
    """The one known difference: dkimpy keeps white space at the end of a last line that has no CRLF.

    RFC 6376 3.4.4 says "Ignore all whitespace at the end of lines", and SMTP cannot carry such a body.
    """
    message = samples.SIMPLE_HEADER + b"\r\na\r\n   "
    signed = zegel.sign(message, samples.rsa(), now=samples.NOW) + message
    assert str(ours_verify(signed)[0].status) == "pass"
    assert str(ours_verify(signed.rstrip(b" "))[0].status) == "pass"
    assert not dkim.verify(signed, minkey=1024, dnsfunc=dns_txt)
    assert dkim.verify(signed.rstrip(b" "), minkey=1024, dnsfunc=dns_txt)


@pytest.mark.parametrize("change", [(b"world", b"World"), (b"Suzie", b"Susie"), (b"d=example.org", b"d=example.com")])
def test_both_refuse_a_change(change: tuple[bytes, bytes]) -> None:
    message = samples.HEADER + b"\r\n" + BODIES["plain"]
    signed = (zegel.sign(message, samples.rsa(), now=samples.NOW) + message).replace(*change)
    assert not dkim.verify(signed, minkey=1024, dnsfunc=dns_txt)
    assert str(ours_verify(signed)[0].status) != "pass"
