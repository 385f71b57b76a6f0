"""The check_host() function, and the check of one message's two identities. RFC 7208 2.3, 2.4, 4, 5.1, 5.2, 5.6 and 6.

The comments are the RFC's steps in its order. It asks for one record at a time, as each decides what is asked next; the hosts of one ``mx``
go together, and so do the two identities.
"""

from __future__ import annotations

from collections.abc import Callable

from zegel.ask import Answer, Dialogue, Question, Rcode, RRType, together
from zegel.spf import record as spf_record
from zegel.spf.client import Client
from zegel.spf.macro import DomainSpec, MacroError, parse_explanation
from zegel.spf.mechanisms import Ended, Evaluation
from zegel.spf.record import Directive, Mechanism, Networks, Record
from zegel.spf.result import SpfCause, SpfCheck, SpfIdentity, SpfReason, SpfResult
from zegel.spf.session import Sender, Session, helo_sender, mail_from_sender

_MAX_EXPLANATION_RECORD = 2048
_MAX_EXPLANATION = 500  # what is left of the 512 octets of a reply line (RFC 5321 4.5.3.1.5) behind "550 5.7.1 "
_TXT = RRType.TXT
_ALL, _INCLUDE = Mechanism.ALL, Mechanism.INCLUDE
_PERMITTED, _NOT_PERMITTED = SpfReason.PERMITTED, SpfReason.NOT_PERMITTED
# How a record came out: the reason, and the record and its domain in which it did.
_Outcome = tuple[SpfReason, Record, str]
_UNPRINTABLE = dict.fromkeys([*range(32), 127])


def check(
    *, ip: str, helo: str, mail_from: str, receiver: str = "unknown", now: float = 0, default_explanation: str | None = None
) -> Dialogue[SpfCheck]:
    """Check both identities of a message; each has its own limits. Raises TypeError for what is no text.

    ``ip`` is what the MTA says of the client: what is no address (a socket, "unknown") gives the result "none".
    """
    given: tuple[object, ...] = (ip, helo, mail_from)
    for value in given:
        if not isinstance(value, str):
            raise TypeError("ip, helo and mail_from must be str")
    first, second = helo_sender(helo), mail_from_sender(mail_from, helo)
    try:
        # RFC 8616 4: a U-label is an A-label here, in macros too.
        name = helo if helo.isascii() else first.domain or helo
        session = Session(Client.parse(ip), name, receiver, now, default_explanation or "")
    except ValueError:
        return unchecked(first, second, SpfCause(SpfReason.NO_ADDRESS, detail=ascii(ip[:40])))
    if second == first:
        result = yield from check_identity(session, first, SpfIdentity.HELO)
        return SpfCheck(result, result._replace(identity=SpfIdentity.MAIL_FROM))
    helo_dialogue = check_identity(session, first, SpfIdentity.HELO)
    mail_from_dialogue = check_identity(session, second, SpfIdentity.MAIL_FROM)
    if first.domain is None:
        return SpfCheck((yield from helo_dialogue), (yield from mail_from_dialogue))
    return SpfCheck(*(yield from together(helo_dialogue, mail_from_dialogue)))


def unchecked(helo: Sender, mail_from: Sender, cause: SpfCause) -> SpfCheck:
    """The results of a message that cannot be checked."""
    return SpfCheck(
        SpfResult(cause, SpfIdentity.HELO, helo.domain, helo.text),
        SpfResult(cause, SpfIdentity.MAIL_FROM, mail_from.domain, mail_from.text),
    )


def check_identity(session: Session, sender: Sender, identity: SpfIdentity) -> Dialogue[SpfResult]:
    """Evaluate check_host() for one identity, with its explanation. RFC 7208 4."""
    domain = sender.domain
    # 4.3: malformed, or not a multi-label domain name
    if domain is None:
        return SpfResult(SpfCause(SpfReason.NO_DOMAIN), identity, None, sender.text)
    evaluation = Evaluation(session, sender)
    explanation = detail = ""
    try:
        reason, record, within = yield from _check_host(evaluation, domain)
        if reason is _NOT_PERMITTED:
            explanation = yield from _explain(evaluation, record, within)
    except Ended as ended:
        reason, detail = ended.reason, ended.detail
    return SpfResult(SpfCause(reason, tuple(evaluation.path), detail), identity, domain, sender.text, explanation)


