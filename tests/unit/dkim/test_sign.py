"""What we sign, and how it is written."""

from __future__ import annotations

from collections import Counter

import pytest

import zegel
from support import samples
from zegel.dkim.sign import hop_may_break
from zegel.grammar.message import split_fields, split_message


def names(message: bytes, **options: object) -> Counter[str]:
    return Counter(signed_names(message, **options))


def signed_names(message: bytes, **options: object) -> tuple[str, ...]:
    field = zegel.sign(message, samples.rsa(), now=samples.NOW, **options)  # type: ignore[arg-type]
    (result,) = zegel.verify(field + message, resolver=samples.zone(), now=samples.NOW)
    assert str(result.status) == "pass", result
    return result.signed_fields


def test_the_choice_of_fields() -> None:
    """RFC 6376 5.4.1 with List-*, RFC 8058 4 too; what may be there once is named once more than it is there (RFC 6376 5.4.2, 8.15)."""
    message = (
        b"Received: x\r\nReturn-Path: <a@example.org>\r\nFrom: a@example.org\r\nTo: b@example.com\r\nTo: c@example.com\r\nSubject: s\r\n"
        b"Date: d\r\nMessage-ID: <1@example.org>\r\nReferences: <2@x>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\nX-Mine: 1\r\n"
        b"List-Id: <l.example.org>\r\nList-Unsubscribe: <https://example.org/>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
        b"Resent-From: d@example.org\r\nResent-From: e@example.org\r\nComments: c\r\nAuthentication-Results: x; none\r\n\r\nbody\r\n"
    )
    assert names(message) == {
        "from": 2,
        "to": 3,
        "subject": 2,
        "date": 2,
        "message-id": 2,
        "mime-version": 2,
        "content-type": 2,
        "cc": 1,
        "reply-to": 1,
        "content-transfer-encoding": 1,
        "references": 1,
        "list-id": 1,
        "list-unsubscribe": 1,
        "list-unsubscribe-post": 1,
        "resent-from": 2,
    }


def test_what_the_next_server_may_add_is_not_named_when_absent() -> None:
    """RFC 6409 8.1 to 8.3: a submission server may add Sender, Date and Message-ID."""
    message = b"From: a@example.org\r\n\r\nbody\r\n"
    found = names(message)
    assert not {"sender", "date", "message-id"} & set(found)
    field = zegel.sign(message, samples.rsa(), now=samples.NOW)
    added = field + b"Sender: b@example.org\r\nDate: d\r\nMessage-ID: <1@x>\r\nReceived: y\r\n" + message
    assert str(zegel.verify(added, resolver=samples.zone(), now=samples.NOW)[0].status) == "pass"
    for line in (b"From: x@evil.example\r\n", b"Subject: spoof\r\n", b"Reply-To: x@evil.example\r\n", b"Content-Type: text/html\r\n"):
        for altered in (line + field + message, field + message.replace(b"\r\n\r\n", b"\r\n" + line + b"\r\n", 1)):
            assert str(zegel.verify(altered, resolver=samples.zone(), now=samples.NOW)[0].status) != "pass", line


def test_names_are_in_the_order_of_the_choice() -> None:
    assert signed_names(samples.MESSAGE)[:4] == ("from", "from", "to", "to")


def test_headers_replaces_the_choice() -> None:
    assert signed_names(samples.MESSAGE, headers=["Subject", "FROM", "x-absent"]) == ("subject", "from", "x-absent")


@pytest.mark.parametrize("canonicalization", ["simple", "relaxed", "simple/relaxed", "relaxed/simple", "simple/simple", "relaxed/relaxed"])
def test_canonicalization(canonicalization: str) -> None:
    field = zegel.sign(samples.MESSAGE, samples.rsa(), canonicalization=canonicalization, now=samples.NOW)
    written = canonicalization if "/" in canonicalization else f"{canonicalization}/simple"
    assert f"c={written};".encode() in field


