"""Macro strings: the RFC's own table of expansions, and what its grammar does not allow."""

from __future__ import annotations

import pytest

import zegel
from zegel.ask import rehearse
from zegel.spf.client import Client
from zegel.spf.macro import MacroError, parse_domain_spec, parse_explanation, parse_macro_string, target_name
from zegel.spf.mechanisms import Evaluation
from zegel.spf.session import Session, mail_from_sender

ZONE = zegel.Zone.from_dict(
    {
        ("3.2.0.192.in-addr.arpa", "PTR"): ["mx.example.org"],
        ("mx.example.org", "A"): ["192.0.2.3"],
    }
)


def expand(text: str, *, ip: str = "192.0.2.3", sender: str = "strong-bad@email.example.com", helo: str = "mx.example.org") -> str:
    """Expand an explain-string, which allows every letter, in a record of email.example.com."""
    evaluation = Evaluation(Session(Client.parse(ip), helo, "mta.example.net", 1_700_000_000.9), mail_from_sender(sender, helo))
    rehearse(evaluation.validate(), ZONE.answer)
    return parse_explanation(text).expand(evaluation.value, "email.example.com")


# RFC 7208 7.4
RFC = {
    "%{s}": "strong-bad@email.example.com",
    "%{o}": "email.example.com",
    "%{d}": "email.example.com",
    "%{d4}": "email.example.com",
    "%{d3}": "email.example.com",
    "%{d2}": "example.com",
    "%{d1}": "com",
    "%{dr}": "com.example.email",
    "%{d2r}": "example.email",
    "%{l}": "strong-bad",
    "%{l-}": "strong.bad",
    "%{lr}": "strong-bad",
    "%{lr-}": "bad.strong",
    "%{l1r-}": "strong",
    "%{ir}.%{v}._spf.%{d2}": "3.2.0.192.in-addr._spf.example.com",
    "%{lr-}.lp._spf.%{d2}": "bad.strong.lp._spf.example.com",
    "%{lr-}.lp.%{ir}.%{v}._spf.%{d2}": "bad.strong.lp.3.2.0.192.in-addr._spf.example.com",
    "%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}": "3.2.0.192.in-addr.strong.lp._spf.example.com",
    "%{d2}.trusted-domains.example.net": "example.com.trusted-domains.example.net",
}
MORE = {
    "%{p}": "mx.example.org",
    "%{h}": "mx.example.org",
    "%{c} %{r} %{t}": "192.0.2.3 mta.example.net 1700000000",
    "%%%_%-": "% %20",
    "%{S}": "strong-bad%40email.example.com",
    "%{D2}": "example.com",
    "%{L1r-}": "strong",
    "%{DR}": "com.example.email",
    "%{d00002}": "example.com",
    "%{d128}": "email.example.com",
    "%{d99999999999999999999999999}": "email.example.com",
    "%{d1r}": "email",
    "": "",
}


@pytest.mark.parametrize(("text", "expected"), [*RFC.items(), *MORE.items()])
def test_expansions(text: str, expected: str) -> None:
    assert expand(text) == expected


def test_ip6_expansions() -> None:
    text = "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.example.com"
    assert expand("%{ir}.%{v}._spf.%{d2}", ip="2001:db8::cb01").lower() == text
    assert expand("%{c}", ip="2001:DB8:0::cb01") == "2001:db8::cb01"
    assert expand("%{I}", ip="::ffff:192.0.2.3") == "192.0.2.3"


def test_delimiters_split_and_dots_join() -> None:
    assert expand("%{l+-,/_=}", sender="a+b-c,d/e_f=g.h@email.example.com") == "a.b.c.d.e.f.g.h"
    assert expand("%{l+}", sender="a.b+c@email.example.com") == "a.b.c"
    assert expand("%{l2+}", sender="a.b+c@email.example.com") == "a.b.c"
    assert expand("%{lr}", sender="..a@email.example.com") == "a.."
    assert expand("%{l1-}", sender="a-@email.example.com") == ""


def test_url_escapes_are_those_of_rfc_3986() -> None:
    # RFC 3986 2.3
    assert expand("%{L}", sender="~jack&jill=up-a_b3.c@email.example.com") == "~jack%26jill%3Dup-a_b3.c"
    assert expand("%{H}", helo="a b/[é]") == "a%20b%2F%5B%C3%A9%5D"
    assert expand("%{H}", helo="\ud800") == "%ED%A0%80"


@pytest.mark.parametrize(
    "text",
    [
        "%",
        "a%",
        "%%%",
        "%a",
        "%(d)",
        "%{",
        "%{}",
        "%{d",
        "%{x}",
        "%{d0}",
        "%{d00}",
        "%{dr2}",
        "%{d-r}",
        "%{d;}",
        "%{dd}",
        "%{ d}",
        "% {d}",
        "%{1d}",
        "\t",
        "é",
        "\x7f",
        "\x00",
        "%{d}}%",
    ],
)
def test_what_no_string_may_hold(text: str) -> None:
    for parse in (parse_macro_string, parse_explanation):
        with pytest.raises(MacroError):
            parse(text)
    with pytest.raises(MacroError):
        parse_domain_spec(f"{text}.example.com")


def test_where_c_r_t_and_spaces_may_stand() -> None:
    for letter in "crtCRT":
        parse_explanation(f"%{{{letter}}}")
        with pytest.raises(MacroError):
            parse_domain_spec(f"%{{{letter}}}.example.com")
    parse_explanation("a b")
    with pytest.raises(MacroError):
        parse_macro_string("a b")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("example.com", "example.com"),
        ("Example.COM.", "example.com"),
        ("foo:bar/baz.example.com", "foo:bar/baz.example.com"),
        ("a.xn--zckzah", "a.xn--zckzah"),
        ("a.1-2", "a.1-2"),
        ("a.1a", "a.1a"),
        ("a%%b%_c%-d.com", "a%b c%20d.com"),
        ("a..com", ""),
        (".com", ""),
        ("a\\.b.com", ""),
        (f"{'a' * 63}.com", f"{'a' * 63}.com"),
        (f"{'a' * 64}.com", ""),
        ("%{d}", None),
        ("x.%{d}", None),
        ("%{d}.example.com", None),
        ("%%", ""),
        ("a.b%-", "a.b%20"),
    ],
)
def test_domain_specs(text: str, name: str | None) -> None:
    assert parse_domain_spec(text).name == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "com",
        "com.",
        ".",
        "..",
        "a.",
        "a.-b",
        "a.b-",
        "a.123",
        "a.b_c",
        "1.2.3.4",
        "a.com:80",
        "%{d}com",
        "%{d}.1",
        "a.c/24",
        "a.com..",
        "a com.x",
    ],
)
def test_what_is_no_domain_spec(text: str) -> None:
    with pytest.raises(MacroError):
        parse_domain_spec(text)


def test_a_long_name_loses_labels_on_its_left() -> None:
    """RFC 7208 7.3: until the total length does not exceed 253 characters."""
    name = ".".join(["abcdefghi"] * 26)
    assert len(name) == 259
    assert target_name(name) == ".".join(["abcdefghi"] * 25)
    exact = "b." + ".".join(["a" * 62] * 3) + "." + "c" * 62
    assert len(exact) == 253
    assert target_name(exact) == exact
    assert target_name("x" + exact) == exact[2:]
    assert target_name("x." + exact) == exact
    assert target_name("a" * 300) is None
    assert target_name("com") is None
    assert target_name("\u212a.example.com") is None  # the Kelvin sign, which becomes a k in lower case
