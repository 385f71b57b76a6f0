"""The check_host() function, and the check of one message's two identities. RFC 7208 2.3, 2.4, 4, 5.1, 5.2, 5.6 and 6.

The comments are the RFC's steps in its order. It asks for one record at a time, as each decides what is asked next; the hosts of one ``mx``
go together, and so do the two identities.
"""

from __future__ import annotations

from typing import NamedTuple

from zegel.ask import Answer, Dialogue, Question, Rcode, RRType, together
from zegel.spf import record as spf_record
from zegel.spf.client import Client
from zegel.spf.macro import MacroError, parse_explanation
from zegel.spf.mechanisms import Ended, Evaluation
from zegel.spf.record import Directive, Mechanism, Record
from zegel.spf.result import SpfCause, SpfCheck, SpfIdentity, SpfReason, SpfResult, Step
from zegel.spf.session import Sender, Session, helo_sender, mail_from_sender

_MAX_EXPLANATION_RECORD = 2048
_MAX_EXPLANATION = 500  # what is left of the 512 octets of a reply line (RFC 5321 4.5.3.1.5) behind "550 5.7.1 "
_IP4, _IP6, _ALL, _INCLUDE = Mechanism.IP4, Mechanism.IP6, Mechanism.ALL, Mechanism.INCLUDE
_PERMITTED = SpfReason.PERMITTED
_UNPRINTABLE = dict.fromkeys([*range(32), 127])


class _Outcome(NamedTuple):
    """How a record came out: a reason, and the record and its domain in which it did."""

    reason: SpfReason
    record: Record
    domain: str


def check(
    *, ip: str, helo: str, mail_from: str, receiver: str = "unknown", now: float = 0, default_explanation: str | None = None
) -> Dialogue[SpfCheck]:
    """Check both identities of a message; each has its own limits. Raises TypeError for what is no text.

    ``ip`` is what the MTA says of the client: what is no address (a socket, "unknown") gives the result "none".
    """
    for value in (ip, helo, mail_from):
        if not isinstance(value, str):
            raise TypeError(f"ip, helo and mail_from must be str, not {type(value).__name__}")
    first, second = helo_sender(helo), mail_from_sender(mail_from, helo)
    try:
        session = Session(Client.parse(ip), helo, receiver, now, default_explanation or "")
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
        outcome = yield from _check_host(evaluation, domain)
        reason = outcome.reason
        if reason is SpfReason.NOT_PERMITTED:
            explanation = yield from _explain(evaluation, outcome)
    except Ended as ended:
        reason, detail = ended.reason, ended.detail
    path = tuple(map(Step._make, evaluation.path))
    return SpfResult(SpfCause(reason, path, detail), identity, domain, sender.text, explanation)


def _check_host(evaluation: Evaluation, domain: str) -> Dialogue[_Outcome]:
    """One evaluation of check_host(), redirects included. The path of the evaluation leads to where it ended."""
    path = evaluation.path
    record = yield from _fetch(evaluation, domain)
    if not isinstance(record, Record):
        path.append((domain, ""))
        raise Ended(record)
    while True:
        # 4.6.2: each mechanism is considered in turn from left to right
        directive = yield from _first_match(evaluation, record, domain)
        if directive is not None:
            return _Outcome(directive.reason, record, domain)
        # 4.7: the default result; 5.1: with "all" in the record one never comes here
        if record.redirect is None:
            path.append((domain, ""))
            return _Outcome(SpfReason.NO_MATCH, record, domain)
        # 6.1
        path.append((domain, f"redirect={record.redirect.string}"))
        evaluation.count_term()
        target = yield from evaluation.target(record.redirect, domain)
        found = (yield from _fetch(evaluation, target)) if target else SpfReason.NO_DOMAIN
        if not isinstance(found, Record):
            raise Ended(SpfReason.REDIRECT_NONE, target or "")
        domain, record = target or "", found


