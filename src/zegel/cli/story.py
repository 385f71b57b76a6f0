"""The story of a verdict as a tree, for people: that of a message just checked, and that of one which was recorded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from zegel.cli import screen
from zegel.cli.screen import Mark
from zegel.cli.words import _, told
from zegel.words import N_

if TYPE_CHECKING:
    from zegel.verdict.explain import Item

_WRONG = ("fail", "permerror", "reject", "quarantine")
_UNSURE = ("none", "neutral", "softfail", "policy", "temperror", "defer")
_HEADINGS = {
    "relay": N_("The site"),
    "client": N_("The client and the envelope"),
    "spf": "SPF",
    "dkim": "DKIM",
    "arc": "ARC",
    "author": N_("The author"),
    "dmarc": "DMARC",
    "action": N_("What happens to it"),
}


def show(story: Sequence[Item], *, explain: bool = True) -> None:
    """Draw a story; without ``explain`` only what followed from the questions. What another version has kept is told as it stands."""
    for item in story:
        if item.get("about") not in _HEADINGS:
            screen.command(_raw(item))
    shown = list(_shown(story, explain=explain))
    for place, (about, items) in enumerate(shown):
        last = place == len(shown) - 1
        screen.branch("", _(_HEADINGS[about]), last=last, style="bold")
        for number, item in enumerate(items):
            _branch("   " if last else "│  ", item, last=number == len(items) - 1)


def _shown(story: Sequence[Item], *, explain: bool) -> Iterator[tuple[str, list[Item]]]:
    """The items by what they are about; without ``explain`` only what followed from the questions."""
    from zegel.verdict.explain import ABOUT

    for about in ABOUT:
        items = [item for item in story if item.get("about") == about and (explain or item.get("step") not in ("question", "more"))]
        if items:
            yield about, items


def _branch(lead: str, item: Item, *, last: bool) -> None:
    from zegel.verdict.explain import sentence

    try:
        text = told(sentence(item))
    except LookupError:
        text = _raw(item)
    step = item.get("step")
    word = str(item.get("action" if step == "action" else "status", ""))
    if step in ("mark", "override", "rule"):
        mark: Mark | None = Mark.NOTE
    elif step == "author":
        mark = Mark.OK if "domain" in item else Mark.WRONG
    else:
        mark = Mark.OK if word in ("pass", "accept") else Mark.WRONG if word in _WRONG else Mark.NOTE if word in _UNSURE else None
    section = item.get("section") if word not in ("pass", "accept") else None
    screen.branch(lead, f"{text} ({section})" if section else text, last=last, mark=mark)


def _raw(item: Item) -> str:
    return "; ".join(f"{key}: {value}" for key, value in item.items())
