"""Mail from outside, over a real socket: what each mode does to a message, how it is marked and answered, and what is recorded of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import pytest

import zegel
from support import inbound
from support.gateway import FORGED, OURS, PARTNER, RECORDS, THEIRS, Server, play
from support.inbound import BAD, GOOD
from support.mta import Mta, Result
from support.proof import fields, results, values
from zegel.ask import Rcode
from zegel.gateway.settings import Quarantine
from zegel.grammar.domain import Domain
from zegel.limits import Limits
from zegel.spf.client import Network
from zegel.store.record import Direction, Record
from zegel.verdict.policy import Mode
from zegel.verdict.rules import Rule

RELAY = "203.0.113.9"
_DNS: dict[tuple[str, str], Any] = {
    **{(name, "TXT"): [text] for name, text in RECORDS.items()},
    ("partner.example", "TXT"): ["v=spf1 ip4:192.0.2.0/24 -all"],
    ("_dmarc.partner.example", "TXT"): ["v=DMARC1; p=reject"],
    ("_dmarc.careful.example", "TXT"): ["v=DMARC1; p=quarantine"],
    ("_dmarc.none.example", "TXT"): ["v=DMARC1; p=none"],
    # Whoever asks for the policy finds a server that is ill, and for the key too.
    ("_dmarc.ill.example", "TXT"): ["v=DMARC1; p=reject"],
    ("ill.example", "TXT"): Rcode.SERVFAIL,
    ("client.example.org", "TXT"): ["v=spf1 -all"],
}
ZONE = zegel.Zone.from_dict(_DNS)
MARK = "X-Zegel-Quarantine"
_COLOUR = re.compile("\x1b\\[[0-9;]*m")


def by(domain: str) -> bytes:
    """A message of an author there, without a signature."""
    return THEIRS.replace(b"partner.example", domain.encode())


def signed() -> bytes:
    return zegel.sign(THEIRS, PARTNER) + THEIRS


class Told(NamedTuple):
    """What became of one message: the mail server's view, the record, and the log line."""

    result: Result
    record: Record
    line: str
    counted: dict[str, float]


class Sent(NamedTuple):
    """One message, and the client that hands it in."""

    message: bytes
    client: str = BAD
    sender: str | None = None
    recipients: tuple[str, ...] = ("jan@ours.example",)

    def over(self, mta: Mta) -> Result:
        author = fields(self.message)[0].value if self.sender is None else b""
        sender = author.decode().strip() if self.sender is None else self.sender
        return mta.send(self.message, sender, self.recipients, {"i": "4X1"})


@pytest.fixture
def judged(capsys: pytest.CaptureFixture[str]) -> Iterator[Any]:
    """``judged(Sent(...), site=..., ...)``: the message is sent over a connection of its own, and there is one record of it."""

    def judge(sent: Sent, **changes: object) -> Told:
        found: list[Told] = []

        def mail(server: Server) -> None:
            with Mta(("127.0.0.1", server.port)) as mta:
                mta.open(address=sent.client)
                result = sent.over(mta)
            assert server.faults == []
            (record,) = server.records
            samples = [sample for family in server.journal.registry.collect() for sample in family.samples]
            counted = {" ".join((one.name, *one.labels.values())): one.value for one in samples if not one.name.endswith("_created")}
            found.append(Told(result, record, "", counted))

        capsys.readouterr()
        play(mail, **{"resolver": ZONE, **changes})
        lines = [line for line in _COLOUR.sub("", capsys.readouterr().out).splitlines() if "verified" in line]
        assert len(lines) == 1
        return found[0]._replace(line=lines[0])

    yield judge
    capsys.readouterr()


OUTCOMES = [
    # the author's domain, the mode, what happens, what would happen in the mode reject, and why
    ("partner.example", "observe", "accepted", "refused", "policy_reject"),
    ("partner.example", "quarantine", "quarantined", "refused", "policy_reject"),
    ("partner.example", "reject", "refused", "refused", "policy_reject"),
    ("careful.example", "observe", "accepted", "quarantined", "policy_quarantine"),
    ("careful.example", "quarantine", "quarantined", "quarantined", "policy_quarantine"),
    ("careful.example", "reject", "quarantined", "quarantined", "policy_quarantine"),
    ("none.example", "reject", "accepted", "accepted", "policy_none"),
    ("unknown.example", "reject", "accepted", "accepted", "nothing_against"),
]


