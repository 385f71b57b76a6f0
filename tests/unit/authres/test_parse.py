"""The two readers: what the strict one takes and refuses, what the lenient one takes beside it, and that both are bounded."""

from __future__ import annotations

from contextlib import suppress
from enum import StrEnum

import pytest

import zegel
from support.work import calls
from zegel.authres.lexer import MAX_NESTED, MAX_NESTING
from zegel.authres.model import AuthenticationResults, MethodResult, Property
from zegel.authres.parse import MAX_LENGTH, MAX_PROPERTIES, MAX_RESULTS, parse


def one(text: str, *, lenient: bool = False) -> MethodResult:
    (result,) = parse(f"x.example; {text}", lenient=lenient).results
    return result


def properties(text: str, *, lenient: bool = False) -> list[tuple[str, str, str]]:
    return [tuple(item) for item in one(f"dkim=pass {text}", lenient=lenient).properties]  # type: ignore[misc]


def test_a_whole_field() -> None:
    """RFC 8601 B.6 and B.7 in one, with the properties that were registered since."""
    field = (
        b"Authentication-Results: (c) mail.example.org (c) 1 (c)\r\n"
        b' ; dkim / 1 = (c) PASS reason = "good (signature); really" header . d (c) = example.com header.s=s1\r\n'
        b'\theader.a=rsa-sha256 header.b="ab/+cd=" header.i=@example.com;\r\n'
        b" spf=fail smtp.mailfrom=joe+tag@example.com smtp.helo=mx.example.com;\r\n"
        b" arc=pass header.oldest-pass=0 smtp.remote-ip=192.0.2.1 ; dmarc=pass header.from=example.com policy.dmarc=reject\r\n"
    )
    read = zegel.parse_authentication_results(field)
    assert (read.authserv_id, read.version) == ("mail.example.org", 1)
    assert [(item.method, item.version, item.result, item.reason) for item in read.results] == [
        ("dkim", 1, "pass", "good (signature); really"),
        ("spf", 1, "fail", ""),
        ("arc", 1, "pass", ""),
        ("dmarc", 1, "pass", ""),
    ]
    assert list(read.results[0].properties) == [
        ("header", "d", "example.com"),
        ("header", "s", "s1"),
        ("header", "a", "rsa-sha256"),
        ("header", "b", "ab/+cd="),
        ("header", "i", "@example.com"),
    ]
    assert read.results[1].value("smtp", "mailfrom") == "joe+tag@example.com"
    assert read.results[1].value("header", "from") is None
    assert list(read.results[2].properties) == [("header", "oldest-pass", "0"), ("smtp", "remote-ip", "192.0.2.1")]
    assert read.results[3].value("policy", "dmarc") == "reject"


def test_the_field_may_come_in_several_ways() -> None:
    """With its name or without, folded (RFC 5322 2.2.3), as text or as octets."""
    wanted = AuthenticationResults("x.example", (MethodResult("spf", "pass"),))
    for field in (
        "Authentication-Results: x.example; spf=pass",
        b"AUTHENTICATION-results:x.example;spf=pass\r\n",
        b" x.example;\r\n spf=pass",
        "x.example;\n\tspf=pass\n",
    ):
        assert parse(field) == parse(field, lenient=True) == wanted


VALUES = [
    ("header.d=a.example", "a.example"),
    ('header.d="a.example"', "a.example"),
    ('header.d="a\\"; dkim=pass; \\\\"', 'a"; dkim=pass; \\'),
    ("header.d=a.example(c)", "a.example"),
    ("header.d=(a)a.example(b)", "a.example"),
    ("header.d=joe@a.example", "joe@a.example"),
    ("header.d=bounce/a=b?c@a.example", "bounce/a=b?c@a.example"),
    ("header.d=joe (c) @a.example", "joe@a.example"),
    ('header.d="joe; b"@a.example', '"joe; b"@a.example'),
    ('header.d="joe" (c) @a.example', '"joe"@a.example'),
    ("header.d=@a.example", "@a.example"),
    ("header.d=jörg@bücher.example", "jörg@bücher.example"),
    ("header.d=bücher.example", "bücher.example"),
    ("header.d=a'b%c", "a'b%c"),
]


