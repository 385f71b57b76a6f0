"""The drivers of dialogues: questions go to a resolver, answers come back. Budgets in time and number are kept here, and only here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Generic, Protocol, TypeVar, cast

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


class Conversation(Generic[R]):
    """A dialogue with a resolver. It goes on at once for as long as the resolver knows the answers; :meth:`rest` waits for the others.

    Each batch is asked at once; branches of ``together`` advance each on its own. Most mail finds all its answers kept, and then needs
    neither a task nor a turn of the loop.
    """

    __slots__ = ("_branches", "_budget", "_cached", "_dialogue", "_known", "_request", "_resolver", "_result", "done")

    def __init__(self, dialogue: Dialogue[R], resolver: AsyncResolver, budget: Budget) -> None:
        self._dialogue, self._resolver, self._budget = dialogue, resolver, budget
        self._cached: _Cached = getattr(resolver, "cached", _nothing)
        self._branches: list[Conversation[Any]] = []  # what it waits for: these,
        self._request: tuple[Question, ...] = ()  # or the answers to these questions
        self._known: list[Answer | None] = []  # that are not known yet
        self._result: R | None = None
        self.done = False
        self._advance(None)

    @property
    def result(self) -> R:
        """What the dialogue came to, once it is done."""
        return cast(R, self._result)

    def _advance(self, reply: tuple[Any, ...] | None) -> None:
        """Give the dialogue its answers, and go on up to the first that has to be waited for."""
        while True:
            try:
                request = self._dialogue.send(cast("tuple[Any, ...]", reply))
            except StopIteration as stop:
                self._result, self.done = stop.value, True
                return
            if isinstance(request, Together):
                part = self._budget.leaving(request.leave) if request.leave else self._budget
                branches = [Conversation(branch, self._resolver, part) for branch in request.branches]
                if not all(branch.done for branch in branches):
                    self._branches = branches
                    return
                reply = tuple([branch.result for branch in branches])
                continue
            known = [self._cached(question) if self._budget.take() else OUT_OF_BUDGET for question in request]
            if None in known:
                self._request, self._known = request, known
                return
            reply = tuple(known)

    async def rest(self) -> R:
        """Wait for the answers that are not known, and give the result."""
        while not self.done:
            self._advance(await (self._branched() if self._branches else self._answered()))
        return self.result

    async def _branched(self) -> tuple[Any, ...]:
        """The results of the branches, when the last of them is there."""
        branches, self._branches = self._branches, []
        await _all(branch.rest() for branch in branches if not branch.done)
        return tuple(branch.result for branch in branches)

    async def _answered(self) -> tuple[Answer, ...]:
        """The answers to the questions of a batch, when the last of them is there."""
        unknown = (question for question, answer in zip(self._request, self._known, strict=True) if answer is None)
        found = iter(await _all(_answer(question, self._resolver, self._budget) for question in unknown))
        return tuple(answer or next(found) for answer in self._known)


async def converse(dialogue: Dialogue[R], resolver: AsyncResolver, budget: Budget) -> R:
    """Drive a dialogue with a resolver to its end."""
    return await Conversation(dialogue, resolver, budget).rest()


async def _all(parts: Iterable[Coroutine[Any, Any, R]]) -> list[R]:
    """Run all side by side. A fault in one ends the others too: nobody waits for them any more."""
    first, *others = parts
    if not others:
        return [await first]
    tasks = list(map(asyncio.ensure_future, (first, *others)))
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