def test_the_text_of_a_field() -> None:
    field = zegel.sign(samples.MESSAGE, samples.rsa(), identity="joe@mail.example.org", expire=3600, now=samples.NOW)
    assert field.startswith(b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=rsa;\r\n i=joe@mail.example.org;")
    assert f"t={samples.NOW}; x={samples.NOW + 3600};".encode() in field.replace(b"\r\n", b"")
    assert b"l=" not in field.partition(b"bh=")[0].replace(b"rel", b"")
    assert field.endswith(b"\r\n")
    lines = field.removesuffix(b"\r\n").split(b"\r\n")
    assert max(map(len, lines)) <= 78
    assert all(line[:1] == b" " and line.strip() for line in lines[1:])
    assert split_fields(field)[1] == 0


def test_a_long_selector_and_domain_fold() -> None:
    key = zegel.Key(".".join(["a" * 60, "b" * 60, "example"]), "c" * 60, samples.rsa().private_key)
    field = zegel.sign(samples.MESSAGE, key, now=samples.NOW)
    zone = zegel.Zone.from_dict({(key.name, "TXT"): [key.record]})
    assert str(zegel.verify(field + samples.MESSAGE, resolver=zone, now=samples.NOW)[0].status) == "pass"
    assert max(map(len, field.split(b"\r\n"))) < 140


def test_several_keys() -> None:
    fields = zegel.sign(samples.MESSAGE, [samples.rsa(), samples.ed25519()], now=samples.NOW)
    results = zegel.verify(fields + samples.MESSAGE, resolver=samples.zone(), now=samples.NOW)
    assert [(result.selector, str(result.status)) for result in results] == [("rsa", "pass"), ("ed", "pass")]
    reverse = zegel.sign(samples.MESSAGE, [samples.ed25519(), samples.rsa()], now=samples.NOW)
    assert split_fields(reverse)[0] == split_fields(fields)[0][::-1]


def test_expire_as_a_time() -> None:
    field = zegel.sign(samples.MESSAGE, samples.rsa(), expire=1_900_000_000, now=samples.NOW)
    assert b"x=1900000000;" in field


def test_now_may_be_a_float_and_defaults_to_the_clock() -> None:
    assert b"t=1790000000;" in zegel.sign(samples.MESSAGE, samples.rsa(), now=1_790_000_000.9)
    assert b"t=" in zegel.sign(samples.MESSAGE, samples.rsa())


def test_identity_is_encoded() -> None:
    field = zegel.sign(samples.MESSAGE, samples.rsa(), identity="a b;c=d|é@EXAMPLE.org", now=samples.NOW)
    assert "i=a=20b=3Bc=3Dd|é@example.org;".encode() in field
    (result,) = zegel.verify(field + samples.MESSAGE, resolver=samples.zone(), now=samples.NOW)
    assert (str(result.status), result.identity) == ("pass", "a b;c=d|é@example.org")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"canonicalization": "nofws"}, "canonicalization is one of"),
        ({"canonicalization": ""}, "canonicalization is one of"),
        ({"headers": []}, "from"),
        ({"headers": ["to"]}, "from"),
        ({"headers": ["from", "a b"]}, "names of header fields"),
        ({"headers": ["from", "a;b"]}, "names of header fields"),
        ({"headers": ["from", "é"]}, "names of header fields"),
        ({"headers": ["from", ""]}, "names of header fields"),
        ({"expire": 0}, "expire"),
        ({"expire": -5}, "expire"),
        ({"expire": samples.NOW}, "expire is a time that has passed"),
        ({"expire": 1_000_000_000}, "expire is a time that has passed"),
        ({"identity": "joe"}, "identity"),
        ({"identity": "joe@example.com"}, "not within example.org"),
        ({"identity": "joe@a b"}, "not a domain name"),
    ],
)
def test_misuse(options: dict[str, object], words: str) -> None:
    """RFC 6376 5.4 for headers, RFC 6376 3.5 for i= and x=."""
    with pytest.raises(ValueError, match=words):
        zegel.sign(samples.MESSAGE, samples.rsa(), now=samples.NOW, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "message",
    [
        b"To: a@example.com\r\n\r\nbody\r\n",
        b"",
        b"\r\nbody",
        b"From joe Sat\r\nFrom: a@example.org\r\n\r\nx",
        b"From: a\r\nno field\r\n\r\n",
    ],
)
def test_what_is_no_message_is_not_signed(message: bytes) -> None:
    with pytest.raises(ValueError):
        zegel.sign(message, samples.rsa(), now=samples.NOW)


def test_signatures_are_signed_with_one_key_at_a_time() -> None:
    """RFC 6376 4.2: earlier DKIM-Signature fields MAY be signed; the two new ones of two keys cannot sign each other."""
    headers = ["from", "dkim-signature", "dkim-signature"]
    with pytest.raises(ValueError, match="several keys"):
        zegel.sign(samples.MESSAGE, [samples.rsa(), samples.ed25519()], headers=headers, now=samples.NOW)
    once = zegel.sign(samples.MESSAGE, samples.rsa(), now=samples.NOW) + samples.MESSAGE
    twice = zegel.sign(once, samples.ed25519(), headers=headers, now=samples.NOW) + once
    assert [str(result.status) for result in zegel.verify(twice, resolver=samples.zone(), now=samples.NOW)] == ["pass", "pass"]
    changed = twice.replace(b"c=relaxed/relaxed; d=example.org; s=rsa", b"c=relaxed/relaxed; d=example.org;  s=rsa\t; zz=1")
    assert [str(result.status) for result in zegel.verify(changed, resolver=samples.zone(), now=samples.NOW)] == ["fail", "fail"]


