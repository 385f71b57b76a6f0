"""Properties of the DKIM rooms.

Any chunking gives one hash, equal to references written naively from RFC 6376 3.4; text is stable; no changed bit passes.
"""

from __future__ import annotations

import hashlib
import re
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import zegel
from support import samples
from zegel.dkim import signature
from zegel.dkim.canonical import BODY_FORMS, FIELD_FORMS
from zegel.dkim.header import Header
from zegel.dkim.signature import Signature, format_signature, format_unsigned, key_question
from zegel.grammar import taglist
from zegel.grammar.domain import Domain
from zegel.grammar.message import Field, join, split_fields, split_message

ATOMS = [
    b"\r\n",
    b"\r\n",
    b" ",
    b"  ",
    b"\t",
    b"\r",
    b"\n",
    b"a",
    b"b",
    b".",
    b"\x00",
    b"\x0b",
    b"\xe9",
    b" " * 17,
    b" " * 300,
    b"\r\n" * 50,
]
bodies = st.lists(st.sampled_from(ATOMS), max_size=40).map(b"".join)
names = st.from_regex(rb"[!-9;-~]{1,12}[ \t]{0,2}", fullmatch=True)
values = st.lists(
    st.sampled_from([b" ", b"  ", b"\t", b"\r\n ", b"\r\n\t", b"x", b"Yz", b":", b"\x00", b"\x0b", b"\x0c", b"\xc3\xa9", b"\rq", b"\nq"]),
    max_size=20,
).map(b"".join)
fields = st.builds(Field, names, values)
labels = st.from_regex(r"[a-z0-9_]([a-z0-9_-]{0,10}[a-z0-9_])?", fullmatch=True)
domains = st.lists(labels, min_size=2, max_size=5).map(".".join).map(Domain.parse)
tag_names = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,6}", fullmatch=True)
tag_values = st.from_regex(r"([!-:<-~é]([ \t!-:<-~é]{0,20}[!-:<-~é])?)?", fullmatch=True)


def naive_body(form: str, body: bytes) -> bytes:
    """RFC 6376 3.4.3 and 3.4.4, step by step on the whole body."""
    if form == "simple":
        while body.endswith(b"\r\n"):
            body = body[:-2]
        return body + b"\r\n"
    lines = [re.sub(rb"[ \t]+", b" ", re.sub(rb"[ \t]+\Z", b"", line)) for line in body.split(b"\r\n")]
    while lines and not lines[-1]:
        lines.pop()
    return b"".join(line + b"\r\n" for line in lines)


def naive_relaxed_field(field: Field) -> bytes:
    """RFC 6376 3.4.2, step by step."""
    name = field.name.lower()
    value = re.sub(rb"\r\n(?=[ \t])", b"", field.value)
    value = re.sub(rb"[ \t]+", b" ", value)
    value = re.sub(rb" \Z", b"", value)
    return re.sub(rb"[ \t]+\Z", b"", name) + b":" + re.sub(rb"\A ", b"", value)


def canonical(form: str, chunks: list[bytes]) -> bytes:
    out: list[bytes] = []
    writer = BODY_FORMS[form](out.append)
    for chunk in chunks:
        writer.feed(chunk)
    writer.finish()
    return b"".join(out)


def cut(body: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place % (len(body) + 1) for place in places} | {0, len(body)})
    return [body[a:b] for a, b in pairwise(ends)] or [b""]


@pytest.mark.parametrize("form", ["simple", "relaxed"])
@settings(max_examples=400)
@given(bodies, st.lists(st.integers(0, 2000), max_size=8))
def test_any_chunking_gives_one_form(form: str, body: bytes, places: list[int]) -> None:
    expected = naive_body(form, body)
    assert canonical(form, [body]) == expected
    assert canonical(form, cut(body, places)) == expected
    assert canonical(form, [bytes((octet,)) for octet in body]) == expected


@pytest.mark.parametrize("form", ["simple", "relaxed"])
def test_every_short_body_in_every_chunking(form: str) -> None:
    """All bodies of up to six octets over the octets that matter, cut at every place."""
    alphabet = (b" ", b"\r", b"\n", b"x")
    stock = [b""]
    for _ in range(6):
        stock = [body + octet for body in stock for octet in alphabet]
        for body in stock:
            expected = naive_body(form, body)
            for place in range(len(body) + 1):
                assert canonical(form, [body[:place], body[place:]]) == expected


@settings(max_examples=400)
@given(st.lists(fields, max_size=6))
@example([Field(b"!", b""), Field(b"!", b"\0 ")])
def test_relaxed_fields(several: list[Field]) -> None:
    expected = [naive_relaxed_field(field) for field in several]
    assert [FIELD_FORMS["relaxed"](field) for field in several] == expected
    header = Header(b"".join(field.raw + b"\r\n" for field in several))
    everything = range(len(header.layout.keys))
    if not header.malformed:
        assert header.lines("relaxed", everything) == expected
        assert header.lines("simple", everything) == [FIELD_FORMS["simple"](field) for field in several]


