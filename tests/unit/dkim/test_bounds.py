"""What a stranger can send is bounded: twice the input costs at most 2.5 times the work, and every result has a reason.

Work is counted, not timed: the calls that Python makes (to its own functions and into C), and the octets that are written to a hash.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator

import pytest

import zegel
from support import samples
from support.work import calls
from zegel.dkim.canonical import BODY_FORMS
from zegel.dkim.header import Layout
from zegel.dkim.signature import SignatureError
from zegel.dkim.signature import parse as parse_signature
from zegel.grammar import taglist
from zegel.grammar.message import split_message

WIDE = zegel.Limits(header_bytes=64 * 1024 * 1024)
CEILING = 40.0  # calls per octet of the smaller input: a bound on the constant, far above what is needed


def judge(message: bytes, limits: zegel.Limits | None = None) -> list[zegel.DkimResult]:
    return zegel.verify(message, resolver=samples.zone(), now=samples.NOW, limits=limits)


def scales(make: Callable[[int], bytes], size: int, run: Callable[[bytes], object]) -> None:
    small, large = make(size), make(2 * size)
    run(small)  # what is cached is cached for both
    one, two = calls(lambda: run(small)), calls(lambda: run(large))
    assert two <= 2.5 * one + 50, (one, two)
    assert one <= CEILING * len(small)


def signature(**tags: str) -> bytes:
    known = {"v": "1", "a": "rsa-sha256", "d": "example.org", "s": "rsa", "h": "From", "bh": "AAAA", "b": "AAAA", **tags}
    return b"DKIM-Signature: " + "; ".join(f"{name}={value}" for name, value in known.items()).encode() + b"\r\n"


REST = b"From: a@example.org\r\n\r\nbody\r\n"


def test_a_header_over_the_bound_is_not_read() -> None:
    (result,) = judge(signature() + b"X: " + b"y" * 262_144 + b"\r\n" + REST)
    assert (str(result.status), str(result.reason)) == ("policy", "header_too_large")
    assert "262144" in result.detail
    filler = 262_144 - len(signature()) - len(b"X: \r\n") - len(b"From: a@example.org")
    message = signature() + b"X: " + b"y" * filler + b"\r\n" + REST
    assert message.index(b"\r\n\r\n") == 262_144
    assert [str(result.reason) for result in judge(message)] == ["body_changed"]
    assert [str(result.reason) for result in judge(message.replace(b"X: ", b"X:  "))] == ["header_too_large"]


def test_a_header_that_never_ends() -> None:
    (result,) = judge(b"X: y\r\n" * 100_000)
    assert str(result.reason) == "header_too_large"
    assert calls(lambda: judge(b"X: y\r\n" * 1_000_000)) < 200


def test_a_million_fields() -> None:
    (result,) = judge(signature() + b"a:\r\n" * 1_000_000 + REST)
    assert str(result.reason) == "header_too_large"
    (result,) = judge(signature() + b"a:\r\n" * 1_000_000 + REST, WIDE)
    assert str(result.reason) == "body_changed"
    scales(lambda n: signature() + b"a:\r\n" * n + REST, 20_000, lambda message: judge(message, WIDE))
    scales(lambda n: signature() + b"".join(b"a%d:\r\n" % i for i in range(n)) + REST, 20_000, lambda message: judge(message, WIDE))


def test_lines_that_are_no_field() -> None:
    scales(lambda n: signature() + b"no field here\r\n" * n + REST, 10_000, lambda message: judge(message, WIDE))
    scales(lambda n: signature() + b"a: \r b\r\n" * n + REST, 10_000, lambda message: judge(message, WIDE))
    (result,) = judge(signature() + b"no field here\r\n" + REST)
    assert (str(result.status), str(result.reason)) == ("permerror", "header_malformed")


def names_message(count: int) -> bytes:
    """A message that is signed with ``count`` names in ``h=``, over fields that are there often."""
    message = b"From: a@example.org\r\n" + b"x-a: 1\r\n" * 100 + b"content-x: 2\r\n" * 100 + b"\r\nbody\r\n"
    field = zegel.sign(message, samples.rsa(), headers=["from"] + ["x-a", "content-x"] * (count // 2), now=samples.NOW)
    return field + message


def test_four_thousand_names_in_h() -> None:
    (result,) = judge(names_message(4000))
    assert (str(result.status), len(result.signed_fields)) == ("pass", 4001)
    scales(names_message, 4000, judge)


def test_several_key_records_cost_one_canonical_header() -> None:
    """Five keys that are none of the signature's, for each of ten signatures, were fifty passes over 256 kB of header."""
    strangers: list[str | bytes] = [zegel.Key.generate("example.org", "rsa", "rsa2048").record for _ in range(5)]
    message = names_message(3000)

    def judge_with(records: list[str | bytes]) -> None:
        (result,) = zegel.verify(message, resolver=zegel.Zone.from_dict({(samples.rsa().name, "TXT"): records}), now=samples.NOW)
        assert str(result.reason) == "signature_mismatch"

    judge_with(strangers)
    assert calls(lambda: judge_with(strangers)) <= 1.5 * calls(lambda: judge_with(strangers[:1]))


