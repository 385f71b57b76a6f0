"""Which mail is ours, and who may sign as whom: tables of clients, grants and From fields."""

from __future__ import annotations

import pytest

from zegel.adapters.keyring import DomainKeys, Keyring
from zegel.config import Outbound, parse
from zegel.dkim.crypto import Key
from zegel.dkim.header import Header
from zegel.gateway.outbound import Client, Policy, Route, decide
from zegel.grammar.domain import Domain

ALLOW = """
[outbound]
reinjected = ["filter-back"]
[[outbound.allow]]
login = "alice"
sign = ["example.be", "Info@Example.ORG"]
[[outbound.allow]]
login = "kate"
sign = ["kate@example.org"]
[[outbound.allow]]
login = "below"
sign = [".example.be"]
[[outbound.allow]]
login = "u-label"
sign = ["exämple.be", "jan@kaffee.exämple.be"]
[[outbound.allow]]
login = "boss"
sign = ["*"]
[[outbound.allow]]
login = "*"
sign = ["everybody.example"]
[[outbound.allow]]
network = "192.0.2.0/24"
sign = ["net.example"]
[[outbound.allow]]
network = "2001:db8::/32"
sign = ["six.example"]
[[outbound.allow]]
local = true
sign = ["local.example"]
"""
POLICY = Policy(parse(ALLOW).outbound)
NAMES = ("example.be", "example.org", "net.example", "six.example", "local.example", "everybody.example", "xn--exmple-cua.be")
SUBDOMAINS = ("example.be", "xn--exmple-cua.be")
KEYS = {name: Key.generate(name, "s1", "ed25519") for name in (*NAMES, "deep.example.be")}
KEYRING = Keyring(DomainKeys(Domain(name), (key,), name in SUBDOMAINS) for name, key in KEYS.items())

STRANGER = Client("203.0.113.5", 4711)


def by(login: str, address: str = "203.0.113.5") -> Client:
    return Client(address, 4711, login)


@pytest.mark.parametrize(
    ("client", "route"),
    [
        (STRANGER, Route.INBOUND),
        (by("alice"), Route.LOGIN),
        (by("nobody"), Route.LOGIN),
        (Client("192.0.2.7", 25), Route.NETWORK),
        (Client("::ffff:192.0.2.7", 25), Route.NETWORK),
        (Client("::FFFF:C000:0207", 25), Route.NETWORK),
        (Client("192.0.3.7", 25), Route.INBOUND),
        (Client("2001:db8:1::5", 25), Route.NETWORK),
        (Client("2001:db9::5", 25), Route.INBOUND),
        (Client("::192.0.2.7", 25), Route.INBOUND),
        (Client("192.0.2.7", 25, "alice"), Route.LOGIN),
        (Client("127.0.0.1", 0), Route.LOCAL),
        (Client("::1", 0), Route.LOCAL),
        (Client("127.0.0.1", 40000), Route.INBOUND),
        (Client("::1", 40000), Route.INBOUND),
        # Postfix writes port 0 for a client of which it knows no port, and no address at all for one it knows nothing of.
        (Client("203.0.113.5", 0), Route.INBOUND),
        (Client("192.0.2.7", 0), Route.NETWORK),
        (Client("", 0), Route.INBOUND),
        (Client("", -1), Route.INBOUND),
        (Client("no address", 25), Route.INBOUND),
        (Client("127.0.0.1", 40000, daemon_name="filter-back"), Route.REINJECTED),
        (Client("127.0.0.1", 0, daemon_name="filter-back"), Route.REINJECTED),
        (Client("192.0.2.7", 25, "alice", "filter-back"), Route.REINJECTED),
        (Client("192.0.2.7", 25, "alice", "Filter-Back"), Route.LOGIN),
    ],
)
def test_routes(client: Client, route: Route) -> None:
    assert POLICY.route(client) is route


def test_nothing_is_ours_without_a_configuration() -> None:
    policy = Policy(Outbound())
    assert policy.route(Client("127.0.0.1", 25)) is Route.INBOUND
    assert policy.route(Client("10.0.0.1", 25)) is Route.INBOUND
    decision = decide(policy, KEYRING, by("alice"), Route.LOGIN, [b" a@example.be"], ours=False)
    assert decision.unsigned is not None
    assert decision.unsigned.id == "not_allowed"


def outcome(client: Client, author: bytes, *, ours: bool = False, policy: Policy = POLICY) -> str:
    """The domain that signs, or the id of the reason why none does."""
    decision = decide(policy, KEYRING, client, policy.route(client), [author], ours=ours)
    assert (decision.unsigned is None) == bool(decision.keys)
    return decision.unsigned.id if decision.unsigned else ",".join(key.domain for key in decision.keys)


LOCAL, NETWORK = Client("127.0.0.1", 0), Client("192.0.2.7", 25)


