"""A report as plain text, for a mail: 76 columns, the worst first, records as one line to copy. RFC 5322 2.1.1."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from zegel.check.item import Item, Level
from zegel.check.markup import visible
from zegel.check.sheet import AREAS, LEVELS, SIGNS, Sheet
from zegel.rollout.records import as_value
from zegel.words import N_, Sentence, Translate

_WIDTH = 76


def letter(sheet: Sheet, *, translate: Translate) -> str:
    """The text of one sheet, with LF line ends."""

    def told(said: str | Sentence) -> str:
        return visible(said.told(translate) if isinstance(said, Sentence) else translate(said))

    lines = [*_wrapped(f"{told(sheet.kind)}: {visible(sheet.title)}"), ""]
    lines += [*_wrapped(f"{SIGNS[sheet.level]} {told(sheet.answer)}"), ""]
    lines.append(", ".join(f"{count} {told(LEVELS[level])}" for level, count in sheet.counts))
    if sheet.to_do:
        lines += ["", *_heading(told(N_("What to do")))]
        for number, item in enumerate(sheet.to_do, 1):
            step = told(item.step) if item.step is not None else told(N_("publish the record that stands there"))
            lines += _wrapped(f"{number}. {told(item.finding)}", "   ")
            lines += _wrapped(f"   > {step}", "     ")
    for area, items in sheet.by_area():
        lines += ["", *_heading(told(AREAS[area]))]
        for item in items:
            lines += _item(item, told(item.finding), told(item.why) if item.why is not None else "")
    return "\n".join(lines) + "\n"


def _item(item: Item, finding: str, why: str) -> Iterator[str]:
    yield from _wrapped(f"{SIGNS[item.level]} {finding}", "  ")
    if why and item.level is not Level.PASS:
        yield from _wrapped(f"  {why}", "  ")
    for seen in item.seen:
        yield from _wrapped(f"    {visible(seen)}", "    ")
    for record in item.mend:
        yield f"  {visible(record.name)} {record.type}"
        yield f"    {visible(as_value(record))}"  # never folded: it is to be copied


def _heading(text: str) -> list[str]:
    return [text, "-" * min(len(text), _WIDTH)]


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(text, _WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False) or [""]