def test_many_names_over_many_doubled_fields() -> None:
    """The look for added fields counts ``h=`` once, not once for each field that is there twice."""

    def make(count: int) -> bytes:
        names = [f"content-{number}" for number in range(count)]
        message = b"From: a@example.org\r\n" + b"".join(b"%s: 1\r\n%s: 2\r\n" % (n.encode(), n.encode()) for n in names) + b"\r\nbody\r\n"
        return zegel.sign(message, samples.rsa(), headers=["from", *names, *names], now=samples.NOW) + message

    (result,) = judge(make(500))
    assert str(result.status) == "pass"
    scales(make, 1500, judge)


def test_the_look_for_added_fields_reads_h_once() -> None:
    class Names(tuple[str, ...]):
        reads = 0

        def __iter__(self) -> Iterator[str]:
            Names.reads += 1
            return super().__iter__()

        def count(self, value: object, /) -> int:
            Names.reads += 1
            return super().count(value)

    doubled = [f"content-{number // 2}" for number in range(2_000)]
    names = Names(f"content-{number // 2}" for number in range(2_000))
    assert Layout(doubled).added(names) is None
    assert Names.reads == 1
    assert Layout([*doubled, doubled[7]]).added(names) == "content-3"


def test_nul_and_other_controls_in_tags() -> None:
    for octet in (b"\x00", b"\x07", b"\x1b", b"\x7f"):
        for place in (b"d=example.org", b"s=rsa", b"b=AAAA", b"v=1"):
            message = signature().replace(place, place[:3] + octet + place[3:]) + REST
            (result,) = judge(message)
            assert (str(result.status), str(result.reason)) == ("permerror", "tag_list_syntax")
            assert "\x00" not in result.explanation
    with pytest.raises(taglist.TagListError):
        taglist.parse(b"v=DKIM1\x00; p=")


def test_thousands_of_signatures() -> None:
    """RFC 6376 6.1 and 8.4: the number of signatures tried, and so of questions asked, is bounded."""
    # Each of them has a body hash of another length: at most ten are computed.
    message = b"".join(signature(l=str(number)) for number in range(2_000)) + REST
    results = judge(message)
    assert [str(result.reason) for result in results[:11]] == ["body_changed"] * 10 + ["too_many_signatures"]
    assert len(results) == 2_000
    assert {str(result.status) for result in results[10:]} == {"policy"}
    scales(lambda n: b"".join(signature(l=str(number)) for number in range(n)) + REST, 1_000, judge)


def test_a_hundred_thousand_continuation_lines() -> None:
    def make(count: int) -> bytes:
        message = b"From: a@example.org" + b"\r\n a" * count + b"\r\n\r\nbody\r\n"
        return zegel.sign(message, samples.rsa(), now=samples.NOW) + message

    (result,) = judge(make(100_000))
    assert str(result.reason) == "header_too_large"
    (result,) = judge(make(100_000), WIDE)
    assert str(result.status) == "pass"
    scales(make, 50_000, lambda message: judge(message, WIDE))


