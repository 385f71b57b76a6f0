"""The drivers of dialogues: questions go to a resolver, answers come back. Budgets in time and number are kept here, and only here."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol, TypeVar, cast

from zegel.ask import OUT_OF_BUDGET, Answer, Dialogue, Question, Together
from zegel.limits import Limits

R = TypeVar("R")


class AsyncResolver(Protocol):
    """Whatever answers questions. Trouble is an :class:`~zegel.ask.Rcode`, never an exception."""

    async def resolve(self, question: Question) -> Answer:
        """Answer one question."""


class Budget:
    """What one message may still ask: a number of questions, until a time of the loop's clock. Past it every answer is TIMEOUT."""

    __slots__ = ("deadline", "questions")

    def __init__(self, limits: Limits) -> None:
        self.questions = limits.questions
        self.deadline = asyncio.get_running_loop().time() + limits.dns_seconds


async def converse(dialogue: Dialogue[R], resolver: AsyncResolver, budget: Budget) -> R:
    """Drive a dialogue with a resolver. Each batch is asked at once; branches of ``together`` advance each on its own."""
    reply: tuple[Any, ...] | None = None
    while True:
        try:
            request = dialogue.send(cast("tuple[Any, ...]", reply))
        except StopIteration as stop:
            return cast(R, stop.value)
        if isinstance(request, Together):
            reply = tuple(await asyncio.gather(*(converse(branch, resolver, budget) for branch in request.branches)))
        elif len(request) == 1:
            reply = (await _answer(request[0], resolver, budget),)
        else:
            reply = tuple(await asyncio.gather(*(_answer(question, resolver, budget) for question in request)))


async def _answer(question: Question, resolver: AsyncResolver, budget: Budget) -> Answer:
    budget.questions -= 1
    if budget.questions < 0:
        return OUT_OF_BUDGET
    try:
        async with asyncio.timeout_at(budget.deadline):
            return await resolver.resolve(question)
    except TimeoutError:
        return OUT_OF_BUDGET
