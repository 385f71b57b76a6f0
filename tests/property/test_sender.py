"""Properties of the corrected sender: one From, of the site, that readers see alike; one Reply-To at most; no field that was not sent."""

from __future__ import annotations

import email
import email.policy

from hypothesis import given, settings
from hypothesis import strategies as st

from zegel.dkim.header import Header
from zegel.grammar.address import mailboxes
from zegel.grammar.message import named, split_fields
from zegel.submission.sender import Foreign, SenderRules, correct
from zegel.verdict.author import AuthorReason, read_author

RULES = SenderRules("noreply@example.be", frozenset({"example.be"}))
PIECES = [
    *(
        b"From:",
        b"From :",
        b"fRoM:",
        b"Reply-To:",
        b"Sender:",
        b"Subject: x",
        b"\r\n",
        b"\r\n",
        b"\r\n ",
        b"\r\n\t",
        b"\r\n\r\n",
        b"\r",
        b"\n",
        b"\0",
    ),
    *(b" ", b",", b";", b":", b"<", b">", b'"', b"\\", b"(", b")", b"@", b".", b"[", b"]", b"\xe9", b"\xc3\xa9", b"\xe2\x80\xa8"),
    *(
        b"Jan",
        b"info@example.be",
        b"jan@gmail.example",
        b"<jan@gmail.example>",
        b"<info@example.be>",
        b"=?utf-8?q?a=0D=0ABcc=3A_x=40y.example?=",
    ),
    *(b"=?utf-8?b?w6k=?=", b'"a b"@gmail.example', b"\xc3\xa9@gmail.example", b"x" * 300, b"Bcc: victim@example.net"),
]
HEADERS = st.lists(st.sampled_from(PIECES), max_size=14).map(b"".join)


@settings(max_examples=3000)
@given(
    HEADERS | HEADERS.map(lambda text: b"From: " + text), st.sampled_from(["", "<>", "jan@gmail.example", "info@example.be", "www-data"])
)
def test_what_comes_out_has_one_author_of_the_site(header: bytes, mail_from: str) -> None:
    message = header + b"\r\nTo: suzie@example.org\r\n\r\nbody\r\n"
    try:
        made = correct(message, RULES, mail_from=mail_from)
    except Foreign as error:
        assert "noreply@example.be" in str(error), "it says which address to use"  # noqa: PT017 - one of two outcomes
        return
    head = made.data.partition(b"\r\n\r\n")[0]
    fields, malformed = split_fields(head)
    (author,) = named(fields, b"from")
    (mailbox,) = mailboxes(author.value)
    assert malformed == 0
    assert RULES.cover(mailbox)
    assert mailbox.address == made.author.address
    assert not made.mail_from or made.mail_from.endswith("@example.be")
    assert bool(made.mail_from) == (mail_from not in ("", "<>"))
    if not made.changed:
        assert made.data == message
        return
    assert author.value.isascii()
    assert len(named(fields, b"reply-to")) <= 1
    assert not named(fields, b"sender")
    before = {field.key for field in split_fields(message.partition(b"\r\n\r\n")[0].removeprefix(b"\r\n"))[0]}
    assert {field.key for field in fields} <= before | {b"from", b"reply-to"}
    # Our own reader of authors, which is about what other readers might see, and the standard library's.
    seen = read_author(Header(head))
    assert seen.reason in (AuthorReason.ONE_AUTHOR, AuthorReason.FOLDED_FIELD)
    parsed = email.message_from_bytes(made.data, policy=email.policy.default)
    assert [address.addr_spec for address in parsed["from"].addresses] == [made.author.address]
    assert correct(made.data, RULES, mail_from=made.mail_from).data == made.data
