"""The DKIM messages of mail-auth, each with its key records before it, and the DKIM side of its ARC messages."""

from __future__ import annotations

from pathlib import Path

import pytest

import zegel
from support import cases

FOLDER = cases.suite("dkim/mail-auth")
PATHS = sorted((FOLDER / "dkim").glob("*.txt")) + sorted((FOLDER / "arc").glob("*.txt"))
NOW = 1_667_893_000  # 005 expires at 1667930064

# Every DKIM message of the suite passes. In the first ARC message a mailing list changed the author's body; what the receiver wrote into
# that message's own Authentication-Results is the expectation.
EXPECTED = {
    "dkim/001": "pass pass",
    "dkim/002": "pass",
    "dkim/003": "pass pass",
    "dkim/004": "pass",
    "dkim/005": "pass",
    "dkim/006": "pass",
    "arc/001": "pass pass fail:body_changed",
    "arc/002": "pass",
}
EXCEPTIONS: dict[str, str] = {}


def name_of(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


@pytest.mark.parametrize("path", PATHS, ids=name_of)
def test_case(path: Path) -> None:
    case = cases.mail_auth(path)
    assert cases.words(zegel.verify(case.message, resolver=case.zone, now=NOW)) == EXPECTED[name_of(path)]


def test_all_are_there() -> None:
    assert [name_of(path) for path in PATHS] == list(EXPECTED)
    assert not EXCEPTIONS


def test_the_clock_is_a_parameter() -> None:
    case = cases.mail_auth(FOLDER / "dkim" / "005.txt")
    assert cases.words(zegel.verify(case.message, resolver=case.zone, now=1_667_930_064)) == "pass"
    assert cases.words(zegel.verify(case.message, resolver=case.zone, now=1_667_930_065)) == "permerror:expired"
