"""The one author of a message, or the reason: RFC 9989 5.3.1, "Composition Kills" (USENIX Security 2020), VU#517845."""

from __future__ import annotations

from functools import partial

import pytest

from support.work import lines
from zegel.dkim.header import Header
from zegel.grammar.address import AddressFault
from zegel.verdict import author
from zegel.verdict.author import Author, AuthorReason, read_author

GOOD = b"From: <admin@legit.example>\r\n"
BAD = b"From: <x@attack.example>\r\n"
ADDRESS = b"<admin@legit.example>\r\n"
REST = b"To: victim@victim.example\r\nSubject: Hi\r\n"

# Each line is an attack; the reason's refuse says what becomes of it by its kind.
ATTACKS = [
    # A6: several From fields, wherever and however they are written. RFC 5322 3.6: one.
    (BAD + GOOD, "several_fields"),
    (GOOD + BAD, "several_fields"),
    (GOOD + GOOD, "several_fields"),
    (BAD + REST + b"FROM:<admin@legit.example>\r\n", "several_fields"),
    (GOOD * 1000, "several_fields"),
    # A7: before the name, before the colon, and a name that goes over the end of its line. RFC 5322 2.2, 2.2.3 and 4.5.
    (b" " + GOOD + BAD, "hidden_field"),
    (b"\t" + GOOD + BAD, "hidden_field"),
    (b" " + GOOD + REST, "hidden_field"),
    (b"From : " + ADDRESS, "space_before_colon"),
    (b"From\t: " + ADDRESS + REST, "space_before_colon"),
    (BAD + b"From : " + ADDRESS, "space_before_colon"),
    (b"From\r\n : " + ADDRESS + BAD, "space_before_colon"),
    (BAD + b"From\r\n\t: " + ADDRESS, "space_before_colon"),
    (BAD + b"From\r\n: " + ADDRESS, "hidden_field"),
    (b"\r\n" + GOOD, "hidden_field"),
    (b"From\x00: " + ADDRESS + BAD, "hidden_field"),
    (b"\x00From: " + ADDRESS + BAD, "hidden_field"),
    (REST + b"\x00From: " + ADDRESS + BAD, "hidden_field"),
    (REST + b"\xef\xbb\xbfFrom: " + ADDRESS + BAD, "hidden_field"),
    (b"\xef\xbb\xbfFrom: " + ADDRESS + BAD, "hidden_field"),
    (b"From\xc2\xa0: " + ADDRESS + BAD, "hidden_field"),
    (BAD + b"Subject: Hi\rFrom: " + ADDRESS, "hidden_field"),
    (BAD + b"Subject: Hi\nFrom: " + ADDRESS, "hidden_field"),
    (BAD + b"Subject: Hi\n\r\t From : " + ADDRESS, "hidden_field"),
    (BAD + b"Subject: Hi\x0bFrom: " + ADDRESS, "hidden_field"),
    (BAD + b"Subject: Hi\r\n \nFrom: " + ADDRESS, "hidden_field"),
    (BAD + b"Subject: Hi\r\n From: " + ADDRESS, "folded_field"),
    (BAD + b"To: a@b.example,\r\n\tfrom : " + ADDRESS, "folded_field"),
    (BAD + b"no field\r\n From: " + ADDRESS, "folded_field"),
    (BAD + b"DKIM-Signature: z=\r\n From:a@b\r\nSubject: Hi\r\n From: " + ADDRESS, "folded_field"),
    # A8: none, or one that is no address, whatever else is there.
    (REST, "no_field"),
    (b"", "no_field"),
    (REST + b"Sender: admin@legit.example\r\nResent-From: admin@legit.example\r\nReply-To: admin@legit.example\r\n", "no_field"),
    (b"From:\r\nSender: admin@legit.example\r\n", "missing"),
    (b"From: <>\r\n", "missing"),
    (b"From: Administrator\r\nResent-From: admin@legit.example\r\n", "not_single"),
    (b"From: admin@\r\n", "no_address"),
    (b"From: admin@[192.0.2.1]\r\n", "address_literal"),
    # A9: several addresses in one field. RFC 9989 11.5.
    (b"From: x@attack.example, admin@legit.example\r\n", "several_addresses"),
    (b"From: <admin@legit.example>, <admin@legit.example>\r\n", "several_addresses"),
    (b"From: admin@legit.example,\r\n", "missing"),
    (b"From: a@b.example" + b",a@b.example" * 200 + b"\r\n", "too_many"),
    # A10: encoded words where an address stands. RFC 2047 5.
    (b"From: =?utf-8?b?YWRtaW5AbGVnaXQuZXhhbXBsZQ==?=\r\n", "encoded_word"),
    (b"From: <=?utf-8?q?admin?=@legit.example>\r\n", "encoded_word"),
    (b'From: "=?utf-8?q?admin?="@legit.example\r\n', "encoded_word"),
    (b"From: admin@=?utf-8?q?legit?=.example\r\n", "encoded_word"),
    # A11: routes (RFC 5322 4.4); VU#517845: groups (RFC 6854 2).
    (b"From: <@legit.example,@b.example:x@attack.example>\r\n", "source_route"),
    (b"From: Admin <@legit.example:x@attack.example>\r\n", "source_route"),
    (b"From: <x@attack.example>:<admin@legit.example>\r\n", "group_syntax"),
    (b"From: Us: admin@legit.example, x@attack.example;\r\n", "group_syntax"),
    (b"From: undisclosed-senders:;\r\n", "group_syntax"),
    # A12 and A13: what is left over, quotes, and what stands before the angle. RFC 5322 3.2.2, 3.2.4, 3.4 and 3.4.1.
    (b"From: <admin@legit.example>x@attack.example\r\n", "brackets"),
    (b"From: <admin@legit.example> <x@attack.example>\r\n", "brackets"),
    (b"From: admin@legit.example <x@attack.example>\r\n", "name_not_quoted"),
    (b"From: admin@legit.example@attack.example\r\n", "not_single"),
    (b"From: admin\\@legit.example@attack.example\r\n", "not_single"),
    (b'From: "admin@legit.example\r\n', "quote_open"),
    (b'From: "admin@legit.example> <x@attack.example>\r\n', "quote_open"),
    (b"From: admin@legit.example(\r\n", "comment_open"),
    (b"From: " + b"(" * 30 + b")" * 30 + b"admin@legit.example\r\n", "comment_depth"),
    (b"From: admin@legit.example .attack.example\r\n", "no_address"),
    # What no reader shows, or some readers cut at; RFC 6532 3.1 and 3.2 for letters beyond ASCII.
    (b"From: admin@legit.example\x00.attack.example\r\n", "control"),
    (b"From: a\r <admin@legit.example>\r\n", "control"),
    (b"From: a\x1b[2J <admin@legit.example>\r\n", "control"),
    (b"From: caf\xe9 <admin@legit.example>\r\n", "not_utf8"),
    ("From: ad\u200bmin@legit.example\r\n".encode(), "invisible"),
    ("From: admin@le\u00adgit.example\r\n".encode(), "invisible"),
    ("From: admin@legit\u3002example\r\n".encode(), "domain_syntax"),
    ("From: admin@\uff4cegit.example\r\n".encode(), "domain_syntax"),
    (b"From: admin@-legit.example\r\n", "domain_syntax"),
    (b"From: " + b"x" * 17_000 + b"@legit.example\r\n", "too_long"),
]
HONEST = [
    (GOOD + REST, "admin@legit.example", ""),
    (REST + b"from:admin@LEGIT.example\r\n", "admin@legit.example", ""),
    (b'From: "Peeters, Jan"\r\n <jan@legit.example>\r\n', "jan@legit.example", "Peeters, Jan"),
    (b"From: =?utf-8?q?Caf=C3=A9?= <a@legit.example>\r\n", "a@legit.example", "Café"),
    ("From: café@EXÄMPLE.be\r\n".encode(), "café@xn--exmple-cua.be", ""),
    (b'From: "admin@legit.example" <x@attack.example>\r\n', "x@attack.example", "admin@legit.example"),
    # From in the text of others, and where signatures name or copy it.
    (b"Received: from a.example (from: b)\r\n\tby c.example\r\n" + GOOD, "admin@legit.example", ""),
    (
        b"Subject: Note to myself: where I come from: Gent\r\nResent-From: x@y.example\r\nX-From: a@b.example\r\n" + GOOD,
        "admin@legit.example",
        "",
    ),
    (b"DKIM-Signature: v=1; h=To:\r\n\tFrom:Subject; z=\r\n From:admin@legit.example; b=x\r\n" + GOOD, "admin@legit.example", ""),
    ("Subject: é from: y\r\n é from: z\r\n".encode() + GOOD, "admin@legit.example", ""),
    (b"From joe@mail.example Mon Jan  1 00:00:00 2026\r\n" + GOOD, "admin@legit.example", ""),
    (b"To: x\r\n from the start: y\r\n" + GOOD, "admin@legit.example", ""),
]


