"""What one protocol asked of DNS for one message, and its share of the questions that a message may cost.

A trail stands between a dialogue and its driver. It keeps what was asked and answered, from which the story is told; and it answers for
itself what is over its share, so that no record of a stranger can use up what another protocol needs.
"""

from __future__ import annotations

from typing import Any, TypeVar

from zegel.ask import OUT_OF_BUDGET, Answer, Dialogue, Question, Together

R = TypeVar("R")


Asked = tuple[Question, Answer]


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
                reply = yield Together(tuple(map(self._follow, request.branches, pages)), request.leave)
                for page in pages:
                    asked += page
                continue
            left = self.left
            self.left = max(0, left - len(request))
            if len(request) <= left:
                reply = yield request
            else:
                answers = (yield request[:left]) if left else ()
                reply = (*answers, *[OUT_OF_BUDGET] * (len(request) - left))
            asked += zip(request, reply, strict=True)
