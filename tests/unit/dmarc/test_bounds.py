"""What a stranger can publish and send is bounded: twice the input costs at most 2.5 times the work, and the questions have a number.

Work is counted, not timed: the calls that Python makes, to its own functions and into C.
"""

from __future__ import annotations

import pytest

import zegel
from support.dmarc import REJECT, Records, asked, check, passing
from support.work import calls
from zegel.dmarc.record import parse


@pytest.mark.parametrize(
    "part",
    [
        b"x",
        b"; x=y",
        b"; t=y",
        b";",
        b"=",
        b" ",
        b"\t",
        b"; p=none",
        b"; rua=mailto:a@b",
        b"mailto:a@b,",
        b"\x00",
        b"\xff",
        b"; pct=1",
        b"a=",
    ],
)
def test_records(part: bytes) -> None:
    """The longest that DNS can carry is 64 kB."""

    def run(times: int) -> int:
        text = b"v=DMARC1; p=none; rua=" + part * times
        return calls(lambda: parse(text))

    run(10)  # the caches of the libraries are warm
    one, two = run(8000), run(16000)
    assert two <= 2.5 * one + 50, (one, two)
    assert one <= 40 * 8000 * len(part)


def test_a_pattern_that_looks_back_would_be_seen_here() -> None:
    """The time of one match is in no count of calls: these inputs are the worst for the patterns, and end at once when they are linear."""
    for text in (b"v=" + b" " * 60_000 + b"x", b"v" + b"\t" * 60_000, b"v=DMARC1" + b" " * 60_000 + b"x"):
        assert parse(text) is None
    for value in (b"mailto:" + b"%41" * 20_000 + b"%", b"a" * 60_000, b"https://[" + b"1:" * 30_000 + b"]]", b"x:" + b"#" * 60_000):
        found = parse(b"v=DMARC1; p=none; rua=" + value)
        assert found is not None
        assert found.rua == ()


def test_many_records_at_one_name() -> None:
    def run(times: int) -> int:
        zone = zegel.Zone.from_dict({("_dmarc.example.com", "TXT"): [f"v=DMARC1; p=reject; x={number}" for number in range(times)]})
        return calls(lambda: zegel.check_dmarc("example.com", resolver=zone))

    run(10)
    one, two = run(1000), run(2000)
    assert two <= 2.5 * one
    assert one <= 10_000, "records that are discarded are not read"


def test_questions() -> None:
    """Eight for each walk, one for existence; of names below the author's organisation only, each domain once."""
    author = ".".join("abcdefghijklm") + ".example.com"
    deep = [".".join(f"{name}{number}" for number in range(20)) + ".example.com" for name in "nopqrstuvw"]
    record: Records = {"example.com": REJECT + "; np=none"}
    # Eight for the author's walk, the existence of its name, and five new names below the cut for each other domain.
    result = check(author, record, spf=("pass", deep[0]), dkim=passing(*deep, *deep))
    assert len(result.questions) == 8 + 1 + 6 * len(deep)
    assert len(result.questions) <= zegel.Limits().questions
    assert result.aligned_dkim == (True,) * 20
    strangers = [f"{name}.example.net" for name in deep]
    assert len(asked(check(author, record, dkim=passing(*strangers)))) == 9
