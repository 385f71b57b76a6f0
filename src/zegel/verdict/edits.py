"""The header edits that follow from a verdict: fields that forge our name go (RFC 8601 5), ours comes on top (RFC 6376 6.2).

A message for quarantine gets a field for the mail store, of which forged copies go too, or is held by the mail server. Only typed values
are written, quoted and bounded: no text of a sender goes into a header or a reply as it came (RFC 7208 11.5.1), and no explanation of its
domain (RFC 7208 11.5.2) into either.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from zegel.arc.result import ArcResult, ArcStatus
from zegel.authres import claim
from zegel.authres.model import AuthenticationResults, MethodResult, Property
from zegel.dkim.result import DkimResult, DkimStatus
from zegel.dmarc.result import DmarcStatus
from zegel.milter.edits import Accept, DeleteHeader, Edit, InsertHeader, Outcome, Quarantine, Reject, TempFail
from zegel.milter.edits import Action as ReplyAction
from zegel.spf import received
from zegel.spf.result import SpfResult, SpfStatus
from zegel.verdict.authenticate import Verdict
from zegel.verdict.policy import Action, Disposition

FIELD = b"Authentication-Results"
_KEY = b"authentication-results"
_MAX_RESULTS = 20
_TOP = 0


class Claims:
    """The Authentication-Results fields of one message, as they come by: which of them claim our name.

    It sees every field, those past the header bound too: a forged field must not hide behind a long header (RFC 8601 7.1), nor behind the
    white space before the colon that RFC 5322 4.5 has readers take. Of the field that marks a quarantine every copy is a forgery, if one is
    used at all: ``quarantine`` is its name.
    """

    __slots__ = ("_copies", "_count", "_forged", "_quarantine", "_shortest", "ours")

    def __init__(self, quarantine: bytes = b"") -> None:
        self._quarantine = quarantine.lower()
        self._shortest = min(len(_KEY), len(quarantine) or len(_KEY))
        self._copies = 0
        self._count = 0
        self._forged: list[int] = []
        self.ours = False  # one of them carries our authserv-id, readably

    def see(self, fields: Iterable[tuple[bytes, bytes]], authserv_id: str) -> None:
        """Take the next fields of the header. ``authserv_id`` is ours, as :func:`zegel.authres.claim.normal` gives it."""
        shortest, quarantine = self._shortest, self._quarantine
        for name, value in fields:
            if len(name) < shortest:
                continue
            key = name.rstrip(b" \t").lower()
            if key == _KEY:
                self._count += 1
                if claim.claims(value, authserv_id):
                    self._forged.append(self._count)
                    self.ours = self.ours or claim.authserv_id(value) == authserv_id
            elif key == quarantine:
                self._copies += 1

    @property
    def count(self) -> int:
        """How many fields claim our name, or to be our mark."""
        return len(self._forged) + self._copies

    def removals(self) -> list[Edit]:
        """Deletions of the fields that claim our name, highest index first: the mail server counts anew after each."""
        copies = [DeleteHeader(index, self._quarantine) for index in range(self._copies, 0, -1)]
        return [*(DeleteHeader(index, FIELD) for index in reversed(self._forged)), *copies]


def verdict_field(verdict: Verdict) -> InsertHeader:
    """Our own field with the results of all protocols, added and never put into another's. RFC 8601 4.

    It is for the very top of the header: it is a trace field, and the topmost is the latest (RFC 8601 4.1 and 7.3). RFC 8601 2.7.1 and
    2.7.2, RFC 8617 10.1, RFC 9989 9.1 for the words.
    """
    return InsertHeader(_TOP, FIELD, AuthenticationResults(verdict.evidence.authserv_id, tuple(methods(verdict))).format())


def methods(verdict: Verdict) -> list[MethodResult]:
    """The results of all protocols, as the field has them. ARC is told of where there is a chain."""
    found = [*dkim_methods(verdict.dkim), *spf_methods(verdict)]
    if verdict.arc.status is not ArcStatus.NONE:
        found.append(arc_method(verdict.arc, remote_ip=verdict.findings.client.ip))
    return [*found, dmarc_method(verdict)]


def dkim_methods(results: Sequence[DkimResult]) -> list[MethodResult]:
    """The results of the signatures, the first twenty; that there is none is one too. RFC 8601 2.7.1."""
    return list(map(dkim_method, results[:_MAX_RESULTS])) or [MethodResult("dkim", DkimStatus.NONE)]


def spf_methods(verdict: Verdict) -> list[MethodResult]:
    """Both SPF results, each with its identity: RFC 8601 2.7.2. For a bounce only that of the HELO name, the sender being empty."""
    return list(map(_spf_method, _checked(verdict)))


def _checked(verdict: Verdict) -> tuple[SpfResult, ...]:
    return (verdict.spf.helo,) if verdict.evidence.is_bounce else (verdict.spf.mail_from, verdict.spf.helo)


def received_spf(verdict: Verdict) -> list[Edit]:
    """A Received-SPF field for each SPF result, that of MAIL FROM on top. RFC 7208 9.1: "It MUST appear above all other" ones."""
    client, receiver = verdict.findings.client, verdict.evidence.authserv_id
    values = [
        received.format_received_spf(result, client_ip=client.ip, helo=client.helo, receiver=receiver) for result in _checked(verdict)
    ]
    return [InsertHeader(_TOP, received.FIELD, value) for value in reversed(values)]


def _spf_method(result: SpfResult) -> MethodResult:
    """One SPF result. RFC 7208 9.2. The domain is told, not the address: a local part is the words of a stranger, and nobody checked it."""
    reason = "" if result.status is SpfStatus.PASS else result.reason.sentence
    properties = (Property("smtp", result.identity, result.domain),) if result.domain else ()
    return MethodResult("spf", result.status, reason, properties)


def dmarc_method(verdict: Verdict) -> MethodResult:
    """The DMARC result: header.from is the author's domain, policy.dmarc the policy after sp=, np= and t= (RFC 9989 9.1)."""
    result = verdict.dmarc
    properties = (Property("header", "from", result.author_domain or ""), Property("policy", "dmarc", result.applied or ""))
    reason = "" if result.status is DmarcStatus.PASS else result.explanation
    return MethodResult("dmarc", result.status, reason, tuple(item for item in properties if item.value))


