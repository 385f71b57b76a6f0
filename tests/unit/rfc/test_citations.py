"""What counts as a citation: every form that the house writes, and what only looks like one."""

from __future__ import annotations

from pathlib import Path

import pytest

from rfc.citations import Citation, find, scan

FORMS = [
    ("RFC 6376 6.1.3", ["6376 6.1.3"]),
    ("RFC 6376 3.4.3 and 3.4.4.", ["6376 3.4.3", "6376 3.4.4"]),
    ("RFC 6376 6.1.1, 6.1.2 and 6.1.3 in order", ["6376 6.1.1", "6376 6.1.2", "6376 6.1.3"]),
    ("(RFC 6376 5.4.2, 8.15), and never", ["6376 5.4.2", "6376 8.15"]),
    ("RFC 1034 3.5 and RFC 5321 2.3.5 for the letters", ["1034 3.5", "5321 2.3.5"]),
    ("RFC 6376 3.6.1 and 3.6.2, RFC 8463 4, RFC 1035 3.3.14", ["6376 3.6.1", "6376 3.6.2", "8463 4", "1035 3.3.14"]),
    ("(RFC 6376 3.5, ``h=``)", ["6376 3.5"]),
    ('"RFC 6376 3.5", N_("x")', ["6376 3.5"]),
    ("verify in three stages. RFC 6376 6.\n\nThe header", ["6376 6"]),
    ("RFC 6409 8.1 to 8.3: a server", ["6409 8.1", "6409 8.2", "6409 8.3"]),
    ("RFC 6376 3.9 to 4.2.", ["6376 3.9", "6376 4.2"]),  # what lies between is not guessed
    ("RFC 6376 3.9, 3.10 or 3.11", ["6376 3.9", "6376 3.10", "6376 3.11"]),
    ("RFC 2181 5 and 5.2.", ["2181 5", "2181 5.2"]),
    ("RFC 8601 2.5 and 5.", ["8601 2.5", "8601 5"]),
    ("RFC 8601 2.5 and 5 of the others", ["8601 2.5"]),  # five of something
    ("RFC 7208 4.6.4, 10 at most", ["7208 4.6.4"]),
    ("RFC 2047 5 (3): none", ["2047 5"]),
    ("RFC 6376 A.2", ["6376 A.2"]),
    ("RFC 6376 A.2 and A.3 (key in RFC 6376 C)", ["6376 A.2", "6376 A.3", "6376 C"]),
    ("RFC 6376 C and RFC 8463 A.2.", ["6376 C", "8463 A.2"]),
    ("RFC 8463 A record of its own", ["8463"]),
    ("RFC 9989 4.10.1", ["9989 4.10.1"]),
    ("RFC 8301", ["8301"]),
    ("RFC 6376, with 8301 (algorithms)", ["6376"]),
    ("RFC 6376, 8301 and 8463", ["6376"]),
    ("of RFC 6008, and RFC 6376's 3.5", ["6008", "6376"]),
    ("RFC 6376\n    3.6.1 in the next line", ["6376 3.6.1"]),
    ("# by RFC 6376\n    # 3.6.1 and\n    # 3.6.2, in a comment", ["6376 3.6.1", "6376 3.6.2"]),
    ("# it is RFC\n# 6376 3.5", ["6376 3.5"]),
    ("RFC6376_MESSAGE and RFC 12", []),
    ("rfc7208-tests.yml, XRFC 6376 3.5", []),
]


@pytest.mark.parametrize(("text", "expected"), FORMS, ids=[text[:40] for text, _ in FORMS])
def test_forms(text: str, expected: list[str]) -> None:
    assert [f"{found.rfc} {found.section}".rstrip() for found in find(text, "src/x.py")] == expected


def test_places() -> None:
    (first, second) = find("one\nRFC 6376 3.5\n\nRFC 8301", "src/zegel/x.py")
    assert (first, second) == (Citation(6376, "3.5", "src/zegel/x.py", 2), Citation(8301, "", "src/zegel/x.py", 4))
    assert (first.in_code, first.in_test) == (True, False)
    assert [Citation(1, "", f"tests/{file}", 1).in_test for file in ("unit/test_x.py", "support/x.py", "unit/conftest.py")] == [
        True,
        False,
        False,
    ]


def test_examples_of_the_form_are_no_evidence(tmp_path: Path) -> None:
    for file in ("src/zegel/a.py", "tests/unit/test_b.py", "tests/test_house.py", "tests/unit/rfc/test_c.py", "bench/d.py"):
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('"""RFC 6376 3.5"""\n', encoding="utf-8")
    assert [citation.file for citation in scan(tmp_path)] == ["src/zegel/a.py", "tests/unit/test_b.py"]
