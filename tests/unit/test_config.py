"""zegel.toml: what is unknown, wrong or dangerous is refused by a sentence that names the key; all else is taken."""

from __future__ import annotations

import ipaddress

import pytest

from zegel.config import Config, ConfigError, Listen, listen_address, parse

ALLOW = "[[outbound.allow]]\n"
DEEP = "x" * 120

REFUSED = [
    ("milter", "[milter", "not valid TOML"),
    ("mitler", "[mitler]\n", "mitler"),
    ("milter.listne", "[milter]\nlistne = []", "listne"),
    ("milter.listen", '[milter]\nlisten = "inet:127.0.0.1:8891"', "milter.listen"),
    ("milter.listen", "[milter]\nlisten = []", "milter.listen"),
    ("milter.listen", '[milter]\nlisten = ["8891"]', "milter.listen"),
    ("milter.listen", '[milter]\nlisten = ["inet:8891@127.0.0.1"]', "milter.listen"),
    ("milter.listen", '[milter]\nlisten = ["inet:127.0.0.1:65536"]', "milter.listen"),
    ("milter.listen", '[milter]\nlisten = ["inet:127.0.0.1:-1"]', "milter.listen"),
    ("milter.listen", '[milter]\nlisten = ["inet:127.0.0.1:٨٨٩١"]', "milter.listen"),
    ("milter.listen", '[milter]\nlisten = ["inet::8891"]', "milter.listen"),
    ("milter.listen", '[milter]\nlisten = ["inet:a b:8891"]', "milter.listen"),
    ("milter.listen", '[milter]\nlisten = ["unix:relative.sock"]', "milter.listen"),
    ("milter.listen", f'[milter]\nlisten = ["unix:/{DEEP}"]', "milter.listen"),
    ("milter.listen", '[milter]\nlisten = ["unix:/a\\u0000b"]', "milter.listen"),
    ("milter.socket_mode", '[milter]\nsocket_mode = "rw-rw----"', "milter.socket_mode"),
    ("milter.socket_mode", "[milter]\nsocket_mode = 660", "milter.socket_mode"),
    ("milter.socket_mode", '[milter]\nsocket_mode = "0666"', "milter.socket_mode"),
    ("milter.socket_mode", '[milter]\nsocket_mode = "777"', "milter.socket_mode"),
    ("milter.socket_mode", '[milter]\nsocket_mode = "4660"', "milter.socket_mode"),
    ("milter.max_connections", "[milter]\nmax_connections = 0", "milter.max_connections"),
    ("milter.max_connections", "[milter]\nmax_connections = true", "milter.max_connections"),
    ("milter.drain_seconds", "[milter]\ndrain_seconds = -1", "milter.drain_seconds"),
    ("milter.drain_seconds", "[milter]\ndrain_seconds = nan", "milter.drain_seconds"),
    ("milter.drain_seconds", "[milter]\ndrain_seconds = inf", "milter.drain_seconds"),
    ("allow: nobody", ALLOW + 'sign = ["*"]', "outbound.allow"),
    ("allow: two", ALLOW + 'login = "a"\nlocal = true\nsign = ["*"]', "outbound.allow"),
    ("allow: two", ALLOW + 'login = "a"\nnetwork = "10.0.0.0/8"\nsign = ["*"]', "outbound.allow"),
    ("allow: no sender", ALLOW + 'login = "a"', "outbound.allow"),
    ("allow: empty", ALLOW + 'login = "a"\nsign = []', "outbound.allow"),
    ("allow: unknown", ALLOW + 'logn = "a"\nsign = ["*"]', "logn"),
    ("allow: type", ALLOW + 'login = "a"\nsign = "*"', "outbound.allow[0].sign"),
    ("allow: type", ALLOW + 'local = "yes"\nsign = ["*"]', "outbound.allow[0].local"),
    ("network: none", ALLOW + 'network = "here"\nsign = ["*"]', "outbound.allow.network"),
    ("network: host bits", ALLOW + 'network = "192.0.2.1/24"\nsign = ["*"]', "outbound.allow.network"),
    ("network: all", ALLOW + 'network = "0.0.0.0/0"\nsign = ["*"]', "outbound.allow.network"),
    ("network: half", ALLOW + 'network = "128.0.0.0/1"\nsign = ["*"]', "outbound.allow.network"),
    ("network: all", ALLOW + 'network = "::/0"\nsign = ["*"]', "outbound.allow.network"),
    ("network: all in use", ALLOW + 'network = "2000::/3"\nsign = ["*"]', "outbound.allow.network"),
    ("network: IPv4 in IPv6", ALLOW + 'network = "::ffff:192.0.2.0/120"\nsign = ["*"]', "outbound.allow.network"),
    *(
        (f"sender {sender!r}", ALLOW + f"login = 'a'\nsign = ['{sender}']", "outbound.allow.sign")
        for sender in (
            "",
            ".",
            "@",
            "info@",
            "@example.be",
            "info@.example.be",
            "..example.be",
            "exa mple.be",
            "*.example.be",
            "a@b@",
            "-x.be",
        )
    ),
    ("reinjected", '[outbound]\nreinjected = "filter"', "outbound.reinjected"),
    ("modes", '[inbound]\nmodes = { "example.be" = "on" }', "inbound.modes[...] must be one of observe"),
    ("modes", '[inbound]\nmodes = { "example.be" = 1 }', "inbound.modes[...] must be"),
    ("authserv_id", '[inbound]\nauthserv_id = "a b"', "inbound.authserv_id"),
    ("authserv_id", '[inbound]\nauthserv_id = "a\\r\\nSubject: x"', "inbound.authserv_id"),
    ("authserv_id", '[inbound]\nauthserv_id = "mail.example.be; dkim=pass"', "inbound.authserv_id"),
    ("messages: days", "[messages]\nkeep_days = 0", "messages.keep_days"),
    ("messages: days", "[messages]\nkeep_days = 3651", "messages.keep_days"),
    ("messages: stories", "[messages]\nstory_days = 31", "messages.story_days"),
    ("messages: stories", "[messages]\nstory_days = -1", "messages.story_days"),
    ("messages: type", '[messages]\nhash_addresses = "yes"', "messages.hash_addresses"),
    ("canonicalization", '[signing]\ncanonicalization = "relaxed"', "signing.canonicalization"),
    ("expire", "[signing]\nexpire = -1", "signing.expire"),
    ("expire", "[signing]\nexpire = 60", "signing.expire"),
    ("expire", "[signing]\nexpire = 1900000000", "signing.expire"),
    ("expire", "[signing]\nexpire = 1.5", "signing.expire"),
    ("timeout", "[dns]\ntimeout = 0", "dns.timeout"),
    ("timeout", "[dns]\ntimeout = nan", "dns.timeout"),
    ("timeout", "[dns]\ntimeout = 1e9", "dns.timeout"),
    ("tries", "[dns]\ntries = 0", "dns.tries"),
    ("tries", "[dns]\ntries = 1000000", "dns.tries"),
    ("metrics", '[metrics]\nlisten = "9199"', "metrics.listen"),
    ("metrics", '[metrics]\nlisten = "unix:/x"', "metrics.listen"),
    ("limits", "[limits]\nheader_byte = 300000", "limits.header_byte"),
    ("limits", "[limits]\nheader_bytes = 5", "limits"),
    ("limits", "[limits]\nsignatures = 0", "limits"),
    ("limits", "[limits]\ndns_seconds = nan", "limits.dns_seconds"),
    ("limits", "[limits]\ndns_seconds = inf", "limits.dns_seconds"),
    ("limits", "limits = 3", "limits"),
]


