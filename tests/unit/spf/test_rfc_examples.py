"""The examples of RFC 7208 A: records over one small DNS, and which hosts pass."""

from __future__ import annotations

import pytest

import zegel

# The names of the appendix, the reverse names of their addresses, and the rogue that claims to be bob.
DNS = """
$ORIGIN example.com.
@ 300 IN MX 10 mail-a
@ 300 IN MX 20 mail-b
@ 300 IN A 192.0.2.10
@ 300 IN A 192.0.2.11
amy 300 IN A 192.0.2.65
bob 300 IN A 192.0.2.66
mail-a 300 IN A 192.0.2.129
mail-b 300 IN A 192.0.2.130
www 300 IN CNAME example.com.
mary.mobile-users._spf 300 IN A 127.0.0.2
fred.mobile-users._spf 300 IN A 127.0.0.2
15.15.168.192.joel.remote-users._spf 300 IN A 127.0.0.2
16.15.168.192.joel.remote-users._spf 300 IN A 127.0.0.2
$ORIGIN example.org.
@ 300 IN MX 10 mail-c
mail-c 300 IN A 192.0.2.140
$ORIGIN 2.0.192.in-addr.arpa.
10 300 IN PTR example.com.
11 300 IN PTR example.com.
65 300 IN PTR amy.example.com.
66 300 IN PTR bob.example.com.
129 300 IN PTR mail-a.example.com.
130 300 IN PTR mail-b.example.com.
140 300 IN PTR mail-c.example.org.
$ORIGIN 0.0.10.in-addr.arpa.
4 300 IN PTR bob.example.com.
"""
HOSTS = ("192.0.2.10", "192.0.2.11", "192.0.2.65", "192.0.2.66", "192.0.2.129", "192.0.2.130", "192.0.2.140", "10.0.0.4")


def zone(records: dict[str, str]) -> zegel.Zone:
    """The DNS of the appendix with these SPF records, by name."""
    return zegel.Zone.parse(DNS + "".join(f'{name}. 300 IN TXT "{text}"\n' for name, text in records.items()))


def passing(dns: zegel.Zone, sender: str = "joe@example.com", hosts: tuple[str, ...] = HOSTS) -> set[str]:
    """The hosts that may send for this sender; all others fail."""
    found = {ip: str(zegel.check_spf(ip=ip, helo="x", mail_from=sender, resolver=dns).mail_from.status) for ip in hosts}
    assert set(found.values()) <= {"pass", "fail"}, found
    return {ip for ip, status in found.items() if status == "pass"}


@pytest.mark.parametrize(
    ("record", "hosts"),
    [
        ("+all", set(HOSTS)),
        ("a -all", {"192.0.2.10", "192.0.2.11"}),
        ("a:example.org -all", set()),
        ("mx -all", {"192.0.2.129", "192.0.2.130"}),
        ("mx:example.org -all", {"192.0.2.140"}),
        ("mx mx:example.org -all", {"192.0.2.129", "192.0.2.130", "192.0.2.140"}),
        ("mx/30 mx:example.org/30 -all", {"192.0.2.129", "192.0.2.130", "192.0.2.140"}),
        ("ptr -all", {"192.0.2.10", "192.0.2.11", "192.0.2.65", "192.0.2.66", "192.0.2.129", "192.0.2.130"}),
        ("ip4:192.0.2.128/28 -all", {"192.0.2.129", "192.0.2.130", "192.0.2.140"}),
    ],
)
def test_simple_examples(record: str, hosts: set[str]) -> None:
    """RFC 7208 A and A.1."""
    assert passing(zone({"example.com": f"v=spf1 {record}"})) == hosts


def test_any_host_of_the_networks_around_the_mail_servers() -> None:
    """RFC 7208 A.1: "any sending host in 192.0.2.128/30 or 192.0.2.140/30 passes"."""
    around = tuple(f"192.0.2.{last}" for last in range(120, 150))
    inside = {f"192.0.2.{last}" for last in (128, 129, 130, 131, 140, 141, 142, 143)}
    assert passing(zone({"example.com": "v=spf1 mx/30 mx:example.org/30 -all"}), hosts=around) == inside


@pytest.mark.parametrize("domain", ["example.org", "la.example.org", "ny.example.org", "sf.example.org"])
def test_several_domains_with_one_record(domain: str) -> None:
    """RFC 7208 A.2: the union of the servers of two providers, for a domain and for those that redirect to it."""
    dns = zone(
        {
            "example.com": "v=spf1 mx -all",
            "example.net": "v=spf1 a:mail-c.example.org -all",
            "example.org": "v=spf1 include:example.com include:example.net -all",
            "la.example.org": "v=spf1 redirect=example.org",
            "ny.example.org": "v=spf1 redirect=example.org",
            "sf.example.org": "v=spf1 redirect=example.org",
        }
    )
    assert passing(dns, f"joe@{domain}") == {"192.0.2.129", "192.0.2.130", "192.0.2.140"}


@pytest.mark.parametrize(
    ("sender", "ip", "passes"),
    [
        ("mary", "198.51.100.1", True),
        ("fred+lists", "198.51.100.1", True),
        ("joel", "192.168.15.15", True),
        ("joel+lists", "192.168.15.16", True),
        ("joel", "192.168.15.17", False),
        ("mary", "192.0.2.129", True),
        ("bob", "192.0.2.129", True),
        ("bob", "192.168.15.15", False),
    ],
)
def test_users_who_send_from_elsewhere(sender: str, ip: str, passes: bool) -> None:
    """RFC 7208 A.3: names in the style of a DNS blacklist, of the local part without what stands behind its "+"."""
    dns = zone(
        {
            "example.com": "v=spf1 mx include:mobile-users._spf.%{d} include:remote-users._spf.%{d} -all",
            "mobile-users._spf.example.com": "v=spf1 exists:%{l1r+}.%{d}",
            "remote-users._spf.example.com": "v=spf1 exists:%{ir}.%{l1r+}.%{d}",
        }
    )
    assert passing(dns, f"{sender}@example.com", (ip,)) == ({ip} if passes else set())


@pytest.mark.parametrize(
    ("term", "hosts"),
    [
        # As printed: a bare ptr within the included record is about the name of that record, which no host is below.
        ("ptr", set()),
        ("ptr:example.com", {"192.0.2.10", "192.0.2.11", "192.0.2.65", "192.0.2.66", "192.0.2.129", "192.0.2.130"}),
    ],
)
def test_both_of_two_requirements(term: str, hosts: set[str]) -> None:
    """RFC 7208 A.4: the address is in the network, and its name leads back; De Morgan's law."""
    dns = zone(
        {
            "example.com": "v=spf1 -include:ip4._spf.%{d} -include:ptr._spf.%{d} +all",
            "ip4._spf.example.com": "v=spf1 -ip4:192.0.2.0/24 +all",
            "ptr._spf.example.com": f"v=spf1 -{term} +all",
        }
    )
    assert passing(dns) == hosts
