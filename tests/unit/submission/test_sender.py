"""The sender of a site's mail: which From stays, which becomes the site's, and which is refused. RFC 5322 3.6.2."""

from __future__ import annotations

import email
import email.policy

import pytest

from zegel.submission.sender import Corrected, Foreign, SenderRules, correct

RULES = SenderRules("noreply@example.be", frozenset({"example.be", "shop@voorbeeld.be", ".klant.example"}))
REST = b"To: info@example.be\r\nSubject: A question\r\n"
BODY = b"\r\nGood day\r\n"


def corrected(header: bytes, *, mail_from: str = "www-data@web01", rules: SenderRules = RULES) -> Corrected:
    return correct(header + REST + BODY, rules, mail_from=mail_from)


@pytest.mark.parametrize(
    ("header", "author", "mail_from"),
    [
        (b"From: info@example.be\r\n", "info@example.be", "noreply@example.be"),
        (b"From: INFO@Example.BE\r\n", "INFO@example.be", "noreply@example.be"),
        (b'From:  "Stad, dienst" <info@example.be>\r\n', "info@example.be", "noreply@example.be"),
        (
            b"From: Stad\r\n <info@example.be>\r\nSender: www-data@web01\r\nReply-To: jan@gmail.example\r\n",
            "info@example.be",
            "noreply@example.be",
        ),
        (b"From: =?utf-8?q?Caf=C3=A9?= <noreply@example.be>\r\n", "noreply@example.be", "noreply@example.be"),
        (b"From: shop@voorbeeld.be\r\n", "shop@voorbeeld.be", "shop@voorbeeld.be"),
        (b"from: a@x.klant.example\r\n", "a@x.klant.example", "a@x.klant.example"),
    ],
)
def test_a_from_that_is_right_stays_with_its_whole_header(header: bytes, author: str, mail_from: str) -> None:
    made = corrected(header)
    assert made.data == header + REST + BODY
    assert (made.author.address, made.mail_from, made.visitor, made.changed) == (author, mail_from, "", False)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("info@example.be", "info@example.be"),
        ("<bounces@example.be>", "bounces@example.be"),
        ("", ""),
        ("<>", ""),
        ("www-data@web01.localdomain", "noreply@example.be"),
        ("jan@gmail.example", "noreply@example.be"),
        ("shop@voorbeeld.be", "noreply@example.be"),  # the site's own, but not aligned with the author
        ("no address", "noreply@example.be"),
        ("info@example.be(x)", "info@example.be"),  # what stands beside an address is no part of a path
        ("\udce9@example.be", "noreply@example.be"),
    ],
)
def test_the_envelope_sender_fits_the_author(given: str, expected: str) -> None:
    """RFC 9989 5.1.1: a MAIL FROM domain "that has Identifier Alignment with the Author Domain"."""
    assert corrected(b"From: info@example.be\r\n", mail_from=given).mail_from == expected
    assert corrected(b"From: jan@gmail.example\r\n", mail_from=given).mail_from == (expected if given != "info@example.be" else given)


VIA = '"Jan Peeters via example.be" <noreply@example.be>'
JAN = '"Jan Peeters" <jan@gmail.example>'


@pytest.mark.parametrize(
    ("header", "from_field", "reply_to"),
    [
        (b"From: Jan Peeters <jan@gmail.example>\r\n", VIA, JAN),
        (b"From: Jan Peeters <jan@gmail.example>\r\nSender: jan@gmail.example\r\n", VIA, JAN),
        (b"From: Jan\r\n Peeters\r\n <jan@gmail.example>\r\n", VIA, JAN),
        (b'FROM : "Jan Peeters" <jan@gmail.example>\r\n', VIA, JAN),
        (b"From: jan@gmail.example\r\n", '"jan via example.be" <noreply@example.be>', "jan@gmail.example"),
        # An address as a name is how a reader is shown another author.
        (b'From: "info@example.be" <jan@gmail.example>\r\n', '"jan via example.be" <noreply@example.be>', "jan@gmail.example"),
        (b"From: =?utf-8?q?Ren=C3=A9?= <r@gmail.example>\r\n", "René via example.be <noreply@example.be>", "René <r@gmail.example>"),
        ('From: "René" <r@gmail.example>\r\n'.encode(), "René via example.be <noreply@example.be>", "René <r@gmail.example>"),
        # Header injection by a name: the octets are there, the line end is not.
        (
            b"From: =?utf-8?q?Jan=0D=0ABcc=3A_victim=40example.net?= <jan@gmail.example>\r\n",
            '"jan via example.be" <noreply@example.be>',
            "jan@gmail.example",
        ),
        (b"From: =?utf-8?q?J=00n=0D=0ABcc=3A_x?= <jan@gmail.example>\r\n", "J\ufffdn Bcc: x via example.be <noreply@example.be>", None),
        # Reply-To that names others stays first; who wrote comes behind.
        (b"From: jan@gmail.example\r\nReply-To: Desk <desk@example.be>\r\n", None, '"Desk" <desk@example.be>, jan@gmail.example'),
        (b"From: jan@gmail.example\r\nReply-To: Jan <JAN@gmail.example>\r\n", None, '"Jan" <JAN@gmail.example>'),
        (
            b"From: jan@gmail.example\r\nReply-To: a@b.example\r\nReply-To: c@d.example\r\n",
            None,
            "a@b.example, c@d.example, jan@gmail.example",
        ),
        (b"From: jan@gmail.example\r\nReply-To: \x01<<\r\n", None, "jan@gmail.example"),
        # Several authors, one field twice, none at all.
        (b"From: Jan Peeters <jan@gmail.example>, els@gmail.example\r\n", VIA, f"{JAN}, els@gmail.example"),
        (b"From: info@example.be, Jan Peeters <jan@gmail.example>\r\n", VIA, JAN),
        (b"From: A <a@example.be>, b@example.be\r\n", '"A" <a@example.be>', '"A" <a@example.be>, b@example.be'),
        (b"From: info@example.be\r\nFrom: info@example.be\r\n", "info@example.be", None),
        (b"From : info@example.be\r\n", "info@example.be", None),
        (b"", "noreply@example.be", None),
        (b"From:\r\n", "noreply@example.be", None),
        # What cannot be read, and still has one address only.
        (b"From: jan@gmail.example <jan@gmail.example>\r\n", '"jan via example.be" <noreply@example.be>', "jan@gmail.example"),
        (b"From: Jan Peeters jan@gmail.example\r\n", VIA, JAN),
        (b'From: "Jan Peeters <jan@gmail.example>\r\n', VIA, JAN),
        (b"From: Jan Peeters: jan@gmail.example;\r\n", VIA, JAN),
        (b"From: J\xe9 <jan@gmail.example>\r\n", '"J via example.be" <noreply@example.be>', '"J" <jan@gmail.example>'),
        (b"From: Stad: dienst <info@example.be>\r\n", '"Stad: dienst" <info@example.be>', None),
    ],
)
def test_a_foreign_from_becomes_the_sites_and_the_visitor_gets_the_replies(
    header: bytes, from_field: str | None, reply_to: str | None
) -> None:
    made = corrected(header)
    message = email.message_from_bytes(made.data, policy=email.policy.default)
    assert made.changed
    assert message.get_content() == "Good day\r\n"
    assert len(message.get_all("from", [])) == 1
    assert message["sender"] is None
    assert message["bcc"] is None
    assert made.data.endswith(REST + BODY)
    if from_field is not None:
        assert str(message["from"]).replace('"', "") == from_field.replace('"', "")
    if reply_to is not None or b"Reply-To" not in made.data:
        assert len(message.get_all("reply-to", [])) == (reply_to is not None)
    if reply_to is not None:
        assert str(message["reply-to"]).replace('"', "") == reply_to.replace('"', "")


