"""The count of addresses: by hand, against brute force, and by the verdict of SPF itself. RFC 7208 4.6.2, 5.2 and 11.4."""

from __future__ import annotations

import ipaddress
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

import zegel
from support import checks
from zegel.ask import rehearse
from zegel.check import spftree
from zegel.check.networks import Claim, permitted, size, size_in_networks
from zegel.check.spftree import addresses
from zegel.grammar.domain import Domain

CLAIMS = st.lists(
    st.builds(lambda a, b, ok: Claim(min(a, b), max(a, b), ok), st.integers(0, 40), st.integers(0, 40), st.booleans()), max_size=12
)


@given(CLAIMS)
def test_the_first_claim_decides_for_every_address(claims: list[Claim]) -> None:
    first = [next((claim.permits for claim in claims if claim.first <= place <= claim.last), False) for place in range(41)]
    found = permitted(claims)
    assert [any(low <= place <= high for low, high in found) for place in range(41)] == first
    assert size(found) == sum(first)
    assert all(after[0] > before[1] + 1 for before, after in pairwise(found))
    assert size_in_networks(found, 2) == len({place >> 2 for place in range(41) if first[place]})


_HOSTS = [f"192.0.2.{number}" for number in range(16)]
_NETWORKS = st.builds(lambda low, length: f"192.0.2.{low}/{length}", st.integers(0, 15), st.integers(28, 32))
_QUALIFIERS = st.sampled_from(["", "-", "~", "?"])
_TERMS = st.one_of(
    st.builds(lambda sign, network: f"{sign}ip4:{network}", _QUALIFIERS, _NETWORKS),
    st.builds(lambda sign, name: f"{sign}include:{name}.example", _QUALIFIERS, st.sampled_from(["b", "c"])),
    st.builds(
        lambda sign, name, length: f"{sign}a:{name}.example/{length}", _QUALIFIERS, st.sampled_from(["h1", "h2"]), st.integers(30, 32)
    ),
    st.builds(lambda sign: f"{sign}mx:m.example", _QUALIFIERS),
)
_RECORDS = st.builds(
    lambda terms, end: " ".join(["v=spf1", *terms, end]).strip(), st.lists(_TERMS, max_size=3), st.sampled_from(["", "-all", "+all"])
)
_LEAVES = st.builds(
    lambda terms, end: " ".join(["v=spf1", *terms, end]).strip(),
    st.lists(st.builds(lambda sign, network: f"{sign}ip4:{network}", _QUALIFIERS, _NETWORKS), max_size=4),
    st.sampled_from(["", "-all", "~all"]),
)


@settings(max_examples=150)
@given(_RECORDS, _LEAVES, _LEAVES, st.booleans())
def test_who_is_counted_is_who_passes(top: str, second: str, third: str, redirects: bool) -> None:
    zone = zegel.Zone.from_dict(
        {
            ("a.example", "TXT"): [f"{top} redirect=c.example" if redirects else top],
            ("b.example", "TXT"): [second],
            ("c.example", "TXT"): [third],
            ("h1.example", "A"): ["192.0.2.3"],
            ("h2.example", "A"): ["192.0.2.8", "192.0.2.12"],
            ("m.example", "MX"): ["10 h1.example", "20 h2.example"],
        }
    )
    tree = rehearse(spftree.grow(Domain.parse("a.example")), zone.answer)
    counted = addresses(tree, 32)
    for host in _HOSTS:
        checked = zegel.check_spf(ip=host, helo="a.example", mail_from="x@a.example", resolver=zone)
        number = int(ipaddress.ip_address(host))
        assert (checked.mail_from.status == "pass") == any(low <= number <= high for low, high in counted)


def test_the_count_by_hand() -> None:
    zone = {
        ("example.com", "TXT"): [
            "v=spf1 -ip4:203.0.113.7 ip4:203.0.113.0/24 ip4:203.0.113.128/25 ip6:2001:db8::/47 ip6:2001:db8::5 include:b.example -all"
        ],
        ("b.example", "TXT"): ["v=spf1 ip4:203.0.112.0/23 ?ip4:198.51.100.0/24 ip4:192.0.2.0/31 -all"],
    }
    item = checks.one(checks.report(zone), "spf.size")
    # 256 of the first network, without one; 256 more below it; two hosts. What overlaps counts once, what is neutral not at all. The
    # address that the first term refuses stays refused, whatever is included later.
    assert item.values["ipv4"] == 255 + 256 + 2
    assert item.values["ipv6"] == 1 << 17
    assert item.values["terms"] == 0


def test_all_of_the_internet_and_what_cannot_be_counted() -> None:
    everybody = checks.one(checks.report({("example.com", "TXT"): ["v=spf1 -ip4:192.0.2.1 +all"]}), "spf.size")
    assert (everybody.level, everybody.values["ipv4"]) == ("fail", (1 << 32) - 1)
    by_name = {("example.com", "TXT"): ["v=spf1 exists:here.example -all"], ("here.example", "A"): ["127.0.0.2"]}
    assert checks.one(checks.report(by_name), "spf.size").values["ipv4"] == 1 << 32
    unknown = checks.one(checks.report({("example.com", "TXT"): ["v=spf1 exists:%{i}.b.example ptr ip4:192.0.2.1 -all"]}), "spf.size")
    assert (unknown.level, unknown.values["ipv4"], unknown.values["terms"]) == ("pass", 1, 2)


def test_too_many_networks_are_not_counted() -> None:
    names = [f"n{number}.example" for number in range(50)]
    zone = {("example.com", "TXT"): ["v=spf1 " + " ".join(f"include:{name}" for name in names) + " -all"]}
    zone |= {
        (name, "TXT"): ["v=spf1 " + " ".join(f"ip4:10.{n}.{m // 128}.{m % 128 * 2}" for m in range(500))] for n, name in enumerate(names)
    }
    item = checks.one(checks.report(zone), "spf.size")
    assert item.level == "warn"
    assert "ipv4" not in item.values