@pytest.mark.parametrize(("text", "value"), VALUES)
def test_values(text: str, value: str) -> None:
    """Tokens, quoted strings (UTF-8 in them by RFC 6532 3) and addresses (RFC 6531 3.3)."""
    assert properties(text) == [("header", "d", value)]
    assert properties(f"{text} smtp.helo=x") == [("header", "d", value), ("smtp", "helo", "x")]


REFUSED = [
    "",
    "x.example",
    "x.example;",
    "; dkim=pass",
    "x.example dkim=pass",
    "x.example; dkim",
    "x.example; dkim=",
    "x.example; dkim=pass;",
    "x.example;; dkim=pass",
    "x.example; none; dkim=pass",
    "x.example; dkim=pass; none",
    "x.example; none none",
    "x.example 2; dkim=pass",
    "x.example 1 1; dkim=pass",
    "x.example 1.0; dkim=pass",
    "x@y; dkim=pass",
    "bücher.example; dkim=pass",
    'x.example"y"; dkim=pass',
    "x.example; dkim/=pass",
    "x.example; dkim/x=pass",
    "x.example; dkim/1234567890=pass",
    "x.example; dk im=pass",
    "x.example; dkim-=pass",
    "x.example; dkim=pa_ss",
    "x.example; dkim=pass=fail",
    "x.example; dkim=pass header.d",
    "x.example; dkim=pass header.d=",
    "x.example; dkim=pass header=x",
    "x.example; dkim=pass header.d=a;b",
    "x.example; dkim=pass header.d=a b",
    "x.example; dkim=pass header.d=a/b",
    "x.example; dkim=pass header.d=a@b",
    "x.example; dkim=pass header.d=a@b@c.d",
    "x.example; dkim=pass header.d=.a@b.c",
    "x.example; dkim=pass header.d=a..b@c.d",
    "x.example; dkim=pass header.d=a@-b.c",
    "x.example; dkim=pass header.d=a@b.c.",
    "x.example; dkim=pass header.d=<a@b.c>",
    "x.example; dkim=pass reason",
    "x.example; dkim=pass reason=a b",
    'x.example; dkim=pass reason="a',
    'x.example; dkim=pass reason="a\\"',
    'x.example; dkim=pass reason="a"header.d=b',
    "x.example; dkim=pass header.d=a reason=b",
    "x.example; dkim=pass reason=a reason=b",
    "x.example; dkim=pass action=none",
    "x.example; dkim=pass (a",
    "x.example; dkim=pass (a))",
    "x.example; dkim=pass )",
    "x.example (; dkim=pass",
    "x.example; dkim=timeout",
    "x.example; spf=bestguesspass",
    "x.example; dkim=pass\x00",
    "x.example; dkim=pass\r\nSubject: x",
    "x.example; dkim=pass\r\n\r\nbody",
    "x.example; dkim=pass\r",
    "x.example; dkim=pass\r\n dkim=\rpass",
    "x.example;\x0bdkim=pass",
    "Received: from x; none",
    "Authentication-Results : x.example; none",
    "ARC-Authentication-Results: i=1; x.example; none",
    "i=1; x.example; none",
    "x.example; " + "; ".join(["dkim=pass"] * (MAX_RESULTS + 1)),
    "x.example; dkim=pass" + " header.d=x" * (MAX_PROPERTIES + 1),
    "x.example " + "(" * (MAX_NESTING + 1) + ")" * (MAX_NESTING + 1) + "; dkim=pass",
    "x.example " + "((a))" * MAX_NESTED + "; dkim=pass",
    "x.example; dkim=pass (" + "x" * MAX_LENGTH + ")",
]


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: ascii(text[:50]))
def test_what_is_no_field(text: str) -> None:
    """Among them words that are no keyword of RFC 5321 4.1.2."""
    with pytest.raises(ValueError):
        parse(text)
    with pytest.raises(ValueError):
        parse(text.encode())


