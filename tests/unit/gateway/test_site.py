"""[inbound] of zegel.toml made ready: what is right has the meaning that it says, and what is wrong has a sentence of its own."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog

from zegel import app
from zegel.cli import main
from zegel.config import ConfigError, parse
from zegel.gateway.settings import Quarantine
from zegel.gateway.site import check, make_quarantine, make_site
from zegel.grammar.domain import Domain
from zegel.spf.client import Client
from zegel.verdict.policy import Mode, Site
from zegel.verdict.rules import RuleKind

RULE = '[[inbound.rule]]\nkind = "{kind}"\nwho = "jan"\nwhy = "the scanner"\n'
NETWORK = RULE.format(kind="network")
OUR_OWN = Domain.parse("shop.example")

WRONG = [
    # what stands below [inbound], and the whole sentence
    (
        'quarantine_header = "Subject"',
        "inbound.quarantine_header 'Subject' is no name for it; write one that begins with X-, such as X-Zegel-",
    ),
    ('quarantine_header = ""', "inbound.quarantine_header '' is no name for it"),
    ('quarantine_header = "X-"', "inbound.quarantine_header 'X-' is no name for it"),
    ('quarantine_header = "X-A B"', "inbound.quarantine_header 'X-A B' is no name for it"),
    ('quarantine_header = "X-A:"', "inbound.quarantine_header 'X-A:' is no name for it"),
    ('quarantine_header = "X-A\\r\\nBcc"', "inbound.quarantine_header 'X-A\\r\\nBcc' is no name for it"),
    ('quarantine_header = "X-A\\n"', "inbound.quarantine_header 'X-A\\n' is no name for it"),
    ('quarantine_header = "X-\u00c4"', "inbound.quarantine_header 'X-\u00c4' is no name for it"),
    (f'quarantine_header = "X-{"a" * 61}"', "is no name for it"),
    ('own_domains = ["example.be", "a b"]', "inbound.own_domains: 'a b' is no domain; write one such as example.be"),
    ('own_domains = ["info@example.be"]', "inbound.own_domains: 'info@example.be' is no domain"),
    ('own_domains = [""]', "inbound.own_domains: '' is no domain"),
    ('own_domains = ["*.example.be"]', "inbound.own_domains: '*.example.be' is no domain"),
    ('partners = ["example..be"]', "inbound.partners: 'example..be' is no domain; write one such as example.be"),
    ('trusted_sealers = ["192.0.2.0/24"]', "inbound.trusted_sealers: '192.0.2.0/24' is no domain; write one such as example.be"),
    ('modes = { "a b" = "reject" }', "inbound.modes: 'a b' is no domain; write one such as example.be"),
    ('relays = ["192.0.2.0/33"]', "inbound.relays: '192.0.2.0/33' is no network; write one such as 192.0.2.0/24"),
    ('relays = ["192.0.2.1", "mx.example.be"]', "inbound.relays: 'mx.example.be' is no network"),
    ('relays = ["192.0.02.1"]', "inbound.relays: '192.0.02.1' is no network"),
    ('relays = ["::ffff:192.0.2.0/120"]', "inbound.relays: '::ffff:192.0.2.0/120' is no network"),
    ('relays = ["0.0.0.0/0"]', "inbound.relays: so wide a network as 0.0.0.0/0 is nobody's own; list your own networks"),
    ('relays = ["2000::/6"]', "inbound.relays: so wide a network as 2000::/6 is nobody's own"),
    (NETWORK + 'networks = ["10.0.0.0/7"]', "inbound.rule number 1: a network of less than /8 (IPv6: /7) lets everybody through"),
    (NETWORK, "inbound.rule number 1: a rule names a network or an authenticated domain: the rest of a message anybody can write"),
    (NETWORK + 'networks = ["a"]', "inbound.rule number 1: not an IP address"),
    (NETWORK + 'networks = ["192.0.2.1"]\n' + NETWORK + 'networks = ["192.0.2.1/x"]', "inbound.rule number 2: not a network"),
    (NETWORK + 'networks = ["192.0.2.1"]\ndomains = ["example.be"]', "inbound.rule number 1: a rule for a network names networks only"),
    (
        NETWORK + 'networks = ["192.0.2.1"]\nsenders = ["example.be"]',
        "inbound.rule number 1: a rule for senders names them, and no other does",
    ),
    (RULE.format(kind="sender") + 'domains = ["example.be"]', "inbound.rule number 1: a rule for senders names them, and no other does"),
    (RULE.format(kind="list") + 'domains = ["a b"]', "inbound.rule number 1: "),
    (NETWORK.replace("jan", " ") + 'networks = ["192.0.2.1"]', "inbound.rule number 1: a rule says who made it, and why"),
    (NETWORK.replace("the scanner", "") + 'networks = ["192.0.2.1"]', "inbound.rule number 1: a rule says who made it, and why"),
    (
        NETWORK + 'networks = ["192.0.2.1"]\nsince = 2026-11-24\nuntil = 2026-11-24',
        "inbound.rule number 1: a rule ends after it begins",
    ),
]


@pytest.mark.parametrize(("text", "sentence"), WRONG)
def test_what_is_wrong_has_its_sentence(text: str, sentence: str) -> None:
    inbound = parse(f"[inbound]\n{text}\n").inbound
    with pytest.raises(ConfigError) as wrong:
        check(inbound)
    assert str(wrong.value).startswith(f"zegel.toml: {sentence}" if sentence.startswith("inbound") else "zegel.toml: inbound.")
    assert sentence in str(wrong.value)


UNREAD = [
    ('mode = "refuse"', "inbound.mode must be one of observe, quarantine, reject"),
    ('modes = { "example.be" = "on" }', "inbound.modes[...] must be one of observe, quarantine, reject"),
    ('quarantine = "junk"', "inbound.quarantine must be one of header, hold"),
    ('dns_trouble = "reject"', "inbound.dns_trouble must be one of accept, defer"),
    ('look_alikes = "reject"', "inbound.look_alikes must be one of off, mark, quarantine"),
    ("hold = true", "inbound.hold is unknown"),
    (RULE.format(kind="everybody"), "must be one of network, sender, forwarder, list"),
    ('[[inbound.rule]]\nkind = "network"\nwho = "jan"', "why"),
]


@pytest.mark.parametrize(("text", "sentence"), UNREAD)
def test_what_is_no_setting_at_all_is_refused_as_it_is_read(text: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as wrong:
        parse(f"[inbound]\n{text}\n")
    assert sentence in str(wrong.value)


def test_nothing_written_observes_and_knows_nobody() -> None:
    inbound = parse("").inbound
    assert make_quarantine(inbound) == Quarantine(b"X-Zegel-Quarantine", hold=False)
    site = make_site(inbound)
    assert site == Site(own_domains=site.own_domains)
    assert (site.mode, site.look_alikes, site.defer_on_trouble) == (Mode.OBSERVE, None, False)
    assert site.own_domains.holding(OUR_OWN) is None


def test_what_is_right_means_what_it_says() -> None:
    inbound = parse(
        """[inbound]
        mode = "reject"
        modes = { "Soft.Example" = "quarantine", "b\u00fccher.example" = "observe" }
        quarantine = "hold"
        quarantine_header = "X-Held"
        dns_trouble = "defer"
        own_domains = ["Example.BE"]
        relays = ["192.0.2.77/24", "2001:db8::/32", "198.51.100.1"]
        trusted_sealers = ["lists.example"]
        partners = ["supplier.example"]
        look_alikes = "quarantine"
        """
    ).inbound
    assert make_quarantine(inbound) == Quarantine(b"X-Held", hold=True)
    site = make_site(inbound, [OUR_OWN])
    for recipients, mode in (
        (("a@soft.example",), Mode.QUARANTINE),
        (("a@xn--bcher-kva.example",), Mode.OBSERVE),
        (("a@b\u00fccher.example",), Mode.OBSERVE),
        (("a@other.example",), Mode.REJECT),
    ):
        assert site.mode_for(recipients) is mode
    assert site.defer_on_trouble
    for name, held in (("example.be", True), ("www.example.be", True), ("shop.example", True), ("ample.be", False)):
        assert (site.own_domains.holding(Domain.parse(name)) is not None) == held
    for address, ours in (
        ("192.0.2.1", True),
        ("2001:db8:1::1", True),
        ("198.51.100.1", True),
        ("198.51.100.2", False),
        ("192.0.3.1", False),
    ):
        assert Client.parse(address).within(site.relays) == ours
    assert site.trusted_sealers == {Domain.parse("lists.example")}
    assert site.quarantine_look_alikes
    assert site.look_alikes is not None
    for name in ("suppl1er.example", "examp1e.be", "sh0p.example"):
        assert bool(site.look_alikes.find(Domain.parse(name), "")) == (name != "sh0p.example"), "names under six letters need more"


@pytest.mark.parametrize(("look_alikes", "made"), [("off", False), ("mark", True), ("quarantine", True)])
def test_look_alikes_are_of_what_is_ours_or_a_partners(look_alikes: str, made: bool) -> None:
    inbound = parse(f'[inbound]\nlook_alikes = "{look_alikes}"\n').inbound
    assert make_site(inbound).look_alikes is None, "there is nobody to look like"
    assert (make_site(inbound, [OUR_OWN]).look_alikes is not None) == made
    assert make_site(inbound, [OUR_OWN]).quarantine_look_alikes == (look_alikes == "quarantine")


def test_rules_hold_on_their_days_in_utc() -> None:
    text = NETWORK + 'networks = ["192.0.2.0/24"]\nsince = 2026-11-24\nuntil = 2026-12-01\n'
    text += RULE.format(kind="sender") + 'domains = ["mailer.example"]\nsenders = ["Jan@Example.BE"]\n'
    first, second = make_site(parse(text).inbound).rules
    assert (first.kind, first.who, first.why) == (RuleKind.NETWORK, "jan", "the scanner")
    assert first.since == datetime(2026, 11, 24, tzinfo=UTC).timestamp()
    assert first.until == datetime(2026, 12, 1, tzinfo=UTC).timestamp()
    assert (second.kind, second.senders, second.since, second.until) == (RuleKind.SENDER, ("Jan@example.be",), 0, math.inf)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name in ("ZEGEL_CONFIG", "ZEGEL_MASTER_KEY", "LANGUAGE", "LC_ALL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ZEGEL_DATA", str(tmp_path))
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.setenv("COLUMNS", "300")
    yield tmp_path
    structlog.reset_defaults()


@pytest.mark.parametrize("text", ['quarantine_header = "Subject"', 'relays = ["mx.example.be"]', NETWORK])
def test_start_up_and_status_tell_of_it(data: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    (data / "zegel.toml").write_text(f'[inbound]\n{text}\n[metrics]\nlisten = ""\n')
    with pytest.raises(ConfigError) as wrong:
        app.read_config(None, data)
    with pytest.raises(ConfigError) as refused:
        app.serve(data, None, announce=lambda _: None)
    assert str(refused.value) == str(wrong.value)
    assert main.run(["status"]) != 0
    shown = capsys.readouterr().out
    assert str(wrong.value) in " ".join(shown.split())
    (data / "zegel.toml").write_text('[metrics]\nlisten = ""\n')
    main.run(["status"])
    assert "is in order" in capsys.readouterr().out
