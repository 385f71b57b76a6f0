"""What each authoritative name server answered for a record, where not all of them have it as it should be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zegel.cli import screen
from zegel.cli.screen import Mark
from zegel.cli.words import _, told
from zegel.rollout.visibility import Outcome
from zegel.words import Sentence

if TYPE_CHECKING:
    from zegel.rollout.readback import ReadBack, Sight

_MOST = 8  # servers that are named; a zone may have sixteen, of four addresses each
_MARKS = {Outcome.VISIBLE: Mark.OK, Outcome.UNAVAILABLE: Mark.UNKNOWN}
_ORDER = (Outcome.UNAVAILABLE, Outcome.ABSENT, Outcome.DIFFERENT, Outcome.REVOKED, Outcome.VISIBLE)


def show(back: ReadBack) -> None:
    """Write one line for each server, those that do not answer first; for all together where none was found, or all have the record."""
    if back.everywhere or not back.sights:
        screen.marked(_MARKS[back.outcome], told(back.sentence))
        return
    sights = sorted(back.sights, key=lambda sight: _ORDER.index(sight.seen.outcome))
    for sight in sights[:_MOST]:
        screen.marked(_MARKS.get(sight.seen.outcome, Mark.WRONG), _line(sight))
    if len(sights) > _MOST:
        screen.say("  " + _("and {count} more").format(count=len(sights) - _MOST))


def _line(sight: Sight) -> str:
    said = told(Sentence(sight.seen.sentence, **sight.seen.values))
    # What is wrong with a server is said of it by name already.
    return said if sight.seen.outcome is Outcome.UNAVAILABLE else f"{sight.server}: {said}"
