"""The text of a record: what its grammar takes and refuses, and how it is written."""

from __future__ import annotations

import pytest

from zegel.spf import record
from zegel.spf.record import Mechanism, SpfRecordError
from zegel.spf.result import SpfReason


@pytest.mark.parametrize(
    "text",
    [
        "v=spf1",
        "v=spf1 -all",
        "v=spf1 mx a:mail.example.org/24//64 ip4:192.0.2.0/24 ?include:example.net ~all",
        "v=spf1 ip6:2001:0db8:0000:0000:0000:0000:0000:0000/32 ptr ptr:example.org exists:%{ir}.%{l1r+-}._spf.%{d2}",
        "v=spf1 a/0//0 a//64 mx/24 ip4:0.0.0.0/0 redirect=_spf.example.com",
        "v=spf1 -all exp=%{d}.x.example.com x=%{s}%%y z-1_.2=",
        "v=spf1 a:%{d}/24 mx:%{D1}//1",
    ],
)
def test_a_record_comes_out_as_it_went_in(text: str) -> None:
    parsed = record.parse(text.encode())
    assert str(parsed) == text
    assert record.parse(str(parsed).encode()) == parsed


def test_what_is_written_otherwise_means_the_same() -> None:
    plain = record.parse(b"v=spf1 a mx:example.com ip4:192.0.2.0/24 -all redirect=a.b exp=c.d")
    assert plain == record.parse(b"V=SpF1   redirect=a.b +A MX:example.com exp=c.d IP4:192.0.2.99/24 -ALL  ")
    assert [directive.text for directive in record.parse(b"v=spf1 +A -aLL").directives] == ["+A", "-aLL"]


WRONG = {
    SpfReason.NOT_ASCII: [b"v=spf1 a:\xef\xbb\xbfx.example.net", b"v=spf1 \x80all"],
    SpfReason.TERM_UNKNOWN: [
        *(b"v=spf1 moo", b"v=spf1 all.", b"v=spf1 =all", b"v=spf1 1up=foo", b"v=spf1 -foo=bar", b"v=spf1 redirect:a.b", b"v=spf1 --all"),
        *(
            b"v=spf1 moo.cow/far_out=man",
            b"v=spf1 a\tmx",
            b"v=spf1 \x00",
            b"v=spf1 ip:1.2.3.4",
            b"v=spf1 +",
            b"v=spf1 b:c",
            b"v=spf1 a,mx",
        ),
    ],
    SpfReason.TERM_SYNTAX: [
        *(
            b"v=spf1 all:x.y",
            b"v=spf1 all/8",
            b"v=spf1 include",
            b"v=spf1 exists",
            b"v=spf1 exists/24",
            b"v=spf1 ptr/0",
            b"v=spf1 ip4",
            b"v=spf1 ip6/32",
        ),
        *(
            b"v=spf1 a/33a",
            b"v=spf1 a/",
            b"v=spf1 a/24/64",
            b"v=spf1 a//",
            b"v=spf1 mx/032",
            b"v=spf1 a/24//064",
            b"v=spf1 a///64",
        ),
    ],
    SpfReason.DOMAIN_SYNTAX: [
        *(
            b"v=spf1 a:",
            b"v=spf1 a:museum",
            b"v=spf1 a:1.2.3.4",
            b"v=spf1 mx:abc.123/24",
            b"v=spf1 include:a.b/24",
            b"v=spf1 ptr:",
            b"v=spf1 exp=",
        ),
        *(
            b"v=spf1 redirect=",
            b"v=spf1 redirect=-all",
            b"v=spf1 exists:%{c}.a.b",
            b"v=spf1 a:foo.example.com\x00",
            b"v=spf1 a:x.y/24/64",
            b"v=spf1 exp=%{r}.x.y",
        ),
    ],
    SpfReason.MACRO_SYNTAX: [b"v=spf1 foo=%abc", b"v=spf1 foo=%{x}", b"v=spf1 a.b=\x01"],
    SpfReason.NETWORK_SYNTAX: [
        *(
            b"v=spf1 ip4:1.2.3",
            b"v=spf1 ip4:1.2.3.4:80",
            b"v=spf1 ip4:1.2.3.4/33",
            b"v=spf1 ip4:1.2.3.4/032",
            b"v=spf1 ip4:1.2.3.4//32",
            b"v=spf1 ip4:",
        ),
        *(
            b"v=spf1 ip4:01.2.3.4",
            b"v=spf1 ip6:::1/129",
            b"v=spf1 ip6:::1//33",
            b"v=spf1 ip6::CAFE::BABE",
            b"v=spf1 ip6:fe80::1%1",
            b"v=spf1 a/33",
            b"v=spf1 mx//129",
        ),
        *(b"v=spf1 ip4:1.2.3.4/", b"v=spf1 ip6:1.2.3.4", b"v=spf1 ip4:::1", b"v=spf1 ip4:1.2.3.4\n"),
    ],
    SpfReason.MODIFIER_TWICE: [b"v=spf1 exp=a.b exp=a.b", b"v=spf1 redirect=a.b -all REDIRECT=c.d"],
    SpfReason.RECORD_TOO_LONG: [b"v=spf1 " + b" " * 8192],
}


