"""What one protocol asked of DNS for one message, and its share of the questions that a message may cost.

A trail stands between a dialogue and its driver. It keeps what was asked and answered, from which the story is told; and it answers for
itself what is over its share, so that no record of a stranger can use up what another protocol needs.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

from zegel.ask import OUT_OF_BUDGET, Answer, Dialogue, Question, Together

R = TypeVar("R")


class Asked(NamedTuple):
    """One question, and what came of it."""

    question: Question
    answer: Answer


class Trail:
    """The questions of one protocol, in the order of its dialogues; ``left`` is how many it may still ask."""

    __slots__ = ("asked", "left")

    def __init__(self, share: int) -> None:
        self.left = share
        self.asked: list[Asked] = []

    def follow(self, dialogue: Dialogue[R]) -> Dialogue[R]:
        """The same dialogue, with what it asks kept and counted."""
        return self._follow(dialogue, self.asked)

    def _follow(self, dialogue: Dialogue[R], asked: list[Asked]) -> Dialogue[R]:
        reply: Any = None  # what starts a generator
        while True:
            try:
                request = dialogue.send(reply)
            except StopIteration as stop:
                result: R = stop.value
                return result
            if isinstance(request, Together):
                # Each branch on its own page: the order in which answers come must not change the story.
                pages: list[list[Asked]] = [[] for _ in request.branches]
                reply = yield Together(tuple(map(self._follow, request.branches, pages)))
                for page in pages:
                    asked += page
                continue
            over = len(request) - max(self.left, 0)
            if over <= 0:
                reply = yield request
            else:
                first = request[: len(request) - over]
                answers = (yield first) if first else ()
                reply = (*answers, *[OUT_OF_BUDGET] * over)
            self.left -= len(request)
            asked += map(Asked, request, reply)
