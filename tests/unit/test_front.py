"""The front door: what may be given, in and out of a running loop."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import Callable

import pytest

import zegel
from support import samples
from zegel import Answer, Question, Rcode

SIGNED = zegel.sign(samples.MESSAGE, [samples.rsa(), samples.ed25519()], now=samples.NOW) + samples.MESSAGE


class Async:
    """A resolver as somebody else would write it."""

    def __init__(self) -> None:
        self.loops: set[int] = set()

    async def resolve(self, question: Question) -> Answer:
        self.loops.add(id(asyncio.get_running_loop()))
        await asyncio.sleep(0)
        return samples.zone().answer(question)


def statuses(results: list[zegel.DkimResult]) -> list[str]:
    return [str(result.status) for result in results]


def test_sync() -> None:
    assert statuses(zegel.verify(SIGNED, resolver=samples.zone(), now=samples.NOW)) == ["pass", "pass"]
    assert statuses(zegel.verify(SIGNED, resolver=Async(), now=samples.NOW)) == ["pass", "pass"]


def test_sync_within_a_running_loop() -> None:
    async def run() -> list[str]:
        return statuses(zegel.verify(SIGNED, resolver=Async(), now=samples.NOW))

    assert asyncio.run(run()) == ["pass", "pass"]


def test_async() -> None:
    async def run() -> tuple[list[str], bytes, int]:
        resolver = Async()
        results = await zegel.aio.verify(SIGNED, resolver=resolver, now=samples.NOW)
        assert resolver.loops == {id(asyncio.get_running_loop())}
        field = await zegel.aio.sign(samples.MESSAGE, samples.ed25519(), now=samples.NOW)
        offline = await zegel.aio.verify(SIGNED, resolver=samples.zone(), now=samples.NOW)
        return statuses(results), field, len(offline)

    found, field, number = asyncio.run(run())
    assert (found, number) == (["pass", "pass"], 2)
    assert field == zegel.sign(samples.MESSAGE, samples.ed25519(), now=samples.NOW)


def test_trouble_of_a_resolver_of_ones_own_comes_through() -> None:
    class Broken:
        async def resolve(self, question: Question) -> Answer:
            raise RuntimeError("mine")

    async def run() -> object:
        return zegel.verify(SIGNED, resolver=Broken(), now=samples.NOW)

    with pytest.raises(RuntimeError, match="mine"):
        zegel.verify(SIGNED, resolver=Broken(), now=samples.NOW)
    with pytest.raises(RuntimeError, match="mine"):
        asyncio.run(run())


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_other_kinds_of_bytes(kind: type) -> None:
    assert statuses(zegel.verify(kind(SIGNED), resolver=samples.zone(), now=samples.NOW)) == ["pass", "pass"]
    assert zegel.sign(kind(samples.MESSAGE), samples.ed25519(), now=1) == zegel.sign(samples.MESSAGE, samples.ed25519(), now=1)


@pytest.mark.parametrize("message", ["text", None, 5, ["x"]])
def test_only_bytes(message: object) -> None:
    with pytest.raises(TypeError, match="must be bytes"):
        zegel.verify(message, resolver=samples.zone())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="must be bytes"):
        zegel.sign(message, samples.rsa())  # type: ignore[arg-type]


def test_a_message_with_lf_is_normalised_and_says_so() -> None:
    results = zegel.verify(SIGNED.replace(b"\r\n", b"\n"), resolver=samples.zone(), now=samples.NOW)
    assert [(str(result.status), result.normalized) for result in results] == [("pass", True), ("pass", True)]
    assert not any(result.normalized for result in zegel.verify(SIGNED, resolver=samples.zone(), now=samples.NOW))
    mixed = SIGNED.replace(b"Hello,\r\n", b"Hello,\n")
    assert statuses(zegel.verify(mixed, resolver=samples.zone(), now=samples.NOW)) == ["fail", "fail"]
    lf = samples.MESSAGE.replace(b"\r\n", b"\n")
    assert zegel.sign(lf, samples.ed25519(), now=1) == zegel.sign(samples.MESSAGE, samples.ed25519(), now=1)


def test_unsigned() -> None:
    for message in (samples.MESSAGE, b"", b"\r\n", b"no message at all"):
        assert zegel.verify(message, resolver=samples.zone()) == []


def test_an_unsigned_message_needs_no_dns() -> None:
    class Never:
        async def resolve(self, question: Question) -> Answer:
            raise AssertionError("asked")

    assert zegel.verify(samples.MESSAGE, resolver=Never()) == []
    assert statuses(zegel.verify(SIGNED.replace(b"v=1", b"v=2"), resolver=Never())) == ["permerror", "permerror"]


def test_limits() -> None:
    def reasons(**limits: int) -> list[str]:
        return [str(r.reason) for r in zegel.verify(SIGNED, resolver=samples.zone(), now=samples.NOW, limits=zegel.Limits(**limits))]

    assert reasons(signatures=1) == ["verified", "too_many_signatures"]
    assert reasons(questions=1) == ["verified", "key_unavailable"]
    assert reasons(header_bytes=1024) == ["header_too_large"]


def test_dns_trouble_is_a_result() -> None:
    for rcode, reason in ((Rcode.TIMEOUT, "key_unavailable"), (Rcode.SERVFAIL, "key_unavailable"), (Rcode.NXDOMAIN, "key_not_found")):
        zone = zegel.Zone.from_dict({(key.name, "*"): rcode for key in (samples.rsa(), samples.ed25519())})
        assert {str(result.reason) for result in zegel.verify(SIGNED, resolver=zone, now=samples.NOW)} == {reason}


def test_dmarc() -> None:
    """The same from sync code, with a resolver of one's own, and async; the questions are told in the order asked."""
    zone = zegel.Zone.from_dict({("_dmarc.example.com", "TXT"): ["v=DMARC1; p=reject; t=y"]})

    class Own:
        async def resolve(self, question: Question) -> Answer:
            return zone.answer(question)

    given = {"spf": ("pass", "bounce.example.com"), "dkim": [("fail", "example.com"), ("pass", "example.org")]}
    result = zegel.check_dmarc("www.example.com", resolver=zone, **given)  # type: ignore[arg-type]
    assert (str(result.status), result.policy, result.applied) == ("pass", "reject", "quarantine")
    assert (result.policy_domain, result.organizational_domain, str(result.record)) == ("example.com",) * 2 + ("v=DMARC1; p=reject; t=y",)
    assert (result.aligned_spf, result.aligned_dkim) == (True, (False, False))
    names = ["_dmarc.www.example.com", "_dmarc.example.com", "_dmarc.com", "_dmarc.bounce.example.com"]
    assert result.questions == tuple(Question(name, zegel.RRType.TXT) for name in names)
    assert zegel.check_dmarc("www.example.com", resolver=Own(), **given) == result  # type: ignore[arg-type]
    assert asyncio.run(zegel.aio.check_dmarc("www.example.com", resolver=zone, **given)) == result  # type: ignore[arg-type]
    assert zegel.check_dmarc("example.net", resolver=zone) == zegel.check_dmarc("example.net", spf=None, dkim=[], resolver=zone)