HEADER_ATOMS = [
    b"From:",
    b"To:",
    b"X-Y:",
    b"x",
    b" ",
    b"\t",
    b"\r\n",
    b"\r\n ",
    b"\r\n\t",
    b"\r",
    b"\n",
    b":",
    b" :",
    b"\0",
    b"\xe9",
    b"From: a\r\n",
]


@settings(max_examples=1500)
@given(st.lists(st.sampled_from(HEADER_ATOMS), max_size=14).map(b"".join))
def test_the_whole_block_and_one_by_one_give_the_same(block: bytes) -> None:
    """Whatever the octets are, and whether or not the names have been seen before."""
    fields, malformed = split_fields(block)
    for _ in range(2):
        header = Header(block)
        assert header.malformed == malformed
        assert list(header.layout.keys) == [field.key.decode("latin-1") for field in fields]
        if not malformed:
            everything = range(len(fields))
            assert header.lines("relaxed", everything) == [naive_relaxed_field(field) for field in fields]
            assert header.lines("simple", everything) == [field.raw for field in fields]
            assert header.values("from") == [field.value for field in fields if field.key == b"from"]


@settings(max_examples=300)
@given(st.lists(st.builds(Field, st.sampled_from([b"A", b"b", b"B ", b"DKIM-Signature", b"c"]), values), max_size=8), st.data())
def test_the_walk_through_h(several: list[Field], data: st.DataObject) -> None:
    """RFC 6376 5.4.2: each mention takes the next instance from the bottom, but never the field itself; a missing one is nothing."""
    wanted = data.draw(st.lists(st.sampled_from(["a", "b", "dkim-signature", "c", "none"]), max_size=12))
    own = data.draw(st.sampled_from([None, *(i for i, field in enumerate(several) if field.key == b"dkim-signature")]))
    rest = [field for i, field in enumerate(several) if i != own]
    expected = b""
    for name in wanted:
        for i in range(len(rest) - 1, -1, -1):
            if rest[i].key == name.encode():
                expected += naive_relaxed_field(rest.pop(i)) + b"\r\n"
                break
    header = Header(b"".join(field.raw + b"\r\n" for field in several))
    for _ in range(2):  # walking it takes nothing away
        places = header.layout.picked(tuple(wanted), own=own)
        if not header.malformed:
            assert b"".join(line + b"\r\n" for line in header.lines("relaxed", places)) == expected


@settings(max_examples=200)
@given(st.dictionaries(tag_names, tag_values, min_size=1, max_size=8))
def test_tag_lists(tags: dict[str, str]) -> None:
    text = taglist.format_tags(tags).encode()
    assert taglist.parse(text) == tags
    assert taglist.parse(text.replace(b";", b" ;\r\n\t").replace(b"=", b" = ", 1) + b"; ") == tags
    assert taglist.format_tags(taglist.parse(text)).encode() == text


@settings(max_examples=300)
@given(st.binary(max_size=60))
def test_tag_lists_from_anything(text: bytes) -> None:
    try:
        tags = taglist.parse(text)
    except taglist.TagListError:
        return
    assert taglist.parse(taglist.format_tags(tags).encode()) == tags


@settings(max_examples=300)
@given(st.dictionaries(tag_names, tag_values, min_size=1, max_size=6), st.data())
def test_emptied(tags: dict[str, str], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(tags)))
    text = b" " + taglist.format_tags(tags).replace(";", ";\r\n\t").encode()
    emptied = taglist.emptied(text, name.encode())
    assert taglist.parse(emptied) == {**tags, name: ""}
    assert text.startswith(emptied[: emptied.index(name.encode() + b"=")])


@settings(max_examples=300)
@given(st.text(max_size=40) | domains)
def test_domains(text: str) -> None:
    try:
        domain = Domain.parse(text)
    except ValueError:
        return
    assert Domain.parse(domain) == domain
    assert domain == domain.lower()
    assert domain.isascii()
    assert Domain.parse(domain.upper() + ".") == domain


@settings(max_examples=150)
@given(st.lists(st.text(alphabet="aéüñ日本語ж9", min_size=1, max_size=8), min_size=2, max_size=3).map(".".join))
def test_internationalised_domains(text: str) -> None:
    try:
        domain = Domain.parse(text)
    except ValueError:
        return  # letters of scripts that IDNA does not allow together
    assert Domain.parse(domain.unicode) == domain
    assert Domain.parse(text.encode()) == domain


