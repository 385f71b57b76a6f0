"""ARC sets of ours on mail from outside: off by itself, checked by another implementation, and never on what failed."""

from __future__ import annotations

import pytest

import zegel
from support import inbound, samples
from support.gateway import OURS, PARTNER, RECORDS, THEIRS, Server, play
from support.inbound import BAD, GOOD
from support.mta import Mta
from support.proof import fields
from zegel.adapters.keyring import DomainKeys, Keyring
from zegel.adapters.zone import Zone
from zegel.grammar.domain import Domain

ARC = ["ARC-Seal", "ARC-Message-Signature", "ARC-Authentication-Results"]
SEALS = Domain.parse("example.org")
LATER = Domain.parse("lists.example")
ZONE = Zone.from_dict(
    {
        **{(name, "TXT"): [text] for name, text in RECORDS.items()},
        ("partner.example", "TXT"): ["v=spf1 ip4:192.0.2.0/24 -all"],
        ("_dmarc.partner.example", "TXT"): ["v=DMARC1; p=reject"],
        ("_dmarc.ill.example", "TXT"): zegel.Rcode.SERVFAIL,
    }
)
SIGNED = zegel.sign(THEIRS, PARTNER) + THEIRS


def arrived(message: bytes, *, client: str = GOOD, **changes: object) -> bytes:
    """The message as the milter leaves it."""
    found: list[bytes] = []

    def mail(server: Server) -> None:
        with Mta(("127.0.0.1", server.port)) as mta:
            mta.open(address=client)
            found.append(mta.send(message, "a@partner.example", ("jan@ours.example",)).message)
        assert server.faults == []

    play(mail, **{"resolver": ZONE, "seal_as": SEALS, **changes})
    return found[0]


def sealed(message: bytes) -> list[str]:
    return [field.name.decode() for field in fields(message) if field.name.startswith(b"ARC-")]


def test_what_passes_is_sealed_and_others_can_check_it() -> None:
    import dkim

    rsa = samples.rsa()  # the other implementation knows no Ed25519 in a chain
    records = {**RECORDS, rsa.name: rsa.record}
    message = arrived(SIGNED, keyring=Keyring([DomainKeys(SEALS, (rsa,))]))
    assert [field.name.decode() for field in fields(message)][:4] == ["Authentication-Results", *ARC]
    result = zegel.verify_arc(message, resolver=Zone.from_dict({(name, "TXT"): [text] for name, text in records.items()}))
    assert (result.status, [one.domain for one in result.instances]) == ("pass", ["example.org"])
    assert f"i=1; {OURS}".encode() in message
    octets = {f"{name}.".encode(): text.encode() for name, text in records.items()}
    status, _results, why = dkim.arc_verify(message, dnsfunc=lambda name, timeout=5: octets.get(name))
    assert status == b"pass", why


def test_what_we_change_ourselves_breaks_no_seal() -> None:
    """RFC 8617 5.1, 1: "All message modifications [...] MUST be performed before sealing": a field that forged our name is gone."""
    message = arrived(f"Authentication-Results: {OURS}; dmarc=pass header.from=bank.example\r\n".encode() + SIGNED)
    assert b"bank.example" not in message
    assert zegel.verify_arc(message, resolver=ZONE).status == "pass"


def test_nothing_is_sealed_unless_the_configuration_says_so() -> None:
    assert sealed(arrived(SIGNED, seal_as=None)) == []


def test_a_header_that_is_not_rfc_5322_is_not_sealed() -> None:
    """RFC 6376 3.8: SPF may pass all the same, and the message goes on."""
    message = arrived(b"X-Odd: a\rb\r\n" + THEIRS)
    assert b"a\rb" in message
    assert b"dmarc=pass" in message
    assert sealed(message) == []
    assert sealed(arrived(b"X-Odd: a b\r\n" + THEIRS)) == ARC


def test_a_domain_without_a_key_seals_nothing_and_the_message_goes_on() -> None:
    message = arrived(SIGNED, seal_as=LATER)
    assert sealed(message) == []
    assert fields(message)[0].name == b"Authentication-Results"


def test_the_chain_grows_by_one_set() -> None:
    """RFC 8617 4.2.1 and 5.1: each set adds one to the instance; ours is made when all other changes are (5.1, 1)."""
    once = arrived(SIGNED)
    twice = arrived(once)
    assert [one.domain for one in zegel.verify_arc(twice, resolver=ZONE).instances] == ["example.org", "example.org"]
    assert zegel.verify_arc(twice, resolver=ZONE).status == "pass"


@pytest.mark.parametrize(
    ("message", "client"),
    [
        (THEIRS, BAD),  # fails DMARC, and is only observed
        (SIGNED.replace(b"hello", b"hullo"), BAD),
        (THEIRS.replace(b"partner.example", b"ill.example"), BAD),  # DNS did not say
        (b"From: a@partner.example, b@other.example\r\n\r\nhello\r\n", GOOD),
        (THEIRS.replace(b"From:", b"Form:"), GOOD),
    ],
    ids=["fails", "changed", "unknown", "two authors", "no author"],
)
def test_what_we_do_not_stand_behind_is_never_sealed(message: bytes, client: str) -> None:
    assert sealed(arrived(message, client=client)) == []


def test_a_broken_chain_is_not_sealed_further() -> None:
    once = arrived(SIGNED)
    broken = once.replace(b"i=1; a=ed25519", b"i=1; a=ed25518", 1)
    assert sealed(arrived(broken)) == ARC  # those of before


def test_a_message_that_imitates_us_is_not_sealed() -> None:
    message = b"From: a@example.org\r\n\r\nhello\r\n"
    site = inbound.site("observe", own=("example.org",))
    assert sealed(arrived(message, client=BAD, site=site)) == []
