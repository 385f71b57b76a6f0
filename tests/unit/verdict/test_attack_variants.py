"""Fresh variants of "Composition Kills" and later attacks: who has a domain, a key and an SPF record of his own never passes as another."""

from __future__ import annotations

import pytest

import zegel
from support import inbound
from support.inbound import judge, site

KEY = zegel.Key.generate("attack.example", "k", "ed25519")
REST = b"To: suzie@example.com\r\nSubject: x\r\nDate: Sat, 21 Nov 2026 09:12:42 +0100\r\nMessage-ID: <1@attack.example>\r\n"
MORE = {(KEY.name, "TXT"): [KEY.record], ("_dmarc.attack.example", "TXT"): ["v=DMARC1; p=none"]}

FROMS = {
    "nested comments": b"From: (a(b(c)d)joe@example.org) <evil@attack.example> (joe@example.org",
    "comment before the at": b"From: joe(@attack.example)@example.org",
    "comment in the domain": b"From: joe@attack.example(.).example.org",
    "encoded word as the address": b"From: =?utf-8?q?joe=40example.org?= <=?utf-8?q?joe?=@attack.example>",
    "encoded word in a quoted local part": b'From: "=?utf-8?b?am9lQGV4YW1wbGUub3Jn?="@attack.example',
    "group of one": b"From: joe@example.org:evil@attack.example;",
    "empty group, then one": b"From: x:;, joe@example.org",
    "two at signs": b"From: joe@example.org@attack.example",
    "route": b"From: <@example.org:evil@attack.example>",
    "8-bit domain": b"From: joe@ex\xe4mple.org",
    "full-width dot": "From: joe@attack.example．example.org".encode(),
    "Kelvin sign": "From: joe@\u212aing.example".encode(),
    "zero-width in the domain": "From: joe@exam\u200bple.org".encode(),
    "NUL in the domain": b"From: joe@example.org\0.attack.example",
    "two fields": b"From: joe@example.org\r\nFrom: evil@attack.example",
    "the same, folded name": b"From: evil@attack.example\r\nFrom\r\n : joe@example.org",
    "space before the colon": b"From : joe@example.org\r\nFrom: evil@attack.example",
    "address literal": b"From: joe@[192.0.2.1]",
    "comma in a bare name": b"From: joe@example.org, <evil@attack.example>",
    "backslash before the bracket": b'From: "x\\" <joe@example.org>" <evil@attack.example',
}


@pytest.mark.parametrize("name", FROMS)
def test_no_other_author_passes(name: str) -> None:
    """His own SPF is good; From is not his, or cannot be trusted, so that DMARC never passes for it."""
    message = FROMS[name] + b"\r\n" + REST + b"\r\nhello\r\n"
    verdict = judge(message, inbound.zone(more=MORE), ip="198.51.100.7", mail_from="evil@attack.example")
    assert verdict.spf.mail_from.status == "pass"
    assert verdict.dmarc.status != "pass", verdict.story
    assert verdict.action in ("reject", "quarantine"), verdict.story


def test_a_seal_of_the_attacker_at_the_highest_instance_counts_for_nothing() -> None:
    names = b"a=rsa-sha256; d=attack.example; s=k; b=AAAA"
    chain = b"".join(
        b"ARC-Seal: i=%d; cv=pass; %b\r\nARC-Message-Signature: i=%d; %b; h=from; bh=AAAA\r\n" % (number, names, number, names)
        + b"ARC-Authentication-Results: i=%d; x; dmarc=pass\r\n" % number
        for number in range(50, 0, -1)
    )
    message = chain + b"From: joe@example.org\r\n" + REST + b"\r\nhello\r\n"
    verdict = judge(message, inbound.zone(more=MORE), ip="198.51.100.7", settings=site(sealers=("attack.example",)))
    assert (verdict.arc.status, verdict.dmarc.status, verdict.action) == ("fail", "fail", "reject")


@pytest.mark.parametrize(
    "record",
    [
        "v=spf1 " + " ".join(f"exists:%{{l1r-}}.%{{d1r}}.{number}.example" for number in range(60)),
        "v=spf1 exists:" + "%{s}" * 60 + ".example.org -all",
        "v=spf1 include:%{d}.%{d}.example.org redirect=example.org",
        "v=spf1 " + "include:example.org " * 9 + "-all",
        ("v=spf1 ", *[" "] * 10_000, "+all x"),
    ],
)
def test_an_spf_record_that_grows_is_bounded(record: str | tuple[str, ...]) -> None:
    asked: list[object] = []
    dns = inbound.zone(more={("example.org", "TXT"): [record]})
    verdict = judge(b"From: joe@example.org\r\n" + REST + b"\r\nx\r\n", dns, ip="198.51.100.7", asked=asked)  # type: ignore[arg-type]
    assert verdict.spf.mail_from.status != "pass"
    assert len(asked) <= 60
