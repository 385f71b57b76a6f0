"""A profile: the tests of a body that asks something of senders, each answered from the items of a check.

A test passes when everything that it looks at was seen to be right; one thing that is wrong makes it fail. What no item speaks of, and what
cannot be tested from here, is "not tested", never a pass. A test that a domain without mail need not pass does not apply to one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from zegel.check.item import Item, Level
from zegel.words import N_, Sentence

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
    return None if item.level in (Level.NOT_TESTED, Level.INFO) else item.level is not Level.FAIL


def flawless(item: Item) -> bool | None:
    """Good only when the item passed."""
    return None if item.level in (Level.NOT_TESTED, Level.INFO) else item.level is Level.PASS


@dataclass(frozen=True, slots=True)
class Demand:
    """One test: the body's own id and what it asks, in our words.

    ``items`` are the ids that it is answered from, each judged by ``judge``; without any it cannot be tested from here, and ``note`` says
    why. Every id named must be there to pass, unless ``any_of`` says that one is enough. ``mail_only`` tests do not apply where a domain
    says that it has no mail.
    """

    id: str
    title: str
    items: tuple[str, ...] = ()
    judge: Judge = not_failed
    need: Need = Need.MUST
    note: str = ""
    any_of: bool = False
    mail_only: bool = False


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


def answer(profile: Profile, items: Sequence[Item], *, no_mail: bool = False) -> Outcome:
    """The outcome of a profile for the items of one domain; ``no_mail`` tells that the domain says it has no mail."""
    by_id: dict[str, list[Item]] = {}
    for item in items:
        by_id.setdefault(item.id, []).append(item)
    return Outcome(profile, tuple(_line(test, by_id, no_mail=no_mail) for test in profile.tests))


def _line(test: Demand, by_id: dict[str, list[Item]], *, no_mail: bool) -> Line:
    if no_mail and test.mail_only:
        return Line(test, Result.NOT_APPLICABLE)
    found = [by_id.get(id, []) for id in test.items]
    flat = tuple(item for items in found for item in items)
    judged = [_together(map(test.judge, items)) for items in found]
    if test.any_of:
        result = Result.PASS if True in judged else Result.FAIL if False in judged and None not in judged else Result.NOT_TESTED
    else:
        result = Result.FAIL if False in judged else Result.NOT_TESTED if None in judged or not judged else Result.PASS
    return Line(test, result, flat)


def _together(judged: Iterable[bool | None]) -> bool | None:
    """All items of one id: bad when one is bad, good when one is good, and unknown when none says anything."""
    seen = set(judged)
    return False if False in seen else True if True in seen else None