@pytest.mark.parametrize(("block", "reason"), ATTACKS, ids=lambda value: repr(value[:70]))
def test_nothing_is_picked(block: bytes, reason: str) -> None:
    author = read_author(Header(block))
    assert author.reason.id == reason
    assert author.mailbox is None
    assert author.domain is None
    assert str(author.told).startswith("From cannot be trusted: ")
    assert author.text.isprintable()
    assert len(author.text) <= 300


@pytest.mark.parametrize(("block", "address", "name"), HONEST, ids=lambda value: repr(value[:70]))
def test_one_author(block: bytes, address: str, name: str) -> None:
    """RFC 9989 4.2 and 5.3.1: the domain of the one From, a U-label turned into an A-label (RFC 8616 6)."""
    author = read_author(Header(block))
    assert author.reason is AuthorReason.ONE_AUTHOR
    assert author.mailbox is not None
    assert (author.mailbox.address, author.display_name) == (address, name)
    assert author.domain == address.rpartition("@")[2]
    assert author.domains == (author.domain,)
    assert str(author.told) == f"From names one author, {address}"


def test_every_reason_is_met_by_an_attack() -> None:
    assert {reason for _, reason in ATTACKS} | {"one_author"} == {reason.id for reason in AuthorReason}
    assert {fault.id for fault in AddressFault} < {reason.id for reason in AuthorReason}


