"""The index and the page: each planted fault has its message, and what holds has none."""

from __future__ import annotations

from pathlib import Path

import pytest

from rfc.__main__ import main
from rfc.check import faults, mark_done
from rfc.citations import Citation
from rfc.index import Status, order, read

GOOD = """
[rfc.6376]
title = "DKIM"
whole = true
sections = [
    { section = "1", title = "Introduction", status = "not ours", note = "an introduction" },
    { section = "2", title = "Elements", status = "heading" },
    { section = "2.1", title = "Selectors", status = "done" },
    { section = "2.2", title = "Tag | lists", status = "partly", note = "half" },
    { section = "A", title = "Example", status = "example" },
]

[rfc.7208]
title = "SPF"
sections = [
    { section = "4.6.4", title = "Limits", status = "later", note = "with SPF" },
    { section = "10.1", title = "Advice", status = "later", note = "with SPF" },
]

[rfc.8616]
title = "EAI"
note = "named for its letters"
"""
ROOM, TEST, SUPPORT = "src/zegel/dkim/verify.py", "tests/unit/dkim/test_verify.py", "tests/support/cases.py"


def cite(*places: str) -> list[Citation]:
    """Citations written as "6376 2.1 src/x.py"."""
    found = []
    for place in places:
        number, *section, file = place.split(" ")
        found.append(Citation(int(number), "".join(section), file, 7))
    return found


HELD = cite(
    f"6376 2.1 {ROOM}", f"6376 2.1 {TEST}", f"6376 2.2 {ROOM}", f"6376 2.2 {TEST}", f"6376 A {TEST}", f"6376 {ROOM}", f"8616 {SUPPORT}"
)


def test_what_holds_has_no_fault() -> None:
    standards, wrong = read(GOOD)
    assert wrong == []
    assert faults(standards, HELD) == []
    assert [section.number for section in standards[0].sections] == ["1", "2", "2.1", "2.2", "A"]


ROW = '{ section = "2.1", title = "Selectors", status = "done" },'
MALFORMED = [
    ("[rfc.6376]", "[rfc.6376", "it is no TOML"),
    ("[rfc.6376]", "[other]\nx = 1\n[rfc.6376]", "other: only [rfc.NUMBER] tables stand here"),
    ("[rfc.8616]", "[rfc.dkim]", "[rfc.dkim]: no RFC has that number"),
    ("[rfc.8616]", "[rfc.616]", "RFC 616 stands after RFC 7208"),
    ('title = "EAI"', "", "RFC 8616: it has no title"),
    ('title = "EAI"', 'title = "EAI"\nextra = 1', "RFC 8616: unknown word 'extra'"),
    ('note = "named for its letters"', "", "RFC 8616: without sections a note says why it is named"),
    (ROW, '"2.1",', "RFC 6376: a section is { section, title, status, note }, not '2.1'"),
    (ROW, ROW.replace('"2.1"', "2.1"), "RFC 6376: a section is { section, title, status, note }"),
    (ROW, ROW.replace("2.1", "2.x"), "RFC 6376 2.x: no section has that number"),
    (ROW, ROW.replace('section = "2.1", ', ""), "RFC 6376: no section has that number"),
    (ROW, ROW.replace("Selectors", ""), "RFC 6376 2.1: it has no title"),
    (ROW, ROW.replace("status", "state"), "RFC 6376 2.1: unknown word 'state'"),
    (
        ROW,
        ROW.replace('"done"', '"Done"'),
        "RFC 6376 2.1: unknown status 'Done'; it is one of done, partly, later",
    ),
    (', note = "half"', "", "RFC 6376 2.2: partly needs a note"),
    ('"later", note = "with SPF" },\n    { section = "10.1"', '"later" },\n    { section = "10.1"', "RFC 7208 4.6.4: later needs a note"),
    (', note = "an introduction"', "", "RFC 6376 1: not ours needs a note"),
    (ROW, f"{ROW}\n    {ROW}", "RFC 6376 2.1: it is there twice"),
    ('section = "10.1"', 'section = "4.1"', "RFC 7208 4.1: it stands after 4.6.4"),
    ('{ section = "2", title = "Elements", status = "heading" },', "", "RFC 6376 2.1: 2, which it is part of, is not there"),
    (ROW, "", "RFC 6376 2.1: it is left out, and the RFC is listed whole"),
    ('section = "A", title', 'section = "B", title', "RFC 6376 A: it is left out, and the RFC is listed whole"),
    ('"Example", status = "example"', '"Example", status = "heading"', "RFC 6376 A: a heading without sections"),
]


@pytest.mark.parametrize(("old", "new", "fault"), MALFORMED, ids=[fault for _, _, fault in MALFORMED])
def test_a_fault_of_the_file_is_named(old: str, new: str, fault: str) -> None:
    assert GOOD.count(old) == 1
    _, wrong = read(GOOD.replace(old, new))
    assert any(line.startswith(fault) for line in wrong), wrong


