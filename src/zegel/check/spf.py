"""What is right and wrong with a domain's SPF record. RFC 7208, and who else it lets in.

First it looks (:func:`look`), then it judges what was seen (:func:`judge`), which asks nothing. What a receiver would say of one host is
:mod:`zegel.spf`'s to tell.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from zegel.ask import Answer, Dialogue, Rcode, RRType, ask, side_by_side, together
from zegel.check import spftree
from zegel.check.item import Item, Level
from zegel.check.spfmend import Mended, mended
from zegel.check.spfpoints import SpfPoint
from zegel.check.spfreach import reach
from zegel.check.spftree import Node, Term, Trouble
from zegel.grammar.domain import Domain
from zegel.spf.macro import parse_explanation
from zegel.spf.record import Mechanism
from zegel.spf.result import SpfReason
from zegel.words import N_, Sentence

_NEARLY = re.compile(rb"\W{0,8}v\W{0,3}=\W{0,3}spf", re.IGNORECASE)
_SENDER_ID = re.compile(rb"spf2\.0/", re.IGNORECASE)
_ADVISED_OCTETS = 450  # RFC 7208 3.4
_LOOKUPS, _VOIDS = 10, 2  # RFC 7208 4.6.4


class SpfFacts(NamedTuple):
    """What DNS has: the tree, all TXT records, those of the type SPF, the answer for ``exp=``, and the dead includes that are for sale."""

    tree: Node
    txt: Answer
    old_type: Answer
    explanation: Answer | None = None
    unregistered: frozenset[str] = frozenset()

    @property
    def sends_nothing(self) -> bool:
        """True for ``v=spf1 -all``: nobody may send."""
        record = self.tree.record
        return record is not None and [str(directive) for directive in record.directives] == ["-all"]


def look(domain: Domain) -> Dialogue[SpfFacts]:
    """Ask all that is judged here."""
    tree, (own, old) = yield from together(spftree.grow(domain), side_by_side([ask(domain, RRType.TXT), ask(domain, RRType.SPF)]))
    explanation = None
    if tree.record is not None and tree.record.explanation is not None and (name := tree.record.explanation.name):
        explanation = yield from ask(name, RRType.TXT)
    dead = sorted({term.name for _, _, term in tree.walk() if term.leads and term.trouble is Trouble.GONE})
    free = yield from side_by_side([_unregistered(name) for name in dead])
    return SpfFacts(tree, own, old, explanation, frozenset(name for name, is_free in zip(dead, free, strict=True) if is_free))


def _unregistered(name: str) -> Dialogue[bool]:
    """Whether the registered domain above a name does not exist either, so that anybody could buy it (SubdoMailing)."""
    from zegel.dmarc.psl import organizational_domain

    try:
        above = organizational_domain(Domain.parse(name))
    except ValueError:
        return False
    answer = yield from ask(above, RRType.NS)
    return answer.rcode is Rcode.NXDOMAIN


def judge(domain: Domain, facts: SpfFacts, *, receives: bool) -> Iterator[Item]:
    """Judge what was seen. ``receives``: the domain has mail servers of its own, which probably send too."""
    mend = mended(domain, facts.tree, facts.txt, receives=receives)
    yield from _records(domain, facts, mend)
    tree = facts.tree
    if tree.record is None:
        return
    yield from _written(facts, mend)
    yield from _followed(facts, mend)
    yield from reach(tree)


def _records(domain: Domain, facts: SpfFacts, mend: Mended) -> Iterator[Item]:
    """How many records there are, and whether they can be read."""
    tree, point = facts.tree, SpfPoint.RECORD
    if facts.txt.temporary:
        yield point.untested(domain, facts.txt)
        return
    near = [text for text in facts.txt.records if isinstance(text, bytes) and text not in tree.records and _NEARLY.match(text)]
    if not tree.records:
        yield point.item(Level.FAIL, N_("{domain} has no SPF record"), mend=mend.records, step=mend.step, domain=domain)
    elif len(tree.records) > 1:
        finding = N_("{domain} has {count} SPF records: receivers use none of them")
        yield point.item(Level.FAIL, finding, seen=tree.records, mend=mend.records, step=mend.step, domain=domain, count=len(tree.records))
    else:
        yield point.item(Level.PASS, N_("{domain} has one SPF record"), seen=tree.records, domain=domain)
    if near:
        yield SpfPoint.VERSION.item(
            Level.FAIL,
            N_("a TXT record looks like SPF, but does not begin with v=spf1 and a space"),
            seen=near,
            mend=mend.records,
            step=mend.step,
        )
    old = [text for text in facts.txt.records if isinstance(text, bytes) and _SENDER_ID.match(text)] + list(facts.old_type.records)
    if old:
        yield SpfPoint.LEFTOVER.item(
            Level.WARN, N_("records of Sender ID or of the type SPF are left over"), seen=old, step=Sentence(N_("Take them out of DNS."))
        )
    if tree.reason is not None and len(tree.records) == 1:
        finding = N_("the record is read by nobody: {reason} ({term})") if tree.detail else N_("the record is read by nobody: {reason}")
        yield SpfPoint.SYNTAX.item(
            Level.FAIL,
            finding,
            seen=tree.records,
            mend=mend.records,
            step=mend.step,
            reason=Sentence(tree.reason.sentence),
            term=tree.detail[:100],
        )


def _written(facts: SpfFacts, mend: Mended) -> Iterator[Item]:
    """What stands in the record itself."""
    tree, record = facts.tree, facts.tree.record
    assert record is not None
    yield from _all(tree, mend)
    text = tree.records[0].decode("ascii")
    if len(record.directives) > sum(term.directive is not None for term in tree.terms):
        behind = [directive.text for directive in record.directives[len(tree.terms) :]]
        yield SpfPoint.AFTER_ALL.item(Level.WARN, N_("behind all stands: {terms}"), mend=mend.records, terms=" ".join(behind)[:200])
    elif record.redirect is not None and any(d.mechanism is Mechanism.ALL for d in record.directives):
        ignored = f"redirect={record.redirect.string}"[:200]
        yield SpfPoint.AFTER_ALL.item(Level.WARN, N_("{terms} is ignored, as the record has all"), mend=mend.records, terms=ignored)
    if record.unknown:
        words = " ".join(f"{name}={value}" for name, value in record.unknown)[:200]
        yield SpfPoint.MODIFIER.item(Level.WARN, N_("SPF knows nothing of: {terms}"), mend=mend.records, terms=words)
    if any(term.directive and term.directive.mechanism is Mechanism.PTR for term in tree.terms):
        yield SpfPoint.PTR.item(Level.WARN, N_("the record uses ptr"), mend=mend.records)
    if facts.explanation is not None:
        yield from _explanation(facts.explanation, str(record.explanation.name if record.explanation else ""))
    if len(text) > _ADVISED_OCTETS:
        finding = N_("the record has {octets} octets; {most} are advised")
        yield SpfPoint.LENGTH.item(Level.WARN, finding, octets=len(text), most=_ADVISED_OCTETS)


def _end(tree: Node) -> Node:
    """The record whose end decides: that which the last redirect leads to. RFC 7208 6.1."""
    while tree.terms and tree.terms[-1].directive is None and tree.terms[-1].node is not None:
        tree = tree.terms[-1].node
    return tree


def _all(tree: Node, mend: Mended) -> Iterator[Item]:
    """How the record ends. RFC 7208 2.1 and 5.1: without an all "no definitive determination of authorization can be made"."""
    end = _end(tree)
    if end.record is None or (end.terms and end.terms[-1].directive is None):
        return  # the redirect leads nowhere, or where the message says: an item of its own
    point, own = SpfPoint.ALL, end is tree
    records, step = (mend.records, mend.step) if own else ((), None)
    directive = end.terms[-1].directive if end.terms else None
    if directive is None or directive.mechanism is not Mechanism.ALL:
        finding = N_("the record of {domain} has no all at its end: hosts that are not named are neither let in nor refused")
        yield point.item(Level.WARN, finding, mend=records, step=step, domain=end.domain, qualifier="")
        return
    level, finding = _ENDS[directive.reason]
    mended_ = {} if level is Level.PASS else {"mend": records, "step": step}
    values: dict[str, Any] = {"term": directive.text, "domain": end.domain, "qualifier": str(directive)[:1].replace("a", "+"), **mended_}
    yield point.item(level, finding, **values)


_ENDS = {
    SpfReason.PERMITTED: (Level.FAIL, N_("{term}: every host in the world may send as this domain")),
    SpfReason.NOT_ASSERTED: (Level.FAIL, N_("{term}: of hosts that are not named nothing is said, as if there were no record")),
    SpfReason.PROBABLY_NOT: (Level.PASS, N_("{term}: hosts that are not named probably may not send")),
    SpfReason.NOT_PERMITTED: (Level.PASS, N_("{term}: hosts that are not named may not send")),
}


def _explanation(answer: Answer, name: str) -> Iterator[Item]:
    """``exp=``. RFC 7208 6.2: one TXT record, of a syntax of its own."""
    point, texts = SpfPoint.EXPLANATION, [text for text in answer.records if isinstance(text, bytes)]
    if answer.temporary:
        yield point.item(Level.WARN, N_("exp= names {name}, for which DNS does not answer"), name=name)
    elif len(texts) != 1:
        yield point.item(Level.WARN, N_("exp= names {name}, which has {count} TXT records instead of one"), name=name, count=len(texts))
    else:
        try:
            parse_explanation(texts[0].decode("ascii"))
        except ValueError:
            yield point.item(Level.WARN, N_("exp= names {name}, whose text cannot be read"), seen=texts, name=name)


def _followed(facts: SpfFacts, mend: Mended) -> Iterator[Item]:
    """What the record leads to: look-ups, and terms that find nothing or lead nowhere."""
    tree = facts.tree
    cut = any(term.trouble is Trouble.NOT_FOLLOWED for _, _, term in tree.walk())
    finding = N_("{count} of 10 look-ups are used") if not cut else N_("{count} look-ups are needed at least, of 10 that are allowed")
    level = Level.FAIL if tree.lookups > _LOOKUPS else Level.WARN if cut else Level.PASS
    step = Sentence(N_("Take out what no longer sends for you; give large services a subdomain of their own to send from."))
    tight = level is Level.FAIL
    yield SpfPoint.LOOKUPS.item(level, finding, mend=mend.records if tight else (), step=step if tight else None, count=tree.lookups)
    yield _voids(tree, mend)
    for _, node, term in tree.walk():
        yield from _term(facts, node, term, mend)


def _voids(tree: Node, mend: Mended) -> Item:
    four, six = tree.voids(32), tree.voids(128)
    each = sum(len(term.hosts) or bool(term.void) for _, _, term in tree.walk())
    if four > _VOIDS:
        finding = N_("{count} terms find nothing; receivers stop after two")
        return SpfPoint.VOIDS.item(Level.FAIL, finding, mend=mend.records, count=four)
    if six > _VOIDS:
        return SpfPoint.VOIDS.item(Level.WARN, N_("{count} terms find nothing for a server that comes over IPv6"), count=six)
    if each > _VOIDS:
        finding = N_("{count} look-ups find nothing, of mail servers without address too; some receivers count each of them")
        return SpfPoint.VOIDS.item(Level.WARN, finding, mend=mend.records, count=each)
    return SpfPoint.VOIDS.item(Level.PASS, N_("{count} of 2 look-ups find nothing"), count=four)


_LED_NOWHERE = {
    Trouble.GONE: N_("{term} in the record of {domain}: {name} does not exist"),
    Trouble.UNREADABLE: N_("{term} in the record of {domain}: {reason}"),
    Trouble.LOOP: N_("{term} in the record of {domain} goes round in a circle"),
    Trouble.MALFORMED: N_("{term} in the record of {domain} names nothing that DNS could have"),
    Trouble.UNANSWERED: N_("{term} in the record of {domain}: DNS does not answer for {name} now"),
}
_FOUND_NOTHING = {
    Trouble.GONE: N_("{term} in the record of {domain}: {name} does not exist"),
    Trouble.EMPTY: N_("{term} in the record of {domain} finds no address"),
    Trouble.MALFORMED: N_("{term} in the record of {domain} names nothing that DNS could have"),
    Trouble.TOO_MANY_HOSTS: N_("{term} in the record of {domain}: over ten mail servers are a permanent error"),
    Trouble.UNANSWERED: N_("{term} in the record of {domain}: DNS does not answer for {name} now"),
}


def _term(facts: SpfFacts, node: Node, term: Term, mend: Mended) -> Iterator[Item]:
    """The item of one term that has something wrong with it."""
    # Of what others publish only that matters which spoils the record that includes it.
    own = node is facts.tree
    point, sentences = (SpfPoint.INCLUDE, _LED_NOWHERE) if term.leads else (SpfPoint.TERM, _FOUND_NOTHING)
    finding = sentences.get(term.trouble) if term.trouble else None
    if finding is None or not (own or term.breaks or term.trouble is Trouble.UNANSWERED):
        return
    level = Level.NOT_TESTED if term.trouble is Trouble.UNANSWERED else Level.FAIL if term.breaks else Level.WARN
    free = term.name in facts.unregistered
    step = Sentence(N_("Anybody could register {name} and then send as this domain: take it out today."), name=term.name) if free else None
    reason = Sentence(term.node.reason.sentence) if term.node and term.node.reason else ""
    yield point.item(
        level,
        finding,
        mend=mend.records if own and level is not Level.NOT_TESTED else (),
        step=step,
        term=term.text[:200],
        domain=node.domain,
        name=term.name,
        reason=reason,
        trouble=str(term.trouble),
        unregistered=free,
    )