def _fetch(evaluation: Evaluation, domain: str) -> Dialogue[Record | SpfReason]:
    """The record of a domain, or why there is none."""
    # 4.4: type TXT only
    (answer,) = yield (Question(domain, RRType.TXT),)
    if answer.temporary:
        evaluation.path.append((domain, ""))
        raise Ended(SpfReason.RECORD_UNAVAILABLE, str(answer.rcode))
    # 4.5
    records = spf_record.select(answer.records)
    if not records:
        return SpfReason.NO_SUCH_DOMAIN if answer.rcode is Rcode.NXDOMAIN else SpfReason.NO_RECORD
    if len(records) > 1:
        evaluation.path.append((domain, ""))
        raise Ended(SpfReason.SEVERAL_RECORDS, str(len(records)))
    # 4.6: the syntax of the whole record first
    try:
        return spf_record.parse(records[0])
    except spf_record.SpfRecordError as error:
        evaluation.path.append((domain, error.term))
        raise Ended(error.reason, error.detail) from None


def _first_match(evaluation: Evaluation, record: Record, domain: str) -> Dialogue[Directive | None]:
    """The first directive that matches. It stands at the end of the path then, before what it includes."""
    path = evaluation.path
    number, bits = evaluation.session.client
    for directive in record.directives:
        mechanism = directive.mechanism
        # 5.6: an address of one family is never in a network of the other
        if mechanism is _IP4:
            matched = bits == 32 and number >> directive.shift == directive.network
        elif mechanism is _IP6:
            matched = bits == 128 and number >> directive.shift == directive.network
        elif mechanism is _ALL:
            matched = True
        else:
            here = len(path)
            path.append((domain, directive.text))
            if (yield from _include(evaluation, directive, domain) if mechanism is _INCLUDE else evaluation.matches(directive, domain)):
                return directive
            del path[here:]
            continue
        if matched:
            path.append((domain, directive.text))
            return directive
    return None


def _include(evaluation: Evaluation, directive: Directive, domain: str) -> Dialogue[bool]:
    """Evaluate ``include``. RFC 7208 5.2: pass is a match, fail, softfail and neutral are none, everything else ends the evaluation."""
    evaluation.count_term()
    if directive.domain is None:
        raise RuntimeError("an include without a domain has been parsed")
    target = yield from evaluation.target(directive.domain, domain)
    if target is None:
        return False
    try:
        if not target:
            raise Ended(SpfReason.NO_DOMAIN)
        outcome = yield from _check_host(evaluation, target)
    except Ended as ended:
        if ended.reason.status == "none":
            raise Ended(SpfReason.INCLUDE_NONE, target) from None
        raise
    return outcome.reason is _PERMITTED


def _explain(evaluation: Evaluation, outcome: _Outcome) -> Dialogue[str]:
    """The explanation of a fail: that of the record which failed, or the default. RFC 7208 6.2."""
    default = evaluation.session.default_explanation
    if outcome.record.explanation is None:
        return default
    target = yield from evaluation.target(outcome.record.explanation, outcome.domain, counted=False)
    if not target:
        return default
    # 6.2: with an error of DNS, no record, several records or a syntax error, "proceed as if no exp modifier was given"
    (answer,) = yield (Question(target, RRType.TXT),)
    text = _only_text(answer)
    if text is None:
        return default
    try:
        string = parse_explanation(text)
    except MacroError:
        return default
    if "p" in string.letters:
        yield from evaluation.validate()
    told = string.expand(lambda letter: evaluation.value(letter, outcome.domain))
    # The macros bring in what the sender wrote: what cannot stand in a reply goes (RFC 5321 4.2, textstring).
    return told.translate(_UNPRINTABLE).encode("ascii", "replace").decode("ascii")[:_MAX_EXPLANATION]


def _only_text(answer: Answer) -> str | None:
    if answer.rcode is not Rcode.NOERROR or len(answer.records) != 1:
        return None
    (octets,) = answer.records
    text = octets.decode("ascii", "replace") if isinstance(octets, bytes) else octets
    return text if text.isascii() and len(text) <= _MAX_EXPLANATION_RECORD else None
