"""One try of one message: the session it goes over, and what each recipient's answer makes of it. RFC 5321 4.2.1, 4.5.4.1, 6.1."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from zegel.adapters.smtpclient import Mail, Session, UnreachableError
from zegel.gateway.nexthop import NoRouteError
from zegel.gateway.schedule import pause
from zegel.gateway.terms import Terms
from zegel.smtp.answer import Answer
from zegel.store.posting import Item, Outcome, Recipient, State

# RFC 5321 4.5.3.1.8: a server takes at least so many; the rest goes in the next transaction.
MAX_RECIPIENTS = 100
_SOON = 1  # second


class Unreachable(Exception):  # noqa: N818 - a state of the world that is told, as an error of ours it is none
    """No server of a route could be reached; ``said`` is what the last of them, or DNS, said."""

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.said = said


@dataclass(frozen=True, slots=True)
class Trial:
    """What one try came to: the outcome for each recipient, and which server said so."""

    outcomes: tuple[Outcome, ...]
    server: str = ""

    def of(self, state: State) -> tuple[Outcome, ...]:
        """The outcomes of that kind."""
        return tuple(outcome for outcome in self.outcomes if outcome.state is state)


async def open_session(terms: Terms, route: str) -> Session:
    """A session with the first server of a route that has one. Raises Unreachable, or NoRouteError where that is for good."""
    try:
        peers = await terms.peers(route)
    except NoRouteError as error:
        if error.answer.final:
            raise
        raise Unreachable(error.answer.text) from error
    said = "the next hop has no address"
    for peer in peers:
        try:
            return await Session.open(peer, hello=terms.hello, times=terms.times)
        except UnreachableError as error:
            said = str(error)
    raise Unreachable(said)


def mail(item: Item, chosen: Sequence[Recipient], data: bytes) -> Mail:
    """The message as it goes to these recipients."""
    addresses = [recipient.address for recipient in chosen]
    utf8 = item.utf8 or not all(map(str.isascii, (item.sender, *addresses)))
    return Mail(item.sender, addresses, data, utf8, item.eight_bit or not data.isascii())


def answered(chosen: Sequence[Recipient], answers: Sequence[Answer], *, now: float, server: str) -> Trial:
    """What the answers of a server mean for each recipient."""
    outcomes = [_outcome(recipient, answer, now) for recipient, answer in zip(chosen, answers, strict=True)]
    return Trial(tuple(outcomes), server)


def lost(chosen: Sequence[Recipient], said: str, *, doubt: bool, now: float) -> Trial:
    """The session ended: all of them are tried again."""
    return Trial(tuple(_later(recipient, said, now, doubt=doubt) for recipient in chosen))


def refused(chosen: Sequence[Recipient], answer: Answer) -> Trial:
    """There is nowhere to send it."""
    return Trial(tuple(Outcome(recipient.position, State.FAILED, answer.text) for recipient in chosen))


def _outcome(recipient: Recipient, answer: Answer, now: float) -> Outcome:
    if answer.code // 100 == 2:
        return Outcome(recipient.position, State.DELIVERED, answer.text)
    if answer.code == 452 and answer.enhanced in ("", "4.5.3") and not recipient.tries:
        # RFC 5321 4.5.3.1.10: too many recipients at once, which says nothing of the one it was said to.
        return Outcome(recipient.position, State.WAITING, answer.text, int(now) + _SOON)
    if answer.final:
        return Outcome(recipient.position, State.FAILED, answer.text)
    return _later(recipient, answer.text, now)


def _later(recipient: Recipient, said: str, now: float, *, doubt: bool = False) -> Outcome:
    return Outcome(recipient.position, State.WAITING, said, int(now + pause(recipient.tries, random.random())), doubt)
