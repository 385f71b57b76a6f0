"""From is read whole or not at all: ordinary addresses, and what forgers write (STANDARDS 3.2 A6 to A13, VU#517845)."""

from __future__ import annotations

import pytest

from zegel.grammar.address import AddressError, Mailbox, mailboxes
from zegel.grammar.domain import Domain

ORDINARY = [
    (b" info@example.be", "", "info@example.be"),
    (b" <info@example.be>", "", "info@example.be"),
    (b" Info <info@Example.BE>", "Info", "info@example.be"),
    (b" J. P. Peeters <j.p@example.be>", "J. P. Peeters", "j.p@example.be"),
    (b' "Peeters, Jan" <jan+x@mail.example.be> ', "Peeters, Jan", "jan+x@mail.example.be"),
    (b' "a \\"b\\" \\\\" <a@example.be>', 'a "b" \\', "a@example.be"),
    (b" =?utf-8?q?Caf=C3=A9?= <cafe@example.be>", "=?utf-8?q?Caf=C3=A9?=", "cafe@example.be"),
    (b" Jan\r\n\tPeeters\r\n <jan@example.be>", "Jan Peeters", "jan@example.be"),
    (b" jan@example.be (Jan (P.) Peeters)", "", "jan@example.be"),
    (b" (Jan) jan(a comment)@example.be(another)", "", "jan@example.be"),
    ("Café <café@exämple.be>".encode(), "Café", "café@xn--exmple-cua.be"),
    (b" o'brien!#$%&*+/=?^_`{|}~-@example.be", "", "o'brien!#$%&*+/=?^_`{|}~-@example.be"),
    (b' "quoted local"@example.be', "", '"quoted local"@example.be'),
    (b' "plain"@example.be', "", "plain@example.be"),
]

REFUSED = [
    # A8: no address at all.
    b"",
    b" ",
    b" <>",
    b" Administrator",
    b" admin@",
    b" @legit.example",
    b" <admin>",
    b" ()",
    # A9: several, with something between them that is no address.
    b" <a@legit.example>,",
    b" ,a@legit.example",
    b" a@legit.example,,b@attack.example",
    b" <a@legit.example> <b@attack.example>",
    b" a@legit.example b@attack.example",
    b" a@legit.example; b@attack.example",
    # A10: encoded words where the address stands.
    b" =?utf-8?q?admin=40legit.example?=",
    b" =?utf-8?b?YWRtaW4=?=@legit.example",
    b" x=?utf-8?b?YWRtaW4=?=@legit.example",
    b' "=?utf-8?b?YWRtaW4=?="@legit.example',
    b" <admin@=?utf-8?q?legit.example?=>",
    # A11: routes, and VU#517845: groups.
    b" <@legit.example,@b.example:c@attack.example>",
    b" <@legit.example:c@attack.example>",
    b" <attacker@a.example>:<spoofed@b.example>",
    b" <attacker@a.example>:<spoofed@b.example>;",
    b" undisclosed-recipients:;",
    b" Us: info@example.be;",
    # A12 and A13: what readers take apart in different ways.
    b" <admin@legit.example>second@attack.example",
    b" <<admin@legit.example>>",
    b" <admin@legit.example>>",
    b" <admin@legit.example",
    b" admin@legit.example>",
    b" admin@legit.example <second@attack.example>",
    b" admin@legit.example@attack.example",
    b" admin@legit.example\\,second@attack.example",
    b" admin\\@legit.example@attack.example",
    b' "admin@legit.example <second@attack.example>',
    b" admin@legit.example(unclosed",
    b" admin@legit.example)",
    b" a b@legit.example",
    b" Peeters, Jan <jan@legit.example>",
    b" admin@[192.0.2.1]",
    b" admin@legit.example .attack.example",
    b" admin@legit.example\r\n .attack.example",
    b" admin@legit.example(x).attack.example",
    b" admin. @legit.example",
    b" .admin@legit.example",
    b" admin..x@legit.example",
    b' "a".b@legit.example',
    b" admin@legit..example",
    b" admin@legit.example.",
    b" admin@-legit.example",
    b" admin@legit_example/",
    # What no reader should see.
    b" admin@legit.example\x00.attack.example",
    b" admin\x00@legit.example",
    b" Admin\n <admin@legit.example>",
    b" Admin\r <admin@legit.example>",
    b' "a\nb" <admin@legit.example>',
    b" (a\nb) admin@legit.example",
    b" admin\x7f@legit.example",
    b" \x1b[31mAdmin <admin@legit.example>",
    b" caf\xe9 <admin@legit.example>",
    " admin\u202e@legit.example".encode(),
    " admin\u200b@legit.example".encode(),
    " a\u2028b <admin@legit.example>".encode(),
    " admin\uff20legit.example".encode(),
    " admin@legit.example\uff20attack.example".encode(),
    " admin@legit.example\uff0fattack.example".encode(),
    b" " + b"(" * 30 + b")" * 30 + b" a@legit.example",
    b"a@legit.example" + b",a@legit.example" * 200,
    b"x" * 20_000 + b"@legit.example",
]


@pytest.mark.parametrize(("value", "name", "address"), ORDINARY)
def test_ordinary_addresses_are_read(value: bytes, name: str, address: str) -> None:
    """RFC 5322 3.4 of the tokens of RFC 5322 3.2.2, 3.2.3 and 3.2.4; the dot in a name is RFC 5322 4.1. UTF-8 by RFC 6532."""
    (found,) = mailboxes(value)
    assert (found.display_name, found.address) == (name, address)


@pytest.mark.parametrize("value", REFUSED, ids=lambda value: repr(value[:60]))
def test_odd_addresses_are_refused(value: bytes) -> None:
    """What RFC 5322 3.4 does not have, with what RFC 5322 4.4 still did; RFC 2047 5: no encoded word within an address."""
    with pytest.raises(AddressError):
        mailboxes(value)


def test_several_mailboxes_are_several() -> None:
    found = mailboxes(b' a@one.example , "b, c" <b@two.example>,\r\n c@three.example')
    assert [mailbox.address for mailbox in found] == ["a@one.example", "b@two.example", "c@three.example"]


def test_an_address_in_the_name_is_only_a_name() -> None:
    (found,) = mailboxes(b' "admin@legit.example" <x@attack.example>')
    assert found.domain == "attack.example"


@pytest.mark.parametrize("local", ["plain", "a.b", 'quo"te', "back\\slash", "at@sign", "with space", "", ".dot", "ünï"])
def test_an_address_reads_back(local: str) -> None:
    mailbox = Mailbox("", local, Domain.parse("example.be"))
    assert mailboxes(mailbox.address.encode()) == [mailbox]