@pytest.mark.parametrize(
    ("client", "author", "expected"),
    [
        (by("alice"), b" a@example.be", "example.be"),
        (by("alice"), b" A <A@EXAMPLE.BE>", "example.be"),
        (by("alice"), b" a@shop.example.be", "not_allowed"),
        (by("alice"), b" info@example.org", "example.org"),
        (by("alice"), b" INFO@example.org", "example.org"),
        (by("alice"), b" other@example.org", "not_allowed"),
        (by("kate"), b" KATE@example.org", "example.org"),
        (by("kate"), " \u212aate@example.org".encode(), "not_allowed"),  # the Kelvin sign, whose lower case is a plain k
        (by("alice"), b" info@sub.example.org", "not_allowed"),
        (by("alice"), b" a@xexample.be", "not_allowed"),
        (by("alice"), b" a@be", "not_allowed"),
        (by("alice"), b" a@everybody.example", "everybody.example"),
        (by("Alice"), b" a@example.be", "not_allowed"),
        (by("alice "), b" a@example.be", "not_allowed"),
        (by("*"), b" a@example.be", "not_allowed"),
        (by("someone"), b" a@everybody.example", "everybody.example"),
        (by("below"), b" a@example.be", "not_allowed"),
        (by("below"), b" a@shop.example.be", "example.be"),
        (by("below"), b" a@x.y.example.be", "example.be"),
        (by("below"), b" a@deep.example.be", "deep.example.be"),
        # The nearest parent with a key is deep.example.be, which allows none below: the next one that allows signs.
        (by("below"), b" a@x.deep.example.be", "example.be"),
        (by("u-label"), "é <a@exämple.be>".encode(), "xn--exmple-cua.be"),
        (by("u-label"), b" a@XN--exmple-cua.be", "xn--exmple-cua.be"),
        (by("u-label"), "jan@kaffee.EXÄMPLE.be".encode(), "xn--exmple-cua.be"),
        (by("u-label"), b" a@example.be", "not_allowed"),
        (by("boss"), b" a@example.be", "example.be"),
        (by("boss"), b" a@sub.net.example", "no_key"),
        (by("boss"), b" a@elsewhere.example", "no_key"),
        (by("alice", "192.0.2.7"), b" a@net.example", "net.example"),
        (by("nobody", "::ffff:192.0.2.7"), b" a@net.example", "net.example"),
        (NETWORK, b" a@net.example", "net.example"),
        (NETWORK, b" a@example.be", "not_allowed"),
        (NETWORK, b" a@everybody.example", "not_allowed"),
        (NETWORK, b" a@local.example", "not_allowed"),
        (Client("2001:db8::1", 25), b" a@six.example", "six.example"),
        (LOCAL, b" a@local.example", "local.example"),
        (LOCAL, b" a@everybody.example", "not_allowed"),
        (LOCAL, b" a@net.example", "not_allowed"),
        (Client("127.0.0.1", 1, "", "filter-back"), b" a@example.be", "reinjected"),
        # Several authors: each must be allowed, and one domain signs.
        (by("alice"), b" a@example.be, b@EXAMPLE.be", "example.be"),
        (by("alice"), b" a@example.be, info@example.org", "from_several"),
        (by("alice"), b" info@example.org, boss@example.org", "not_allowed"),
        (by("boss"), b" Us: a@example.be;", "from_syntax"),
        (by("boss"), b" <attacker@example.be>:<spoofed@b.example>", "from_syntax"),
        (by("boss"), b" undisclosed-recipients:;", "from_syntax"),
        (by("boss"), b"", "from_syntax"),
        (by("boss"), b" caf\xe9 <a@example.be>", "from_syntax"),
        (by("boss"), b" a@example.be\x00", "from_syntax"),
        (by("boss"), b" {who} {0} %s <a@{x}.example>", "from_syntax"),
    ],
)
def test_who_may_sign_as_whom(client: Client, author: bytes, expected: str) -> None:
    """The site's own rules, which RFC 6376 5.1 leaves to it; RFC 9989 5.1.2: the domain that signs is aligned with the author's."""
    assert outcome(client, author) == expected


@pytest.mark.parametrize("names", [(), (b"From", b"from"), (b"From", b"From "), (b"Sender",), (b"Resent-From",)])
def test_one_from_field_and_no_other_number(names: tuple[bytes, ...]) -> None:
    authors = Header(b"".join(name + b": a@example.be\r\n" for name in names)).values("from")
    decision = decide(POLICY, KEYRING, by("boss"), Route.LOGIN, authors, ours=False)
    assert decision.unsigned is not None
    assert decision.unsigned.id == "from_count"


@pytest.mark.parametrize(
    ("client", "expected"),
    [(by("alice"), "example.be"), (LOCAL, "checked_before"), (NETWORK, "checked_before")],
    ids=["login", "local", "net"],
)
def test_what_carries_our_results_came_from_outside(client: Client, expected: str) -> None:
    assert outcome(client, b" a@example.be", ours=True) == expected


def test_the_sentence_names_what_is_missing() -> None:
    decision = decide(POLICY, KEYRING, by("boss"), Route.LOGIN, [b" {0} <a@elsewhere.example>"], ours=False)
    assert decision.unsigned is not None
    assert str(decision.unsigned.told) == "not signed: no key for elsewhere.example"


def test_both_keys_sign_in_their_order() -> None:
    keys = (Key.generate("example.be", "a", "ed25519"), Key.generate("example.be", "b", "ed25519"))
    keyring = Keyring([DomainKeys(Domain("example.be"), keys)])
    decision = decide(POLICY, keyring, by("alice"), Route.LOGIN, [b" a@example.be"], ours=False)
    assert decision.keys == keys
