"""What the contact of a site hears of its mail: a message that could not be delivered, or that is late. RFC 3464, RFC 5321 6.1.

Never for mail without a sender (a notice is one: nothing may go round), and never to a visitor, whose address anyone may have written into
a form. A notice is from our own domain, signed with its key, with an empty sender in its envelope.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from zegel.gateway.outbox import Posting
from zegel.gateway.settings import Settings
from zegel.store.post import Item, Outcome


class Notices:
    def __init__(self, settings: Callable[[], Settings]) -> None:
        self._settings = settings

    def failed(self, item: Item, data: bytes, outcomes: Sequence[Outcome], *, now: float, expired: bool = False) -> Posting | None:
        return None

    def delayed(self, item: Item, data: bytes, *, now: float, until: float) -> Posting | None:
        return None
