"""The rules between the index and what is cited. Each fault is one line that says what to do about it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from rfc.citations import Citation
from rfc.index import Section, Standard, Status

# What stands in the code and what stands in the tests must cite a section of this status.
_NEEDS_CODE = (Status.DONE, Status.PARTLY)
_NEEDS_TEST = (Status.DONE, Status.PARTLY, Status.EXAMPLE)


def faults(standards: Sequence[Standard], citations: Iterable[Citation]) -> list[str]:
    """What the index claims and the files do not bear out, and the other way round."""
    cited: dict[tuple[int, str], list[Citation]] = defaultdict(list)
    for citation in citations:
        cited[citation.rfc, citation.section].append(citation)
    listed = {standard.number: standard.by_number for standard in standards}
    found = [
        f"{place.file}:{place.line}: RFC {number} {section}".rstrip() + " is cited and not in rfc/index.toml"
        for (number, section), places in cited.items()
        if number not in listed or (section and section not in listed[number])
        for place in places
    ]
    for standard in standards:
        for section in standard.sections:
            found.extend(
                f"RFC {standard.number} {section.number} ({section.title}) {fault}"
                for fault in _section_faults(section, cited[standard.number, section.number])
            )
        if not standard.sections and not cited[standard.number, ""]:
            found.append(f"RFC {standard.number} ({standard.title}) is cited nowhere")
    return found


def _section_faults(section: Section, places: Sequence[Citation]) -> list[str]:
    code, test = any(place.in_code for place in places), any(place.in_test for place in places)
    found = []
    if section.status in _NEEDS_CODE and not code:
        found.append(f"is marked {section.status}, and no room cites it")
    if section.status in _NEEDS_TEST and not test:
        found.append(f"is marked {section.status}, and no test cites it")
    if section.status is Status.LATER and code and test:
        found.append("is marked later, and a room and a test cite it: mark it done or partly (python -m rfc --done NUMBER)")
    return found


def mark_done(text: str, standards: Sequence[Standard], citations: Sequence[Citation], number: int) -> str:
    """The text of the index with each section of one RFC that is marked later and is cited in a room and in a test marked done.

    It goes by the citations alone: who calls it reads the difference, and makes "partly" of what is not whole.
    """
    ready = {
        section.number
        for standard in standards
        if standard.number == number
        for section in standard.sections
        if section.status is Status.LATER
        and any(place.in_code for place in citations if (place.rfc, place.section) == (number, section.number))
        and any(place.in_test for place in citations if (place.rfc, place.section) == (number, section.number))
    }
    start = text.index(f"\n[rfc.{number}]\n")
    end = text.find("\n[rfc.", start + 1)
    block = text[start : end if end >= 0 else len(text)]
    rows = block.split("\n")
    for at, row in enumerate(rows):
        match = re.match(r' *\{ section = "([^"]+)"', row)
        if match and match[1] in ready:
            rows[at] = re.sub(r'status = "later".*\}', 'status = "done" }', row)
    return text[:start] + "\n".join(rows) + text[start + len(block) :]
