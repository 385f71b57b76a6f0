"""Inbound messages of example.org judged over a small DNS, in few words."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import zegel
from support import samples
from zegel.adapters.zone import Zone
from zegel.ask import Question, rehearse
from zegel.grammar.domain import Domain
from zegel.limits import Limits
from zegel.verdict.authenticate import Verdict, authenticate_message
from zegel.verdict.evidence import Evidence
from zegel.verdict.own import Names
from zegel.verdict.policy import Mode, Site

GOOD, BAD = "192.0.2.1", "198.51.100.7"  # may send for example.org, and may not
SENDER = "joe@example.org"
Records = Mapping[tuple[str, str], Any]


@cache
def signed() -> bytes:
    """The sample message with the signature of example.org."""
    return zegel.sign(samples.MESSAGE, samples.ed25519(), now=samples.NOW) + samples.MESSAGE


def changed() -> bytes:
    """The same with another body."""
    return signed().replace(b"this is the body", b"this is another body")


def records(policy: str | None = "v=DMARC1; p=reject", more: Records | None = None) -> dict[tuple[str, str], Any]:
    key = samples.ed25519()
    found: dict[tuple[str, str], Any] = {
        ("example.org", "TXT"): ["v=spf1 ip4:192.0.2.0/24 -all"],
        ("mx.example.org", "TXT"): ["v=spf1 ip4:192.0.2.1 -all"],
        (key.name, "TXT"): [key.record],
        ("attack.example", "TXT"): ["v=spf1 +all"],
    }
    if policy is not None:
        found["_dmarc.example.org", "TXT"] = [policy]
    return {**found, **(more or {})}


def zone(policy: str | None = "v=DMARC1; p=reject", more: Records | None = None) -> Zone:
    return Zone.from_dict(records(policy, more))


def site(mode: str = "reject", *, own: tuple[str, ...] = (), sealers: tuple[str, ...] = (), **settings: Any) -> Site:
    listed = frozenset(map(Domain.parse, sealers))
    return Site(Mode(mode), own_domains=Names(map(Domain.parse, own)), trusted_sealers=listed, **settings)


def judge(
    message: bytes,
    dns: Zone | None = None,
    *,
    ip: str = GOOD,
    helo: str = "mx.example.org",
    mail_from: str = SENDER,
    recipients: tuple[str, ...] = (),
    settings: Site | None = None,
    limits: Limits | None = None,
    asked: list[Question] | None = None,
) -> Verdict:
    """The verdict on a message over a zone."""
    evidence = Evidence(ip, helo, mail_from, recipients, "mail.example.com", samples.NOW)
    dialogue = authenticate_message(message, evidence, settings or site(), limits or Limits())
    return rehearse(dialogue, (dns or zone()).answer, asked)