def test_what_rfc_5322_allows_or_carelessness_writes_is_for_quarantine() -> None:
    """RFC 9989 11.5: a negative disposition or a judgement of each author is the receiver's to choose; RFC 6854 2 allows groups."""
    lenient = {"one_author", "folded_field", "several_addresses", "group_syntax", "address_literal", "not_utf8", "name_not_quoted"}
    assert {reason.id for reason in AuthorReason if not reason.refuse} == lenient


def test_several_authors_are_all_told() -> None:
    author = read_author(Header(b"From: a@one.example, b@two.example, c@one.example\r\n"))
    assert author.domains == ("one.example", "two.example")
    assert str(author.told) == "From cannot be trusted: it names 3 authors, and DMARC is about one"


def test_what_is_shown_is_safe() -> None:
    name = "=?utf-8?b?" + "4oCuZXZpbA==" + "?= \u2066x"
    author = read_author(Header(f"From: {name} {'y' * 400} <a@b.example>\r\n".encode()))
    assert author.display_name.isprintable()
    assert len(author.display_name) == 200
    assert "\ufffdevil \ufffdx" in author.display_name
    several = read_author(Header(b"From: a\x1b[31m\r\nFrom: b\xff\r\nFrom:" + b"z" * 5000 + b"\r\n"))
    assert several.text.isprintable()
    assert several.text.startswith("a\ufffd[31m | b\ufffd | zzz")
    assert (
        str(Author(AuthorReason.SEVERAL_FIELDS, fields=3).told) == "From cannot be trusted: there are 3 From fields, and there must be one"
    )


@pytest.mark.parametrize(
    "part",
    [b"from:", b"\x80", b"\x80from:", b"X: y\r\n From: a@b\r\n", b"X: from\x80:\r\n", b"\r\n \r\n", b"DKIM-Signature: x\r\n from: a@b\r\n"],
    ids=repr,
)
def test_twice_the_header_is_twice_the_work(part: bytes) -> None:
    headers = [Header(b"X: " + part * count + b"\r\n" + GOOD) for count in (400, 800)]
    once, twice = (lines(partial(read_author, header)) for header in headers)
    assert twice <= 2.5 * once


def test_no_more_is_remembered_than_so_many_fields_of_so_many_octets() -> None:
    def look(value: bytes) -> None:
        assert read_author(Header(b"From: " + value + b"\r\n")).text

    for number in range(2000):
        look(b"a%d@b.example" % number)
    info = author._remembered.cache_info()
    assert info.maxsize == info.currsize == 1024
    before = info.misses
    look(b"x" * 500 + b"@b.example")
    assert author._remembered.cache_info().misses == before + 1
    look(b"x" * 503 + b"@b.example")
    assert author._remembered.cache_info().misses == before + 1


@pytest.mark.parametrize(("head", "_"), [*ATTACKS, (GOOD, ""), (GOOD + REST, "")])
def test_what_is_remembered_says_the_same_again(head: bytes, _: str) -> None:
    author._remembered.cache_clear()
    first = read_author(Header(head))
    assert read_author(Header(head)) == read_author(Header(head)) == first
