from __future__ import annotations

import asyncio
from typing import Any

import pytest

import zegel
from zegel.adapters.whose import Whose
from zegel.gateway.nexthop import NoRouteError, Server, of_domain, of_host


def found(records: dict[tuple[str, str], Any], domain: str = "example.net", **more: Any) -> list[Server]:
    return asyncio.run(of_domain(domain, zegel.Zone.from_dict(records), ours=frozenset({"mail.example.be"}), **more))


def refused(records: dict[tuple[str, str], Any], domain: str = "example.net") -> str:
    with pytest.raises(NoRouteError) as error:
        found(records, domain)
    return " ".join((str(error.value.answer.code), error.value.answer.enhanced))


def test_servers_in_the_order_of_their_preference_and_equal_ones_in_any() -> None:
    records = {("example.net", "MX"): ["20 c.example.net", "10 a.example.net", "10 b.example.net"]}
    records |= {(f"{name}.example.net", "A"): [f"192.0.2.{number}"] for number, name in enumerate("abc")}
    records[("c.example.net", "AAAA")] = ["2001:db8::1"]
    orders = {tuple(server.name[0] for server in found(records)) for _ in range(60)}
    assert orders == {("a", "b", "c", "c"), ("b", "a", "c", "c")}
    assert found(records)[-2:] == [Server("c.example.net", "2001:db8::1", 25), Server("c.example.net", "192.0.2.2", 25)]


def test_without_mx_the_domain_is_its_own_server() -> None:
    assert found({("example.net", "A"): ["192.0.2.1"]}) == [Server("example.net", "192.0.2.1", 25)]


def test_what_is_refused_for_good() -> None:
    # RFC 7505 4.1 for the first; RFC 5321 5.1.
    assert refused({("example.net", "MX"): ["0 ."]}) == "556 5.1.10"
    assert refused({}) == "550 5.1.2"
    assert refused({}, "[192.0.2.1]") == "550 5.1.2"
    assert refused({}, "no domain") == "550 5.1.2"
    assert refused({("example.net", "MX"): ["10 mx.example.net"], ("mx.example.net", "TXT"): ["x"]}) == "550 5.4.4"
    assert refused({("example.net", "MX"): ["10 mx.example.net"], ("mx.example.net", "A"): ["127.0.0.1", "0.0.0.0"]}) == "550 5.4.4"


def test_a_strangers_records_lead_to_no_machine_of_ours() -> None:
    """His MX is his to write; what stands behind our wall, or on this machine, listens to us and not to him."""
    near = ["::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:a00:1::1", "fe80::1", "fd00::1"]
    records = {("example.net", "MX"): ["10 mx.example.net"], ("mx.example.net", "AAAA"): near}
    records[("mx.example.net", "A")] = ["127.0.0.1", "10.0.0.1", "169.254.169.254", "192.168.1.1", "100.64.0.1", "255.255.255.255"]
    assert refused(records) == "550 5.4.4"
    records[("mx.example.net", "A")].append("192.0.2.1")
    assert [server.address for server in found(records)] == ["192.0.2.1"]
    # By setting, those of a local network; never this machine.
    assert {server.address for server in found(records, nearest=Whose.LOCAL)} == {
        "2002:a00:1::1", "fd00::1", "10.0.0.1", "192.168.1.1", "100.64.0.1", "192.0.2.1",
    }  # fmt: skip


def test_a_loop_to_ourselves_is_refused_and_better_servers_are_used() -> None:
    records = {("example.net", "MX"): ["10 Mail.Example.be", "20 b.example.net"], ("b.example.net", "A"): ["192.0.2.2"]}
    assert refused(records) == "550 5.4.6"
    records[("example.net", "MX")].append("5 b.example.net")
    assert found(records) == [Server("b.example.net", "192.0.2.2", 25)]


def test_dns_trouble_is_for_now() -> None:
    for trouble in (zegel.Rcode.TIMEOUT, zegel.Rcode.SERVFAIL):
        assert refused({("example.net", "MX"): trouble}) == "451 4.4.3"
        assert refused({("example.net", "MX"): ["10 mx.example.net"], ("mx.example.net", "A"): trouble}) == "451 4.4.3"


def test_what_a_stranger_can_have_us_try_is_bounded() -> None:
    records = {("example.net", "MX"): [f"10 m{number}.example.net" for number in range(500)]}
    records |= {(f"m{number}.example.net", "A"): [f"192.0.2.{each}" for each in range(50)] for number in range(500)}
    assert len(found(records)) == 8


def test_the_one_next_hop_is_looked_up_by_the_system() -> None:
    assert Server("localhost", "127.0.0.1", 2525) in asyncio.run(of_host("localhost", 2525))
    with pytest.raises(NoRouteError) as error:
        asyncio.run(of_host("nowhere.invalid", 25))
    assert error.value.answer.code == 451
