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
from zegel.dkim import signature
from zegel.dkim.canonical import BODY_FORMS, FIELD_FORMS
from zegel.dkim.header import Header
from zegel.grammar import taglist
from zegel.grammar.message import Field, split_message

RFC6376_MESSAGE = """\
DKIM-Signature: v=1; a=rsa-sha256; s=brisbane; d=example.com;
      c=simple/simple; q=dns/txt; i=joe@football.example.com;
      h=Received : From : To : Subject : Date : Message-ID;
      bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
      b=AuUoFEfDxTDkHlLXSZEpZj79LICEps6eda7W3deTVFOk4yAUoqOB
        4nujc7YopdG5dWLSdNg6xNAZpOPr+kHxt1IrE+NahM6L/LbvaHut
        KVdkLLkpVaVVQPzeRDI009SO2Il5Lu7rDNH6mZckBdrIx0orEtZV
        4bmp/YzhwvcubU4=;
Received: from client1.football.example.com  [192.0.2.1]
      by submitserver.example.com with SUBMISSION;
      Fri, 11 Jul 2003 21:01:54 -0700 (PDT)
From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

We lost the game. Are you hungry yet?

Joe.
"""
RFC6376_PRIVATE = """\
-----BEGIN RSA PRIVATE KEY-----
MIICXwIBAAKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYtIxN2SnFC
jxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gb
to/NMqJ0fzfVjH4OuKhitdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB
AoGBALmn+XwWk7akvkUlqb+dOxyLB9i5VBVfje89Teolwc9YJT36BGN/l4e0l6QX
/1//6DWUTB3KI6wFcm7TWJcxbS0tcKZX7FsJvUz1SbQnkS54DJck1EZO/BLa5ckJ
gAYIaqlA9C0ZwM6i58lLlPadX/rtHb7pWzeNcZHjKrjM461ZAkEA+itss2nRlmyO
n1/5yDyCluST4dQfO8kAB3toSEVc7DeFeDhnC1mZdjASZNvdHS4gbLIA1hUGEF9m
3hKsGUMMPwJBAPW5v/U+AWTADFCS22t72NUurgzeAbzb1HWMqO4y4+9Hpjk5wvL/
eVYizyuce3/fGke7aRYw/ADKygMJdW8H/OcCQQDz5OQb4j2QDpPZc0Nc4QlbvMsj
7p7otWRO5xRa6SzXqqV3+F0VpqvDmshEBkoCydaYwc2o6WQ5EBmExeV8124XAkEA
qZzGsIxVP+sEVRWZmW6KNFSdVUpk3qzK0Tz/WjQMe5z0UunY9Ax9/4PVhp/j61bf
eAYXunajbBSOLlx4D+TunwJBANkPI5S9iylsbLs6NkaMHV6k5ioHBBmgCak95JGX
GMot/L2x0IYyMLAz6oLWh2hm7zwtb0CgOrPo1ke44hFYnfc=
-----END RSA PRIVATE KEY-----
"""
RFC8463_MESSAGE = """\
DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :
 subject : date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=test; t=1528637909; h=from : to : subject :
 date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3
 DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz
 dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=
From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

We lost the game.  Are you hungry yet?

Joe.
"""
RFC8463_RSA_PRIVATE = """\
-----BEGIN RSA PRIVATE KEY-----
MIICXQIBAAKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQi
Y/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqM
KrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB
AoGAH0cxOhFZDgzXWhDhnAJDw5s4roOXN4OhjiXa8W7Y3rhX3FJqmJSPuC8N9vQm
6SVbaLAE4SG5mLMueHlh4KXffEpuLEiNp9Ss3O4YfLiQpbRqE7Tm5SxKjvvQoZZe
zHorimOaChRL2it47iuWxzxSiRMv4c+j70GiWdxXnxe4UoECQQDzJB/0U58W7RZy
6enGVj2kWF732CoWFZWzi1FicudrBFoy63QwcowpoCazKtvZGMNlPWnC7x/6o8Gc
uSe0ga2xAkEA8C7PipPm1/1fTRQvj1o/dDmZp243044ZNyxjg+/OPN0oWCbXIGxy
WvmZbXriOWoSALJTjExEgraHEgnXssuk7QJBALl5ICsYMu6hMxO73gnfNayNgPxd
WFV6Z7ULnKyV7HSVYF0hgYOHjeYe9gaMtiJYoo0zGN+L3AAtNP9huqkWlzECQE1a
licIeVlo1e+qJ6Mgqr0Q7Aa7falZ448ccbSFYEPD6oFxiOl9Y9se9iYHZKKfIcst
o7DUw1/hz2Ck4N5JrgUCQQCyKveNvjzkkd8HjYs0SwM0fPjK16//5qDZ2UiDGnOe
uEzxBDAr518Z8VFbR41in3W4Y3yCDgQlLlcETrS+zYcL
-----END RSA PRIVATE KEY-----
"""
RFC8463_ED25519_PRIVATE = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="

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
