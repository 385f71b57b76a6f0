"""Every harness without the fuzzer: what was a finding once, the inputs that it starts from, and a few hundred more off a fixed seed."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from fuzz import reference, seeds, signer, stock
from fuzz.dice import Dice
from fuzz.harnesses import forge, milter
from zegel.ask import rehearse
from zegel.dkim.verify import verify_message
from zegel.grammar.message import split_fields, split_message
from zegel.limits import Limits
from zegel.milter.events import MailFrom, Negotiated

CASES = [(name, path) for name in stock.NAMES for path in stock.cases(name)]


def spoilt(start: bytes, words: tuple[bytes, ...], rnd: Random) -> bytes:
    """A start with one to four edits in it."""
    data = bytearray(start)
    for _ in range(rnd.randrange(1, 5)):
        at = rnd.randrange(len(data) + 1)
        data[at : at + rnd.randrange(4)] = rnd.choice([rnd.randbytes(rnd.randrange(4)), *words])
    return bytes(data)


def test_the_stock_is_what_there_is() -> None:
    assert list(stock.NAMES) == sorted(path.stem for path in (Path(__file__).parent / "harnesses").glob("*.py"))
    assert {path.name for path in stock.CASES.iterdir() if path.is_dir()} <= set(stock.NAMES)


@pytest.mark.parametrize(("name", "path"), CASES, ids=[f"{name}-{path.name}" for name, path in CASES])
def test_what_was_a_finding(name: str, path: Path) -> None:
    stock.load(name).fuzz(path.read_bytes())


@pytest.mark.parametrize("name", stock.NAMES)
def test_starts_and_what_lies_near_them(name: str) -> None:
    harness, rnd = stock.load(name), Random(name)
    starts = list(harness.starts())
    assert starts
    for start in starts:
        harness.fuzz(start)
    for _ in range(400):
        harness.fuzz(spoilt(rnd.choice(starts), harness.WORDS, rnd))
    for size in range(64):
        harness.fuzz(rnd.randbytes(size))


def test_the_seeds_of_the_rfcs_are_among_them() -> None:
    assert len(seeds.messages()) >= 4
    assert any(b"football.example.com" in value for value in seeds.fields(b"dkim-signature"))
    assert len(seeds.key_records()) >= 3


# That the harnesses can fail: each is told something untrue.


def test_the_second_verifier_passes_what_is_signed_and_nothing_else() -> None:
    fields, body = [(b"From", b" a@football.example.com"), (b"Subject", b" x  y")], b"Hello \r\n"
    fields.insert(0, signer.sign(fields, body, Dice(b"")))
    message = b"".join(name + b":" + value + b"\r\n" for name, value in fields) + b"\r\n" + body
    assert reference.judge(message, signer.holds, signer.NOW) == ["pass"]
    results = rehearse(verify_message(message, now=signer.NOW, limits=Limits()), signer.zone().answer)
    forge.agree(results, ["pass"], message)
    for other in (message.replace(b"x  y", b"x y"), message.replace(b"Hello ", b"Hello"), message.replace(b"v=1", b"v= 1")):
        assert reference.judge(other, signer.holds, signer.NOW) == ["other"]
        with pytest.raises(AssertionError):
            forge.agree(results, reference.judge(other, signer.holds, signer.NOW), other)


def test_most_forgeries_begin_as_signatures_that_pass() -> None:
    """Else the fuzzer would only ever see rubbish."""
    rnd, words = Random(6376), []
    for _ in range(200):
        dice = Dice(rnd.randbytes(200))
        fields = [(b"From", b" a@football.example.com")]
        fields.insert(0, signer.sign(fields, b"x\r\n", dice))
        message = b"".join(name + b":" + value + b"\r\n" for name, value in fields) + b"\r\nx\r\n"
        words += reference.judge(message, signer.holds, signer.NOW)
    assert words.count("pass") > 60
    assert words.count("policy") > 2
    assert words.count("other") > 20


def test_the_order_of_events_is_held_against_the_protocol() -> None:
    start = Negotiated(6, 0, 0)
    with pytest.raises(AssertionError):
        milter.order(([(start, []), (MailFrom(b"<>"), [])], b"", ""), refuses=False)  # mail before a client
    with pytest.raises(AssertionError):
        milter.order(([(start, [])], b"", ""), refuses=False)  # a negotiation without its answer


def test_the_slow_splitter_and_ours_are_not_the_same_by_never_differing() -> None:
    message = b"A: b\r\n c\r\nno field\r\nD : e\rf\r\n\r\nbody\r\n"
    fields, body, bad = reference.split(message)
    assert (fields, body, bad) == ([(b"A", b" b\r\n c"), (b"D ", b" e\rf")], b"body\r\n", 2)
    assert split_fields(split_message(message, header_bytes=1 << 20).header)[1] == 2