@pytest.mark.parametrize(("domain", "mode", "action", "would", "reason"), OUTCOMES)
def test_each_mode_does_what_it_says_and_tells_what_it_would_do(
    judged: Any, domain: str, mode: str, action: str, would: str, reason: str
) -> None:
    told = judged(Sent(by(domain)), site=inbound.site(mode))
    result, record = told.result, told.record
    assert result.action == ("replycode" if action == "refused" else "accept")
    assert values(result.message, MARK) == ([f"{reason} {domain}"] if action == "quarantined" else [])
    assert (record.action, record.reason, record.from_domain, record.would) == (action, reason, domain, would)
    assert told.counted[f"zegel_messages_total inbound {action}"] == 1
    assert told.counted[f"zegel_would_total {would} {reason}"] == 1
    words = told.line.split()
    assert {f"outcome={action}", f"reason={reason}"} <= set(words)
    assert [word for word in words if word.startswith("would=")] == ([f"would={would}"] if would != action else [])


def test_a_new_installation_observes(judged: Any) -> None:
    told = judged(Sent(by("partner.example")))
    assert (told.result.action, told.record.action, told.result.quarantine) == ("accept", "accepted", None)
    assert "would=refused" in told.line
    assert results(told.result.message).startswith(f"{OURS}; dkim=none; spf=fail ")


def test_a_real_one_is_accepted_in_the_mode_reject(judged: Any) -> None:
    """Each proof on its own: the signature from anywhere, and the client without a signature."""
    for sent in (Sent(signed()), Sent(by("partner.example"), GOOD)):
        told = judged(sent, site=inbound.site("reject"))
        assert (told.result.action, told.record.action, told.record.reason) == ("accept", "accepted", "nothing_against")
        assert "dmarc=pass header.from=partner.example" in results(told.result.message)
        assert "would=" not in told.line


def test_a_refusal_says_dmarc_and_the_domain(judged: Any) -> None:
    told = judged(Sent(by("partner.example")), site=inbound.site("reject"))
    assert told.result.reply.startswith("550 5.7.1 ")
    assert "DMARC" in told.result.reply
    assert "partner.example" in told.result.reply


@pytest.mark.parametrize("hold", [False, True])
@pytest.mark.parametrize("field", [b"X-Zegel-Quarantine", b"X-Spam-Held"])
def test_a_quarantine_is_marked_on_top_and_held_where_it_is_asked(judged: Any, field: bytes, hold: bool) -> None:
    told = judged(Sent(by("partner.example")), site=inbound.site("quarantine"), quarantine=Quarantine(field, hold))
    assert [one.name for one in fields(told.result.message)[:2]] == [b"Authentication-Results", field]
    assert told.result.quarantine == ("policy_reject partner.example" if hold else None)
    assert told.result.action == "accept"


COPIES = [b"X-Zegel-Quarantine", b"x-zegel-quarantine", b"X-ZEGEL-Quarantine ", b"X-Zegel-Quarantine\t", b"X-Zegel-QUARANTINE \t"]
OTHERS = [b"X-Zegel-Quarantined", b"X-X-Zegel-Quarantine", b"X-Zegel"]


@pytest.mark.parametrize(("client", "mark"), [(BAD, ["policy_reject partner.example"]), (GOOD, [])])
def test_forged_copies_of_the_mark_go(client: str, mark: list[str]) -> None:
    """Also from a message that is not for quarantine; the mail store looks for the name in any case. RFC 5322 4.5 for the white space."""
    names = [COPIES[0], OTHERS[0], *COPIES[1:3], OTHERS[1], *COPIES[3:], OTHERS[2], b"From"]

    def value(name: bytes) -> bytes:
        return b" joe@partner.example" if name == b"From" else b" forged %d" % names.index(name)

    def mail(server: Server) -> None:
        with Mta(("127.0.0.1", server.port)) as mta:
            mta.open(address=client)
            mta.envelope("joe@partner.example", ["jan@ours.example"])
            for name in names:
                mta.write("L", name + b"\0" + value(name) + b"\0")
            mta.write("N")
            mta.write("E", b"hello\r\n")
            result = mta.outcome([(name.rstrip(), value(name)) for name in names], b"hello\r\n")
        assert server.faults == []
        assert values(result.message, MARK) == mark
        assert [values(result.message, name.decode()) for name in OTHERS] == [[value(name).strip().decode()] for name in OTHERS]
        assert server.counted("zegel_forged_results_total") == len(COPIES)

    play(mail, resolver=ZONE, site=inbound.site("quarantine"))