LENIENT = [
    ("x.example", []),
    ("x.example;", []),
    ("x.example; dkim=pass;", [("dkim", "pass")]),
    ("x.example;; dkim=pass; ;", [("dkim", "pass")]),
    ("bücher.example; dkim=pass", [("dkim", "pass")]),
    ("x.example/y:z; dkim=pass", [("dkim", "pass")]),
    ("dkim=pass", [("dkim", "pass")]),
    ("dkim=timeout (x); spf=pass", [("dkim", "timeout"), ("spf", "pass")]),
    ("Authentication-Results : x.example; spf=pass", [("spf", "pass")]),
    ("x.example; dmarc=pass action=none header.from=a", [("dmarc", "pass")]),
]


@pytest.mark.parametrize(("text", "results"), LENIENT)
def test_what_only_the_lenient_reader_takes(text: str, results: list[tuple[str, str]]) -> None:
    with pytest.raises(ValueError):
        parse(text)
    assert [(item.method, item.result) for item in parse(text, lenient=True).results] == results


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("header.d=ab/c+d=", "ab/c+d="),
        ("header.d=https://a.example/b?c=d,e", "https://a.example/b?c=d,e"),
        ("header.d=<a@b.c>", "<a@b.c>"),
        ("header.d=", ""),
        ("header.d=2001:db8::1", "2001:db8::1"),
        ("header.d=a/b(c)", "a/b"),
    ],
)
def test_values_that_only_the_lenient_reader_takes(text: str, value: str) -> None:
    with pytest.raises(ValueError):
        properties(text)
    assert properties(text, lenient=True) == [("header", "d", value)]


BROKEN = [
    'x.example; dkim=pass reason="a',
    'x.example; dkim=pass header.d=a"b',
    "x.example; dkim=pass (a",
    "x.example; dkim=pass )",
    "x.example 2; dkim=pass",
    "x.example; dkim",
    "=",
    ";",
    " ",
    "",
]


def test_the_lenient_reader_is_not_fooled_by_quotes_and_comments() -> None:
    """What stands in these is no result, for whichever reader."""
    for text in ('dkim=fail reason="; spf=pass; x"', "dkim=fail (; spf=pass; x)", 'dkim=fail header.d="x; spf=pass"'):
        assert [(item.method, item.result) for item in parse(f"x.example; {text}", lenient=True).results] == [("dkim", "fail")]
    for text in BROKEN:
        with pytest.raises(ValueError):
            parse(text, lenient=True)


def test_bytes_are_utf_8() -> None:
    with pytest.raises(ValueError):
        parse(b"x.example; dkim=pass (\xff)")
    assert parse(b"x.example; dkim=pass (\xff) header.d=a.example", lenient=True).results[0].value("header", "d") == "a.example"
    with pytest.raises(TypeError):
        parse(7)  # type: ignore[arg-type]


# The fields of RFC 8601 B.2 to B.7, written from the text; of B.1 there is none.
EXAMPLES = {
    "example.org 1; none": [],
    "example.com;\r\n          spf=pass smtp.mailfrom=example.net": ["spf pass smtp.mailfrom=example.net"],
    "example.com;\r\n auth=pass (cram-md5) smtp.auth=sender@example.net;\r\n spf=pass smtp.mailfrom=example.net": [
        "auth pass smtp.auth=sender@example.net",
        "spf pass smtp.mailfrom=example.net",
    ],
    "example.com; iprev=pass\r\n          policy.iprev=192.0.2.200": ["iprev pass policy.iprev=192.0.2.200"],
    "example.com;\r\n dkim=pass (good signature) header.d=example.com": ["dkim pass header.d=example.com"],
    'example.com;\r\n dkim=pass reason="good signature"\r\n  header.i=@mail-router.example.net;\r\n'
    ' dkim=fail reason="bad signature"\r\n  header.i=@newyork.example.com': [
        "dkim pass good signature header.i=@mail-router.example.net",
        "dkim fail bad signature header.i=@newyork.example.com",
    ],
    "example.net;\r\n dkim=pass (good signature) header.i=@newyork.example.com": ["dkim pass header.i=@newyork.example.com"],
    "foo.example.net (foobar) 1 (baz);\r\n dkim (Because I like it) / 1 (One yay) = (wait for it) fail\r\n"
    "  policy (A dot can go here) . (like that) expired\r\n"
    "  (this surprised me) = (as I wasn't expecting it) 1362471462": ["dkim fail policy.expired=1362471462"],
}


