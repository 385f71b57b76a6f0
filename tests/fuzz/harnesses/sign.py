"""Signing: every message that is one can be signed, and what we sign verifies, by us, by the slow reference, and by dkimpy. RFC 6376 5."""

from __future__ import annotations

import re
from collections.abc import Iterator

import dkim
from fuzz import reference, seeds, signer
from fuzz.harnesses.forge import agree
from zegel.ask import rehearse
from zegel.dkim.sign import Style, hop_may_break, sign_message
from zegel.dkim.verify import verify_message
from zegel.grammar.message import split_message
from zegel.limits import Limits

WORDS = (
    b"\r\n",
    b"From: a\r\n",
    b"\r\n\r\n",
    b"\r\n ",
    b" \r\n",
    b"To:",
    b"Content-X: y\r\n",
    b"DKIM-Signature: b=\r\n",
    b"\0",
    b"  ",
    b"from :",
    b"\xc3\xa9",
)
_FORMS = ("simple/simple", "simple/relaxed", "relaxed/simple", "relaxed/relaxed")
_HEADERS = (None, ("from",), ("From", "subject", "x-absent", "FROM"), ("dkim-signature", "from"))
_IDENTITIES = (None, None, f"@sub.{signer.DOMAIN}", f"a b;c=d\xe9@{signer.DOMAIN}")
_LIMITS = Limits(header_bytes=1 << 20)
# Nothing in it that the two could read differently: no folds, no odd names, no bare CR or LF, no octets beyond ASCII.
_PLAIN = re.compile(rb"(?:[A-Za-z-]+: [!-~][ -~]*\r\n)+\r\n(?:[ -~\t]*\r\n)*")


def starts() -> Iterator[bytes]:
    yield from (bytes((number % 128 | 128,)) + message for number, message in enumerate(seeds.messages()))


def fuzz(data: bytes) -> None:
    how, message = (data[0] if data else 0), data[1:]
    if reference.CRLF not in message:
        message = message.replace(b"\n", reference.CRLF)  # what is put in front has CRLF, so the message must
    headers, identity = _HEADERS[how >> 2 & 3], _IDENTITIES[how >> 4 & 3]
    style = Style(_FORMS[how & 3], headers, identity, 900_000_000 if how & 64 else None)
    fields, body, bad = reference.split(message)
    has_from = any(name.rstrip(b" \t").lower() == b"from" for name, _ in fields)
    keys = [signer.ed25519(), signer.rsa()] if how & 64 else [signer.ed25519()]
    # Two new signatures of which each says that there is no other cannot both be true.
    alone = len(keys) > 1 and headers == _HEADERS[3] and not any(name.rstrip(b" \t").lower() == b"dkim-signature" for name, _ in fields)
    try:
        signed = sign_message(message, keys, style, now=signer.NOW)
    except ValueError:
        assert bad or not has_from or alone
        return
    assert has_from
    assert not bad
    assert not alone
    hop_may_break(split_message(message, header_bytes=1 << 20).header, body)
    passes = verifies(signed, message, headers is None)
    # dkimpy lets a signature that names dkim-signature sign itself, and says fail where a From is added (ours is policy).
    if (
        passes
        and how & 128
        and headers != _HEADERS[3]
        and len(message) < 2000
        and _PLAIN.fullmatch(message)
        and not re.search(rb"(?im)^dkim-signature:", message)
    ):
        assert by_dkimpy(signed, message, 1 + (how >> 6 & 1)), signed + message


def verifies(signed: bytes, message: bytes, ours: bool) -> bool:
    """The new signatures are true; with our choice of fields they pass, but for more instances of one than we name. Tell if all pass."""
    new = len(reference.split(signed)[0])
    results = rehearse(verify_message(signed + message, now=signer.NOW + 5, limits=_LIMITS), signer.zone().answer)[:new]
    agree(results, reference.judge(signed + message, signer.holds, signer.NOW + 5)[:new], signed + message)
    assert all(str(result.status) in ("pass", "policy") for result in results), results
    if ours and len(reference.split(message)[0]) <= 64:
        assert all(str(result.status) == "pass" for result in results), results
    for line in signed.split(reference.CRLF):
        assert len(line) <= 200
        assert line.strip() or not line
    return all(str(result.status) == "pass" for result in results)


def by_dkimpy(signed: bytes, message: bytes, count: int) -> bool:
    records = {key.name: key.record for key in (signer.ed25519(), signer.rsa())}

    def look_up(name: bytes, timeout: int = 5) -> bytes:
        return records[name.decode().rstrip(".")].encode()

    return all(dkim.DKIM(signed + message).verify(idx=index, dnsfunc=look_up) for index in range(count))
