"""From is read whole or not at all: ordinary addresses, and what forgers write ("Composition Kills", VU#517845)."""

from __future__ import annotations

import pytest

from zegel.grammar.address import AddressError, AddressFault, Mailbox, mailboxes
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


FAULTS = [
    (b" " + b"x" * 20_000 + b"@b.example", AddressFault.TOO_LONG),
    (b" \xe9@b.example", AddressFault.NOT_UTF8),
    (b" a\x00@b.example", AddressFault.CONTROL),
    (b"a@b.example" + b",a@b.example" * 200, AddressFault.TOO_MANY),
    (b' "a@b.example', AddressFault.QUOTE_OPEN),
    (b" (a@b.example", AddressFault.COMMENT_OPEN),
    (b"(" * 30 + b")" * 30 + b"a@b.example", AddressFault.COMMENT_DEPTH),
    (b"", AddressFault.MISSING),
    (b" <>", AddressFault.MISSING),
    (b" a@b.example,", AddressFault.MISSING),
    (b" <@x.example,@y.example:a@b.example>", AddressFault.ROUTE),
    (b" <(c) @x.example:a@b.example>", AddressFault.ROUTE),
    (b" x:a@b.example;", AddressFault.GROUP),
    (b" <a@b.example>:<c@d.example>", AddressFault.GROUP),
    (b" <a@b.example", AddressFault.BRACKETS),
    (b" c@d.example <a@b.example>", AddressFault.NAME_NOT_QUOTED),
    (b" a", AddressFault.NOT_SINGLE),
    (b" a@b@c", AddressFault.NOT_SINGLE),
    (b" a b@c.example", AddressFault.NO_ADDRESS),
    (b" a@b.example .c", AddressFault.NO_ADDRESS),
    (b" =?utf-8?q?a=40b.example?=", AddressFault.ENCODED_WORD),
    (b" a@=?utf-8?q?b?=.example", AddressFault.ENCODED_WORD),
    (b' "=?utf-8?q?a?="@b.example', AddressFault.ENCODED_WORD),
    (" a\u200b@b.example".encode(), AddressFault.INVISIBLE),
    (" a@b\u200d.example".encode(), AddressFault.INVISIBLE),
    (b" a@[192.0.2.1]", AddressFault.LITERAL),
    (b" a@b..example", AddressFault.NO_ADDRESS),
    (b" a@-b.example", AddressFault.DOMAIN),
    # Not in the form of a U-label (RFC 5890 2.3.2.1): full width, an ideographic stop, what falls away.
    (" a@\uff42.example".encode(), AddressFault.DOMAIN),
    (" a@b\u3002example".encode(), AddressFault.DOMAIN),
    (" a@b.c\u3002d.example".encode(), AddressFault.DOMAIN),
    (" a@b\ufe0f\u00e9.example".encode(), AddressFault.DOMAIN),
]


@pytest.mark.parametrize(("value", "fault"), FAULTS, ids=lambda value: repr(value)[:60])
def test_each_fault_by_its_name(value: bytes, fault: AddressFault) -> None:
    with pytest.raises(AddressError) as caught:
        mailboxes(value)
    assert caught.value.fault is fault
    assert str(caught.value) == fault.sentence
    assert AddressFault(fault.id) is fault  # type: ignore[call-arg]


def test_all_faults_are_there() -> None:
    assert {fault for _, fault in FAULTS} == set(AddressFault)


@pytest.mark.parametrize("host", ["b\u00fccher.example", "B\u00dcCHER.example", "bu\u0308cher.example", "xn--bcher-kva.example"])
def test_a_u_label_is_read_as_its_a_label(host: str) -> None:
    """RFC 9989 5.3.1; in any case and in either normal form, as people type them."""
    (found,) = mailboxes(f"a@{host}".encode())
    assert found.domain == "xn--bcher-kva.example"


@pytest.mark.parametrize("local", ["plain", "a.b", 'quo"te', "back\\slash", "at@sign", "with space", "", ".dot", "ünï"])
def test_an_address_reads_back(local: str) -> None:
    mailbox = Mailbox("", local, Domain.parse("example.be"))
    assert mailboxes(mailbox.address.encode()) == [mailbox]
