"""Our SPF against pyspf's, over thousands of records and zones that were written at random, by a fixed seed.

The same DNS is behind both: ours asks an offline zone, pyspf its own hook. Where the two disagree, what is odd about the case must be
listed below with the words that decide; the list is asserted whole, so that it can neither hide a new difference nor grow stale.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import Any, NamedTuple

import pytest

import spf
import zegel

CASES = 12_000
DEFAULT = "SPF fail - not authorized"

# What pyspf says, and why we say something else; "" where it says nothing and lets the record pass.
DIFFERENCES = {
    "Void lookup limit": 'RFC 7208 4.6.4 limits the number of "terms" for which queries return nothing; it counts each host of an mx',
    "c,r,t macros allowed in exp= text only": "RFC 7208 6: unrecognized modifiers MUST be ignored; macro-string (7.1) has each letter",
    "include has trivial recursion": "RFC 7208 5.2 knows no such error, and a term before it may match; the ten terms end the loop",
    "= MUST appear at most once": "RFC 7208 6: unrecognized modifiers MUST be ignored no matter where, or how often, they appear",
    "a percent sign is followed by no macro": "RFC 7208 7.1: a macro-expand ends in }; it passes over %{ without one",
    "Exp=": "RFC 7208 4.6.1: mechanism and modifier names are case-insensitive; the explanations differ, not the results",
    "a macro keeps 0 parts": "RFC 7208 7.3: if a DIGIT is specified, the value MUST be nonzero",
}
IPS = ["192.0.2.1", "192.0.2.9", "198.51.100.7", "2001:db8::1", "2001:db8:5::9", "::ffff:192.0.2.1"]
SENDERS = ["joe@a.example", "joe-b.c+d@a.example", "@a.example", "joe@b.example", "J.O.E@A.Example", "joe@absent.example", "joe@a..example"]
HELOS = ["h.example", "mail.a.example", "[192.0.2.1]", "localhost", "a.example"]
DOMAINS = ["a.example", "b.example", "c.example", "mail.a.example", "mx1.example", "absent.example", "h.example", "dead.example"]
MACROS = ["%{d}", "%{o}", "%{h}", "%{i}.b.example", "%{ir}.%{v}.arpa", "%{l}.b.example", "%{l1r-}.b.example", "%{d2}", "%{D1}.example"]
ODD = [
    "%{l-}.b.example",
    "%{d0}.example",
    "%{s}.b.example",
    "%{p}.b.example",
    "%{x}.a",
    "%%a.example",
    "a%_b.example",
    "%",
    "%{d1r-}",
    "%{c}.a.b",
]
QUALIFIERS = ["", "+", "-", "~", "?"]
CIDRS = ["", "", "/24", "/0", "//64", "/24//48", "/33", "//129", "/08", "/24/24"]
ADDRESSES = ["ip4:192.0.2.0/24", "ip4:192.0.2.1", "ip4:198.51.100.0/25", "ip6:2001:db8::/32", "ip6:2001:db8:5::/48", "ip4:192.0.2.9/32"]
BROKEN = [
    "ip4:192.0.2",
    "ip4:192.0.2.1:25",
    "ip6:::g",
    "ip4:192.0.2.1/33",
    "moo",
    "all.",
    "redirect:b.example",
    "1up=x",
    "a:",
    "mx:museum",
    "ALL",
    "IP4:192.0.2.1",
]
MODIFIERS = [
    "redirect=b.example",
    "redirect=c.example",
    "redirect=absent.example",
    "x=y",
    "moo.cow=%{d}",
    "Exp=h.example",
    "exp=c.example",
    "z=%{c}",
    "w=%{",
    "a=b",
]


class Case(NamedTuple):
    """One envelope and one zone; ``zone`` maps (name, type) to records, None for a server that does not answer."""

    ip: str
    helo: str
    sender: str
    zone: dict[tuple[str, str], list[str] | None]


def domain(rnd: random.Random) -> str:
    return rnd.choice(DOMAINS if rnd.random() < 0.75 else MACROS if rnd.random() < 0.8 else ODD)


def term(rnd: random.Random) -> str:
    kind = rnd.randrange(12)
    if kind < 3:
        return rnd.choice(QUALIFIERS) + rnd.choice(ADDRESSES)
    if kind < 5:
        return (
            rnd.choice(QUALIFIERS)
            + rnd.choice(["a", "mx"])
            + rnd.choice(["", ":" + domain(rnd)])
            + rnd.choice(CIDRS[: rnd.choice([2, 6, 10])])
        )
    if kind < 7:
        return rnd.choice(QUALIFIERS) + rnd.choice(["include", "exists"]) + ":" + domain(rnd)
    if kind == 7:
        return rnd.choice(QUALIFIERS) + "ptr" + rnd.choice(["", ":" + domain(rnd)])
    if kind == 8:
        return rnd.choice(MODIFIERS)
    if kind == 9 and rnd.random() < 0.4:
        return rnd.choice(QUALIFIERS) + rnd.choice(BROKEN)
    return rnd.choice(QUALIFIERS) + "all"


def record(rnd: random.Random) -> str:
    terms = [term(rnd) for _ in range(rnd.randrange(5))]
    # "all" ends most records: one in the middle would leave nothing to compare.
    terms.sort(key=lambda text: text.lstrip("+-~?").lower() == "all")
    return rnd.choice(["v=spf1", "v=spf1", "v=spf1", "V=SPF1"]) + "".join(rnd.choice([" ", " ", "  "]) + text for text in terms)


def make(rnd: random.Random) -> Case:
    zone: dict[tuple[str, str], list[str] | None] = {}
    for name in ("a.example", "b.example", "c.example", "h.example", "mail.a.example"):
        texts = [record(rnd) for _ in range(rnd.choices([0, 1, 2], [1, 12, 1])[0])] + rnd.choice([[], ["unrelated"]])
        if texts:
            zone[name, "TXT"] = texts
        if rnd.random() < 0.7:
            zone[name, "A"] = rnd.sample(["192.0.2.1", "192.0.2.9", "198.51.100.7", "203.0.113.1"], rnd.randrange(1, 4))
        if rnd.random() < 0.4:
            zone[name, "AAAA"] = rnd.sample(["2001:db8::1", "2001:db8:5::9", "2001:db8:9::9"], rnd.randrange(1, 3))
        if rnd.random() < 0.6:
            hosts = [*rnd.sample(DOMAINS[:7], rnd.randrange(1, 4)), *(f"m{n}.example" for n in range(rnd.choice([0, 0, 0, 9])))]
            zone[name, "MX"] = [f"{number} {host}" for number, host in enumerate(hosts)]
    for pointer in ("1.2.0.192.in-addr.arpa", "9.2.0.192.in-addr.arpa"):
        zone[pointer, "PTR"] = rnd.sample(DOMAINS[:7], rnd.randrange(1, 3))
    zone["mx1.example", "A"] = ["192.0.2.9"]
    zone["dead.example", "*"] = None
    return Case(rnd.choice(IPS), rnd.choice(HELOS), rnd.choice(SENDERS[: rnd.choice([2, 7])]), zone)


def ours(case: Case) -> zegel.SpfResult:
    zone = zegel.Zone.from_dict({key: zegel.Rcode.TIMEOUT if records is None else records for key, records in case.zone.items()})
    return zegel.check_spf(ip=case.ip, helo=case.helo, mail_from=case.sender, resolver=zone).mail_from


def theirs(case: Case, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    def look_up(name: str, kind: str, *_ignored: object) -> list[tuple[tuple[str, str], Any]]:
        name = name.lower()
        if case.zone.get((name, "*"), ()) is None:
            raise spf.TempError("DNS timeout")
        found = case.zone.get((name, kind)) or []
        data: dict[str, Any] = {"TXT": lambda text: (text.encode(),), "MX": lambda text: (int(text.split()[0]), text.split()[1])}
        return [((name, kind), data.get(kind, str)(text)) for text in found]

    monkeypatch.setattr(spf, "DNSLookup", look_up)
    try:
        status, _, text = spf.query(i=case.ip, s=case.sender, h=case.helo, strict=True).check()
    except Exception as error:  # it has faults of its own
        return type(error).__name__, str(error)
    return str(status), str(text)


def test_where_the_two_disagree_the_rfc_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    rnd = random.Random(7208)
    agreed: Counter[str] = Counter()
    explained: Counter[str] = Counter()
    for _ in range(CASES):
        case = make(rnd)
        result, (status, said) = ours(case), theirs(case, monkeypatch)
        if result.status == status:
            agreed[status] += 1
            if status == "fail" and result.explanation != said and "Exp=" in str(case.zone):
                explained["Exp="] += 1
            elif status == "fail":
                assert (result.explanation or DEFAULT) == said, f"{result.cause}; {result.explanation}; {said}; {case}"
            continue
        known = {words for words in DIFFERENCES if words in (said if status == "permerror" else result.cause.detail)}
        assert len(known) == 1, f"{result.cause}; {status} {said}; {case}"
        explained.update(known)
    assert explained.keys() == DIFFERENCES.keys(), explained
    assert sum(agreed.values()) > 0.95 * CASES
    assert agreed.keys() == {str(word) for word in zegel.SpfStatus}
    assert min(agreed.values()) > 100, agreed
