"""What holds for every chain and every field: a sealed chain validates, any change breaks it, what is written reads back."""

from __future__ import annotations

import base64
import re
import string
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import zegel
from support import arc, samples
from support.arc import seal_message
from zegel.arc.seal import SealStyle
from zegel.arc.verify import Verification
from zegel.ask import rehearse
from zegel.authres.model import AuthenticationResults, MethodResult, Property
from zegel.dkim.header import Header
from zegel.grammar.message import split_message

DOMAINS = ["a.example", "b.example", "c.example"]
ZONE = arc.zone(*DOMAINS)
LIMITS = zegel.Limits()
FORMS = ["simple/simple", "simple/relaxed", "relaxed/simple", "relaxed/relaxed"]
LINES = st.lists(st.sampled_from([b"", b" ", b"text", b"two  words \t", b"\tx", b".", b"\xff\x00", b"a\rb"]), max_size=6)
BODY = LINES.map(b"\r\n".join)
# Any text that a stranger may bring into a value, with what makes fields and results.
HOSTILE = st.text(st.sampled_from('ab.;()"\\ =@/\r\n\t\x00é\u2028') | st.characters(), max_size=40)
WORD = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
PROPERTIES = st.lists(st.builds(Property, WORD, WORD, HOSTILE), max_size=4).map(tuple)
# "none" is what a field without results says; a method of that name is no method's.
METHOD = WORD.map(lambda word: f"x-{word}")
RESULTS = st.builds(MethodResult, METHOD, WORD, HOSTILE, PROPERTIES, st.integers(0, 99))
FIELDS = st.builds(AuthenticationResults, HOSTILE, st.lists(RESULTS, max_size=5).map(tuple))


@settings(max_examples=60)
@given(BODY, st.lists(st.tuples(st.sampled_from(DOMAINS), st.sampled_from(FORMS), FIELDS), min_size=1, max_size=4))
def test_a_sealed_chain_validates(body: bytes, hops: list[tuple[str, str, AuthenticationResults]]) -> None:
    message = samples.SIMPLE_HEADER + b"\r\n" + body
    for number, (domain, form, results) in enumerate(hops, 1):
        chain = arc.verify(message, ZONE)
        message = seal_message(message, arc.key(domain), results, chain, style=SealStyle(form), now=samples.NOW) + message
        result = arc.verify(message, ZONE)
        assert (str(result.status), len(result.instances), result.oldest_pass) == ("pass", number, 0), result
        assert [item.domain for item in result.instances][-1] == domain
        assert result.instances[-1].results is not None
        assert [word.method for word in result.instances[-1].results.results] == ["arc", *(word.method for word in results.results)]


SEALED = arc.sealed(samples.MESSAGE, *DOMAINS)
HEAD = SEALED.index(b"Subject: hello")


@settings(max_examples=300)
@given(st.integers(0, HEAD - 1), st.sampled_from([b"", b"x", b"1", b"=", b";", b"A", b"\x00", b"a b"]))
def test_no_change_in_the_arc_fields_passes_unseen(place: int, letters: bytes) -> None:
    """Whatever one octet of the sealed fields becomes: the chain fails, or its canonical text is the same (RFC 6376 3.4.2)."""
    changed = SEALED[:place] + letters + SEALED[place + 1 :]
    result = arc.verify(changed, ZONE)
    if result.status == "pass":
        assert canonical(changed) == canonical(SEALED)


def canonical(message: bytes) -> list[bytes]:
    """The header with white space and the case of names left out, and the white space that ``b=`` loses when it is emptied.

    Of a signature the octets: the last letter of base64 has pad bits that stand for none, and they sign nothing.
    """
    fields = split_message(message, header_bytes=65536).fields
    return [name.lower() + b":" + _SIGNATURE.sub(_octets, b"".join(value.split())) for name, value in fields]


_SIGNATURE = re.compile(rb"(?<=;b=)[A-Za-z0-9+/]{86}==\Z")


