"""What the contact of a site hears of its mail: a message that could not be delivered, or that is late. RFC 3464, RFC 5321 6.1.

Never for mail without a sender (a notice is one: nothing may go round), and never to a visitor, whose address anyone may have written into
a form. A notice is from our own domain, signed with its key, with an empty sender in its envelope.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Sequence

from zegel.dkim.sign import sign_message
from zegel.gateway.outbox import Posting
from zegel.gateway.settings import Settings
from zegel.grammar.domain import Domain
from zegel.store.posting import Item, Outcome
from zegel.submission import dsn
from zegel.words import N_, Translate

_NAME = "mailer-daemon"
_STATUS = re.compile(r"[2-5]\d\d ([245]\.\d{1,3}\.\d{1,3}) ", re.ASCII)
_EXPIRED, _UNKNOWN = "4.4.7", "5.0.0"  # RFC 3463 3.5: delivery time expired


class Notices:
    """Writes the notices of one daemon. ``host`` is our name, for what is reported (RFC 3464 2.2.2).

    ``translate`` gives what puts the part for people into their language; the part for programs stays as RFC 3464 2.1 has it.
    """

    def __init__(self, settings: Callable[[], Settings], host: Callable[[], str], translate: Callable[[], Translate] = lambda: N_) -> None:
        self._settings, self._host, self._translate = settings, host, translate

    def failed(
        self, item: Item, data: bytes, outcomes: Sequence[Outcome], *, now: float, server: str = "", expired: bool = False
    ) -> Posting | None:
        """That a message will not reach these recipients; None where nobody is to hear it."""
        troubles = [
            dsn.Trouble(_address(item, each), _EXPIRED if expired else _status(each.answer), each.answer, server, now) for each in outcomes
        ]
        return self._posting(item, lambda notice: dsn.failed(notice, troubles, translate=self._translate()), data, now)

    def delayed(self, item: Item, data: bytes, *, now: float, until: float) -> Posting | None:
        """That a message still waits for its recipients."""
        troubles = [dsn.Trouble(each.address, _status(each.answer), each.answer, "", each.tried) for each in item.recipients]
        return self._posting(item, lambda notice: dsn.delayed(notice, troubles, until=until, translate=self._translate()), data, now)

    def _posting(self, item: Item, write: Callable[[dsn.Notice], bytes], data: bytes, now: float) -> Posting | None:
        if not item.sender or not item.contact:
            return None
        settings, host = self._settings(), self._host()
        domain = item.sender.rpartition("@")[2]
        try:
            keys = settings.keyring.find(Domain.parse(domain))
        except ValueError:
            domain, keys = host, ()
        notice = dsn.Notice(
            f"{_NAME}@{domain}", item.contact, host, item.site, item.queue_id, item.received, data, now, secrets.token_hex(12)
        )
        try:
            written = write(notice)
            signature = sign_message(written, keys, settings.style, now=int(now)) if keys else b""
        except Exception as error:
            settings.journal.fault(error)  # what became of the message is to be written down all the same
            return None
        return Posting("", (item.contact,), signature + written, item.site)


def _address(item: Item, outcome: Outcome) -> str:
    return next(recipient.address for recipient in item.recipients if recipient.position == outcome.position)


def _status(answer: str) -> str:
    """The enhanced code in an answer, as the courier writes one down."""
    found = _STATUS.match(answer)
    if found:
        return found[1]
    return f"{answer[0]}.0.0" if answer[:1] in ("4", "5") else _UNKNOWN
