"""Addresses and networks as numbers: RFC 4291 2.2, RFC 7208 5.6."""

from __future__ import annotations

import ipaddress
import random

import pytest

from zegel.spf.client import Client, Network, address_number, ipv4, ipv6


@pytest.mark.parametrize(
    ("text", "number", "bits"),
    [
        ("192.0.2.1", 0xC0000201, 32),
        ("0.0.0.0", 0, 32),
        ("255.255.255.255", 0xFFFFFFFF, 32),
        ("2001:db8::1", 0x20010DB8 << 96 | 1, 128),
        ("::", 0, 128),
        ("::ffff:192.0.2.1", 0xC0000201, 32),
        ("::FFFF:c000:201", 0xC0000201, 32),
        ("::192.0.2.1", 0xC0000201, 128),
    ],
)
def test_what_is_an_address(text: str, number: int, bits: int) -> None:
    assert Client.parse(text) == (number, bits)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "1.2.3",
        "1.2.3.4.5",
        "01.2.3.4",
        "256.1.1.1",
        "1.2.3.4 ",
        " 1.2.3.4",
        "+1.2.3.4",
        "1.2.3.-4",
        "1.2.3.٤",
        "²55.1.1.1",
        "fe80::1%eth0",
        "::1/64",
        "1::2::3",
        ":::",
        "12345::",
        "[::1]",
        "IPv6:::1",
        "unknown",
        "1.2.3.4\n",
        "::" * 4000,
        "1." * 5000,
    ],
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="not an IP address"):
        Client.parse(text)
    assert address_number(text, 32) is None
    assert address_number(text, 128) is None


def test_every_form_against_the_library() -> None:
    rnd = random.Random(7208)
    for _ in range(2000):
        number = rnd.getrandbits(32)
        assert ipv4(str(ipaddress.IPv4Address(number))) == number
        wide = rnd.getrandbits(128) & rnd.choice([rnd.getrandbits(128), 0xFFFF << 64, -1])
        address = ipaddress.IPv6Address(wide)
        for text in (str(address), address.exploded.upper()):
            assert ipv6(text) == wide
        reverse = Client(wide, 128).reverse_name, Client(number, 32).reverse_name
        assert reverse == (address.reverse_pointer, ipaddress.IPv4Address(number).reverse_pointer)
        assert Client.parse(str(Client(number, 32))) == (number, 32)


def test_the_forms_of_the_macros() -> None:
    # RFC 1035 3.5 and RFC 3596 2.5, RFC 7208 7.3
    six = Client.parse("2001:db8::cb01")
    assert six.dotted.lower() == "2.0.0.1.0.d.b.8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.c.b.0.1"
    assert (str(six), six.family) == ("2001:db8::cb01", "ip6")
    four = Client.parse("::ffff:192.0.2.3")
    assert (four.dotted, str(four), four.family) == ("192.0.2.3", "192.0.2.3", "in-addr")


def test_networks() -> None:
    networks = tuple(map(Network.parse, ("192.0.2.77/24", "2001:db8::/32", "198.51.100.7", "0.0.0.0/32")))
    for text, held in {
        "192.0.2.0": True,
        "192.0.3.0": False,
        "198.51.100.7": True,
        "198.51.100.6": False,
        "2001:db8:ffff::1": True,
        "2001:db9::1": False,
        "::ffff:192.0.2.9": True,
        "::c000:0201": False,
    }.items():
        assert Client.parse(text).within(networks) is held, text
    assert Client.parse("203.0.113.1").within((Network.parse("0.0.0.0/0"),))
    assert not Client.parse("::1").within((Network.parse("0.0.0.0/0"),))


@pytest.mark.parametrize(
    "text", ["192.0.2.0/33", "192.0.2.0/", "192.0.2.0/x", "2001:db8::/129", "::ffff:192.0.2.0/120", "192.0.2.0/-1", "a/8"]
)
def test_what_is_no_network(text: str) -> None:
    with pytest.raises(ValueError):
        Network.parse(text)
