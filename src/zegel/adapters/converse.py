"""The drivers of dialogues: questions go to a resolver, answers come back. Budgets in time and number are kept here, and only here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Protocol, TypeVar, cast

from zegel.ask import OUT_OF_BUDGET, Answer, Dialogue, Question, Together
from zegel.limits import Limits

R = TypeVar("R")
_Cached = Callable[[Question], Answer | None]


class AsyncResolver(Protocol):
    """Whatever answers questions. Trouble is an :class:`~zegel.ask.Rcode`, never an exception.

    One that has a method ``cached(question)`` as well is asked there first, without a wait; it gives None for what it does not know yet.
    """

    async def resolve(self, question: Question) -> Answer:
        """Answer one question."""


class _Spent:
    """What one message has asked, and since when on the loop's clock it waits."""

    __slots__ = ("questions", "since")

    def __init__(self) -> None:
        self.questions = 0
        self.since: float | None = None


class Budget:
    """What one message may ask: a number of questions, and seconds from the first one that has to wait. Past either, answers are TIMEOUT.

    A part of it (:meth:`leaving`) spends from the same purse, and stops earlier.
    """

    __slots__ = ("_seconds", "_spent", "questions")

    def __init__(self, limits: Limits) -> None:
        self.questions: float = limits.questions
        self._seconds = limits.dns_seconds
        self._spent = _Spent()

    def leaving(self, share: float) -> Budget:
        """All of this but the last ``share`` of it (0 to 1), in questions as in seconds."""
        part = Budget.__new__(Budget)
        part.questions, part._seconds, part._spent = self.questions * (1 - share), self._seconds * (1 - share), self._spent
        return part

    def take(self) -> bool:
        """Spend one question, if there is one left."""
        if self._spent.questions + 1 > self.questions:
            return False
        self._spent.questions += 1
        return True

    def deadline(self, now: float) -> float:
        """When the wait ends, by the clock that says it is ``now``."""
        if self._spent.since is None:
            self._spent.since = now
        return self._spent.since + self._seconds


async def converse(dialogue: Dialogue[R], resolver: AsyncResolver, budget: Budget) -> R:
    """Drive a dialogue with a resolver. Each batch is asked at once; branches of ``together`` advance each on its own."""
    cached: _Cached = getattr(resolver, "cached", _nothing)
    reply: tuple[Any, ...] | None = None
    while True:
        try:
            request = dialogue.send(cast("tuple[Any, ...]", reply))
        except StopIteration as stop:
            return cast(R, stop.value)
        if isinstance(request, Together):
            part = budget.leaving(request.leave) if request.leave else budget
            reply = tuple(await _all(converse(branch, resolver, part) for branch in request.branches))
            continue
        known = [cached(question) if budget.take() else OUT_OF_BUDGET for question in request]
        missing = known.count(None)
        if missing == 1:
            place = known.index(None)
            known[place] = await _answer(request[place], resolver, budget)
        elif missing:
            unknown = (question for question, answer in zip(request, known, strict=True) if answer is None)
            found = iter(await _all(_answer(question, resolver, budget) for question in unknown))
            known = [answer or next(found) for answer in known]
        reply = tuple(known)


async def _all(parts: Iterable[Coroutine[Any, Any, R]]) -> list[R]:
    """Run all side by side. A fault in one ends the others too: nobody waits for them any more."""
    tasks = list(map(asyncio.ensure_future, parts))
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        raise


async def _answer(question: Question, resolver: AsyncResolver, budget: Budget) -> Answer:
    """Ask, and wait for as long as the budget lasts."""
    try:
        async with asyncio.timeout_at(budget.deadline(asyncio.get_running_loop().time())):
            return await resolver.resolve(question)
    except TimeoutError:
        return OUT_OF_BUDGET


def _nothing(_: Question) -> None:
    """What a resolver without a cache knows."""
