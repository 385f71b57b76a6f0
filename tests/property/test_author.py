"""Properties of the rooms about the author: any bytes give one outcome; one author reads back the same; listed names are never told."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from zegel.dkim.header import Header
from zegel.dmarc.psl import organizational_domain
from zegel.grammar.address import Mailbox, mailboxes
from zegel.grammar.domain import Domain
from zegel.grammar.encodedword import shown
from zegel.verdict.author import Author, AuthorReason, read_author
from zegel.verdict.lookalike import LookAlikes, is_one_edit
from zegel.verdict.skeleton import skeleton

PARTS = [
    *(
        b"From:",
        b"from",
        b"From :",
        b" ",
        b"\t",
        b"\r\n",
        b"\r",
        b"\n",
        b"\x00",
        b":",
        b";",
        b",",
        b"<",
        b">",
        b"@",
        b'"',
        b"\\",
        b"(",
        b")",
    ),
    *(b"a@b.example", b"X: y", b"=?utf-8?q?a?=", b"\xc3\xa9", b"\xff", b"J. Doe", b"\x0b", b"To: x@y.example\r\n", b"."),
]
blocks = st.one_of(st.binary(max_size=60), st.lists(st.sampled_from(PARTS), max_size=14).map(b"".join))
labels = st.one_of(st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True), st.sampled_from(["bücher", "пример", "例え"]))
domains = st.lists(labels, min_size=2, max_size=4).map(".".join).filter(lambda name: "--" not in name).map(Domain.parse)
locals_ = st.text(st.characters(categories=["L", "N", "P", "S"], include_characters=" "), min_size=1, max_size=20)
names = st.text(st.characters(categories=["L", "N", "P", "Zs"]), max_size=20)


@given(blocks)
@example(b"From\r\n :a@b.example")
@example(b"X: \r\n\r\nFrom: a@b.example")
@settings(max_examples=500)
def test_any_header_has_one_outcome(block: bytes) -> None:
    author = read_author(Header(block))
    assert isinstance(author, Author)
    assert (author.mailbox is None) is (author.reason is not AuthorReason.ONE_AUTHOR)
    assert author.text.isprintable()
    assert author.display_name.isprintable()
    assert str(author.told)
    if author.mailbox is not None:
        assert author.fields == 1
        assert author.mailboxes == (author.mailbox,)
        assert block.lower().count(b"from") >= 1
        assert mailboxes(author.mailbox.address.encode()) == [Mailbox("", author.mailbox.local_part, author.mailbox.domain)]


@given(locals_, domains, names)
def test_one_author_is_read_as_it_was_written(local: str, domain: Domain, name: str) -> None:
    mailbox = Mailbox("", local, domain)
    quoted = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    for value in (mailbox.address, f"<{mailbox.address}>", f"{quoted} <{mailbox.address}>"):
        author = read_author(Header(f"To: x\r\nFrom: {value}\r\n".encode()))
        if author.reason in (AuthorReason.ENCODED_WORD, AuthorReason.INVISIBLE):
            continue
        assert author.mailbox is not None, author
        assert (author.mailbox.local_part, author.mailbox.domain) == (local, domain)
    # A second one, of any form, is never passed over.
    for second in (
        f"From: {mailbox.address}\r\n",
        f" From: {mailbox.address}\r\n",
        f"From : {mailbox.address}\r\n",
        f"\rFrom:{mailbox.address}",
    ):
        assert read_author(Header(f"From: {mailbox.address}\r\n{second}".encode())).mailbox is None
        assert read_author(Header(f"{second}\r\nFrom: {mailbox.address}\r\n".encode())).mailbox is None


@given(st.text(max_size=80), st.text(max_size=80))
def test_what_people_are_shown_is_one_safe_line(one: str, other: str) -> None:
    for text in (one, f"=?utf-8?q?{one}?= =?utf-8?b?{other}?=", f"{one}=?{other}?="):
        assert shown(text).isprintable()
        assert len(shown(text)) <= 200


@given(st.text(max_size=60))
def test_a_skeleton_is_its_own_skeleton(text: str) -> None:
    once = skeleton(text)
    assert skeleton(once.replace("rn", "m")) == skeleton(once)
    assert skeleton(text.upper()) == skeleton(text.upper().lower()) or not text.isascii()


@given(domains, st.lists(domains, min_size=1, max_size=4), st.lists(labels, max_size=2), names)
@settings(max_examples=200)
def test_the_listed_and_all_below_are_never_told(seen: Domain, listed: list[Domain], below: list[str], name: str) -> None:
    lookalikes = LookAlikes(listed[:2], listed[2:], organizational=organizational_domain)
    assert len(lookalikes.find(seen, name)) <= 2
    for domain in listed:
        text = ".".join([*below, domain])
        if "--" not in "".join(below):
            assert lookalikes.find(Domain.parse(text), name) == ()


@given(st.text("abc", max_size=6), st.text("abc", max_size=6))
def test_one_edit_goes_both_ways(one: str, other: str) -> None:
    assert is_one_edit(one, other) == is_one_edit(other, one)
