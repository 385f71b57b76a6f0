"""The Received-SPF field: by the grammar of RFC 7208 9.1, read back with the e-mail library and by hand."""

from __future__ import annotations

import re

import pytest

import zegel
from zegel.spf.received import FIELD as NAME
from zegel.spf.received import format_received_spf

ZONE = zegel.Zone.from_dict(
    {
        ("example.org", "TXT"): ["v=spf1 include:_spf.example.org -all"],
        ("_spf.example.org", "TXT"): ["v=spf1 ip4:192.0.2.0/24 ?all"],
        ("broken.example", "TXT"): ["v=spf1 moo\u00e9"],
    }
)
# The whole grammar, after unfolding: result, a comment, key-value pairs with dot-atoms or quoted strings.
ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
PAIR = rf"[a-z-]+=(?:{ATOM}(?:\.{ATOM})*|\"(?:[^\"\\]|\\.)*\");"
FIELD = re.compile(rf"Received-SPF: [a-z]+ \((?:[^()\\]|\\.)*\)(?: {PAIR})+")
EVIL = [
    'a"; client-ip=192.0.2.9; x="',
    "a\r\nSubject: x",
    "a\r\n\r\nbody",
    "(a",
    "a)b(",
    "\\",
    'x\\"',
    "\x00\x7f\x1f",
    "é\u2028",
    " ",
    ";",
    "x" * 2000,
]


def field(mail_from: str, *, ip: str = "192.0.2.1", helo: str = "mail.example.org", receiver: str = "mx.example.net") -> list[bytes]:
    checked = zegel.check_spf(ip=ip, helo=helo, mail_from=mail_from, resolver=ZONE)
    values = [format_received_spf(result, client_ip=ip, helo=helo, receiver=receiver) for result in (checked.mail_from, checked.helo)]
    return [NAME + b":" + value + b"\r\n" for value in values]


def test_a_pass() -> None:
    mail_from, helo = field("joe@example.org")
    assert mail_from == (
        b"Received-SPF: pass\r\n"
        b" (mx.example.net: domain of example.org: the domain lets this host send)\r\n"
        b" receiver=mx.example.net; identity=mailfrom; client-ip=192.0.2.1;\r\n"
        b' envelope-from="joe@example.org"; helo=mail.example.org;\r\n'
        b' mechanism="include:_spf.example.org";\r\n'
    )
    assert b"identity=helo" in helo
    assert b"envelope-from" not in helo


def test_errors_say_the_problem_and_ipv6_is_quoted() -> None:
    (mail_from, _) = field("joe@broken.example", ip="2001:db8::1")
    assert b"Received-SPF: permerror" in mail_from
    assert b'client-ip="2001:db8::1";' in mail_from
    assert b'problem="the record is not plain ASCII (broken.example)";' in mail_from
    assert b"mechanism=default;" in mail_from


@pytest.mark.parametrize("evil", EVIL)
def test_nothing_can_be_injected(evil: str) -> None:
    for text in field(f"{evil}@example.org", helo=evil) + field(evil, ip=evil) + field("joe@example.org", receiver=evil):
        assert text.endswith(b"\r\n")
        plain = text.decode("ascii").removesuffix("\r\n").replace("\r\n ", " ")
        assert plain.isprintable()
        assert FIELD.fullmatch(plain), plain
        assert plain.count("client-ip=") - plain.count("; client-ip=192.0.2.9;") <= 1
        assert [pair.partition("=")[0] for pair in re.findall(PAIR, plain.partition(") ")[2])].count("client-ip") <= 1
        assert max(map(len, text.split(b"\r\n"))) < 998