def outcome(verdict: Verdict, claims: Claims, *, field: bytes = b"", hold: bool = False, spf: bool = False) -> Outcome:
    """What the milter says at the end of a message: forged fields go, ours comes, and the action.

    A quarantine is marked by ``field``, a name for the mail store to look for, or held by the mail server with ``hold``. With ``spf`` the
    Received-SPF fields come too, below the field of all results.
    """
    edits = [*claims.removals(), *(received_spf(verdict) if spf else ()), verdict_field(verdict)]
    disposition = verdict.disposition
    if disposition.action is Action.QUARANTINE:
        said = f"{disposition.reason} {disposition.domain or '-'}"
        if field:
            edits.insert(-1, InsertHeader(_TOP, field, f" {said}".encode("ascii")))
        if hold:
            edits.append(Quarantine(said))
    return Outcome(tuple(edits), reply(disposition))


def reply(disposition: Disposition) -> ReplyAction:
    """What the SMTP client is told. RFC 9989 7.2: the word DMARC and the domain, and a 4xy reply for what may be known later.

    Who is refused within SMTP (RFC 8601 4.2) makes the bounce himself, so that none goes to a forged sender (RFC 8601 7.5).
    """
    domain = disposition.domain
    if disposition.action is Action.DEFER:
        return TempFail("451", "4.7.1", f"The DMARC policy for {domain} cannot be applied now, please try again later")
    if disposition.action is not Action.REJECT:
        return Accept()
    if domain is None:
        return Reject("550", "5.7.1", "Email rejected: From does not name one author whose domain DMARC could check")
    return Reject("550", "5.7.1", f"Email rejected per DMARC policy for {domain}")


def dkim_method(result: DkimResult) -> MethodResult:
    """One DKIM result as the field has it: RFC 8601 2.7.1, with header.s and header.a, and header.b of RFC 6008 4.

    header.d is always told, header.i only where it says more (RFC 6376 3.11); every failure with its exact reason (RFC 6376 6.3), and a
    rule of ours by its id too: RFC 8601 2.4.
    """
    values = (
        ("d", result.domain or ""),
        ("i", result.identity if result.identity and result.identity != f"@{result.domain}" else ""),
        ("s", result.selector or ""),
        ("a", result.algorithm or ""),
        ("b", result.signature_start or ""),
    )
    properties = tuple(Property("header", name, value) for name, value in values if value)
    if result.status is DkimStatus.POLICY:
        properties = (*properties, Property("policy", "dkim-rules", result.reason.id))
    reason = "" if result.status is DkimStatus.PASS else result.explanation
    if result.testing:
        reason = f"{reason}, the key says that the domain only tests (t=y)".removeprefix(", ")
    return MethodResult("dkim", result.status, reason, properties)


def arc_method(result: ArcResult, *, remote_ip: str = "") -> MethodResult:
    """The chain's result as the field has it. RFC 8617 6: "header.oldest-pass", and "smtp.remote-ip" of the client that relayed to us."""
    oldest = "" if result.oldest_pass is None else str(result.oldest_pass)
    values = (("header", "oldest-pass", oldest), ("smtp", "remote-ip", remote_ip))
    properties = tuple(Property(*value) for value in values if value[2])
    return MethodResult("arc", result.status, result.explanation if result.status is ArcStatus.FAIL else "", properties)
