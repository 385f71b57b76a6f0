"""``zegel site``: the secret is shown once, and what cannot be is said with the next step."""

from __future__ import annotations

import base64
import inspect
from dataclasses import replace
from pathlib import Path

import pytest

from zegel.store import post, transit
from zegel.store.posting import Outcome, Posting, State
from zegel.store.spool import Spool

from .conftest import Run

RELAY = """
[relay]
starttls = ["inet:0.0.0.0:587"]
tls = ["inet:0.0.0.0:465"]
certificate = "/etc/zegel/cert.pem"
hostname = "mail.example.be"
"""
ADD = ("site", "add", "portal", "--address", "noreply@example.be", "--contact", "it@example.be")


@pytest.fixture
def filled(zegel: Run, data: Path) -> Run:
    assert zegel("domain", "add", "example.be").status == 0
    (data / "zegel.toml").write_text(RELAY)
    return zegel


def test_add_shows_what_to_type_in_and_the_secret_once(filled: Run) -> None:
    added = filled(*ADD, "--to", "example.be", "--network", "192.0.2.0/24", "--sender", "info@example.be")
    assert added.status == 0
    for said in ("mail.example.be", "587 with STARTTLS", "465 with TLS", "portal", "zegel site test portal"):
        assert said in added.text
    secret = next(line.split()[-1] for line in added.text.splitlines() if line.startswith("Password"))
    assert len(base64.b32decode(secret.upper())) == 20
    for command in (("site", "show", "portal"), ("site", "show", "portal", "--json"), ("site", "list"), ("site", "list", "--json")):
        shown = filled(*command)
        assert shown.status == 0
        assert secret not in shown.text
        assert "noreply@example.be" in shown.text


def test_json_has_the_secret_of_add_and_of_rotate_only(filled: Run) -> None:
    added = filled(*ADD, "--json").json
    rotated = filled("site", "rotate-secret", "portal", "--json").json
    assert added["secret"] != rotated["secret"]
    shown = filled("site", "show", "portal", "--json").json
    assert "secret" not in shown
    assert (shown["rate"], shown["foreign_from"], shown["disabled"]) == (1000, "correct", None)


def test_a_configuration_that_cannot_be_read_is_told_before_there_is_a_secret(filled: Run, data: Path) -> None:
    (data / "zegel.toml").write_text(RELAY + 'egress = ["nowhere"]\n')
    assert filled(*ADD).status == 2
    assert "There are no sites yet" in filled("site", "list").text
    (data / "zegel.toml").write_text(RELAY)
    before = filled(*ADD, "--json").json["rotated"]
    (data / "zegel.toml").write_text(RELAY + 'egress = ["nowhere"]\n')
    assert filled("site", "rotate-secret", "portal").status == 2
    assert filled("site", "show", "portal", "--json").json["rotated"] == before
    assert "site.rotate" not in filled("audit").text


def test_a_name_typed_wrong_is_asked_about(filled: Run) -> None:
    filled(*ADD)
    assert "there is no site protal; did you mean portal? See: zegel site list" in filled("site", "show", "protal").errors
    assert "there is no site desk; see: zegel site list" in filled("site", "show", "desk").errors
    wrong = (*ADD[:2], "desk", "--address", "desk@exampel.be", *ADD[5:])
    assert "did you mean example.be? If not: zegel domain add exampel.be" in " ".join(filled(*wrong).errors.split())


def test_disable_and_enable(filled: Run) -> None:
    filled(*ADD)
    assert "no longer taken" in filled("site", "disable", "portal").text
    assert "was so already" in filled("site", "disable", "portal").text
    assert "disabled since" in filled("site", "list").text
    assert "is taken" in filled("site", "enable", "portal").text
    assert filled("site", "show", "portal", "--json").json["disabled"] is None


def test_change_tells_what_was_and_what_is_and_keeps_the_rest(filled: Run) -> None:
    before = filled(*ADD, "--to", "example.be", "--unix-user", "www-data", "--json").json
    changed = filled("site", "change", "portal", "--rate", "0", "--to", "", "--unix-user", "", "--would-fail", "refuse")
    assert changed.status == 0
    for said in ("site portal changed", "1000", "no bound", "anybody", "is sent, with a warning", "is refused", "www-data"):
        assert said in changed.text
    after = filled("site", "show", "portal", "--json").json
    assert after == {key: value for key, value in before.items() if key != "secret"} | {
        "rate": 0, "recipients": [], "unix_user": None, "would_fail": "refuse",
    }  # fmt: skip
    assert "was so already" in filled("site", "change", "portal", "--rate", "0").text
    assert filled("site", "change", "portal", "--sender", "info@example.be", "--sender", "example.be", "--json").json == {
        "site": "portal",
        "changed": {"senders": ["info@example.be", "example.be"]},
    }
    log = filled("audit", "portal", "--json").text
    assert log.count("site.change") == 2


def test_every_setting_of_add_can_be_changed() -> None:
    from zegel.cli.site import add
    from zegel.cli.site_change import change

    assert set(inspect.signature(add).parameters) == set(inspect.signature(change).parameters)


