"""``docs/standards.md``: the index and what is cited, as a page for who runs a mail server."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from rfc.citations import Citation
from rfc.index import MEANING, Section, Standard, Status

_INTRODUCTION = """\
# Standards

Which sections of which RFCs Zegel keeps, in which files of `src/zegel` that is done, and which files of `tests` hold it.

This page is written by `make standards` from `rfc/index.toml` and from the citations in the code and in the tests. `make check` fails when
a section is cited that is not in the index, when one is said to be done that no code or no test cites, and when this page is out of date.

| Status | Meaning |
|---|---|
"""


def render(standards: Sequence[Standard], citations: Iterable[Citation]) -> str:
    """The whole page as Markdown."""
    cited: dict[tuple[int, str], list[Citation]] = defaultdict(list)
    for citation in citations:
        cited[citation.rfc, citation.section].append(citation)
    meanings = "".join(f"| {status} | {MEANING[status]} |\n" for status in Status)
    parts = [_INTRODUCTION + meanings, "## Overview\n\n" + _overview(standards)]
    listed = [standard for standard in standards if standard.sections]
    parts.extend(_chapter(standard, cited) for standard in listed)
    parts.append("## Also named\n\n" + _also_named([standard for standard in standards if not standard.sections], cited))
    return "\n".join(parts)


def _overview(standards: Sequence[Standard]) -> str:
    shown = (Status.DONE, Status.PARTLY, Status.LATER, Status.EXAMPLE)
    lines = ["| RFC | Title | Sections listed | " + " | ".join(shown) + " |", "|---|---|---|" + "---:|" * len(shown)]
    for standard in standards:
        if standard.sections:
            count = Counter(section.status for section in standard.sections)
            scope = "all" if standard.whole else "those in use"
            numbers = " | ".join(str(count[status] or "") for status in shown)
            lines.append(f"| {standard.number} | {_cell(standard.title)} | {scope} | {numbers} |")
    return "\n".join(lines) + "\n"


def _chapter(standard: Standard, cited: dict[tuple[int, str], list[Citation]]) -> str:
    lines = [f"## RFC {standard.number}: {standard.title}", ""]
    if standard.note:
        lines += [standard.note, ""]
    named = _files(cited[standard.number, ""], "src/zegel/")
    if named:
        lines += [f"Named as a whole in {named}.", ""]
    lines += ["| Section | Title | Status | Code | Tests |", "|---|---|---|---|---|"]
    lines += [_row(section, cited[standard.number, section.number]) for section in standard.sections]
    return "\n".join(lines) + "\n"


def _row(section: Section, places: Sequence[Citation]) -> str:
    status = f"{section.status}: {section.note}" if section.note else str(section.status)
    code = _files((place for place in places if place.in_code), "src/zegel/")
    tests = _files((place for place in places if place.in_test), "tests/")
    return f"| {section.number} | {_cell(section.title)} | {_cell(status)} | {code} | {tests} |"


def _also_named(standards: Sequence[Standard], cited: dict[tuple[int, str], list[Citation]]) -> str:
    lines = ["| RFC | Title | Why | Named in |", "|---|---|---|---|"]
    for standard in standards:
        named = _files(cited[standard.number, ""], "")
        lines += [f"| {standard.number} | {_cell(standard.title)} | {_cell(standard.note)} | {named} |"]
    return "\n".join(lines) + "\n"


def _files(places: Iterable[Citation], root: str) -> str:
    """The files below ``root``, each once, by name."""
    return ", ".join(f"`{file.removeprefix(root)}`" for file in sorted({place.file for place in places if place.file.startswith(root)}))


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
