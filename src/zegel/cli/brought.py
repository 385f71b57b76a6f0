"""Shows what an import would bring: a table of who is signed with what, what has no equal, and the lines for ``zegel.toml``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from zegel.cli import screen
from zegel.cli.place import Place
from zegel.cli.screen import Mark
from zegel.cli.words import _, told
from zegel.moving import allow
from zegel.moving.model import Weight
from zegel.moving.plan import Fate, Move, Plan
from zegel.rollout.visibility import Outcome

if TYPE_CHECKING:
    from zegel.rollout.visibility import Visibility

_SHOWN = 3  # senders of one key in the table
Seen = Mapping[tuple[str, str], "Visibility"]


def show(here: Place, plan: Plan, seen: Seen, *, looked: bool) -> None:
    """Write all of it."""
    if plan.moves:
        headings = (_("From"), _("Signed as"), _("Selector"), _("Key"), _("Kind"), _("In DNS"), _("Here"))
        screen.table(headings, [_row(move, seen, plan) for move in plan.moves])
        screen.say()
    elif not plan.broken:
        screen.marked(Mark.NOTE, _("nothing is signed by this configuration"))
    for move in plan.moves:
        one = seen.get((move.domain, move.selector))
        if one is not None and one.outcome is not Outcome.VISIBLE:
            screen.marked(Mark.NOTE, _(one.sentence).format(**one.values))
        if move.why is not None and move.fate is not Fate.BROKEN:
            screen.marked(Mark.NOTE, f"{move.selector} {move.domain}: {here.localised(told(move.why))}")
    for weight in (Weight.UNEQUAL, Weight.NOTE):
        for remark in plan.found.remarks:
            if remark.weight is weight:
                unequal = _("no equal: ") if weight is Weight.UNEQUAL else ""
                screen.marked(Mark.NOTE, f"{remark.at} {remark.about}: {unequal}{here.localised(told(remark.sentence))}")
    for remark in plan.broken:
        screen.marked(Mark.WRONG, f"{remark.at} {remark.about}: {here.localised(told(remark.sentence))}")
    if not looked and plan.new:
        screen.marked(Mark.NOTE, _("DNS was not looked at; without the record receivers cannot check what these keys sign"))
    _show_allow(here, plan)


def _row(move: Move, seen: Seen, plan: Plan) -> tuple[str, ...]:
    senders = ", ".join(move.senders[:_SHOWN])
    if len(move.senders) > _SHOWN:
        senders += " " + _("and {count} more").format(count=len(move.senders) - _SHOWN)
    kind = move.loaded.algorithm if move.loaded is not None else "?"
    key = move.source.path or _("in the table")
    return senders, str(move.domain), move.selector, key, kind, _dns(seen.get((move.domain, move.selector))), _here(move, plan)


def _dns(seen: Visibility | None) -> str:
    if seen is None:
        return _("not looked")
    return {
        Outcome.VISIBLE: _("seen"),
        Outcome.ABSENT: _("absent"),
        Outcome.DIFFERENT: _("different"),
        Outcome.REVOKED: _("revoked"),
        Outcome.UNAVAILABLE: _("no answer"),
    }[seen.outcome]


def _here(move: Move, plan: Plan) -> str:
    if move.fate is Fate.NEW and not move.signs:
        return _("comes, does not sign")
    if move.fate is Fate.NEW and move.below:
        return _("comes, names below too")
    return {Fate.NEW: _("comes"), Fate.THERE: _("is there"), Fate.SPARE: _("stays behind"), Fate.BROKEN: _("cannot come")}[move.fate]


def _show_allow(here: Place, plan: Plan) -> None:
    lines = allow.lines(plan.found, plan.senders)
    if not lines:
        return
    screen.say()
    sentence = _("Who may sign as whom is written in {file}; without it nothing is signed. What is said there comes to these lines:")
    screen.say(sentence.format(file=here.config_file))
    screen.say()
    for line in lines:
        screen.exact(line)
    screen.say()
