"""An ARC set of ours on mail from outside that goes on to others: lists, aliases. RFC 8617 5.1. Off unless the configuration says so.

A seal says what we saw, and receivers that trust us believe it: so what failed is never sealed, neither a chain that is broken nor a
message that its author's domain does not stand behind. Those who seal everything lend their good name to forgers: mail that was forged then
passes at the next hop by the seal of the one before.
"""

from __future__ import annotations

from zegel.arc.result import ArcStatus
from zegel.arc.seal import Sealing, SealStyle
from zegel.authres.model import AuthenticationResults
from zegel.dkim.bodyhash import BodyHashes
from zegel.dkim.crypto import Key
from zegel.dkim.header import Header
from zegel.dmarc.result import DmarcStatus
from zegel.milter.edits import InsertHeader
from zegel.verdict.authenticate import Verdict
from zegel.verdict.edits import methods
from zegel.verdict.policy import Action

BODY_FORM = "relaxed"
_STYLE = SealStyle()
_TOP = 0


def may_seal(verdict: Verdict) -> bool:
    """Tell whether we stand behind this message: nothing speaks against it, and its chain, if it has one, holds."""
    sound = verdict.disposition.would is Action.ACCEPT and not verdict.disposition.marks
    return sound and verdict.arc.status is not ArcStatus.FAIL and verdict.dmarc.status in (DmarcStatus.PASS, DmarcStatus.NONE)


def seal(verdict: Verdict, header: Header, bodies: BodyHashes, key: Key) -> list[InsertHeader]:
    """The set to put in front of a message, or nothing. ``bodies`` have the finished digest of its body in :data:`BODY_FORM`.

    A header with lines that are no field is not sealed: validators would find nothing but a broken chain (RFC 6376 3.8).
    """
    if header.malformed or not may_seal(verdict) or verdict.author.domain is None:
        return []
    results = AuthenticationResults(verdict.evidence.authserv_id, tuple(methods(verdict)))
    sealing = Sealing(header, key, results, verdict.arc, _STYLE, now=int(verdict.evidence.now), bodies=bodies)
    return [InsertHeader(_TOP, field.name, field.value) for field in sealing.finish()]