TROUBLE = [
    (True, "reject", ("replycode", "451", "deferred")),
    (True, "quarantine", ("accept", "", "accepted")),
    (True, "observe", ("accept", "", "accepted")),
    (False, "reject", ("accept", "", "accepted")),
]


@pytest.mark.parametrize(("defer", "mode", "expected"), TROUBLE)
def test_dns_trouble_is_deferred_or_accepted_as_the_site_says(judged: Any, defer: bool, mode: str, expected: tuple[str, str, str]) -> None:
    told = judged(Sent(by("ill.example")), site=inbound.site(mode, defer_on_trouble=defer))
    assert (told.result.action, told.result.reply[:3], told.record.action) == expected
    assert told.record.reason == "dns_trouble"
    assert ("dmarc", "temperror") in {(found.method, found.status) for found in told.record.results}
    if expected[1]:
        assert told.result.reply.startswith("451 4.7.1 ")
        assert "DMARC" in told.result.reply
        assert "ill.example" in told.result.reply


@pytest.mark.parametrize(
    ("recipients", "action"),
    [
        (["jan@strict.example"], "refused"),
        (["jan@STRICT.Example"], "refused"),
        (["jan@soft.example"], "quarantined"),
        (["jan@elsewhere.example"], "accepted"),
        (["jan@strict.example", "piet@soft.example"], "quarantined"),
        (["jan@strict.example", "piet@soft.example", "klaas@elsewhere.example"], "accepted"),
        (["jan@below.strict.example"], "accepted"),
    ],
)
def test_the_mildest_mode_of_the_recipients_holds(judged: Any, recipients: list[str], action: str) -> None:
    modes = {Domain.parse("strict.example"): Mode.REJECT, Domain.parse("soft.example"): Mode.QUARANTINE}
    told = judged(Sent(by("partner.example"), recipients=tuple(recipients)), site=inbound.site("observe", modes=modes))
    assert (told.record.action, told.record.recipients) == (action, tuple(recipients))


RULES = [
    (Rule.read("network", who="jan", why="the scanner", networks=["198.51.100.0/24"]), True),
    (Rule.read("network", who="jan", why="another", networks=["203.0.113.0/24"]), False),
    (Rule.read("sender", who="jan", why="old", networks=["198.51.100.7/32"], senders=["a@partner.example"]), True),
    (Rule.read("sender", who="jan", why="old", networks=["198.51.100.7/32"], senders=["b@partner.example"]), False),
    (Rule.read("network", who="jan", why="over", networks=["198.51.100.0/24"], until=1.0), False),
]


@pytest.mark.parametrize(("rule", "holds"), RULES, ids=[f"{rule.kind} {rule.why}" for rule, _ in RULES])
def test_a_rule_goes_before_the_policy(judged: Any, rule: Rule, holds: bool) -> None:
    told = judged(Sent(by("partner.example")), site=inbound.site("reject", rules=(rule,)))
    assert (told.record.action, told.record.reason) == (("accepted", "local_rule") if holds else ("refused", "policy_reject"))


def test_behind_a_relay_the_first_host_outside_is_looked_at(judged: Any) -> None:
    def through(address: str) -> bytes:
        return b"Received: from mail.partner.example (unknown [%s])\r\n\tby relay.ours.example (Postfix)\r\n" % address.encode() + by(
            "partner.example"
        )

    relays = (Network.parse(f"{RELAY}/32"),)
    for address, sender, action in ((GOOD, "pass", "accepted"), (BAD, "fail", "refused")):
        told = judged(Sent(through(address), RELAY, "a@partner.example"), site=inbound.site("reject", relays=relays))
        assert (told.record.results[0][:2], told.record.action) == (("spf", sender), action)
    # Of a host that is no relay of ours the field is the words of a stranger.
    told = judged(Sent(through(GOOD), RELAY, "a@partner.example"), site=inbound.site("reject"))
    assert (told.record.results[0].status, told.record.action) == ("fail", "refused")
    # And a relay whose field names nobody clearly gives no result at all.
    told = judged(Sent(by("partner.example"), RELAY), site=inbound.site("reject", relays=relays))
    assert told.record.results[0][:3] == ("spf", "none", "behind_relay")


