"""The story of one message: what was asked, what was answered, and what followed, in order. Derived, never written beside the facts.

A story is a list of small items that go into JSON as they are: ids, domains, numbers. ``step`` says what kind of item it is and ``about``
which check it belongs to. Sentences are made from the ids when people look (:func:`sentence`), in their language. Every list is bounded and
every text cut, so that no sender decides how long a story is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from zegel.arc.result import ArcReason, ArcResult, ArcStatus
from zegel.dkim.result import DkimReason, DkimResult, DkimStatus
from zegel.dmarc.result import DmarcReason, DmarcResult
from zegel.spf.result import SpfReason, SpfResult
from zegel.verdict import details, unsigned
from zegel.verdict.author import Author, AuthorReason
from zegel.verdict.evidence import Evidence, Findings
from zegel.verdict.lookalike import LookAlikeKind
from zegel.verdict.policy import OWN, ActionReason, Disposition
from zegel.verdict.trail import Asked, Trail
from zegel.words import N_, Sentence

Item = dict[str, str | int | bool]
Story = list[Item]
MAX_QUESTIONS = 40  # for each protocol: more than the ten terms of SPF ask in practice
MAX_RESULTS = 20
_MAX_TEXT = 255
ABOUT = ("relay", "client", "spf", "dkim", "arc", "author", "dmarc", "action")
MAX_ITEMS = 4 * (MAX_QUESTIONS + 1) + 2 * (MAX_RESULTS + 1) + 16


class Trails(NamedTuple):
    """What each protocol asked of DNS."""

    spf: Trail
    dkim: Trail
    arc: Trail
    dmarc: Trail

    @classmethod
    def sharing(cls, questions: int) -> Trails:
        """Four trails, each with that many questions to ask."""
        return cls(*(Trail(questions) for _ in cls._fields))


def tell(evidence: Evidence, findings: Findings, disposition: Disposition, trails: Trails) -> Story:
    """Tell the story of a message."""
    return [
        _client(evidence, findings),
        *_questions("spf", trails.spf.asked),
        _spf(findings.spf.mail_from),
        _spf(findings.spf.helo),
        *_questions("dkim", trails.dkim.asked),
        *([] if findings.dkim else [_item("unsigned", "dkim", status=DkimStatus.NONE)]),
        *_limited("dkim", (_dkim(result) for result in findings.dkim[:MAX_RESULTS]), len(findings.dkim) - MAX_RESULTS),
        *_questions("arc", trails.arc.asked),
        *([_arc(findings.arc)] if findings.arc.status is not ArcStatus.NONE else []),
        _author(findings.author),
        *_questions("dmarc", trails.dmarc.asked),
        _dmarc(findings.dmarc),
        *_action(disposition),
    ]


def _item(step: str, about: str, **values: object) -> Item:
    """One item, without the values that say nothing; texts are cut."""
    told: Item = {"step": step, "about": about}
    for name, value in values.items():
        if value is None or value == "":
            continue
        told[name] = value if isinstance(value, (bool, int)) else str(value)[:_MAX_TEXT]
    return told


def _limited(about: str, items: Iterable[Item], over: int) -> Iterator[Item]:
    yield from items
    if over > 0:
        yield _item("more", about, count=over)


def _questions(about: str, asked: Sequence[Asked]) -> Iterator[Item]:
    return _limited(about, (_question(about, one) for one in asked[:MAX_QUESTIONS]), len(asked) - MAX_QUESTIONS)


def _question(about: str, asked: Asked) -> Item:
    question, answer = asked
    unasked = None if answer.asked else False
    return _item("question", about, name=question.name, type=question.type, rcode=answer.rcode, records=len(answer.records), asked=unasked)


def _client(evidence: Evidence, findings: Findings) -> Item:
    client = findings.client
    relay = evidence.ip if client.ip != evidence.ip else ""
    return _item("client", "client", ip=client.ip, helo=client.helo, mail_from=evidence.mail_from.strip("<>") or "<>", relay=relay)


def _spf(result: SpfResult) -> Item:
    place, detail = result.cause.place, result.cause.detail
    return _result("spf", result.status, result.reason, detail, identity=result.identity, domain=result.domain, path=place)


def _dkim(result: DkimResult) -> Item:
    testing = result.testing or None
    return _result("dkim", result.status, result.reason, result.detail, domain=result.domain, selector=result.selector, testing=testing)


def _arc(result: ArcResult) -> Item:
    sealer = result.instances[-1].domain if result.instances else None
    return _result("arc", result.status, result.reason, result.detail, domain=sealer, sets=len(result.instances), open=result.open)


def _author(author: Author) -> Item:
    text = "" if author.domain else author.text
    several = author.fields if author.fields != 1 else None
    addresses = len(author.mailboxes) if len(author.mailboxes) > 1 else None
    return _item("author", "author", reason=author.reason.id, domain=author.domain, text=text, fields=several, addresses=addresses)


def _dmarc(result: DmarcResult) -> Item:
    return _result(
        "dmarc",
        result.status,
        result.reason,
        result.detail,
        domain=result.author_domain,
        record=result.policy_domain,
        policy=result.policy,
        applied=result.applied,
    )


def _result(about: str, status: str, reason: SpfReason | DkimReason | ArcReason | DmarcReason, detail: str, **values: object) -> Item:
    return _item("result", about, status=status, reason=reason.id, section=reason.section, detail=detail, **values)


def _action(disposition: Disposition) -> Iterator[Item]:
    for mark in disposition.marks:
        yield _item("mark", "action", reason=mark.id, section=mark.section, **mark.told.values)
    rule = disposition.rule
    if rule is not None:
        until = int(rule.until) if rule.until < float("inf") else None
        yield _item("rule", "action", kind=rule.kind, who=rule.who, why=rule.why, since=int(rule.since), until=until)
    override = disposition.override
    if override is not None:
        yield _item("override", "action", reason=override.reason, comment=override.comment)
    yield _item(
        "action",
        "action",
        action=disposition.action,
        would=disposition.would,
        mode=disposition.mode,
        reason=disposition.reason.id,
        section=disposition.reason.section,
    )


_REASONS: dict[str, dict[object, str]] = {
    "spf": {reason.id: reason.sentence for reason in SpfReason},
    "dkim": {reason.id: reason.sentence for reason in DkimReason},
    "arc": {reason.id: reason.sentence for reason in ArcReason},
    "author": {reason.id: reason.sentence for reason in AuthorReason},
    "dmarc": {reason.id: reason.sentence for reason in DmarcReason},
    "action": {reason.id: reason.sentence for reason in ActionReason},
}
_MARKS: dict[object, str] = {
    OWN: N_("{author} is ours ({own}), and the message came from outside without proof of it"),
    **{kind.id: kind.sentence for kind in LookAlikeKind},
}
_OUTCOMES = {
    "accept": N_("the message is accepted: {reason}"),
    "defer": N_("the message is put off (4xx): {reason}"),
    "quarantine": N_("the message goes into quarantine: {reason}"),
    "reject": N_("the message is refused (550): {reason}"),
}
_WOULD = {
    "defer": N_("this site is in the mode {mode}, and lets pass what it would have put off: {reason}"),
    "quarantine": N_("this site is in the mode {mode}, and lets pass what it would have put into quarantine: {reason}"),
    "reject": N_("this site is in the mode {mode}: {action} instead of refused: {reason}"),
}
_INSTEAD = {"accept": N_("accepted"), "quarantine": N_("put into quarantine")}


# Whether mail of a site would pass at its receivers.
_WOULD_PASS = {
    "yes": N_("it would pass at its receivers"),
    "no": N_("it would not pass at its receivers: {reason}"),
    "unknown": N_("DNS did not say now whether it would pass at its receivers"),
}


def sentence(item: Item) -> Sentence:
    """One item as a sentence with its values, to be translated. Raises LookupError for what is no item of a story."""
    return _SENTENCES[str(item["step"])](item)


def _would_told(item: Item) -> Sentence:
    """Whether mail of a site would pass: the first thing against it, in short; all of it is told below."""
    found = (Sentence(_REASONS[about][item["reason"]]) for about in ("dkim", "dmarc") if item.get("reason") in _REASONS[about])
    return Sentence(_WOULD_PASS[str(item["answer"])], reason=next(found, "-"))


def _question_told(item: Item) -> Sentence:
    asked = f"{item['name']} {item['type']}"
    if item.get("asked", True) is False:
        return Sentence(N_("{asked}: not waited for, the budget of the message was used up"), asked=asked)
    if item["records"]:
        return Sentence(N_("{asked}: {count} found"), asked=asked, count=item["records"])
    return Sentence(N_("{asked}: nothing ({rcode})"), asked=asked, rcode=item["rcode"])


def _client_told(item: Item) -> Sentence:
    values = _values(item, "ip", "helo", "mail_from", "relay")
    if "relay" in item:
        return Sentence(N_("{ip} ({helo}) sends for {mail_from}; our relay {relay} brought it"), **values)
    return Sentence(N_("{ip} ({helo}) sends for {mail_from}"), **values)


def _result_told(item: Item) -> Sentence:
    reason: object = Sentence(_REASONS[str(item["about"])][item["reason"]])
    notes = [told(str(item[name])) for name, told in (("path", details.way), ("detail", details.said)) if name in item]
    if notes:
        reason = Sentence("{reason} ({notes})", reason=reason, notes=details.joined("; ", iter(notes)))
    if item.get("testing"):
        reason = Sentence(N_("{reason}; the domain only tests (t=y), so that it counts for nothing"), reason=reason)
    if "policy" in item:
        tested = item.get("applied") != item["policy"]
        wording = N_("{reason}; the policy of {record} is {policy}, applied as {applied} while it tests (t=y)")
        wording = wording if tested else N_("{reason}; the policy of {record} is {policy}")
        reason = Sentence(wording, reason=reason, **_values(item, "record", "policy", "applied"))
    values = {"status": item["status"], "domain": item.get("domain", "-"), "reason": reason}
    identity = {"helo": "HELO", "mailfrom": "MAIL FROM"}.get(str(item.get("identity", "")), "")
    return Sentence("{status} {identity}{domain}: {reason}", identity=f"{identity} " if identity else "", **values)


def _author_told(item: Item) -> Sentence:
    if "domain" in item:
        return Sentence(N_("From names one author, of {domain}"), domain=item["domain"])
    reason = Sentence(_REASONS["author"][item["reason"]], fields=item.get("fields", 1), addresses=item.get("addresses", 0))
    return Sentence(N_("From cannot be trusted: {reason}"), reason=reason)


def _rule_told(item: Item) -> Sentence:
    return Sentence(N_("rule for this {kind}, made by {who}: {why}"), kind=item["kind"], who=item["who"], why=item["why"])


def _mark_told(item: Item) -> Sentence:
    return Sentence(_MARKS[item["reason"]], **_values(item))


def _values(item: Item, *names: str) -> dict[str, object]:
    """The values of these names, "-" for one that is not there; of all names when none is given."""
    return {name: item.get(name, "-") for name in names or item if name not in ("step", "about")}


def _action_told(item: Item) -> Sentence:
    action, would = str(item["action"]), str(item["would"])
    reason = Sentence(_REASONS["action"][item["reason"]])
    if action == would:
        return Sentence(_OUTCOMES[action], reason=reason)
    return Sentence(_WOULD[would], mode=item["mode"], reason=reason, action=Sentence(_INSTEAD[action]))


_SENTENCES = {
    "site": lambda item: Sentence(N_("handed in by the site {site}, by {via}"), **_values(item, "site", "via")),
    "ready": lambda item: Sentence(N_("made ready before it was signed: {changed}"), **_values(item, "changed")),
    "corrected": lambda item: Sentence(N_("its sender was corrected: {original} became {address}"), **_values(item, "original", "address")),
    "would": _would_told,
    unsigned.STEP: unsigned.told,
    "client": _client_told,
    "question": _question_told,
    "more": lambda item: Sentence(N_("and {count} more"), count=item["count"]),
    "result": _result_told,
    "unsigned": lambda item: Sentence(N_("the message has no DKIM signature")),
    "author": _author_told,
    "mark": _mark_told,
    "rule": _rule_told,
    "override": lambda item: Sentence(N_("a report says why: {reason} ({comment})"), **{"comment": "-", **_values(item)}),
    "action": _action_told,
}