@pytest.mark.parametrize(
    ("text", "named"), [pytest.param(text, named, id=f"{name}-{number}") for number, (name, text, named) in enumerate(REFUSED)]
)
def test_what_cannot_be_used_is_refused_by_name(text: str, named: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(text)
    sentence = str(refused.value)
    assert named in sentence
    assert sentence.startswith("zegel.toml")
    assert sentence.isprintable()


def test_an_empty_file_is_the_defaults() -> None:
    assert parse("") == Config()
    assert Config().outbound.allow == ()


def test_all_of_it() -> None:
    config = parse(
        """
        [milter]
        listen = ["unix:/run/zegel.sock", "inet:localhost:0", "inet6:[::1]:8891"]
        socket_mode = "660"
        socket_group = "postfix"
        max_connections = 5
        drain_seconds = 0
        [outbound]
        reinjected = ["filter-back"]
        [[outbound.allow]]
        login = "*"
        sign = ["example.be", ".example.be", "info@exämple.be", "*"]
        [[outbound.allow]]
        network = "10.0.0.0/8"
        sign = ["*"]
        [[outbound.allow]]
        network = "fd00::/8"
        sign = ["*"]
        [[outbound.allow]]
        network = "127.0.0.1"
        sign = ["*"]
        [[outbound.allow]]
        local = true
        sign = ["example.be"]
        [inbound]
        authserv_id = "mail.exämple.be"
        [signing]
        canonicalization = "simple/relaxed"
        expire = 1209600
        [dns]
        nameservers = ["127.0.0.1"]
        timeout = 1
        [metrics]
        listen = ""
        [limits]
        dns_seconds = 5
        signatures = 3
        """
    )
    assert config.milter.listen[2] == "inet6:[::1]:8891"
    assert [entry.networks for entry in config.outbound.allow][1:3] == [
        (ipaddress.ip_network("10.0.0.0/8"),),
        (ipaddress.ip_network("fd00::/8"),),
    ]
    assert config.limits.signatures == 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("unix:/a/b c.sock", Listen("/a/b c.sock", "", 0)),
        ("inet:127.0.0.1:8891", Listen("", "127.0.0.1", 8891)),
        ("inet:mail.example.be:0", Listen("", "mail.example.be", 0)),
        ("inet6:[::1]:8891", Listen("", "::1", 8891)),
        ("inet6:[fe80::1%eth0]:8891", Listen("", "fe80::1%eth0", 8891)),
        ("inet:0.0.0.0:8891", Listen("", "0.0.0.0", 8891)),
    ],
)
def test_addresses_to_listen_on(text: str, expected: Listen) -> None:
    assert listen_address(text) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[milter]\nlisten = "inet:127.0.0.1:1"', "milter.listen must be a list"),
        ("[milter]\nlisen = []", "milter.lisen is unknown; write one of listen, socket_group"),
        ("[mitler]", "mitler is unknown; write one of milter, outbound"),
        ('[outbound.allow]\nlogin = "a"', "[[outbound.allow]], with two brackets"),
        ('[[outbound.allow]]\nlogn = "a"', "outbound.allow[0].logn is unknown; write one of login, network, local, sign"),
        ("[[outbound.allow]]\nlogin = 1", 'outbound.allow[0].login must be text in quotes: "..."'),
        ('[signing]\ncanonicalization = "loose"', "signing.canonicalization must be one of relaxed/relaxed, relaxed/simple"),
        ('[dns]\ntries = "2"', "dns.tries must be a whole number, without quotes"),
        ('[dns]\ntrust_ad = "yes"', "dns.trust_ad must be true or false, without quotes"),
        ("milter = 1", "milter must be a table"),
    ],
)
def test_a_wrong_value_is_told_in_words_of_the_file(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(text)
    assert str(refused.value).startswith("zegel.toml: ")
    assert said in str(refused.value)
    assert "`" not in str(refused.value)


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("rotate_days = 6", "rotate_days"),
        ("rotate_days = -1", "rotate_days"),
        ("look_seconds = 5", "look_seconds"),
        ("look_seconds = 301", "look_seconds"),
        ("retiring_days = 6", "retiring_days"),
        ("revoked_days = 0", "revoked_days"),
        ('publish_private = "../keys"', "publish_private"),
        ('publish_private = "/tmp/keys"', "publish_private"),
        ('algorithm = "rsa1024"', "algorithm"),
    ],
)
def test_what_would_end_a_key_too_soon_or_write_elsewhere_is_refused(line: str, key: str) -> None:
    with pytest.raises(ConfigError, match=f"keys.{key}"):
        parse(f"[keys]\n{line}\n")


def test_the_life_of_keys_has_its_own_table() -> None:
    keys = parse('[keys]\nrotate_days = 180\npublish_private = "published-keys"\n').keys
    assert (keys.rotate_days, keys.retiring_days, keys.publish_private) == (180, 7, "published-keys")
    assert parse("").keys.rotate_days == 0
