"""Chains for tests: the ARC suite's format, sealers of our own making, and the other verifier's word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode

import dkim
import zegel
from support import samples
from support.cases import crlf
from zegel.arc.chain import SealedText
from zegel.arc.seal import Sealing, SealStyle
from zegel.authres.model import AuthenticationResults, MethodResult, Property
from zegel.dkim.canonical import relaxed_field
from zegel.dkim.header import Header
from zegel.grammar.domain import Domain
from zegel.grammar.message import Field, split_message

AUTHOR = Domain.parse("example.org")


class Case(NamedTuple):
    """One case of the suite, with the DNS and the key of its document. ``shadowed`` names stand twice in one document of YAML."""

    name: str
    content: dict[str, Any]
    zone: zegel.Zone
    document: dict[str, Any]
    shadowed: bool = False

    @property
    def message(self) -> bytes:
        return crlf(str(self.content["message"]).encode())


def suite(path: Path) -> list[Case]:
    """All cases of a file of the ValiMail suite, those too that a YAML reader drops because their name comes again."""
    cases: list[Case] = []
    for node in yaml.compose_all(path.read_text("utf-8"), yaml.SafeLoader):
        document = _value(node)
        records = {(name, "TXT"): [text.replace("\n", "")] for name, text in document["txt-records"].items()}
        pairs = document["tests"]
        names = [name for name, _ in pairs]
        for place, (name, content) in enumerate(pairs):
            cases.append(Case(name, dict(content), zegel.Zone.from_dict(records), document, name in names[place + 1 :]))
    return cases


def _value(node: Node) -> Any:
    """A document as values: a mapping is a dict, but ``tests`` a list of pairs."""
    if isinstance(node, MappingNode):
        pairs = [(key.value, _value(value)) for key, value in node.value]
        if all(isinstance(value, MappingNode) for _, value in node.value):
            return pairs
        return dict(pairs) | ({"txt-records": dict(dict(pairs)["txt-records"])} if "txt-records" in dict(pairs) else {})
    assert isinstance(node, ScalarNode)
    return node.value


def said(result: str = "pass", *, domain: str = AUTHOR, authserv_id: str = "lists.example.net") -> AuthenticationResults:
    """What a forwarder found on receipt: DMARC for the author domain."""
    return AuthenticationResults(authserv_id, (MethodResult("dmarc", result, properties=(Property("header", "from", domain),)),))


def key(domain: str, selector: str = "arc") -> zegel.Key:
    """A sealer's key: for tests all have the one Ed25519 key of the samples, each under its own name."""
    return zegel.Key(domain, selector, samples.ed25519().pem)


def zone(*domains: str, selector: str = "arc", flags: str = "") -> zegel.Zone:
    """The keys of these sealers, and those of the samples, in DNS."""
    records: dict[tuple[str, str], Any] = {(name.name, "TXT"): [name.record] for name in (samples.rsa(), samples.ed25519())}
    for domain in domains:
        made = key(domain, selector)
        records[made.name, "TXT"] = [made.record + flags]
    return zegel.Zone.from_dict(records)


def verify(message: bytes, resolver: zegel.Zone, *, limits: zegel.Limits | None = None) -> zegel.ArcResult:
    return zegel.verify_arc(message, resolver=resolver, now=samples.NOW, limits=limits)


def seal_message(
    message: bytes, key: zegel.Key, results: AuthenticationResults, chain: zegel.ArcResult, *, style: SealStyle | None = None, now: int
) -> bytes:
    """What a sealer puts in front of a whole message, each field with its CRLF, or nothing. ValueError for what cannot be sealed."""
    split = split_message(message, header_bytes=1 << 24)
    sealing = Sealing(Header(split.header), key, results, chain, style or SealStyle(), now=now)
    sealing.feed(split.body)
    return b"".join([field.raw + b"\r\n" for field in sealing.finish()])


def sealed(
    message: bytes,
    *domains: str,
    results: Mapping[int, AuthenticationResults] | None = None,
    style: SealStyle | None = None,
    keys: Mapping[int, zegel.Key] | None = None,
    resolver: zegel.Zone | None = None,
) -> bytes:
    """The message after these sealers, each of which validated what it received."""
    resolver = resolver or zone(*domains)
    for place, domain in enumerate(domains, 1):
        chain = verify(message, resolver)
        made = (keys or {}).get(place) or key(domain)
        fields = seal_message(message, made, (results or {}).get(place) or said(), chain, style=style, now=samples.NOW + place)
        message = fields + message
    return message


def seal_data(*sets: Sequence[Field]) -> bytes:
    """What the seal of the last of these sets signs; each is an AAR, an AMS and an AS. RFC 8617 5.1.1."""
    lines = [(relaxed_field(results), relaxed_field(message), relaxed_field(seal)) for results, message, seal in sets]
    return SealedText(lines).signed_by(len(lines) - 1)


def theirs(message: bytes, resolver: zegel.Zone) -> str:
    """What dkimpy says of the chain; its None, for a chain that had failed before, is "fail" (RFC 8617 5.2, 2)."""

    def look_up(name: bytes, timeout: int = 5) -> bytes | None:
        records = resolver.answer(zegel.Question(name.decode().rstrip(".").lower(), zegel.RRType.TXT)).records
        return records[0] if records and isinstance(records[0], bytes) else None

    try:
        status, _, _ = dkim.ARC(message, minkey=1024).verify(dnsfunc=look_up)
    except Exception:  # it raises what it met: ValueError and IndexError too
        return "fail"
    return status.decode() if status else "fail"