@pytest.mark.parametrize(("mode", "action"), [("observe", "accepted"), ("quarantine", "quarantined"), ("reject", "refused")])
def test_two_from_fields_name_nobody(judged: Any, mode: str, action: str) -> None:
    message = b"From: a@partner.example\r\n" + by("unknown.example")
    told = judged(Sent(message, GOOD), site=inbound.site(mode))
    assert (told.record.action, told.record.reason, told.record.from_domain) == (action, "author_untrusted", "")
    assert told.counted["zegel_would_total refused author_untrusted"] == 1
    if mode == "reject":
        assert told.result.reply.startswith("550 5.7.1 ")
        assert "DMARC" in told.result.reply
    else:
        assert values(told.result.message, MARK) == (["author_untrusted -"] if mode == "quarantine" else [])
        assert "dmarc=permerror" in results(told.result.message)


def test_a_header_past_the_bound_is_not_believed(judged: Any) -> None:
    long = signed().replace(b"Subject:", b"X-Long: " + b"x" * 2000 + b"\r\nSubject:")
    told = judged(Sent(long, GOOD, "a@partner.example"), site=inbound.site("reject"), limits=Limits(header_bytes=1024))
    assert (told.record.action, told.record.reason, told.record.from_domain) == ("refused", "author_untrusted", "")
    assert ("dkim", "policy", "header_too_large") in {found[:3] for found in told.record.results}


def test_a_record_tells_all_that_was_found(judged: Any) -> None:
    """RFC 9989 5.3.3: the domain of SPF, the "d" and "s" tags of each signature, and the reasons, are "preserved for later use"."""
    lost = zegel.Key.generate("lost.example", "l1", "ed25519")
    message = zegel.sign(THEIRS, lost) + signed()
    sent = Sent(message, BAD, "bounces@partner.example", ("jan@ours.example", "piet@ours.example"))
    record = judged(sent, site=inbound.site("reject"), subjects=True, clock=lambda: 1_790_000_000.9).record
    assert record[:8] == (
        1_790_000_000,
        Direction.INBOUND,
        "4X1",
        "bounces@partner.example",
        ("jan@ours.example", "piet@ours.example"),
        "partner.example",
        "accepted",
        "nothing_against",
    )
    assert [tuple(found) for found in record.results] == [
        ("spf", "fail", "not_permitted", "partner.example", "mailfrom"),
        ("spf", "fail", "not_permitted", "client.example.org", "helo"),
        ("dkim", "permerror", "key_not_found", "lost.example", "l1"),
        ("dkim", "pass", "verified", "partner.example", "p1"),
        ("arc", "none", "no_chain", "", ""),
        ("dmarc", "pass", "dkim_aligned", "partner.example", ""),
    ]
    assert record.subject == "folded\r\n\tvalue"
    story = json.loads(json.dumps(record.story))
    assert story == list(record.story)
    assert story
    assert {"partner.example", "lost.example"} <= set(re.findall(r"[a-z]+\.example", json.dumps(story)))


def test_a_bounce_is_recorded_without_a_sender(judged: Any) -> None:
    record = judged(Sent(by("partner.example"), BAD, ""), site=inbound.site("reject")).record
    assert (record.sender, record.action, record.results[0].domain) == ("", "refused", "client.example.org")


def test_a_second_message_has_nothing_of_the_first() -> None:
    """One is for quarantine, forged, with an author and recipients of its own; the next is plain, and the other way round."""
    first = Sent(
        b"From: a@partner.example\r\n" + FORGED + b"X-Zegel-Quarantine: no\r\n\r\nhello\r\n", BAD, "x@one.example", ("jan@one.example",)
    )
    second = Sent(by("none.example"), BAD, "y@two.example", ("piet@two.example", "klaas@two.example"))
    alone: dict[int, tuple[Result, Record]] = {}

    def mail(server: Server) -> None:
        for number, sent in enumerate((first, second)):
            with Mta(("127.0.0.1", server.port)) as mta:
                mta.open(address=BAD)
                alone[number] = sent.over(mta), server.records[-1]
        with Mta(("127.0.0.1", server.port)) as mta:
            mta.open(address=BAD)
            for number in (0, 1, 0, 1):
                result, record = alone[number]
                again = (first, second)[number].over(mta)
                assert (again.message, again.edits, server.records[-1]) == (result.message, result.edits, record)
        assert len(server.records) == 6
        assert [record.action for record in server.records] == ["quarantined", "accepted"] * 3
        assert all(one.results != other.results for one, other in pairwise(server.records))

    play(mail, resolver=ZONE, site=inbound.site("quarantine"), clock=lambda: 1_790_000_000.0)
