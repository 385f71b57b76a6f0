"""Properties of the SPF rooms: text is stable, an expansion is bounded, and nothing that a stranger writes is an exception."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from zegel.ask import Answer, Question, Rcode, RRType, rehearse
from zegel.spf import record
from zegel.spf.client import Client
from zegel.spf.evaluate import check
from zegel.spf.macro import Macro, MacroError, MacroString, parse_domain_spec, parse_explanation, parse_macro_string, target_name
from zegel.spf.received import format_received_spf
from zegel.spf.relay import read_received
from zegel.spf.result import SpfStatus

LETTERS = "slodipvh"
macros = st.builds(
    Macro,
    st.sampled_from(LETTERS),
    st.integers(0, 9998),
    st.booleans(),
    st.lists(st.sampled_from(".-+,/_="), max_size=3, unique=True).map("".join),
    st.booleans(),
).map(str)
literals = st.from_regex(r"[!-$&-.0-~]{1,8}", fullmatch=True)
pieces = st.lists(st.one_of(macros, literals, st.sampled_from(["%%", "%_", "/"])), max_size=6).map("".join)
ends = st.one_of(macros, st.sampled_from([".com", ".xn--zckzah", ".a1", ".org"]))
domain_specs = st.builds(lambda before, end: before + end, pieces, ends)
some_spec = st.one_of(st.just(""), domain_specs.map(":{}".format))
cidrs = st.sampled_from(["", "/0", "/24", "/31", "//0", "//64", "/8//127"])
networks = st.one_of(
    st.builds(lambda a, n: f"ip4:{a}" + (f"/{n}" if n < 32 else ""), st.just("0.0.0.0"), st.integers(0, 32)),
    st.ip_addresses(v=4).map(lambda address: f"ip4:{address}"),
    st.ip_addresses(v=6).map(lambda address: f"ip6:{address.exploded}"),
)
mechanisms = st.one_of(
    networks,
    st.just("all"),
    st.builds(
        lambda name, spec, cidr: f"{name}{spec}{cidr}",
        st.sampled_from(["a", "mx"]),
        some_spec,
        cidrs,
    ),
    st.just("ptr"),
    st.builds("{}:{}".format, st.sampled_from(["ptr", "include", "exists"]), domain_specs),
)
directives = st.builds("{}{}".format, st.sampled_from(["", "-", "~", "?"]), mechanisms)
records = st.builds(
    lambda terms, redirect, exp, unknown: " ".join(["v=spf1", *terms, *redirect, *exp, *unknown]),
    st.lists(directives, max_size=5),
    st.lists(domain_specs.map("redirect={}".format), max_size=1),
    st.lists(domain_specs.map("exp={}".format), max_size=1),
    st.lists(st.builds("x{}={}".format, st.from_regex(r"[a-z0-9._-]{0,5}", fullmatch=True), pieces), max_size=2),
)
TERMS = ["a", "mx", "ptr", "all", "include:", "exists:", "ip4:", "ip6:", "redirect=", "exp=", "%{", "%{d}", "%{l1r-}", "%%", "a.example"]
SIGNS = ["/24", "//64", " ", "-", "?", "192.0.2.1", "::1", ":", ".", "="]
hostile = st.lists(st.one_of(st.sampled_from([*TERMS, *SIGNS]).map(str.encode), st.binary(max_size=3)), max_size=25)
hostile_records = hostile.map(lambda parts: b"v=spf1 " + b"".join(parts))
known = ["joe@a.example", "<>", "a.example", "b.a.example", '"x@y"@a.example', "é@bücher.example"]
texts = st.one_of(st.text(max_size=40), st.sampled_from(known))
addresses = st.one_of(st.ip_addresses().map(str), st.text(max_size=20), st.sampled_from(["192.0.2.1", "::ffff:192.0.2.1"]))


@given(records)
@settings(max_examples=400)
def test_a_record_is_written_as_it_is_read(text: str) -> None:
    parsed = record.parse(text.encode())
    assert str(parsed) == text
    assert record.parse(str(parsed).encode()) == parsed


@given(hostile_records)
@settings(max_examples=400)
def test_what_parses_comes_out_and_parses_again(text: bytes) -> None:
    parsed = record.read(text)
    if isinstance(parsed, record.Record):
        assert record.parse(str(parsed).encode()) == parsed
    else:
        assert parsed.reason.status is SpfStatus.PERMERROR


@given(pieces)
def test_a_macro_string_is_written_as_it_is_read(text: str) -> None:
    for parse in (parse_macro_string, parse_explanation):
        assert str(parse(text)) == text


@given(st.lists(st.one_of(macros, st.just("%{l99r.}")), max_size=20), st.text(max_size=200))
def test_an_expansion_is_no_longer_than_its_parts(parts: list[str], value: str) -> None:
    def expanded(string: MacroString) -> str:
        return string.expand(lambda _letter, _domain: value, "a.example")

    string = parse_macro_string("".join(parts))
    # A capital letter writes up to four octets of UTF-8 in three characters each.
    assert len(expanded(string)) <= 12 * len(value) * len(parts)
    name = target_name(expanded(string))
    assert name is None or (len(name) <= 253 and name.isascii() and all(0 < len(label) < 64 for label in name.split(".")))


@given(st.text(max_size=40))
def test_what_is_no_macro_string_is_an_error_of_its_own(text: str) -> None:
    for parse in (parse_macro_string, parse_explanation, parse_domain_spec):
        with suppress(MacroError):
            parse(text)


@given(addresses, texts, texts, st.lists(hostile_records, min_size=1, max_size=3), st.data())
@settings(max_examples=500)
def test_every_check_ends_with_a_cause(ip: str, helo: str, mail_from: str, texts: list[bytes], data: st.DataObject) -> None:
    dice = data.draw(st.randoms(use_true_random=False))
    asked: list[Question] = []

    def answer(question: Question) -> Answer:
        assert question.name == question.name.lower()
        assert question.name.isascii()
        assert len(question.name) <= 253
        if dice.random() < 0.2:
            return Answer(dice.choice(list(Rcode)))
        if question.type is RRType.TXT:
            return Answer(Rcode.NOERROR, tuple(dice.choices(texts, k=dice.choice([1, 1, 1, 2]))))
        some: dict[str, list[bytes | str]] = {"MX": ["10 a.example", "0 .", "x"], "PTR": ["a.example", "\\.", ""]}
        return Answer(Rcode.NOERROR, tuple(some.get(question.type, ["192.0.2.1", "::1", "no address", b"\xff"])))

    checked = rehearse(check(ip=ip, helo=helo, mail_from=mail_from, default_explanation="D"), answer, asked)
    assert len(asked) <= 2 * (1 + 10 * 11 + 12)
    for result in checked:
        assert result.status in set(SpfStatus)
        assert str(result.cause)
        assert (result.status == "fail") or not result.explanation
        assert result.explanation.isascii()
        assert len(result.explanation) <= 500
        assert result.explanation.isprintable()
        field = format_received_spf(result, client_ip=ip, helo=helo, receiver="mx.example.net")
        assert field.count(b"\r") == field.count(b"\n") == field.count(b"\r\n ")


@given(st.one_of(st.binary(max_size=200), st.binary(max_size=60).map(lambda octets: b"from a (b [192.0.2.1]" + octets)))
def test_a_received_field_is_read_or_not(value: bytes) -> None:
    found = read_received(value)
    assert found is None or Client.parse(found.ip)
