"""What a stranger's chain can cost is bounded: twice the input costs at most 2.5 times the work, and there is always a result.

Work is counted, not timed: the calls that Python makes, the octets that go to a hash or into a signature check, the questions.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

import zegel
from support import arc, samples
from support.work import calls
from zegel.arc.chain import read
from zegel.arc.seal import SealStyle
from zegel.arc.verify import Verification, verify_message
from zegel.ask import Question, rehearse
from zegel.dkim.canonical import BODY_FORMS, BodyForm
from zegel.dkim.crypto import PublicKey
from zegel.dkim.header import Header
from zegel.grammar.message import split_message

WIDE = zegel.Limits(header_bytes=64 * 1024 * 1024)
CEILING = 40.0  # calls per octet of the smaller input


def judge(message: bytes) -> zegel.ArcResult:
    return arc.verify(message, samples.zone(), limits=WIDE)


def scales(make: Callable[[int], bytes], size: int, run: Callable[[bytes], object] = judge) -> None:
    small, large = make(size), make(2 * size)
    run(small)
    one, two = calls(lambda: run(small)), calls(lambda: run(large))
    assert two <= 2.5 * one + 50, (one, two)
    assert one <= CEILING * len(small)


def chain_of(count: int, **tags: str) -> bytes:
    """Sets with the right structure, and signatures of nothing."""
    more = "".join(f" {name}={value};" for name, value in tags.items())
    fields = []
    for number in range(count, 0, -1):
        common = f"i={number}; a=ed25519-sha256; d=d{number}.example; s=s{number}; b=AAAA;"
        fields.append(f"ARC-Seal: {common} cv={'none' if number == 1 else 'pass'}\r\n")
        fields.append(f"ARC-Message-Signature: {common} c=relaxed/relaxed; h=from; bh=AAAA;{more.replace('NUMBER', str(number))}\r\n")
        fields.append(f"ARC-Authentication-Results: i={number}; x.example; none\r\n")
    return "".join(fields).encode() + samples.MESSAGE


def asked(message: bytes) -> tuple[zegel.ArcResult, list[Question]]:
    questions: list[Question] = []
    result = rehearse(verify_message(message, now=samples.NOW, limits=WIDE), samples.zone().answer, questions)
    return result, questions


def test_the_questions_of_the_longest_chain() -> None:
    """RFC 8617 9.2: up to 2*N queries, and nothing is asked for a chain that is too long."""
    result, questions = asked(chain_of(50))
    assert (str(result.reason), len(questions)) == ("body_changed", 50)
    result, questions = asked(chain_of(51))
    assert (str(result.reason), len(questions)) == ("too_many_sets", 0)


@pytest.mark.parametrize("name", ["ARC-Seal", "ARC-Message-Signature", "ARC-Authentication-Results"])
def test_a_hundred_thousand_fields_are_counted_not_read(name: str) -> None:
    line = f"{name}: i=1; a=b\r\n".encode()
    assert str(judge(line * 100_000 + samples.MESSAGE).reason) == "too_many_sets"
    header = Header(line * 100_000)
    assert calls(lambda: read(header)) < 50


def test_long_fields() -> None:
    for make in (
        lambda n: b"ARC-Authentication-Results: i=1; x" + b"; spf=pass" * n + b"\r\n" + samples.MESSAGE,
        lambda n: b"ARC-Authentication-Results: " + b"(" * n + b"\r\n" + samples.MESSAGE,
        lambda n: b"ARC-Authentication-Results: " + b"(a)" * n + b"i=1;\r\n" + samples.MESSAGE,
        lambda n: b"ARC-Authentication-Results: i=1; " + b'"\\' * n + b"\r\n" + samples.MESSAGE,
        lambda n: b"ARC-Authentication-Results:" + b"\r\n " * n + b"i=1; x; none\r\n" + samples.MESSAGE,
        lambda n: b"ARC-Seal: " + b";" * n + b"\r\n" + samples.MESSAGE,
        lambda n: b"ARC-Seal: i=1; cv=" + b"(" * n + b"\r\n" + samples.MESSAGE,
        lambda n: b"ARC-Seal: i=1; " + b"".join(b"a%d=x;" % number for number in range(n)) + b"\r\n" + samples.MESSAGE,
        lambda n: chain_of(1, h="from" + ":a" * n).replace(b" h=from;", b"", 1),
        lambda n: chain_of(1, q="x:" * n),
    ):
        scales(make, 10_000)


def test_a_chain_costs_what_its_octets_cost() -> None:
    scales(lambda n: chain_of(n), 25)
    scales(lambda n: chain_of(2) + b"x y\r\n" * n, 20_000)


def test_a_stranger_cannot_ask_for_fifty_hashes_of_a_body(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each ``l=`` is a hash of its own; those of older signatures are not worth one (RFC 8617 5.2, 5 is optional)."""
    made: list[Callable[[bytes], object]] = []
    relaxed = BODY_FORMS["relaxed"]

    def counted(write: Callable[[bytes], object]) -> BodyForm:
        made.append(write)
        return relaxed(write)

    monkeypatch.setitem(BODY_FORMS, "relaxed", counted)
    split = split_message(chain_of(50, l="NUMBER"), header_bytes=1 << 20)
    verification = Verification(Header(split.header), now=samples.NOW, limits=WIDE)
    verification.feed(split.body)
    assert len(made) == 1
    assert len(verification._bodies._wanted) == 1


def test_seals_cover_at_most_fifty_times_the_header(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has a key can make all seals hold. Each field is canonicalized once, and each seal costs one pass over what it covers."""
    checked: list[int] = []
    verifies = PublicKey.verifies

    def counted(self: PublicKey, signature: bytes, data: bytes) -> bool:
        checked.append(len(data))
        return verifies(self, signature, data)

    monkeypatch.setattr(PublicKey, "verifies", counted)
    style = SealStyle(headers=("from",))
    messages = [arc.sealed(samples.MESSAGE, *["a.example"] * count, style=style) for count in (10, 20)]
    costs = []
    for message in messages:
        checked.clear()
        assert arc.verify(message, arc.zone("a.example")).status == "pass"
        assert len(checked) == message.count(b"ARC-Seal:") * 2
        assert sum(checked) < 50 * len(message)
        costs.append(sum(checked))
    assert costs[1] <= 4.2 * costs[0]  # the RFC's own square: the n-th seal covers n sets (RFC 8617 5.1.1), and n is at most 50


def test_several_key_records_cost_one_canonical_header() -> None:
    message = arc.sealed(b"From: a@example.org\r\n" + b"x-a: 1\r\n" * 500 + b"\r\n", "a.example", style=SealStyle(headers=("from",)))
    strangers: list[str | bytes] = [zegel.Key.generate("a.example", "arc", "ed25519").record for _ in range(100)]

    def cost(count: int) -> int:
        zone = zegel.Zone.from_dict({("arc._domainkey.a.example", "TXT"): strangers[:count]})
        assert str(arc.verify(message, zone).reason) == "message_mismatch"
        return calls(lambda: arc.verify(message, zone))

    assert cost(100) <= cost(5) + 500  # the zone itself sorts its records; of these five are tried
