"""The examples of RFC 6376 A.2 and A.3 (key in RFC 6376 C) and of RFC 8463 A.1, A.2 and A.3, written in from the RFCs' text.

Both algorithms are deterministic (RSA PKCS#1 v1.5, Ed25519), so given an example's own field with an empty ``b=`` the rooms must yield its
exact ``b=``. The printed indentation of RFC 6376 A.2 is not the one that was signed: under c=simple it verifies with folds of six and eight
spaces (erratum 4926).
"""

from __future__ import annotations

import base64
import hashlib
import re

import pytest

import zegel
from support.rfc_examples import RFC6376_MESSAGE, RFC6376_PRIVATE, RFC8463_ED25519_PRIVATE, RFC8463_MESSAGE, RFC8463_RSA_PRIVATE
from zegel.dkim import signature
from zegel.dkim.canonical import BODY_FORMS, FIELD_FORMS
from zegel.dkim.header import Header
from zegel.grammar import taglist
from zegel.grammar.message import Field, split_message

ZONE = zegel.Zone.parse("""
brisbane._domainkey.example.com. IN TXT (
 "v=DKIM1; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQ"
 "DwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYt"
 "IxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7"
 "od+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfV"
 "jH4OuKhitdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYck"
 "cQ2QIDAQAB")

brisbane._domainkey.football.example.com. IN TXT (
 "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=")

test._domainkey.football.example.com. IN TXT (
 "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWR"
 "iGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutAC"
 "DfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3"
 "Ip3G+2kryOTIKT+l/K4w3QIDAQAB")
""")
EXAMPLES = [
    pytest.param(RFC6376_MESSAGE, 0, zegel.Key("example.com", "brisbane", RFC6376_PRIVATE), id="RFC 6376 A.2"),
    pytest.param(RFC8463_MESSAGE, 0, zegel.Key("football.example.com", "brisbane", RFC8463_ED25519_PRIVATE), id="RFC 8463 A.3 Ed25519"),
    pytest.param(RFC8463_MESSAGE, 1, zegel.Key("football.example.com", "test", RFC8463_RSA_PRIVATE), id="RFC 8463 A.3 RSA"),
]


def crlf(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode()


def tag(value: bytes, name: str) -> str:
    """A tag by a pattern, not by our parser."""
    found = re.search(rf"(?:^|;)\s*{name}=([^;]*)", value.decode())
    assert found
    return re.sub(r"\s", "", found[1])


@pytest.mark.parametrize(("text", "number", "key"), EXAMPLES)
def test_the_signature_comes_out(text: str, number: int, key: zegel.Key) -> None:
    """Both algorithms, octet by octet: the hashes of RFC 6376 3.7, signed by RFC 6376 3.3.2 and by RFC 8463 3 (RFC 6376 5.5)."""
    split = split_message(crlf(text), header_bytes=65536)
    own = split.fields[number]
    parsed = signature.parse(own.value)
    emptied = Field(own.name, taglist.emptied(own.value, b"b"))
    assert tag(emptied.value, "b") == ""
    digest = hashlib.sha256()
    body = BODY_FORMS[parsed.body_canonicalization](digest.update)
    body.feed(split.body)
    body.finish()
    assert base64.b64encode(digest.digest()).decode() == tag(own.value, "bh")
    form = parsed.header_canonicalization
    # The signer sees the message before its field is put in front.
    header = Header(b"".join(field.raw + b"\r\n" for field in split.fields if field.key != b"dkim-signature"))
    signed = header.lines(form, header.layout.picked(parsed.headers))
    made = key.sign(b"\r\n".join([*signed, FIELD_FORMS[form](emptied)]))
    assert base64.b64encode(made).decode() == tag(own.value, "b")


@pytest.mark.parametrize(("text", "number", "key"), EXAMPLES)
def test_the_key_pair_is_the_published_one(text: str, number: int, key: zegel.Key) -> None:
    (record,) = ZONE.answer(zegel.Question(key.name, zegel.RRType.TXT)).records
    assert isinstance(record, bytes)
    assert tag(record, "p") == key.public


@pytest.mark.parametrize(("text", "count"), [(RFC6376_MESSAGE, 1), (RFC8463_MESSAGE, 2)])
def test_the_whole_message_verifies(text: str, count: int) -> None:
    """RFC 6376 A.3; RFC 8463 5: verifiers MUST implement ed25519-sha256."""
    results = zegel.verify(crlf(text), resolver=ZONE, now=1_600_000_000)
    assert [str(result.status) for result in results] == ["pass"] * count
    broken = zegel.verify(crlf(text.replace("hungry", "thirsty")), resolver=ZONE, now=1_600_000_000)
    assert [str(result.reason) for result in broken] == ["body_changed"] * count
    forged = zegel.verify(crlf(text.replace("dinner", "supper")), resolver=ZONE, now=1_600_000_000)
    assert [str(result.reason) for result in forged] == ["signature_mismatch"] * count


def test_relaxed_header_and_body_of_section_3_4_5() -> None:
    """RFC 6376 3.4.5: the examples of RFC 6376 3.4.1 to 3.4.4, <SP> <HTAB> and <CRLF> written out."""
    split = split_message(b"A: X\r\nB : Y\t\r\n\tZ  \r\n\r\n C \r\nD \t E\r\n\r\n\r\n", header_bytes=4096)
    assert [FIELD_FORMS["relaxed"](field) for field in split.fields] == [b"a:X", b"b:Y Z"]
    assert [FIELD_FORMS["simple"](field) for field in split.fields] == [b"A: X", b"B : Y\t\r\n\tZ  "]
    for form, expected in (("relaxed", b" C\r\nD E\r\n"), ("simple", b" C \r\nD \t E\r\n")):
        out: list[bytes] = []
        body = BODY_FORMS[form](out.append)
        body.feed(split.body)
        body.finish()
        assert b"".join(out) == expected


@pytest.mark.parametrize(
    ("form", "bh"),
    [("simple", "frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY="), ("relaxed", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")],
)
def test_the_hash_of_an_empty_body(form: str, bh: str) -> None:
    """The SHA-256 values, in base64, that RFC 6376 3.4.3 and 3.4.4 print for an empty body."""
    digest = hashlib.sha256()
    BODY_FORMS[form](digest.update).finish()
    assert base64.b64encode(digest.digest()).decode() == bh
