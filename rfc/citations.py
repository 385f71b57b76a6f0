"""What the code and the tests cite: every ``RFC 6376 6.1.3`` in them, with its file and line.

One form is read, the one that the house asks for: ``RFC``, the number, and perhaps its sections: ``RFC 6376 3.4.3 and 3.4.4``,
``RFC 6409 8.1 to 8.3``, ``RFC 6376 A.2``. A section number that stands alone in a sentence is not guessed at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

# They speak of the form of a citation, with examples that cite nothing.
NO_EVIDENCE = ("tests/test_house.py", "tests/unit/rfc/")

_GAP = r"(?:[ \t]+|[ \t]*\n[ \t]*(?:#[ \t]*)?)"  # a sentence may go on in the next line, of a comment too
_DOTTED = r"(?:\d{1,2}|[A-Z])(?:\.\d{1,2})+(?!\w|\.\d)"
_FIRST = rf"(?:{_DOTTED}|\d{{1,2}}(?!\w|\.\d)|[A-Z](?=$|[.,;:)\"'`\]]|{_GAP}and\b))"
# After "and" or a comma a bare number may be a count of something: it is a section only where the sentence ends or pauses.
_NEXT = rf"(?:{_DOTTED}|(?:\d{{1,2}}|[A-Z])(?=$|[.,;:)\"'`\]])(?!\.\d))"
_JOIN = rf"(?:,{_GAP}(?:and{_GAP})?|{_GAP}(?:and|or|to){_GAP})"
_REFERENCE = re.compile(rf"\bRFC{_GAP}(\d{{3,5}})\b(?:{_GAP}({_FIRST}(?:{_JOIN}{_NEXT})*))?", re.MULTILINE)
_SECTIONS = re.compile(rf"({_JOIN})?((?:\d+|[A-Z])(?:\.\d+)*)")


class Citation(NamedTuple):
    """One section cited (empty: the RFC as a whole) in ``file``, a path below the repository, at ``line``."""

    rfc: int
    section: str
    file: str
    line: int

    @property
    def in_code(self) -> bool:
        """True in a room of the product."""
        return self.file.startswith("src/")

    @property
    def in_test(self) -> bool:
        """True in a test itself: what only supports tests holds nothing."""
        return Path(self.file).name.startswith("test_")


def find(text: str, file: str) -> Iterator[Citation]:
    """The citations of one file, in their order."""
    for match in _REFERENCE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        for section in _sections(match[2] or ""):
            yield Citation(int(match[1]), section, file, line)


def _sections(text: str) -> list[str]:
    if not text:
        return [""]
    found: list[str] = []
    for join, section in _SECTIONS.findall(text):
        if join.strip() == "to":
            found.extend(_between(found[-1], section))
        found.append(section)
    return found


def _between(first: str, last: str) -> list[str]:
    """What lies between 8.1 and 8.3; nothing when the two are not of one parent."""
    parent, _, start = first.rpartition(".")
    other, _, end = last.rpartition(".")
    if parent != other or not (start.isdigit() and end.isdigit()):
        return []
    return [f"{parent}.{number}".lstrip(".") for number in range(int(start) + 1, int(end))]


def scan(root: Path) -> list[Citation]:
    """All citations below ``src`` and ``tests``, by file and line."""
    found: list[Citation] = []
    for folder in ("src", "tests"):
        for path in sorted((root / folder).rglob("*.py")):
            file = path.relative_to(root).as_posix()
            if not file.startswith(NO_EVIDENCE):
                found.extend(find(path.read_text(encoding="utf-8"), file))
    return found