def _check_host(evaluation: Evaluation, domain: str) -> Dialogue[_Outcome]:
    """One evaluation of check_host(), redirects included. The path of the evaluation leads to where it ended."""
    path, (number, bits) = evaluation.path, evaluation.session.client
    # 4.4: type TXT only; an error of DNS is temperror
    (answer,) = yield (Question(domain, _TXT),)
    record = _record(evaluation, domain, answer)
    while True:
        # 4.6.2: each mechanism is considered in turn from left to right; the first that matches stands at the end of the path
        for step in record.steps4 if bits == 32 else record.steps6:
            here = len(path)
            if isinstance(step, Networks):
                directive = step.find(number)  # 5.6
                if directive is None:
                    continue
                path.append((domain, directive.text))
                return directive.reason, record, domain
            path.append((domain, step.text))
            mechanism, spec = step.mechanism, step.domain
            if mechanism is _ALL:  # 5.1
                return step.reason, record, domain
            evaluation.count_term()
            name = domain if spec is None else spec.name
            if name is None and spec is not None:
                name = yield from evaluation.target(spec, domain)
            # 4.8 leaves a malformed <target-name> open: there is nothing that it could match; as an included domain it has no record
            if name or (name is not None and mechanism is _INCLUDE):
                matched = yield from _EVALUATE[mechanism](evaluation, step, name)
                if matched:
                    return step.reason, record, domain
            del path[here:]
        # 4.7: the default result
        if record.redirect is None:
            path.append((domain, ""))
            return SpfReason.NO_MATCH, record, domain
        # 6.1: with "all" in the record one never comes here (5.1)
        domain, record = yield from _redirect(evaluation, record.redirect, domain)


def _record(evaluation: Evaluation, domain: str, answer: Answer) -> Record:
    """The record among the TXT records of a domain; without one the evaluation ends."""
    # 4.5
    records = spf_record.select(answer.records)
    if len(records) != 1:
        evaluation.path.append((domain, ""))
        if answer.temporary:
            raise Ended(SpfReason.RECORD_UNAVAILABLE, str(answer.rcode))
        if records:
            raise Ended(SpfReason.SEVERAL_RECORDS, str(len(records)))
        raise Ended(SpfReason.NO_SUCH_DOMAIN if answer.rcode is Rcode.NXDOMAIN else SpfReason.NO_RECORD)
    # 4.6: the syntax of the whole record first
    record = spf_record.read(records[0])
    if isinstance(record, spf_record.SpfRecordError):
        evaluation.path.append((domain, record.term))
        raise Ended(record.reason, record.detail)
    return record


def _redirect(evaluation: Evaluation, spec: DomainSpec, domain: str) -> Dialogue[tuple[str, Record]]:
    """Where the evaluation goes on when no mechanism has matched (RFC 7208 4.6.3), and with which record.

    RFC 7208 6.1: without one, or with a malformed name, it is permerror.
    """
    evaluation.path.append((domain, f"redirect={spec.string}"))
    evaluation.count_term()
    target = yield from evaluation.target(spec, domain)
    if not target:
        raise Ended(SpfReason.REDIRECT_NONE)
    (answer,) = yield (Question(target, _TXT),)
    try:
        return target, _record(evaluation, target, answer)
    except Ended as ended:
        if ended.reason.status == "none":
            raise Ended(SpfReason.REDIRECT_NONE) from None
        raise


def _include(evaluation: Evaluation, _directive: Directive, name: str) -> Dialogue[bool]:
    """Evaluate ``include``. RFC 7208 5.2: pass is a match, fail, softfail and neutral are none, everything else ends the evaluation."""
    try:
        if not name:
            raise Ended(SpfReason.NO_DOMAIN)
        reason, _, _ = yield from _check_host(evaluation, name)
    except Ended as ended:
        if ended.reason.status == "none":
            raise Ended(SpfReason.INCLUDE_NONE) from None
        raise
    return reason is _PERMITTED


_EVALUATE: dict[Mechanism, Callable[[Evaluation, Directive, str], Dialogue[bool]]] = {
    _INCLUDE: _include,
    Mechanism.A: Evaluation.a,
    Mechanism.MX: Evaluation.mx,
    Mechanism.PTR: Evaluation.ptr,
    Mechanism.EXISTS: Evaluation.exists,
}


def _explain(evaluation: Evaluation, record: Record, domain: str) -> Dialogue[str]:
    """The explanation of a fail: that of the record which failed, or the default. RFC 7208 6.2."""
    default = evaluation.session.default_explanation
    if record.explanation is None:
        return default
    target = yield from evaluation.target(record.explanation, domain, counted=False)
    if not target:
        return default
    # 6.2: with an error of DNS, no record, several records or a syntax error, "proceed as if no exp modifier was given"
    (answer,) = yield (Question(target, _TXT),)
    text = _only_text(answer)
    if text is None:
        return default
    try:
        string = parse_explanation(text)
    except MacroError:
        return default
    if "p" in string.letters:
        yield from evaluation.validate()
    told = string.expand(evaluation.value, domain)
    # The macros bring in what the sender wrote: what cannot stand in a reply goes (RFC 5321 4.2, textstring).
    if not (told.isascii() and told.isprintable()):
        told = told.translate(_UNPRINTABLE).encode("ascii", "replace").decode("ascii")
    return told[:_MAX_EXPLANATION]


def _only_text(answer: Answer) -> str | None:
    if answer.rcode is not Rcode.NOERROR or len(answer.records) != 1:
        return None
    (octets,) = answer.records
    text = octets.decode("ascii", "replace") if isinstance(octets, bytes) else octets
    return text if text.isascii() and len(text) <= _MAX_EXPLANATION_RECORD else None