@pytest.mark.parametrize(
    ("header", "id"),
    [
        (b"From: a@example.be\r\nFrom: jan@gmail.example\r\n", "several_fields"),
        (b"From: undisclosed:;\r\n", "unreadable"),
        (b"From: Team: a@b.example, c@d.example;\r\n", "unreadable"),
        (b"From: jan@gmail.example <els@gmail.example>\r\n", "unreadable"),
        (b"From: <@a.example:jan@gmail.example>\r\n", "unreadable"),
        (b"From: jan@gmail.example\x00@example.be\r\n", "unreadable"),
        (b"From: =?utf-8?q?a=40b?=@gmail.example\r\n", "unreadable"),
        (b"From: nobody\r\n", "unreadable"),
        (b"From: jan@[192.0.2.1]\r\n", "unreadable"),
        (b"From: jan@gmail.example " + b"x" * 20000 + b"\r\n", "unreadable"),
        (b"From: a@example.be\rFrom: b@c.example\r\n", "header"),
        (b"From: a@example.be\nBcc: victim@example.net\r\n", "header"),
        (b"no field\r\nFrom: a@example.be\r\n", "header"),
    ],
)
def test_where_no_address_can_be_told_the_message_is_refused_with_the_address_to_use(header: bytes, id: str) -> None:
    with pytest.raises(Foreign, match=r"send as noreply@example\.be") as caught:
        corrected(header)
    assert caught.value.id == id


def test_a_site_may_refuse_what_is_foreign() -> None:
    rules = SenderRules("noreply@example.be", frozenset({"example.be"}), refuse=True)
    with pytest.raises(
        Foreign, match=r"^jan@gmail\.example in From is not an address of this site; send as noreply@example\.be$"
    ) as caught:
        corrected(b"From: jan@gmail.example\r\n", rules=rules)
    assert caught.value.id == "not_ours"
    assert not corrected(b"From: info@example.be\r\n", rules=rules).changed
    assert corrected(b"", rules=rules).author.address == "noreply@example.be"


def test_the_original_is_told_in_one_line() -> None:
    made = corrected(b"From: =?utf-8?q?Jan=0D=0A?=\r\n Peeters <jan@gmail.example>\r\n")
    assert made.original == "Jan Peeters <jan@gmail.example>"
    assert made.visitor == "jan@gmail.example"


def test_the_name_of_the_site_may_stand_behind_via() -> None:
    rules = SenderRules("noreply@example.be", site_name="the town portal")
    assert b'From: "jan via the town portal" <noreply@example.be>\r\n' in corrected(b"From: jan@gmail.example\r\n", rules=rules).data


def test_a_message_without_a_header_gets_one() -> None:
    assert correct(b"\r\nbody\r\n", RULES, mail_from="").data == b"From: noreply@example.be\r\n\r\nbody\r\n"
    assert correct(b"To: a@b.example\r\n", RULES, mail_from="").data == b"From: noreply@example.be\r\nTo: a@b.example\r\n\r\n"


@pytest.mark.parametrize("address", ["", "a", "A <a@b.example>", "a@b.example, c@d.example", "é@b.example"])
def test_the_address_of_a_site_is_one_plain_address(address: str) -> None:
    with pytest.raises(ValueError):
        SenderRules(address)