signatures = st.builds(
    lambda algorithm, octets, bh, c, domain, selector, headers, identity, sub, times: Signature(
        algorithm,
        c.partition("/")[0],
        c.partition("/")[2],
        domain,
        selector,
        ("from", *headers),
        f"{identity}@{sub}{domain}",
        Domain.parse(f"{sub}{domain}"),
        key_question(domain, selector),
        octets,
        bh,
        None,
        times[0],
        times[0] + times[1],
    ),
    st.sampled_from(["rsa-sha256", "ed25519-sha256"]),
    st.binary(min_size=1, max_size=300),
    st.binary(min_size=32, max_size=32),
    st.sampled_from(["simple/simple", "relaxed/simple", "simple/relaxed", "relaxed/relaxed"]),
    domains,
    domains,
    st.lists(st.from_regex(r"[a-z0-9-]{1,40}", fullmatch=True), max_size=40),
    st.from_regex(r"[a-z0-9.+-]{0,20}", fullmatch=True),
    st.sampled_from(["", "mail.", "a.b."]),
    st.tuples(st.integers(0, 10**11), st.integers(1, 10**10)),
)


@settings(max_examples=200)
@given(signatures)
def test_signatures(made: Signature) -> None:
    value = format_unsigned(made, canonicalization=f"{made[1]}/{made[2]}", identity=made.identity) + format_signature(made.signature)
    assert signature.parse(value) == made
    header = b"DKIM-Signature:" + value
    assert split_fields(header) == ([Field(b"DKIM-Signature", value)], 0)
    lines = header.split(b"\r\n")
    assert all(line.strip() for line in lines), "a line of only white space is no fold (RFC 5322 3.2.2)"
    longest = max((len(name) for name in made.headers), default=0)
    assert max(map(len, lines)) <= max(78, longest + 6, len(made.domain) + 80, len(made.identity) + 6)


@settings(max_examples=300)
@given(
    st.lists(st.builds(Field, st.from_regex(rb"[!-9;-~]{1,12}", fullmatch=True), st.binary(max_size=30)), min_size=1, max_size=6), bodies
)
def test_split_and_join(several: list[Field], body: bytes) -> None:
    clean = [Field(name, value.replace(b"\r", b"").replace(b"\n", b"")) for name, value in several]
    split = split_message(join(clean, body), header_bytes=65536)
    assert (split_fields(split.header), split.body, split.oversized) == ((clean, 0), body, False)


@settings(max_examples=300)
@given(st.binary(max_size=200) | st.lists(st.sampled_from([*ATOMS, b"a: b", b"From ", b":"]), max_size=20).map(b"".join))
def test_split_loses_nothing(message: bytes) -> None:
    """Whatever comes: fields and body are octets of the message, and no field has a line end that is no fold."""
    split = split_message(message, header_bytes=65536)
    if not split.normalized:
        assert message.endswith(split.body)
    for field in split.fields:
        assert field.name.rstrip(b" \t").isascii()
        assert not re.search(rb"\r\n(?![ \t])", field.value)
    bare = re.search(rb"(?<!\r)\n|\r(?!\n)", b"\r\n".join(field.raw for field in split.fields))
    assert split_fields(split.header)[1] or not bare


@settings(max_examples=120)
@given(values, bodies, st.sampled_from(["simple/simple", "relaxed/relaxed", "simple/relaxed", "relaxed/simple"]), st.data())
def test_what_is_signed_verifies_and_no_changed_bit_does(value: bytes, body: bytes, form: str, data: st.DataObject) -> None:
    clean = value.replace(b"\rq", b"").replace(b"\nq", b"")
    head = b"From: a@example.org\r\nSubject:" + clean + b"\r\nTo: b@example.com\r\n"
    message = head + b"\r\n" + body
    field = zegel.sign(message, samples.ed25519(), canonicalization=form, now=samples.NOW)
    (result,) = zegel.verify(field + message, resolver=samples.zone(), now=samples.NOW)
    assert str(result.status) == "pass", result
    signed_part = field[: field.rindex(b"b=")]
    place = data.draw(st.integers(0, len(signed_part) + len(message) - 1))
    whole = bytearray(field + message)
    place = place if place < len(signed_part) else place + len(field) - len(signed_part)
    whole[place] ^= 1 << data.draw(st.integers(0, 7))
    changed = bytes(whole)
    results = zegel.verify(changed, resolver=samples.zone(), now=samples.NOW)
    if any(result.status == "pass" for result in results):
        assert _as_reference(changed, form) == _as_reference(field + message, form), "a change that is none in the canonical form"


def _as_reference(message: bytes, form: str) -> tuple[list[bytes], bytes]:
    """The signed fields and the body in canonical form, by the naive references."""
    header_form, _, body_form = form.partition("/")
    head, _, body = message.partition(b"\r\n\r\n")
    several = [Field(*line.split(b":", 1)) for line in re.split(rb"\r\n(?![ \t])", head)]
    write = naive_relaxed_field if header_form == "relaxed" else FIELD_FORMS["simple"]
    digest = hashlib.sha256(naive_body(body_form, body)).digest()
    return [write(field) for field in several if field.key in (b"dkim-signature", b"from", b"to", b"subject")], digest
