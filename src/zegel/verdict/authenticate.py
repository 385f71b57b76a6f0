"""The whole check of one inbound message: SPF, DKIM, ARC and DMARC, in the stages in which its parts arrive.

    MAIL              SPF's questions may leave
    end of header     those of DKIM, ARC and DMARC leave together; behind a relay of ours SPF's too
    body              each chunk goes once through each canonicalization that a signature names
    end of message    the results, the verdict, the action

Each protocol has its own share of the questions, and DMARC asks for the policy while the others still wait: a sender who makes one of them
slow or dear changes that one result. RFC 9989 5.3, RFC 7208 4.6.4, RFC 6376 6.1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from zegel.arc.result import ArcReason, ArcResult
from zegel.arc.verify import Verification as ArcVerification
from zegel.ask import Dialogue, Together
from zegel.dkim.bodyhash import BodyHashes
from zegel.dkim.header import Header
from zegel.dkim.result import DkimReason, DkimResult
from zegel.dkim.verify import Verification
from zegel.dmarc.evaluate import Evaluation
from zegel.dmarc.result import DmarcReason, DmarcResult
from zegel.grammar.message import split_message
from zegel.limits import Limits
from zegel.spf.client import Client
from zegel.spf.evaluate import check, unchecked
from zegel.spf.relay import OutsideClient, first_outside
from zegel.spf.result import SpfCheck
from zegel.spf.session import helo_sender, mail_from_sender
from zegel.verdict.author import Author, AuthorReason, read_author
from zegel.verdict.evidence import Evidence, Findings, sender, signer
from zegel.verdict.explain import Story, Trails, tell
from zegel.verdict.policy import Action, Disposition, Site, decide

SHARES = len(Trails._fields)  # the questions of one message are at most these times Limits.questions
AFTERWARDS = 0.25  # of the budget, for what the end of the message may still ask


@lru_cache(maxsize=8)
def shared(limits: Limits) -> Limits:
    """The limits for a whole message, of which each protocol has its own share of questions, and the end of the message what is left."""
    return replace(limits, questions=math.ceil(limits.questions * SHARES / (1 - AFTERWARDS)))


@dataclass(frozen=True, slots=True)
class Verdict:
    """All that was found out about one message, and what happens to it."""

    evidence: Evidence
    findings: Findings
    disposition: Disposition
    trails: Trails

    @property
    def spf(self) -> SpfCheck:
        """The results for HELO and MAIL FROM."""
        return self.findings.spf

    @property
    def dkim(self) -> list[DkimResult]:
        """One result for each signature, in header order."""
        return self.findings.dkim

    @property
    def arc(self) -> ArcResult:
        """The result for the chain."""
        return self.findings.arc

    @property
    def author(self) -> Author:
        """Whom From names, or why it cannot be trusted."""
        return self.findings.author

    @property
    def dmarc(self) -> DmarcResult:
        """The result for the author's domain."""
        return self.findings.dmarc

    @property
    def action(self) -> Action:
        """What happens to the message; the reason for it is in ``disposition``."""
        return self.disposition.action

    @property
    def story(self) -> Story:
        """How it came to this, step by step, as values for JSON. Made anew at each call."""
        return tell(self.evidence, self.findings, self.disposition, self.trails)


