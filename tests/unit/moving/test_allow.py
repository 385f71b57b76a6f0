"""The lines for ``zegel.toml``: no wider than a terminal, and the same rights when they are read."""

from __future__ import annotations

import tomllib
from ipaddress import ip_network

import pytest

from zegel.config import parse
from zegel.moving import allow
from zegel.moving.model import Found


def found() -> Found:
    return Found([], local=True, networks=[ip_network("192.0.2.0/24"), ip_network("2001:db8::/32")], logins=True)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 50, 400])
def test_a_list_is_wrapped_at_the_width_of_a_terminal(count: int) -> None:
    senders = [f"town-{number}.municipality.example" for number in range(count)]
    lines = allow.lines(found(), senders)
    assert max(map(len, lines)) <= 80
    assert all(entry["sign"] == senders for entry in tomllib.loads("\n".join(lines))["outbound"]["allow"])
    assert [list(entry.sign) for entry in parse("\n".join(lines)).outbound.allow] == [senders] * 4


def test_a_name_that_is_wider_stands_alone() -> None:
    long = ".".join(["x" * 60] * 4)
    lines = allow.lines(Found([], local=True), ["a.example", long, "b.example"])
    assert lines == ["[[outbound.allow]]", "local = true", "sign = [", '    "a.example",', f'    "{long}",', '    "b.example",', "]"]
