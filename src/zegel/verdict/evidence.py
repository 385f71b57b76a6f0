"""What is known of one message besides its own bytes, and what the protocols found out about it.

The evidence is what the mail server tells: the client, the envelope, the time, and our own name. The findings are the results of all
protocols side by side, each with its own reason; they are facts, and what to do about them is for :mod:`zegel.verdict.policy`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from zegel.arc.result import ArcResult
from zegel.dkim.result import DkimResult, DkimStatus
from zegel.dmarc.evaluate import Identifier
from zegel.dmarc.result import DmarcResult
from zegel.grammar.domain import Domain
from zegel.spf.relay import OutsideClient
from zegel.spf.result import SpfCheck, SpfStatus
from zegel.verdict.author import Author


@dataclass(frozen=True, slots=True)
class Evidence:
    """The SMTP session and envelope of one message. Raises TypeError for a client, HELO name or sender that is no text.

    ``ip`` is the client's address as text, ``helo`` its HELO name, ``mail_from`` the reverse-path ("" or "<>" for the empty one) and
    ``recipients`` the forward-paths. ``authserv_id`` is our own name and ``now`` seconds since the epoch.
    """

    ip: str
    helo: str
    mail_from: str
    recipients: tuple[str, ...] = ()
    authserv_id: str = "unknown"
    now: float = 0

    def __post_init__(self) -> None:
        given: tuple[object, ...] = (self.ip, self.helo, self.mail_from, *self.recipients)
        if not all(isinstance(value, str) for value in given):
            raise TypeError("ip, helo, mail_from and recipients must be str")

    @property
    def is_bounce(self) -> bool:
        """True for the empty reverse-path. RFC 5321 4.5.5."""
        return self.mail_from in ("", "<>")


class Findings(NamedTuple):
    """The results of one message. ``client`` is the host that SPF looked at: behind a relay of ours, the first one outside."""

    author: Author
    spf: SpfCheck
    dkim: list[DkimResult]
    arc: ArcResult
    dmarc: DmarcResult
    client: OutsideClient

    @property
    def authenticated(self) -> Iterator[Domain]:
        """The domains that the message is proven to come from, as DMARC takes them: signers, and the envelope's sender. RFC 9989 4.3."""
        yield from (result.domain for result in self.dkim if result.domain is not None and counts(result))
        checked = self.spf.mail_from
        if checked.status is SpfStatus.PASS and checked.domain is not None:
            yield checked.domain


def counts(result: DkimResult) -> bool:
    """True for a signature that proves its domain. RFC 6376 3.6.1, of a key with ``t=y``:

    "Verifiers MUST NOT treat messages from Signers in testing mode differently from unsigned email".
    """
    return result.status is DkimStatus.PASS and not result.testing


def signer(result: DkimResult) -> Identifier:
    """One signature as DMARC sees it. RFC 9989 4.4.1. One that only tests is as none."""
    return Identifier(DkimStatus.NONE if result.testing else result.status, result.domain)


def sender(spf: SpfCheck) -> Identifier:
    """What SPF said, as DMARC sees it. RFC 9989 4.4.2: the MAIL FROM identity alone (which is the HELO name for a bounce).

    It proves nothing of From (RFC 7208 11.2): whether the two are aligned is DMARC's to say.
    """
    return Identifier(spf.mail_from.status, spf.mail_from.domain)
