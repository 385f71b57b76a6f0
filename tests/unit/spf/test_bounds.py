"""What a stranger can make SPF do is bounded: questions, terms, names; twice the input costs at most 2.5 times the work, counted."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

import zegel
from support.work import calls
from zegel.ask import Answer, Question, Rcode, RRType, rehearse
from zegel.spf import record
from zegel.spf.evaluate import check
from zegel.spf.relay import read_received
from zegel.spf.result import SpfReason

TEN = 10


def questions(answer: Callable[[Question], Answer], sender: str = "joe@a.example") -> tuple[zegel.SpfResult, list[Question]]:
    asked: list[Question] = []
    return rehearse(check(ip="192.0.2.1", helo="x", mail_from=sender), answer, asked).mail_from, asked


def answers(text: str, *, mx: int = 10, ptr: int = 10, addresses: int = 1) -> Callable[[Question], Answer]:
    """A hostile DNS: every name has that record, so many mail servers and names, and addresses that never match."""
    kinds: dict[str, tuple[bytes | str, ...]] = {
        "TXT": (text.encode(),),
        "MX": tuple(f"{n} mx{n}.victim.example" for n in range(mx)),
        "PTR": tuple(f"ptr{n}.victim.example" for n in range(ptr)),
        "A": tuple(f"198.51.{n // 256}.{n % 256}" for n in range(addresses)),
    }
    return lambda question: Answer(Rcode.NOERROR, kinds.get(question.type, ()))


def test_the_worst_record_asks_for_so_much_and_no_more() -> None:
    """Ten terms of an MX look-up and ten hosts each, the record itself: RFC 7208 4.6.4 and 11.1."""
    terms = [f"mx:{n}.example" for n in range(TEN)]
    result, asked = questions(answers(f"v=spf1 {' '.join(terms)} -all"))
    assert (result.reason, len(asked)) == (SpfReason.NOT_PERMITTED, 1 + TEN * 11)
    result, asked = questions(answers(f"v=spf1 {' '.join([*terms, 'a'])} -all"))
    assert (result.reason, len(asked)) == (SpfReason.TOO_MANY_TERMS, 1 + TEN * 11)


@pytest.mark.parametrize("term", ["a", "mx", "ptr", "exists:%{d}", "include:b%{d}", "redirect=b%{d}", "a:%{p}.example"])
def test_ten_terms_of_each_kind(term: str) -> None:
    for count in (TEN, 50):
        terms = term if "=" in term else f"{' '.join([term] * count)} ?exists:x.y"
        result, asked = questions(answers(f"v=spf1 {terms}", mx=1, ptr=1))
        assert len(asked) <= 1 + 2 * TEN + 1
        if term != "exists:%{d}":  # which matches
            assert result.reason is SpfReason.TOO_MANY_TERMS


def test_a_macro_p_counts_where_it_asks() -> None:
    """RFC 7208 4.6.4: the PTR records queried for %{p} are included in the limit."""
    found = {}
    for terms in (9, 10):
        result, _ = questions(answers(f"v=spf1 {'a ' * (terms - 1)} a:%{{p}}.example -all"))
        found[terms] = result.reason
    assert found == {9: SpfReason.NOT_PERMITTED, 10: SpfReason.TOO_MANY_TERMS}
    result, _ = questions(answers("v=spf1 " + "a:%{p}.example " * 9 + "-all"))
    assert result.reason is SpfReason.NOT_PERMITTED, "asked once, counted once"


def test_only_ten_names_of_a_ptr_and_no_more_than_ten_mail_servers() -> None:
    result, asked = questions(answers("v=spf1 ptr -all", ptr=5000))
    assert (result.reason, len(asked)) == (SpfReason.NOT_PERMITTED, 1 + 1 + 10)
    assert [question.name for question in asked[2:]] == [f"ptr{n}.victim.example" for n in range(10)]
    result, asked = questions(answers("v=spf1 mx -all", mx=11))
    assert (result.reason, len(asked)) == (SpfReason.TOO_MANY_MX, 2)


@pytest.mark.parametrize("term", ["a:%{l}%{d}", "mx", "exists:x.%{d}", "ptr"])
@pytest.mark.parametrize("rcode", [Rcode.NOERROR, Rcode.NXDOMAIN])
def test_two_void_look_ups_and_no_third(term: str, rcode: Rcode) -> None:
    def dns(count: int) -> Callable[[Question], Answer]:
        text = f"v=spf1 {' '.join([term] * count)} ?all".encode()
        return lambda question: Answer(Rcode.NOERROR, (text,)) if question.type is RRType.TXT else Answer(rcode)

    assert questions(dns(2))[0].reason is SpfReason.NOT_ASSERTED
    result, asked = questions(dns(9))
    assert result.reason is SpfReason.TOO_MANY_VOID
    assert len(asked) <= 1 + 3


def test_an_mx_without_addresses_is_one_void_term() -> None:
    """RFC 7208 4.6.4 limits "terms" for which DNS has nothing: an IPv6 client at an IPv4 site is not the publisher's fault three times."""
    hosts = Answer(Rcode.NOERROR, ("1 a.b", "2 c.d", "3 e.f"))

    def dns(terms: str) -> Callable[[Question], Answer]:
        kinds = {RRType.TXT: Answer(Rcode.NOERROR, (f"v=spf1 {terms} -all".encode(),)), RRType.MX: hosts}
        return lambda question: kinds.get(question.type, Answer(Rcode.NXDOMAIN))

    assert questions(dns("mx mx"))[0].reason is SpfReason.NOT_PERMITTED
    assert questions(dns("mx mx mx"))[0].reason is SpfReason.TOO_MANY_VOID


