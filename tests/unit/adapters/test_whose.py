from __future__ import annotations

import pytest

from zegel.adapters.whose import Whose, whose


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1", Whose.MACHINE),
        ("127.255.255.254", Whose.MACHINE),
        ("0.0.0.0", Whose.MACHINE),
        ("::", Whose.MACHINE),
        ("::1", Whose.MACHINE),
        ("::ffff:127.0.0.1", Whose.MACHINE),  # RFC 4291 2.5.5.2
        ("::127.0.0.1", Whose.MACHINE),  # RFC 4291 2.5.5.1
        ("64:ff9b::7f00:1", Whose.MACHINE),  # RFC 6052 2.1
        ("2002:7f00:1::1", Whose.MACHINE),  # RFC 3056 2
        ("10.1.2.3", Whose.LOCAL),
        ("172.31.0.1", Whose.LOCAL),
        ("192.168.0.1", Whose.LOCAL),
        ("100.64.0.1", Whose.LOCAL),
        ("198.18.0.1", Whose.LOCAL),
        ("fd12::1", Whose.LOCAL),
        ("fec0::1", Whose.LOCAL),
        ("::ffff:10.0.0.1", Whose.LOCAL),
        ("64:ff9b::a00:1", Whose.LOCAL),
        ("169.254.169.254", Whose.NOBODY),
        ("fe80::1", Whose.NOBODY),
        ("224.0.0.1", Whose.NOBODY),
        ("ff02::1", Whose.NOBODY),
        ("240.0.0.1", Whose.NOBODY),
        ("255.255.255.255", Whose.NOBODY),
        ("", Whose.NOBODY),
        ("mx.example.net", Whose.NOBODY),
        ("172.32.0.1", Whose.INTERNET),
        ("8.8.8.8", Whose.INTERNET),
        ("2a00::1", Whose.INTERNET),
        ("::ffff:8.8.8.8", Whose.INTERNET),
        ("64:ff9b::808:808", Whose.INTERNET),
        ("203.0.113.1", Whose.INTERNET),  # RFC 5737 3: nobody's, and none of ours
        ("2001:db8::1", Whose.INTERNET),  # RFC 3849 2
    ],
)
def test_whose_an_address_is(address: str, expected: Whose) -> None:
    assert whose(address) is expected