def test_remove_asks_and_tells_what_still_waits(filled: Run, data: Path) -> None:
    filled(*ADD)
    asked = filled("site", "remove", "portal")
    assert (asked.status, "--yes" in asked.errors) == (2, True)
    with Spool.open(data) as spool, spool.writing() as tx:
        posting = Posting("noreply@example.be", ("a@example.net", "b@example.net"), b"From: a\r\n\r\nx\r\n", "portal", "it@example.be")
        transit.add(tx, [(1, posting), (2, posting), (3, replace(posting, site="other"))], now=1, direct=False)
        transit.settle(tx, [(2, [Outcome(0, State.DELIVERED, "250"), Outcome(1, State.DELIVERED, "250")])], now=2)
    removed = filled("site", "remove", "portal", "--yes")
    assert removed.status == 0
    for said in ("still wait: 1", "it@example.be", "zegel outbox list"):
        assert said in " ".join(removed.text.split())
    assert filled("site", "list", "--json").json == []
    with Spool.open(data) as spool, spool.reading() as tx:
        assert post.waiting(tx) == 4, "what was taken is delivered all the same"
    assert "still wait" not in filled(*ADD[:2], "second", *ADD[3:]).text + filled("site", "remove", "second", "--yes").text
    assert "site.remove" in filled("audit", "portal", "--json").text


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ((*ADD[:4], "noreply@example.net", *ADD[5:]), "zegel domain add example.net"),
        ((*ADD, "--network", "0.0.0.0/0"), "every address there is"),
        (("site", "show", "nobody"), "zegel site list"),
        (("site", "test", "nobody"), "zegel site list"),
        (("site", "rotate-secret", "nobody"), "zegel site list"),
        (("site", "change", "nobody", "--rate", "5"), "zegel site list"),
        (("site", "change", "nobody"), "zegel site change nobody --rate 200"),
        (("site", "remove", "nobody", "--yes"), "zegel site list"),
    ],
)
def test_what_cannot_be_is_one_line_with_the_next_step(filled: Run, command: tuple[str, ...], said: str) -> None:
    ended = filled(*command)
    assert ended.status == 2
    assert said in ended.errors
    assert ended.errors.count("\n") == 1


def test_without_a_listener_the_secret_is_shown_all_the_same(zegel: Run) -> None:
    zegel("domain", "add", "example.be")
    added = zegel(*ADD)
    assert added.status == 0
    assert "relay.starttls" in added.text
    assert zegel("site", "test", "portal").status == 2


def test_the_test_asks_for_the_secret_and_says_that_nobody_answers(filled: Run, data: Path) -> None:
    filled(*ADD)
    assert "--secret-file" in filled("site", "test", "portal").errors
    (data / "zegel.toml").write_text(RELAY.replace("0.0.0.0:587", "127.0.0.1:1"))
    ended = filled("site", "test", "portal", "--secret-file", "-", stdin=b"secret\n")
    assert ended.status == 1
    assert "refused" in ended.text.lower()


LOOPBACK = '[relay]\nloopback = ["inet:127.0.0.1:10025"]\n'
NONE = "No listener lets it log in yet"
BY_NETWORK = ("127.0.0.0/8", "10025 without TLS")


@pytest.mark.parametrize(
    ("config", "options", "said", "unsaid"),
    [
        (RELAY, ("--network", "127.0.0.0/8"), ("587 with STARTTLS",), (NONE, "without TLS", "needs no login")),
        (RELAY + LOOPBACK.partition("\n")[2], ("--network", "127.0.0.0/8"), ("587 with STARTTLS", *BY_NETWORK), (NONE,)),
        (RELAY + LOOPBACK.partition("\n")[2], ("--network", "192.0.2.0/24"), ("587 with STARTTLS",), (NONE, "10025")),
        (LOOPBACK, ("--network", "127.0.0.0/8"), (*BY_NETWORK, "there is none yet"), (NONE, "relay.starttls")),
        (LOOPBACK, ("--network", "192.0.2.0/24"), (NONE, "site change portal --network 127.0.0.1/32"), ("without TLS",)),
        (LOOPBACK, (), (NONE, "site change portal --network 127.0.0.1/32"), ("without TLS",)),
        ("", ("--network", "127.0.0.0/8"), (NONE, "set relay.loopback there"), ("without TLS", "site change")),
        ("", (), (NONE,), ("relay.loopback", "zegel-sendmail")),
        ('[handover]\nsocket = "/run/z.sock"\n', ("--unix-user", "www-data"), ("the user www-data gives to zegel-sendmail",), (NONE,)),
        ("", ("--unix-user", "www-data"), (NONE,), ("zegel-sendmail",)),
    ],
)
def test_add_says_by_which_way_its_mail_is_taken(
    filled: Run, data: Path, config: str, options: tuple[str, ...], said: tuple[str, ...], unsaid: tuple[str, ...]
) -> None:
    (data / "zegel.toml").write_text(config)
    text = " ".join(filled(*ADD, *options).text.split())
    assert [sentence for sentence in said if sentence not in text] == []
    assert [sentence for sentence in unsaid if sentence in text] == []


def test_two_sites_of_one_network_are_told_that_neither_is_let_in(filled: Run, data: Path) -> None:
    (data / "zegel.toml").write_text(LOOPBACK)
    assert "neither" not in filled(*ADD, "--network", "127.0.0.1/32").text
    second = (*ADD[:2], "second", *ADD[3:])
    assert "neither" not in filled(*second, "--network", "127.0.0.2/32").text
    filled("site", "change", "second", "--network", "127.0.0.1/32")
    assert "127.0.0.1/32 is of the site portal too" in filled("site", "rotate-secret", "second").text
    filled("site", "disable", "portal")
    assert "neither" not in filled("site", "rotate-secret", "second").text