def test_names() -> None:
    assert set(zegel.__all__) <= set(dir(zegel))
    for name in zegel.__all__:
        assert getattr(zegel, name)
    with pytest.raises(AttributeError):
        zegel.nothing  # noqa: B018 - to ask is enough


def test_importing_is_cheap() -> None:
    """PEP 562: nothing of weight is loaded before it is used, and no DNS library for offline work."""
    code = (
        "import sys, zegel; heavy = {'cryptography', 'dns', 'asyncio', 'sqlalchemy', 'idna'} & set(sys.modules); assert not heavy, heavy;"
        "zegel.Zone.from_dict({}); zegel.verify(b'', resolver=zegel.Zone.from_dict({})); assert 'dns' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: zegel.verify(b"", resolver="127.0.0.1"), "zegel.Resolver"),  # type: ignore[arg-type]
        (lambda: asyncio.run(zegel.aio.verify(b"", resolver=["127.0.0.1"])), "zegel.Resolver"),  # type: ignore[arg-type]
        (lambda: zegel.Resolver("127.0.0.1"), "list of addresses"),
        (lambda: zegel.sign(samples.MESSAGE, samples.rsa(), headers="From"), "list of names"),  # type: ignore[arg-type]
        (lambda: zegel.Key("example.org", "s", 12), "a PEM, as bytes or text"),  # type: ignore[arg-type]
        (lambda: zegel.authenticate(b"", ip="192.0.2.1", helo="x", mail_from="", own_domains="example.org"), "lists of names"),
        (lambda: zegel.authenticate(b"", ip="192.0.2.1", helo="x", mail_from="", trusted_sealers="example.org"), "lists of names"),
    ],
)
def test_what_is_of_another_kind_is_told_at_once(call: Callable[[], object], said: str) -> None:
    """A text is a list of letters to Python: a signature over no field that is there, a site with ten domains of one letter."""
    with pytest.raises(TypeError, match=re.escape(said)):
        call()


def test_a_mode_that_is_none_names_those_that_are() -> None:
    with pytest.raises(ValueError, match="mode is one of observe, quarantine, reject, not 'x'"):
        zegel.authenticate(b"", ip="192.0.2.1", helo="x", mail_from="", mode="x")