def test_no_counting_for_the_explanation() -> None:
    def dns(question: Question) -> Answer:
        if question.name == "a.example" and question.type is RRType.TXT:
            return Answer(Rcode.NOERROR, (b"v=spf1 " + b"a " * TEN + b"-all exp=why.%{p}.example",))
        return Answer(Rcode.NOERROR, (b"no %{p}",)) if question.type is RRType.TXT else Answer(Rcode.NOERROR, ("198.51.100.1",))

    assert questions(dns)[0].explanation == "no unknown"


@pytest.mark.parametrize(
    "make",
    [
        lambda n: b"v=spf1 " + b"ip4:192.0.2.1 " * n,
        lambda n: b"v=spf1 " + b"a " * n,
        lambda n: b"v=spf1 a:" + b"%{d}" * n,
        lambda n: b"v=spf1 a:" + b"%%" * n,
        lambda n: b"v=spf1 x=%{d" + b"." * n + b"}",
        lambda n: b"v=spf1 a:" + b"a." * n + b"com/24//64",
        lambda n: b"v=spf1 a:x.y" + b"/1" * n,
        lambda n: b"v=spf1 a:x.y" + b"//1" * n,
        lambda n: b"v=spf1 a:x." + b"a" * n + b"-",
        lambda n: b"v=spf1 a:x." + b"1-" * n,
        lambda n: b"v=spf1 " + b"x=" * n,
        lambda n: b"v=spf1 " + b"x" * n + b"=",
        lambda n: b"v=spf1 a:%{d" + b"9" * n + b"}",
        lambda n: b"v=spf1 ip6:" + b"1:" * n,
        lambda n: b"v=spf1 ip4:1.2.3.4/" + b"9" * n,
        lambda n: b"v=spf1" + b" " * n,
    ],
)
def test_reading_a_record_scales(make: Callable[[int], bytes]) -> None:
    def read(n: int) -> int:
        text = make(n)
        return calls(lambda: record.read(text))

    assert len(make(1000)) < 8192 or isinstance(record.read(make(1000)), record.SpfRecordError)
    one, two = read(250), read(500)
    assert two <= 2.5 * one + 50, (one, two)


def test_what_is_too_long_is_not_read() -> None:
    text = b"v=spf1 " + b"a " * 32_000
    assert calls(lambda: record.read(text)) < 20


@pytest.mark.parametrize("sender", ["joe@a.example", f"{'a.' * 500}b@a.example", f"{'-+' * 500}@a.example"])
def test_expanding_scales_with_the_macros(sender: str) -> None:
    def expand(n: int) -> int:
        text = "v=spf1 exists:" + "%{l2r-+}." * n + "x.example -all"
        questions(answers(text), sender)
        return calls(lambda: questions(answers(text), sender))

    one, two = expand(200), expand(400)
    assert two <= 2.5 * one + 50, (one, two)


def test_a_name_is_at_most_253_characters_however_long_its_expansion() -> None:
    text = "v=spf1 exists:" + "%{l}." * 1000 + "x.example exists:%{l}%{l}%{l}%{l}.x.example -all"
    _, asked = questions(answers(text), f"{'ab.' * 330}c@a.example")
    assert all(len(question.name) <= 253 for question in asked)
    assert len(asked) >= 2


def test_matching_hundreds_of_networks_costs_a_look_up_for_each_length() -> None:
    def match(n: int) -> int:
        text = "v=spf1 " + " ".join(f"ip4:10.{i // 256}.{i % 256}.0/24" for i in range(n)) + " -all"
        questions(answers(text))
        return calls(lambda: questions(answers(text)))

    assert match(400) == match(10)


def test_thousands_of_addresses_scale() -> None:
    def compare(n: int) -> int:
        dns = answers("v=spf1 a -all", addresses=n)
        questions(dns)
        return calls(lambda: questions(dns))

    one, two = compare(1000), compare(2000)
    assert two <= 2.5 * one + 50


def test_no_more_is_remembered_than_so_many_records_of_so_many_octets() -> None:
    for number in range(3000):
        record.read(b"v=spf1 x=%d" % number)
    info = record._parse.cache_info()
    assert info.maxsize == info.currsize == 2048


@pytest.mark.parametrize("filler", [b"(", b")", b"[", b" (a)", b" (((", b"1:", b" by ", b"1.", b"\\", b" (x [1.2.3.4])"])
def test_reading_a_received_field_scales(filler: bytes) -> None:
    for head in (b"from a (b [192.0.2.1])", b"from a ([192.0.2.1] helo=", b"from ", b"from a (b [192.0.2.1]) ("):
        read_received(head + filler * 700)
        one, two = calls(partial(read_received, head + filler * 100)), calls(partial(read_received, head + filler * 200))
        assert two <= 2.5 * one + 50
