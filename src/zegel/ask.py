"""The dialogue: protocol evaluators ask DNS questions and receive answers; they never fetch.

A protocol evaluator is a generator that yields a batch of :class:`Question` and is sent as many :class:`Answer`, in the same order. The
drivers (``adapters.converse`` with sockets, :func:`rehearse` with an offline zone) own time-outs, budgets and caching. There is no
socket, no clock and no event loop here.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar, cast

R = TypeVar("R")
A = TypeVar("A")
B = TypeVar("B")


class RRType(StrEnum):
    """The record types that e-mail authentication asks for."""

    TXT = "TXT"
    A = "A"
    AAAA = "AAAA"
    MX = "MX"
    PTR = "PTR"
    CNAME = "CNAME"
    NS = "NS"
    SOA = "SOA"
    SPF = "SPF"
    DS = "DS"
    TLSA = "TLSA"
    CAA = "CAA"


class Rcode(StrEnum):
    """How DNS answered. NOERROR without records is NODATA; the four kinds are never mixed up."""

    NOERROR = "NOERROR"
    NXDOMAIN = "NXDOMAIN"
    SERVFAIL = "SERVFAIL"
    TIMEOUT = "TIMEOUT"


class Question(NamedTuple):
    """One DNS question. ``name`` is lower case ASCII (A-labels), without the final dot."""

    name: str
    type: RRType


@dataclass(frozen=True, slots=True)
class Answer:
    """What DNS said. TXT and SPF records are ``bytes`` (their strings joined, RFC 6376 3.6.2.2), all others text; ``ttl`` is in seconds.

    ``asked`` is False where a budget was used up: nobody asked, or nobody waited for the end, and nothing is known of the servers.
    """

    rcode: Rcode
    records: tuple[bytes | str, ...] = ()
    ttl: int = 0
    authentic: bool = False
    asked: bool = True

    @property
    def temporary(self) -> bool:
        """True when asking again later may give another answer."""
        return self.rcode in (Rcode.SERVFAIL, Rcode.TIMEOUT)


OUT_OF_BUDGET = Answer(Rcode.TIMEOUT, asked=False)


class Together:
    """Several dialogues side by side: a driver advances each as *its* answers arrive, so that no slow server stalls the others.

    ``leave`` is the share of the budget (0 to 1) that is not theirs: what is asked after them cannot be starved by whom they ask.
    """

    __slots__ = ("branches", "leave")

    def __init__(self, branches: tuple[Dialogue[Any], ...], leave: float = 0.0) -> None:
        self.branches, self.leave = branches, leave


Dialogue = Generator[tuple[Question, ...] | Together, tuple[Any, ...], R]


def ask(name: str, rrtype: RRType) -> Dialogue[Answer]:
    """Ask one question."""
    (answer,) = yield (Question(name, rrtype),)
    return cast(Answer, answer)


def together(first: Dialogue[A], second: Dialogue[B], *, leave: float = 0.0) -> Dialogue[tuple[A, B]]:
    """Run two dialogues side by side and return both results, in the order given.

    ``leave`` keeps a share of the message's budget, in questions and seconds, for what is asked afterwards. A sender chooses how slow SPF
    and DKIM are; without a share of its own, policy discovery would end in a temperror whenever he likes.
    """
    results = yield Together((first, second), leave)
    return cast("tuple[A, B]", results)


def side_by_side(branches: Iterable[Dialogue[A]]) -> Dialogue[tuple[A, ...]]:
    """Run any number of dialogues of one kind side by side and return their results, in the order given."""
    results = yield Together(tuple(branches))
    return cast("tuple[A, ...]", results)


def rehearse(dialogue: Dialogue[R], answer: Callable[[Question], Answer], asked: list[Question] | None = None) -> R:
    """Drive a dialogue with a function that knows the answers: tests and offline zones.

    Branches of :func:`together` run one after the other. ``asked``, when given, collects the questions in the order asked.
    """
    reply: Any = None  # what starts a generator
    while True:
        try:
            request = dialogue.send(reply)
        except StopIteration as stop:
            result: R = stop.value
            return result
        if isinstance(request, Together):
            reply = tuple(rehearse(branch, answer, asked) for branch in request.branches)
        else:
            if asked is not None:
                asked.extend(request)
            reply = (answer(request[0]),) if len(request) == 1 else tuple(map(answer, request))