@pytest.mark.parametrize(("reason", "text"), [(reason, text) for reason, texts in WRONG.items() for text in texts])
def test_what_is_refused(reason: SpfReason, text: bytes) -> None:
    """RFC 7208 4.6: any syntax error anywhere, also behind what would have matched."""
    for whole in (text, text.replace(b"v=spf1", b"v=spf1 -all", 1)):
        with pytest.raises(SpfRecordError) as caught:
            record.parse(whole)
        assert caught.value.reason is reason
        if caught.value.term:
            assert caught.value.term.encode("ascii") in text


def test_a_known_modifier_is_never_an_unknown_one_and_unknown_ones_may_be_many() -> None:
    parsed = record.parse(b"v=spf1 a=b.c x= x= default=+ moo.cow-far_out=man:dog/cat")
    assert [name for name, _ in parsed.unknown] == ["a", "x", "x", "default", "moo.cow-far_out"]
    assert not parsed.directives


@pytest.mark.parametrize(
    ("texts", "count"),
    [
        ([b"v=spf1"], 1),
        ([b"v=spf1 "], 1),
        ([b"V=SPF1 -all"], 1),
        ([b"v=spf10", b"v=spf1mx", b"v=spf1\t-all", b" v=spf1", b"v=spf2.0/pra", b"", b"v=spf"], 0),
        ([b"v=spf1 -all", b"\x96", b"v=spf1 a"], 2),
    ],
)
def test_records_are_selected_by_their_version(texts: list[bytes], count: int) -> None:
    assert len(record.select(texts)) == count


def test_networks_are_found_in_the_order_of_the_record() -> None:
    parsed = record.parse(b"v=spf1 ip4:192.0.2.0/24 -ip4:192.0.2.1 ip6:2001:db8::/32 ?ip4:192.0.0.0/16 ~ip4:192.0.2.0/24 a ip4:0.0.0.0/0")
    (first, a, last) = parsed.steps4
    assert isinstance(first, record.Networks)
    assert isinstance(last, record.Networks)
    assert isinstance(a, record.Directive)
    assert a.mechanism is Mechanism.A

    def text(number: int) -> str:
        found = first.find(number)
        return found.text if found else ""

    assert text(0xC0000201) == "ip4:192.0.2.0/24"
    assert text(0xC0000301) == "?ip4:192.0.0.0/16"
    assert text(0xC1000301) == ""
    assert last.find(0) is not None
    assert len(parsed.steps6) == 2
    assert record.parse(b"v=spf1 ip6:::/0 all a mx").steps4 == record.parse(b"v=spf1 all").steps4
