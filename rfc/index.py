"""``index.toml`` as a value: each RFC, its sections, and the status of each.

Reading finds what is wrong with the file itself: its form, its order, a word that is no status, a section that was left out.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Any

_SECTION = re.compile(r"(?:[1-9]\d?|[A-Z])(?:\.[1-9]\d?)*")


class Status(StrEnum):
    """How far a section is kept. The word is what the file and the page have."""

    DONE = "done"
    PARTLY = "partly"
    LATER = "later"
    EXAMPLE = "example"
    HEADING = "heading"
    NOT_OURS = "not ours"


MEANING = {
    Status.DONE: "kept, and held by tests",
    Status.PARTLY: "kept as far as the note says",
    Status.LATER: "to be built; the note says with what",
    Status.EXAMPLE: "an example of the RFC that a test repeats",
    Status.HEADING: "a title over its sections, without rules of its own",
    Status.NOT_OURS: "nothing for Zegel to keep, for the reason in the note",
}
EXPLAINED = (Status.PARTLY, Status.LATER, Status.NOT_OURS)


@dataclass(frozen=True, slots=True)
class Section:
    """One section; ``number`` is "6.1.3" or "A.2". ``note`` says what is missing, or why it is not ours."""

    number: str
    title: str
    status: Status
    note: str = ""

    @property
    def parent(self) -> str:
        """The section that this one is part of; empty at the top."""
        return self.number.rpartition(".")[0]


@dataclass(frozen=True, slots=True)
class Standard:
    """One RFC. ``whole`` promises that all its sections are listed, but for references and thanks; ``note`` is for one without any."""

    number: int
    title: str
    whole: bool
    note: str
    sections: tuple[Section, ...]

    @property
    def by_number(self) -> dict[str, Section]:
        """Its sections by their number."""
        return {section.number: section for section in self.sections}


def order(number: str) -> tuple[tuple[int, str | int], ...]:
    """The order of a table of contents: 2, 10, A. A letter is an appendix."""
    return tuple((0, int(part)) if part.isdigit() else (1, part) for part in number.split("."))


def read(text: str) -> tuple[list[Standard], list[str]]:
    """Read the file: the standards, and what is wrong with it. What is malformed is left out."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return [], [f"it is no TOML: {error}"]
    faults = [f"{name}: only [rfc.NUMBER] tables stand here" for name in tables if name != "rfc"]
    standards: list[Standard] = []
    for name, table in tables.get("rfc", {}).items():
        if not re.fullmatch(r"[1-9]\d{2,4}", name) or not isinstance(table, dict):
            faults.append(f"[rfc.{name}]: no RFC has that number")
            continue
        standards.append(_standard(int(name), table, faults))
    for before, after in pairwise(standards):
        if after.number < before.number:
            faults.append(f"RFC {after.number} stands after RFC {before.number}")
    return standards, faults


def _standard(number: int, table: dict[str, Any], faults: list[str]) -> Standard:
    faults.extend(f"RFC {number}: unknown word {word!r}" for word in table if word not in ("title", "whole", "note", "sections"))
    title, note, rows = table.get("title", ""), table.get("note", ""), table.get("sections", [])
    if not isinstance(title, str) or not title:
        faults.append(f"RFC {number}: it has no title")
    if not rows and not note:
        faults.append(f"RFC {number}: without sections a note says why it is named")
    sections = [section for row in rows if (section := _section(number, row, faults))]
    standard = Standard(number, str(title), table.get("whole") is True, str(note), tuple(sections))
    faults.extend(f"RFC {number} {fault}" for fault in _order_faults(standard))
    return standard


def _section(rfc: int, row: object, faults: list[str]) -> Section | None:
    if not isinstance(row, dict) or not all(isinstance(value, str) for value in row.values()):
        faults.append(f"RFC {rfc}: a section is {{ section, title, status, note }}, not {row!r}")
        return None
    place = f"RFC {rfc} {row.get('section', '')}".rstrip()
    before = len(faults)
    faults.extend(f"{place}: unknown word {word!r}" for word in row if word not in ("section", "title", "status", "note"))
    if not _SECTION.fullmatch(row.get("section", "")):
        faults.append(f"{place}: no section has that number")
    if not row.get("title"):
        faults.append(f"{place}: it has no title")
    if row.get("status") not in list(Status):
        faults.append(f"{place}: unknown status {row.get('status')!r}; it is one of {', '.join(Status)}")
    elif row["status"] in EXPLAINED and not row.get("note"):
        faults.append(f"{place}: {row['status']} needs a note")
    if len(faults) > before:
        return None
    return Section(row["section"], row["title"], Status(row["status"]), row.get("note", ""))


def _order_faults(standard: Standard) -> list[str]:
    """Sections that are twice there, out of order, without their parent, or left out of an RFC that is listed whole."""
    numbers = [section.number for section in standard.sections]
    faults = [
        f"{after}: it is there twice" if after == before else f"{after}: it stands after {before}"
        for before, after in pairwise(numbers)
        if order(after) <= order(before)
    ]
    known, parents = set(numbers), {section.parent for section in standard.sections}
    for section in standard.sections:
        if standard.whole and section.parent and section.parent not in known:
            faults.append(f"{section.number}: {section.parent}, which it is part of, is not there")
        if section.status is Status.HEADING and section.number not in parents:
            faults.append(f"{section.number}: a heading without sections")
        if standard.whole and (missing := _predecessor(section.number)) and missing not in known:
            faults.append(f"{missing}: it is left out, and the RFC is listed whole")
    return faults


def _predecessor(number: str) -> str:
    """The section of the same rank before this one; empty for the first."""
    parent, dot, last = number.rpartition(".")
    if last in ("1", "A"):
        return ""
    return parent + dot + (str(int(last) - 1) if last.isdigit() else chr(ord(last) - 1))
