"""The answers that are kept, each for its time, the longest unused going first: bounded in number and in memory.

Answers are kept by their TTL, "no" too (RFC 2308 5). Trouble is kept so that a dead server is not asked for every message, twice as long
each time, within the bounds of RFC 9520 3.2: from one second to five minutes.
"""

from __future__ import annotations

import time
from collections import OrderedDict

from zegel.ask import Answer, Question

_MAX_ANSWERS = 20_000
_MAX_OCTETS = 32 * 1024 * 1024  # a stranger's TXT records may have 64 kB each, and a TTL of a day
_PER_ANSWER, _PER_RECORD = 512, 64  # octets that Python adds, about
_TROUBLE_FIRST, _TROUBLE_CAP = 5, 300


class Answers:
    """The cache of one resolver."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Question, tuple[float, float, Answer]] = OrderedDict()  # until when, for how long
        self.octets = 0

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, question: Question) -> Answer | None:
        """The answer that still holds, if there is one."""
        kept = self._kept.get(question)
        if kept is None or kept[0] <= time.monotonic():
            return None
        self._kept.move_to_end(question)
        return kept[2]

    def keep(self, question: Question, answer: Answer) -> None:
        """Keep an answer."""
        before = self._kept.pop(question, None)
        lasts = float(answer.ttl)
        if before is not None:
            self.octets -= size(before[2])
        if answer.temporary:
            lasts = min(2 * before[1], _TROUBLE_CAP) if before is not None and before[2].temporary else _TROUBLE_FIRST
        self._kept[question] = (time.monotonic() + lasts, lasts, answer)
        self.octets += size(answer)
        while len(self._kept) > _MAX_ANSWERS or self.octets > _MAX_OCTETS:
            _, (_, _, oldest) = self._kept.popitem(last=False)
            self.octets -= size(oldest)


def size(answer: Answer) -> int:
    """The octets that an answer holds, about."""
    return _PER_ANSWER + sum(map(len, answer.records)) + _PER_RECORD * len(answer.records)
