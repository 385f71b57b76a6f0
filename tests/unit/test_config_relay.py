"""[relay]: no configuration that starts is an open relay, and each refusal says what to write instead."""

from __future__ import annotations

import pytest

from zegel.config import ConfigError, parse

CERTIFICATE = 'certificate = "/etc/zegel/cert.pem"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('loopback = ["inet:0.0.0.0:25"]', "takes mail without a login"),
        ('loopback = ["inet:192.0.2.1:25"]', "takes mail without a login"),
        ('loopback = ["inet6:[::]:25"]', "takes mail without a login"),
        ('loopback = ["inet6:[::ffff:192.0.2.1]:25"]', "takes mail without a login"),
        ('loopback = ["inet:mail.example.be:25"]', "takes mail without a login"),
        ('loopback = ["inet:127.0.0.1.example.be:25"]', "takes mail without a login"),
        ('loopback = ["unix:/run/zegel.sock"]', "unix socket"),
        ('starttls = ["inet:0.0.0.0:587"]', "relay.certificate is missing"),
        ('tls = ["inet:0.0.0.0:465"]', "relay.certificate is missing"),
        ('key = "/etc/zegel/key.pem"', "without relay.certificate"),
        (CERTIFICATE + 'starttls = ["587"]', "relay.starttls"),
        ('hostname = "localhost"', "relay.hostname"),
        ('hostname = "a b"', "relay.hostname"),
        ('egress = ["example.be"]', "relay.egress"),
        ('egress = ["192.0.2.0/24"]', "relay.egress"),
        (f"egress = {['192.0.2.1'] * 9}", "relay.egress"),
        ("max_recipients = 1001", "relay.max_recipients"),
        ("max_recipients = 0", "relay.max_recipients"),
        ("max_size = 1000", "relay.max_size"),
        ("max_connections = 0", "relay.max_connections"),
        ("max_per_address = 0", "relay.max_per_address"),
        ('loopback_line_ends = "keep"', "loopback_line_ends"),
        ("networks = []", "networks is unknown"),
    ],
)
def test_what_is_dangerous_or_wrong_is_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse(f"[relay]\n{text}\n")


@pytest.mark.parametrize(
    "text",
    [
        "",
        'loopback = ["inet:127.0.0.1:8587", "inet6:[::1]:8587", "inet:localhost:8587", "inet:127.9.9.9:2525"]',
        CERTIFICATE + 'starttls = ["inet:0.0.0.0:587"]\ntls = ["inet6:[::]:465"]\nhostname = "mail.example.be"',
        'egress = ["192.0.2.25", "2001:db8::25"]\nloopback = ["inet:127.0.0.1:0"]',
    ],
)
def test_what_is_sound_is_taken(text: str) -> None:
    assert parse(f"[relay]\n{text}\n").relay.listens == bool(text)