@pytest.mark.parametrize(
    "value",
    [b";" * 100_000, b"a=1;" * 50_000, b"=" * 100_000, b"v=1; " * 30_000, b"x" * 100_000, b"i=" + b"=40" * 50_000, b"h=" + b":" * 100_000],
    ids=["semicolons", "repeated", "equals", "versions", "no-tag", "escapes", "colons"],
)
def test_long_tag_lists(value: bytes) -> None:
    (result,) = judge(b"DKIM-Signature: " + value + b"\r\n" + REST)
    assert str(result.status) == "permerror"
    assert len(result.explanation) < 300


def test_many_tags() -> None:
    scales(lambda n: signature(**{f"x{number}": "y" for number in range(n)}), 2_000, lambda field: parse_signature(field[15:-2]))


def bodies() -> dict[str, Callable[[int], bytes]]:
    return {
        "empty lines": lambda n: b"\r\n" * n,
        "empty lines, then text": lambda n: b"\r\n" * n + b"x",
        "spaces": lambda n: b" " * (2 * n),
        "tabs and spaces": lambda n: b"\t " * n,
        "bare CR": lambda n: b"\r" * (2 * n),
        "bare LF": lambda n: b"\n" * (2 * n),
        "bare LF and empty lines": lambda n: b"\n" + b"\r\n" * n,
        "lines of one space": lambda n: b" \r\n" * n,
        "runs of 255 spaces": lambda n: (b" " * 255 + b"x") * (n // 128),
    }


@pytest.mark.parametrize("form", ["simple", "relaxed"])
@pytest.mark.parametrize("name", bodies())
@pytest.mark.parametrize("size", [1, 7, 4096])
def test_bodies(name: str, form: str, size: int) -> None:
    """A megabyte in chunks of any size: work in proportion, memory constant, never more octets out than in (but for a last CRLF)."""
    make = bodies()[name]
    full = 1 << (14 if size == 1 else 17 if size == 7 else 20)

    def run(body: bytes) -> int:
        written = 0

        def write(data: bytes) -> None:
            nonlocal written
            written += len(data)

        writer = BODY_FORMS[form](write)
        for start in range(0, len(body), size):
            writer.feed(body[start : start + size])
        writer.finish()
        return written

    small, large = make(full // 4), make(full // 2)
    one, two = calls(lambda: run(small)), calls(lambda: run(large))
    assert two <= 2.5 * one + 50
    assert one <= 60 * (len(small) / size + 1) + len(small) * (name == "bare LF and empty lines")
    tracemalloc.start()
    try:
        assert run(large) <= len(large) + 2
        assert tracemalloc.get_traced_memory()[1] < 64 * 1024
    finally:
        tracemalloc.stop()


def test_a_body_in_one_piece() -> None:
    """A million empty lines, a megabyte of spaces: whole messages, with their results."""
    for body in (b"\r\n" * 1_000_000, b" " * 1_000_000, b"\r\n" * 1_000_000 + b"x", b" \r\n" * 500_000):
        message = samples.SIMPLE_HEADER + b"\r\n" + body
        for form in ("simple/simple", "relaxed/relaxed"):
            signed = zegel.sign(message, samples.ed25519(), canonicalization=form, now=samples.NOW) + message
            (result,) = judge(signed)
            assert str(result.status) == "pass"
            assert calls(lambda signed=signed: judge(signed)) < 2_000  # type: ignore[misc]


def test_splitting_does_not_copy_a_body_twice() -> None:
    message = samples.SIMPLE_HEADER + b"\r\n" + b"x" * 5_000_000
    tracemalloc.start()
    try:
        split_message(message, header_bytes=262_144)
        assert tracemalloc.get_traced_memory()[1] < 5_100_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("name", "piece"),
    [("z", "a:b|"), ("z", "a:"), ("z", "=41"), ("z", "|"), ("z", "a"), ("q", "a-"), ("q", "a:"), ("q", "x/="), ("q", "-")],
)
def test_tags_that_decide_nothing(name: str, piece: str) -> None:
    """z= and q= are looked at once, whatever is wrong at their end. The steps of a pattern are in no count: it ends at once, or never."""
    with pytest.raises(SignatureError) as caught:
        parse_signature(signature(**{name: "dns/txt:a" + piece * 60_000 + "|\x80"}).partition(b":")[2].strip())
    assert str(caught.value.result.reason) == "tag_syntax"