@pytest.mark.parametrize(("field", "found"), EXAMPLES.items(), ids=lambda value: str(value)[:30])
def test_the_examples_of_the_rfc(field: str, found: list[str]) -> None:
    for lenient in (False, True):
        read = parse(f"Authentication-Results: {field}\r\n", lenient=lenient)
        assert read.authserv_id == field.replace(" ", ";").partition(";")[0]
        told = [[item.method, item.result, item.reason, *("{}.{}={}".format(*one) for one in item.properties)] for item in read.results]
        assert [" ".join(filter(None, words)) for words in told] == found


OURS: list[tuple[str, type[StrEnum]]] = [
    ("dkim", zegel.DkimStatus),
    ("spf", zegel.SpfStatus),
    ("arc", zegel.ArcStatus),
    ("dmarc", zegel.DmarcStatus),
]


@pytest.mark.parametrize(("method", "statuses"), OURS)
def test_every_word_of_ours_is_registered(method: str, statuses: type[StrEnum]) -> None:
    """RFC 8601 4: "each "result" MUST refer to a result code declared in the IANA registry"; RFC 8601 2.7.7: others are none."""
    for status in statuses:
        assert one(f"{method}={status}").result == status
    with pytest.raises(ValueError, match="not registered"):
        one(f"{method}=excellent")


def test_versions_are_read() -> None:
    """RFC 8601 2.6: one of the field that is not known ends the reading (REFUSED has it); one of a method is told."""
    assert one("dkim/2=pass").version == 2
    assert parse("x.example 01; dkim=pass").version == 1
    assert AuthenticationResults("x.example", (MethodResult("dkim", "pass", version=2),)).format() == b" x.example;\r\n dkim/2=pass"


def test_what_cannot_be_written() -> None:
    for field in (
        AuthenticationResults("x.example", (), version=2),
        AuthenticationResults("x.example", (MethodResult("dkim", "pass", version=-1),)),
        AuthenticationResults("x.example", (MethodResult("dkim", "pass", properties=(Property("header d", "x", "y"),)),)),
        AuthenticationResults("x.example", (MethodResult("dkim", "pass", properties=(Property("header", "d=x; dkim", "y"),)),)),
    ):
        with pytest.raises(ValueError):
            field.format()


PIECES = [
    b"(",
    b"(a)",
    b"((a))",
    b"()",
    b"; dkim=pass",
    b" header.d=x",
    b"a",
    b'"a" ',
    b"\\",
    b"\r\n ",
    b";",
    b"-",
    b"@",
    b"\xc3\xa9",
    b'"',
]
PIECES += [b"=", b".a", b" a=b"]


def steps(field: bytes, lenient: bool) -> int:
    def read() -> None:
        with suppress(ValueError):
            parse(field, lenient=lenient)

    return calls(read)


@pytest.mark.parametrize("lenient", [False, True])
@pytest.mark.parametrize("piece", PIECES)
def test_twice_the_text_is_twice_the_work(piece: bytes, lenient: bool) -> None:
    begun = b"x.example; dkim=pass"
    for start in (b"", b"x.example ", begun + b" ", begun + b" header.d=", begun + b' reason="'):
        one, two = (steps(start + piece * (count // len(piece)), lenient) for count in (8_000, 16_000))
        assert two <= 2.5 * one + 50
        assert one < 10 * 8_000