def _octets(found: re.Match[bytes]) -> bytes:
    return base64.b64encode(base64.b64decode(found[0]))


@settings(max_examples=80)
@given(st.lists(st.integers(0, 60), max_size=8))
def test_any_chunking_of_the_body_gives_one_result(cuts: list[int]) -> None:
    split = split_message(SEALED, header_bytes=65536)
    verification = Verification(Header(split.header), now=samples.NOW, limits=LIMITS)
    rehearse(verification.look_up(), ZONE.answer)
    places = [0, *sorted(min(cut, len(split.body)) for cut in cuts), len(split.body)]
    for start, end in pairwise(places):
        verification.feed(split.body[start:end])
    assert verification.finish().status == "pass"


@settings(max_examples=300)
@given(FIELDS)
def test_what_is_written_reads_back(field: AuthenticationResults) -> None:
    """No value makes a result, a comment or a line; and writing what was read changes nothing."""
    text = field.format()
    read = zegel.parse_authentication_results(b"Authentication-Results:" + text)
    shape = [(item.method, item.version, item.result, [name[:2] for name in item.properties]) for item in field.results]
    assert [(item.method, item.version, item.result, [name[:2] for name in item.properties]) for item in read.results] == shape
    assert zegel.parse_authentication_results(text, lenient=True) == read
    assert read.format() == text
    assert text.count(b";") == max(1, len(field.results))
    assert not set(text) & set(b"()\\\x00\t\x7f")
    assert all(line.startswith(b" ") and line.strip() for line in text.split(b"\r\n"))
    assert all(b" " <= bytes((octet,)) <= b"~" for octet in text.replace(b"\r\n", b""))


CLEAN = st.text(string.ascii_letters + string.digits + " .,/:=+-_@<>'%[]?", max_size=30).map(str.strip)


@settings(max_examples=200)
@given(st.lists(st.tuples(METHOD, WORD, CLEAN, CLEAN), max_size=4), CLEAN)
def test_clean_values_come_back_as_they_were(items: list[tuple[str, str, str, str]], authserv_id: str) -> None:
    results = tuple(MethodResult(method, result, reason, (Property("header", "d", value),)) for method, result, reason, value in items)
    field = AuthenticationResults(authserv_id, results)
    assert zegel.parse_authentication_results(field.format()) == field


PIECES = [
    "x.example",
    "; ",
    "dkim",
    "=",
    "pass",
    " ",
    "header",
    ".",
    "d",
    '"',
    "(",
    ")",
    "\\",
    "@",
    "none",
    "1",
    "/",
    "\r\n ",
    "reason",
    "é",
]
ALPHABET = st.sampled_from(PIECES)


@settings(max_examples=1000)
@given(st.lists(ALPHABET, max_size=25).map("".join) | st.text(max_size=60))
def test_any_text_is_a_field_or_a_value_error(text: str) -> None:
    """And what the strict reader takes the lenient one takes too, for the same; writing it again is stable."""
    try:
        strict = zegel.parse_authentication_results(text)
    except ValueError:
        strict = None
    try:
        lenient = zegel.parse_authentication_results(text, lenient=True)
    except ValueError:
        assert strict is None
        return
    assert strict is None or strict == lenient
    written = lenient.format()
    assert zegel.parse_authentication_results(written, lenient=True).format() == written
    if strict is not None:
        assert zegel.parse_authentication_results(written).format() == written


@settings(max_examples=300)
@given(st.binary(max_size=200), st.sampled_from([b"ARC-Seal", b"ARC-Message-Signature", b"ARC-Authentication-Results"]))
def test_any_octets_in_an_arc_field_have_a_result(octets: bytes, name: bytes) -> None:
    result = arc.verify(name + b": i=4; " + octets.replace(b"\n", b"").replace(b"\r", b"") + b"\r\n" + SEALED, ZONE)
    assert result.status == "fail"
    with pytest.raises(ValueError):
        seal_message(octets, arc.key("a.example"), arc.said(), result, now=samples.NOW)
