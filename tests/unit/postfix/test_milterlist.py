from __future__ import annotations

import pytest

from zegel.postfix import milterlist

QUEUE = "/var/spool/postfix"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", ()),
        (" , \t", ()),
        ("inet:a:1", ("inet:a:1",)),
        ("inet:a:1,unix:b  inet:c:2,", ("inet:a:1", "unix:b", "inet:c:2")),
        ("{ inet:a:1, default_action=accept }, unix:b", ("{ inet:a:1, default_action=accept }", "unix:b")),
        ("{inet:a:1,{command_timeout = 3s}} unix:b", ("{inet:a:1,{command_timeout = 3s}}", "unix:b")),
        ("${x?{a, b}:{c}} d", ("${x?{a, b}:{c}}", "d")),
        ("} unix:b", ("}", "unix:b")),
    ],
)
def test_split(value: str, expected: tuple[str, ...]) -> None:
    assert milterlist.split(value) == expected


def test_entry_in_braces_has_its_options() -> None:
    entry = milterlist.entry("{ inet:a:1, default_action=accept, { command_timeout = 3s } }")
    assert entry.address == "inet:a:1"
    assert entry.option("default_action") == "accept"
    assert entry.option("command_timeout") == "3s"
    assert entry.option("protocol") == ""


def test_expand_follows_names_and_ends_on_a_circle() -> None:
    parameters = {"a": "inet:a:1, $b", "b": "${c}", "c": "$(d)", "d": "unix:d", "x": "$y", "y": "$x"}
    assert milterlist.expand("$a $unknown", parameters) == "inet:a:1, unix:d $unknown"
    assert milterlist.expand("$x", parameters) in ("$x", "$y")
    assert len(milterlist.expand("$z", {"z": "$z $z $z $z"})) <= 1 << 20


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("unix:zegel/milter.sock", "unix:/var/spool/postfix/zegel/milter.sock", True),
        ("unix:zegel/milter.sock", "unix:/zegel/milter.sock", True),
        ("local:opendkim/opendkim.sock", "unix:./opendkim//opendkim.sock", True),
        ("unix:/run/a.sock", "unix:/run/b.sock", False),
        ("inet:localhost:8891", "inet:127.0.0.1:8891", True),
        ("inet:[::1]:8891", "inet:LOCALHOST:8891", True),
        ("inet:localhost:8891", "inet:localhost:8892", False),
        ("inet:filter.example.org:8891", "inet:localhost:8891", False),
        ("", "", False),
    ],
)
def test_same(one: str, other: str, same: bool) -> None:
    assert milterlist.same(one, other, QUEUE) is same
    assert milterlist.same(other, one, QUEUE) is same