class Authentication:
    """The check of one message.

    Make it at MAIL and run :meth:`ask_sender` with a driver; give the header to :meth:`read_header` and run :meth:`ask_header`; give every
    chunk of the body to :meth:`feed`; when both dialogues have ended, run :meth:`finish`, which mostly has nothing left to ask.
    """

    def __init__(self, evidence: Evidence, site: Site, limits: Limits) -> None:
        self.evidence, self._site, self._limits = evidence, site, limits
        self._trails = Trails.sharing(limits.questions)
        self._bodies = BodyHashes()
        self._client = OutsideClient(evidence.ip, evidence.helo)
        self._spf: SpfCheck | None = None
        self._author = Author(AuthorReason.NO_FIELD)
        self._dkim: Verification | None = None
        self._arc: ArcVerification | None = None
        self._dmarc: Evaluation | None = None
        self._header: Header | None = None
        self._normalized = False

    @property
    def behind_relay(self) -> bool:
        """True when a relay of ours is the client, so that only the header tells who sent the message. RFC 7208 2.5."""
        try:
            return bool(self._site.relays) and Client.parse(self.evidence.ip).within(self._site.relays)
        except ValueError:
            return False

    def ask_sender(self) -> Dialogue[None]:
        """Check the client and the envelope, which needs nothing of the message; behind a relay that waits for the header."""
        if not self.behind_relay:
            yield from self._trails.spf.follow(self._check_spf())

    def _check_spf(self) -> Dialogue[None]:
        evidence, client = self.evidence, self._client
        self._spf = yield from check(
            ip=client.ip, helo=client.helo, mail_from=evidence.mail_from, receiver=evidence.authserv_id, now=evidence.now
        )

    def read_header(self, header: Header | None, *, normalized: bool = False) -> None:
        """Take the header; None for one that is larger than what is read, of which nothing is believed.

        ``normalized`` tells that the message came with LF line ends.
        """
        self._header, self._normalized = header, normalized
        if header is None:
            self._author = Author(AuthorReason.TOO_LONG)
            return
        now, limits = self.evidence.now, self._limits
        self._dkim = Verification(header, now=now, limits=limits, bodies=self._bodies)
        self._arc = ArcVerification(header, now=now, limits=limits, bodies=self._bodies)
        self._author = read_author(header)
        if self._author.domain is not None:
            self._dmarc = Evaluation(self._author.domain)

    def ask_header(self) -> Dialogue[None]:
        """Ask for keys and policy, side by side."""
        trails = self._trails
        branches: list[Dialogue[Any]] = []
        if self._dkim is not None and self._dkim.needs_body:
            branches.append(trails.dkim.follow(self._dkim.look_up()))
        if self._arc is not None and self._arc.needs_body:
            branches.append(trails.arc.follow(self._arc.look_up()))
        if self._dmarc is not None and self._dkim is not None:
            envelope = mail_from_sender(self.evidence.mail_from, self._client.helo).domain
            domains = [*([envelope] if envelope else []), *self._dkim.domains]
            branches.append(trails.dmarc.follow(self._dmarc.prepare(domains)))
        if self._spf is None and self.behind_relay:
            branches.append(trails.spf.follow(self._check_outside()))
        if branches:
            yield Together(tuple(branches))

    def _check_outside(self) -> Dialogue[None]:
        """Check the first host outside. RFC 7208 2.5; without a clear one SPF says nothing."""
        evidence = self.evidence
        received = self._header.values("received") if self._header is not None else []
        found = first_outside(evidence.ip, evidence.helo, received, self._site.relays)
        if isinstance(found, OutsideClient):
            self._client = found
            yield from self._check_spf()
        else:
            self._spf = unchecked(helo_sender(evidence.helo), mail_from_sender(evidence.mail_from, evidence.helo), found)

    def want_body(self, form: str) -> BodyHashes:
        """Have the body's digest in this canonical form made as well, for a seal. Say so before the first chunk."""
        self._bodies.want(form, None)
        return self._bodies

    @property
    def needs_body(self) -> bool:
        """False when no octet of the body can change a result."""
        return bool(self._bodies)

    def feed(self, chunk: bytes) -> None:
        """Take the next octets of the body."""
        self._bodies.feed(chunk)

    def finish(self) -> Dialogue[Verdict]:
        """The verdict. Run it once, after both dialogues and the last chunk."""
        if self._spf is None:
            raise RuntimeError("finish() before SPF has ended")
        self._bodies.finish()
        detail = f"over {self._limits.header_bytes} octets"
        dkim = self._dkim.finish() if self._dkim else [DkimResult(DkimReason.HEADER_TOO_LARGE, detail=detail)]
        arc = self._arc.finish() if self._arc else ArcResult(ArcReason.HEADER_TOO_LARGE, detail=detail)
        if self._normalized:
            dkim, arc = [result._replace(normalized=True) for result in dkim], arc._replace(normalized=True)
        if self._dmarc is None:
            dmarc = DmarcResult(DmarcReason.NO_AUTHOR, detail=self._author.reason.id, aligned_dkim=(False,) * len(dkim))
        else:
            judged = self._dmarc.finish(sender(self._spf), list(map(signer, dkim)))
            dmarc = yield from self._trails.dmarc.follow(judged)
        findings = Findings(self._author, self._spf, dkim, arc, dmarc, self._client)
        return Verdict(self.evidence, findings, decide(findings, self.evidence, self._site), self._trails)


def authenticate_message(message: bytes, evidence: Evidence, site: Site, limits: Limits) -> Dialogue[Verdict]:
    """Check a whole message: all stages in one dialogue. Raises TypeError for what is not bytes."""
    split = split_message(message, header_bytes=limits.header_bytes)
    checking = Authentication(evidence, site, limits)
    checking.read_header(None if split.oversized else Header(split.header), normalized=split.normalized)
    yield Together((checking.ask_sender(), checking.ask_header()), AFTERWARDS)
    if checking.needs_body:
        checking.feed(split.body)
    return (yield from checking.finish())