def test_no_key() -> None:
    with pytest.raises(ValueError, match="at least one key"):
        zegel.sign(samples.MESSAGE, [], now=samples.NOW)
    with pytest.raises(TypeError):
        zegel.sign(samples.MESSAGE, ["pem"], now=samples.NOW)  # type: ignore[list-item]


def test_many_instances_of_one_field() -> None:
    message = b"From: a@example.org\r\n" + b"References: <1@x>\r\n" * 200 + b"\r\nbody\r\n"
    assert names(message)["references"] == 64


def test_eight_bit_messages_are_signed_as_they_are() -> None:
    """Signed and warned of, not encoded anew: RFC 6376 5.3, and RFC 5322 2.1.1 for long lines."""
    message = "From: a@example.org\r\nSubject: é\r\n\r\né\r\n".encode("latin-1")
    assert signed_names(message)
    split = split_message(message, header_bytes=4096)
    assert hop_may_break(split.header, split.body) == "8-bit data in the body"
    assert hop_may_break(split.header, b"plain") == "8-bit data in the header"
    assert hop_may_break(b"", b"x" * 998 + b"\r\n" + b"y" * 998) is None
    assert hop_may_break(b"", b"x" * 999) == "a line of over 998 octets"
    assert hop_may_break(b"", b"short\r\n" * 200 + b"x" * 998 + b"\r\n" + b"y" * 500) is None
    assert hop_may_break(b"", b"short\r\n" * 200 + b"x" * 999 + b"\r\n" + b"y" * 500) == "a line of over 998 octets"


@pytest.mark.parametrize(
    ("chunk", "alone"),
    [
        *((b"a\r\nb\r\n", False), (b"a\nb\r\n", True), (b"a\rb\r\n", True), (b"a\r\r\n", True), (b"a\n\r\n", True), (b"a\n\rb", True)),
        # Halves of a CRLF that a chunk boundary cut.
        *(
            (b"\n", False),
            (b"\r", False),
            (b"\na\r", False),
            (b"\na\nb\r", True),
            (b"\n\n", True),
            (b"\r\r", True),
            (b"\r\n\r", False),
            (b"", False),
        ),
    ],
)
def test_a_cr_or_lf_alone_is_told(chunk: bytes, alone: bool) -> None:
    """RFC 6376 5.3: what a mail server would make CRLF of is not what was signed."""
    assert hop_may_break(b"", chunk) == ("a CR or LF alone in the body" if alone else None)


@pytest.mark.parametrize("text", ["", "x", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "AAAA"])
def test_no_private_key(text: str) -> None:
    with pytest.raises(ValueError, match="private key"):
        zegel.Key("example.org", "a", text)


def test_keys() -> None:
    key = samples.rsa()
    assert (key.name, key.type, key.algorithm, key.bits) == ("rsa._domainkey.example.org", "rsa", "rsa-sha256", 2048)
    assert key.record == f"v=DKIM1; k=rsa; p={key.public}"
    assert (samples.ed25519().type, samples.ed25519().algorithm, samples.ed25519().bits) == ("ed25519", "ed25519-sha256", 256)
    assert "PRIVATE" not in repr(key)
    assert zegel.Key("BÜCHER.example", "S1", key.private_key).name == "s1._domainkey.xn--bcher-kva.example"
    assert zegel.Key(key.domain, key.selector, key.private_key) == key
    with pytest.raises(ValueError):
        zegel.Key("exa mple", "s", key.private_key)
    with pytest.raises(ValueError, match="rsa2048"):
        zegel.Key.generate("example.org", "s", "dsa")  # type: ignore[arg-type]


def test_two_new_signatures_cannot_each_be_the_only_one() -> None:
    both, headers = [samples.rsa(), samples.ed25519()], ["from", "dkim-signature"]
    with pytest.raises(ValueError, match="each would break the other"):
        zegel.sign(samples.MESSAGE, both, headers=headers)
    earlier = zegel.sign(samples.MESSAGE, samples.rsa(), now=samples.NOW) + samples.MESSAGE
    message = zegel.sign(earlier, both, headers=headers, now=samples.NOW) + earlier
    assert [str(result.status) for result in zegel.verify(message, resolver=samples.zone(), now=samples.NOW)] == ["pass"] * 3