UNHELD = [
    (cite(f"6376 2.9 {ROOM}"), [], f"{ROOM}:7: RFC 6376 2.9 is cited and not in rfc/index.toml"),
    (cite(f"6376 2.9 {SUPPORT}"), [], f"{SUPPORT}:7: RFC 6376 2.9 is cited and not in rfc/index.toml"),
    (cite(f"9989 {TEST}"), [], f"{TEST}:7: RFC 9989 is cited and not in rfc/index.toml"),
    (cite(f"8616 5 {TEST}"), [], f"{TEST}:7: RFC 8616 5 is cited and not in rfc/index.toml"),
    ([], cite(f"6376 2.1 {ROOM}"), "RFC 6376 2.1 (Selectors) is marked done, and no room cites it"),
    ([], cite(f"6376 2.1 {TEST}"), "RFC 6376 2.1 (Selectors) is marked done, and no test cites it"),
    (cite(f"6376 2.1 {SUPPORT}"), cite(f"6376 2.1 {TEST}"), "RFC 6376 2.1 (Selectors) is marked done, and no test cites it"),
    ([], cite(f"6376 2.2 {ROOM}"), "RFC 6376 2.2 (Tag | lists) is marked partly, and no room cites it"),
    ([], cite(f"6376 2.2 {TEST}"), "RFC 6376 2.2 (Tag | lists) is marked partly, and no test cites it"),
    ([], cite(f"6376 A {TEST}"), "RFC 6376 A (Example) is marked example, and no test cites it"),
    ([], cite(f"8616 {SUPPORT}"), "RFC 8616 (EAI) is cited nowhere"),
    (
        cite(f"7208 4.6.4 {ROOM}", f"7208 4.6.4 {TEST}"),
        [],
        "RFC 7208 4.6.4 (Limits) is marked later, and a room and a test cite it: mark it done or partly (python -m rfc --done NUMBER)",
    ),
]


@pytest.mark.parametrize(("more", "less", "fault"), UNHELD, ids=[fault for _, _, fault in UNHELD])
def test_what_is_claimed_and_not_borne_out_is_named(more: list[Citation], less: list[Citation], fault: str) -> None:
    found = [citation for citation in HELD if citation not in less] + more
    assert faults(read(GOOD)[0], found) == [fault]


def test_later_may_be_cited_in_passing() -> None:
    assert faults(read(GOOD)[0], [*HELD, *cite(f"7208 4.6.4 {ROOM}", f"7208 10.1 {TEST}", f"6376 1 {ROOM}")]) == []


def test_marking_done_what_has_landed() -> None:
    standards, _ = read(GOOD)
    found = [*HELD, *cite(f"7208 4.6.4 {ROOM}", f"7208 4.6.4 {TEST}", f"7208 10.1 {ROOM}")]
    marked = mark_done(GOOD, standards, found, 7208)
    assert marked == GOOD.replace('title = "Limits", status = "later", note = "with SPF"', 'title = "Limits", status = "done"')
    assert faults(read(marked)[0], found) == []
    assert mark_done(GOOD, standards, found, 6376) == GOOD


def test_order() -> None:
    numbers = ["1", "2", "2.1", "2.1.1", "2.2", "2.10", "10", "A", "A.1", "A.10", "B"]
    assert sorted(sorted(numbers), key=order) == numbers
    assert sorted(numbers) != numbers


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A small repository whose citations bear its index out, with its page written."""
    for name, text in (
        ("rfc/index.toml", GOOD),
        (ROOM, '"""RFC 6376, here 2.1. RFC 6376 2.1 and 2.2."""\n'),
        (TEST, '"""RFC 6376 2.1, 2.2 and A."""\n'),
        (SUPPORT, "# RFC 8616\n"),
        ("docs/other.md", ""),
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert main(["--write"], tmp_path) == 0
    return tmp_path


def test_the_page(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([], repository) == 0
    page = (repository / "docs" / "standards.md").read_text(encoding="utf-8")
    assert page.startswith("# Standards\n")
    assert "| 6376 | DKIM | all | 1 | 1 |  | 1 |" in page
    assert "| 7208 | SPF | those in use |  |  | 2 |  |" in page
    assert "Named as a whole in `dkim/verify.py`." in page
    assert "| 2.1 | Selectors | done | `dkim/verify.py` | `unit/dkim/test_verify.py` |" in page
    assert "| 2.2 | Tag \\| lists | partly: half | `dkim/verify.py` | `unit/dkim/test_verify.py` |" in page
    assert "| 8616 | EAI | named for its letters | `tests/support/cases.py` |" in page
    assert all(f"| {status} | " in page for status in Status)
    assert capsys.readouterr().err == ""


def test_a_page_that_is_not_what_would_be_written_is_a_fault(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = repository / "docs" / "standards.md"
    said = "docs/standards.md is not what the index and the citations give: run make standards\n"
    for spoil in (lambda: page.write_text(page.read_text(encoding="utf-8") + " "), lambda: page.unlink()):
        spoil()
        assert main([], repository) == 1
        assert capsys.readouterr().err == said
        assert main(["--write"], repository) == 0
    (repository / TEST).rename(repository / "tests/unit/dkim/test_other.py")
    assert main([], repository) == 1
    assert capsys.readouterr().err == said


def test_faults_are_told_one_a_line(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (repository / TEST).write_text("# RFC 6376 2.9\n", encoding="utf-8")
    assert main(["--write"], repository) == 1
    assert capsys.readouterr().err.splitlines() == [
        f"{TEST}:1: RFC 6376 2.9 is cited and not in rfc/index.toml",
        "RFC 6376 2.1 (Selectors) is marked done, and no test cites it",
        "RFC 6376 2.2 (Tag | lists) is marked partly, and no test cites it",
        "RFC 6376 A (Example) is marked example, and no test cites it",
    ]


def test_marking_done_from_the_command_line(repository: Path) -> None:
    (repository / ROOM).write_text('"""RFC 6376 2.1 and 2.2; RFC 7208 4.6.4."""\n', encoding="utf-8")
    (repository / TEST).write_text('"""RFC 6376 2.1, 2.2 and A; RFC 7208 4.6.4."""\n', encoding="utf-8")
    assert main([], repository) == 1
    assert main(["--done", "7208", "--write"], repository) == 0
    assert main([], repository) == 0
    assert 'title = "Limits", status = "done" }' in (repository / "rfc" / "index.toml").read_text(encoding="utf-8")
