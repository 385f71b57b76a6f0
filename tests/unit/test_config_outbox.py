from __future__ import annotations

import asyncio
import ssl
import tomllib
from pathlib import Path

import pytest

import zegel
from zegel.adapters.smtpclient import Peer
from zegel.config import ConfigError, parse
from zegel.config.outbox import Outbox
from zegel.gateway.nexthop import NoRouteError
from zegel.gateway.terms import make_terms
from zegel.store.posting import RELEASED

ZONE = zegel.Zone.from_dict({})


@pytest.mark.parametrize(
    "text",
    [
        'next_hop = "mx"',
        'next_hop = "mx"\nlocal_servers = true',
        'next_hop = "127.0.0.1"',
        'next_hop = "[2001:db8::1]:587"',
        'next_hop = "smtp.example.be:465"\ntls = "implicit"\nuser = "u"\npassword_file = "/run/secret"',
        'user = "u"\npassword_file = "/run/secret"',  # to this machine itself
        "warn_hours = 0\nkeep_days = 0\nexpiry_days = 0.5",
    ],
)
def test_what_is_taken(text: str) -> None:
    made, written = parse(f"[outbox]\n{text}\n").outbox, tomllib.loads(text)
    assert {name: getattr(made, name) for name in written} == written


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('next_hop = ""', "is no next hop; write"),
        ('next_hop = "a b:25"', "is no next hop; write"),
        ('next_hop = "smtp.example.be:99999"', "is no next hop; write"),
        ('user = "u"', "go together"),
        ('next_hop = "mx"\nuser = "u"\npassword_file = "/x"\ntls = "required"', "is for one next hop"),
        ('next_hop = "smtp.example.be:587"\nuser = "u"\npassword_file = "/x"', "without sure encryption"),
        ('next_hop = "smtp.example.be:587"\nuser = "u"\npassword_file = "/x"\ntls = "off"', "without sure encryption"),
        ('next_hop = "mx"\ntls = "implicit"', "is for one next hop"),
        ('hostname = "-"', "is no host name"),
        ("expiry_days = 0", "expiry_days is a number"),
        ("expiry_days = nan", "expiry_days is a number"),
        ("warn_hours = 200", "warn_hours is a number"),
        ("keep_days = -1", "keep_days is a number"),
        ("max_message_bytes = 1", "max_message_bytes is a number"),
        ("max_bytes = 1000", "at least twice"),
        ("concurrency = 0", "from 1 to 100"),
        ('tls = "sometimes"', "must be one of"),
    ],
)
def test_what_is_refused_with_what_to_write(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse(f"[outbox]\n{text}\n")


@pytest.mark.parametrize("listener", ["127.0.0.1:2525", "127.0.0.2:2525"])
def test_mail_does_not_go_round(listener: str) -> None:
    with pytest.raises(ConfigError, match="Zegel's own relay"):
        parse(f'[relay]\nloopback = ["inet:{listener}"]\n[outbox]\nnext_hop = "127.0.0.1:2525"\n')
    parse(f'[relay]\nloopback = ["inet:{listener}"]\n[outbox]\nnext_hop = "127.0.0.1:25"\n')


@pytest.mark.parametrize(
    ("inbound", "said"),
    [
        ('quarantine = "keep"', 'release_to = "127.0.0.1:25"'),
        ('release_to = "a b"', "release_to 'a b' is no server"),
        ('release_to = "mx:0"', "is no server"),
        ('release_to = "127.0.0.1:2525"', "Zegel's own relay"),
    ],
)
def test_what_is_released_has_a_way_back(inbound: str, said: str) -> None:
    rest = '[relay]\nloopback = ["inet:127.0.0.1:2525"]\n[outbox]\nnext_hop = "mx"\n'
    with pytest.raises(ConfigError, match=said):
        parse(f"[inbound]\n{inbound}\n{rest}")
    parse(f'[inbound]\nquarantine = "keep"\nrelease_to = "127.0.0.1:25"\n{rest}')
    parse('[inbound]\nquarantine = "keep"\n')


def test_a_server_of_our_own_for_releases_gets_no_login_and_no_certificate_is_asked_of_it() -> None:
    zone = zegel.Resolver(["127.0.0.1:1"])

    def peer(release_to: str, **outbox: str) -> Peer:
        terms = make_terms(Outbox(**outbox), zone, "mail.example.be", release_to=release_to)  # type: ignore[arg-type]
        return asyncio.run(terms.peers(RELEASED))[0]

    assert peer("127.0.0.1:2526", next_hop="mx") == Peer("127.0.0.1", "127.0.0.1", 2526, "off")
    far = peer("192.0.2.7", next_hop="smtp.example.be:587", tls="required")
    assert (far.address, far.port, far.tls, far.login) == ("192.0.2.7", 25, "opportunistic", None)
    assert far.context is not None
    assert far.context.verify_mode is ssl.CERT_NONE
    with pytest.raises(NoRouteError, match="release_to is missing"):
        peer("")


def test_the_secret_is_of_a_file_that_others_cannot_read(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    settings = Outbox(next_hop="smtp.example.be:587", tls="required", user="u", password_file=str(file))
    with pytest.raises(ConfigError, match="cannot be read"):
        make_terms(settings, ZONE, "mail.example.be")
    file.write_text("gehéim\nmore\n", encoding="utf-8")
    file.chmod(0o644)
    with pytest.raises(ConfigError, match="can be read by everybody on this machine; type: chmod 600"):
        make_terms(settings, ZONE, "mail.example.be")
    file.chmod(0o600)
    terms = make_terms(settings, ZONE, "mail.example.be")
    assert terms.password == "gehéim"
    assert "gehéim" not in repr(terms)
    assert terms.context is not None
    assert terms.context.check_hostname
    file.write_text("\n")
    with pytest.raises(ConfigError, match="holds no password"):
        make_terms(settings, ZONE, "mail.example.be")
    with pytest.raises(ConfigError, match=r"outbox.ca_file .* cannot be used"):
        make_terms(Outbox(ca_file="/nonexistent"), ZONE, "mail.example.be")
