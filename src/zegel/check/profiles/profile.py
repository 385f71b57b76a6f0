"""A profile: the tests of a body that asks something of senders, each answered from the items of a check.

A test passes when everything that it looks at was seen to be right; one thing that is wrong makes it fail. What no item speaks of, and what
cannot be tested from here, is "not tested", never a pass.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from zegel.check.item import Item, Level
from zegel.words import N_, Sentence

_SILENT = (Level.NOT_TESTED, Level.INFO)
Judge = Callable[[Item], bool | None]  # True for good, False for bad, None for "says nothing here"


class Need(StrEnum):
    """How much the body wants it."""

    MUST = "must"
    SHOULD = "should"


class Result(StrEnum):
    """How a test ended."""

    PASS = "pass"  # noqa: S105 - a result, no password
    FAIL = "fail"
    NOT_TESTED = "not_tested"
    NOT_APPLICABLE = "not_applicable"


RESULTS = {
    Result.PASS: N_("pass"),
    Result.FAIL: N_("fail"),
    Result.NOT_TESTED: N_("not tested"),
    Result.NOT_APPLICABLE: N_("does not apply"),
}


def not_failed(item: Item) -> bool | None:
    """Good unless the item failed; a warning of ours is no matter to this body."""
    return None if item.level in _SILENT else item.level is not Level.FAIL


def flawless(item: Item) -> bool | None:
    """Good only when the item passed."""
    return None if item.level in _SILENT else item.level is Level.PASS


def value_in(name: str, *good: str) -> Judge:
    """Good when a value of the item is one of these; what failed without it is bad."""

    def judge(item: Item) -> bool | None:
        if item.level is Level.NOT_TESTED:
            return None
        value = item.values.get(name)
        return str(value) in good if value is not None else False if item.level is Level.FAIL else None

    return judge


@dataclass(frozen=True, slots=True)
class Demand:
    """One test: the body's own id and what it asks, in our words.

    ``items`` are the ids that it is answered from, each judged by ``judge``: all must be there and good; ``a|b`` is the first of these that
    is there. ``clear`` are ids that must not have failed, and may be absent: items that speak of trouble alone. Without any item it cannot
    be tested from here, and ``note`` says why. ``unless`` is a state of the domain (:mod:`zegel.check.profiles.known`) in which it does not
    apply.
    """

    id: str
    title: str
    items: tuple[str, ...] = ()
    judge: Judge = not_failed
    clear: tuple[str, ...] = ()
    need: Need = Need.MUST
    note: str = ""
    unless: str = ""


@dataclass(frozen=True, slots=True)
class Profile:
    """A body's list. ``name`` is what one types, ``title`` how it is called, ``source`` where its text stands."""

    name: str
    title: str
    source: str
    tests: tuple[Demand, ...]


class Line(NamedTuple):
    """One test of a profile with its result, and the items that it was answered from."""

    test: Demand
    result: Result
    items: tuple[Item, ...] = ()


class Outcome(NamedTuple):
    """A whole profile for one domain."""

    profile: Profile
    lines: tuple[Line, ...]

    def count(self, result: Result, need: Need | None = None) -> int:
        """How many tests ended so; with ``need`` only of those."""
        return sum(line.result is result and (need is None or line.test.need is need) for line in self.lines)

    @property
    def result(self) -> Result:
        """Fail when a test fails that the body demands; pass only when each of these was tested."""
        if self.count(Result.FAIL, Need.MUST):
            return Result.FAIL
        return Result.NOT_TESTED if self.count(Result.NOT_TESTED, Need.MUST) else Result.PASS

    @property
    def told(self) -> Sentence:
        """The verdict in one line."""
        failed, left = self.count(Result.FAIL), self.count(Result.NOT_TESTED)
        tested = self.count(Result.PASS) + failed
        values = {"title": self.profile.title, "failed": failed, "tested": tested, "left": left}
        if self.result is Result.FAIL:
            return Sentence(N_("{title}: not met; {failed} of {tested} tests fail, {left} cannot be tested from here"), **values)
        if failed:
            return Sentence(
                N_("{title}: what it demands is met; {failed} of {tested} tests fail, {left} cannot be tested from here"), **values
            )
        if left:
            return Sentence(N_("{title}: all {tested} tests pass that can be done from here; {left} cannot"), **values)
        return Sentence(N_("{title}: met, all {tested} tests pass"), **values)


def answer(profile: Profile, items: Sequence[Item], states: Collection[str] = ()) -> Outcome:
    """The outcome of a profile for the items of one domain or message, which is in these ``states``."""
    by_id: dict[str, list[Item]] = {}
    for item in items:
        by_id.setdefault(item.id, []).append(item)
    return Outcome(profile, tuple(_line(test, by_id, states) for test in profile.tests))


def _line(test: Demand, by_id: Mapping[str, list[Item]], states: Collection[str]) -> Line:
    if test.unless and test.unless in states:
        return Line(test, Result.NOT_APPLICABLE)
    found = [next((by_id[id] for id in names.split("|") if id in by_id), []) for names in test.items]
    troubles = [by_id.get(id, []) for id in test.clear]
    judged = [_together(map(test.judge, items)) for items in found]
    spoilt = {_spoils(item) for items in troubles for item in items}
    if False in judged or True in spoilt:
        result = Result.FAIL
    elif None in judged or None in spoilt or not judged:
        result = Result.NOT_TESTED
    else:
        result = Result.PASS
    return Line(test, result, tuple(item for items in (*found, *troubles) for item in items))


def _together(judged: Iterable[bool | None]) -> bool | None:
    """All items of one id: bad when one is bad, unknown when one is or there are none, else good."""
    seen = set(judged)
    return False if False in seen else None if None in seen or not seen else True


def _spoils(item: Item) -> bool | None:
    """Whether an item that speaks of trouble does; None when it could not be tested."""
    return None if item.level is Level.NOT_TESTED else item.level is Level.FAIL
