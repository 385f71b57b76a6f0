"""The whole verdict under hostile mail and hostile DNS: never an exception, never a pass that nothing proves. RFC 9989 5.3.

An input is a message and what DNS says, apart by lines of ``%%``, as for ``verify``; before them a line of three words in the same form:
client, HELO name and MAIL FROM. The policy, the keys and the SPF records come from the answers, in the order in which they are asked for.
Whether a pass is proven is worked out again, slowly, from the results and the records that were given.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from fuzz import seeds
from fuzz.dice import Dice
from fuzz.harnesses.verify import told as told_of_dkim
from zegel.ask import Answer, Question, Rcode, RRType, rehearse
from zegel.authres.parse import parse
from zegel.dkim.header import Header
from zegel.grammar.message import split_message
from zegel.limits import Limits
from zegel.milter.edits import Accept, Reject
from zegel.verdict.authenticate import Authentication, Verdict, authenticate_message
from zegel.verdict.edits import Claims, outcome, verdict_field
from zegel.verdict.evidence import Evidence
from zegel.verdict.explain import MAX_ITEMS, sentence
from zegel.verdict.own import Names
from zegel.verdict.policy import Mode, Site

NOW = 1_528_637_999
WORDS = (
    *(b"\n%%\n", b"%+%", b"!SERVFAIL", b"!TIMEOUT", b"!NXDOMAIN", b"!NOERROR", b"\r\nFrom: ", b"\r\n\r\n", b"@football.example.com"),
    *(
        b"v=DMARC1; p=reject",
        b"v=DMARC1; p=none; psd=y",
        b"; t=y",
        b"; sp=quarantine",
        b"; np=reject",
        b"; adkim=s; aspf=s",
        b"rua=mailto:a@b.c",
    ),
    *(b"v=spf1 ", b"+all", b"-all", b"include:", b"redirect=", b"exists:%{i}.%{l}", b"ptr", b"mx", b"a", b"exp=%{s}.example"),
    *(b"ARC-Seal: i=1; cv=none; ", b"ARC-Message-Signature: i=1; ", b"ARC-Authentication-Results: i=1; x; dmarc=pass header.from=", b"t=y"),
)
_LIMITS = Limits(header_bytes=4096, questions=40, signatures=5)
_FIELD = re.compile(rb"(?:[ -~]|\r\n [!-~])+")
_SESSION = b"192.0.2.1 mx.football.example.com joe@football.example.com"


def starts() -> Iterator[bytes]:
    policy, record = b"v=DMARC1; p=reject; sp=quarantine", b"v=spf1 ip4:192.0.2.0/28 include:example.com -all"
    for message in seeds.messages():
        yield b"\n%%\n".join((_SESSION, message, policy, seeds.RECORDS[2], record))
        yield b"\n%%\n".join((_SESSION, message, seeds.RECORDS[0] + b"%+%" + record + b"%+%" + policy))
    yield b"\n%%\n".join((_SESSION, b"From: joe@football.example.com\r\n\r\n", record + b"%+%" + policy))
    yield b"\n%%\n".join((b"::1  <>", b"From: a@b.example, c@d.example\r\n\r\n", policy, b"!TIMEOUT"))


def fuzz(data: bytes) -> None:
    first, *parts = data.split(b"\n%%\n")
    message, *rest = parts or (b"",)
    ip, helo, mail_from = [*first.decode("utf-8", "surrogateescape").split(" ", 2), "", "", ""][:3]
    answers = [_answer(part) for part in rest] or [Answer(Rcode.NXDOMAIN)]
    given: dict[Question, Answer] = {}

    def answer(question: Question) -> Answer:
        assert len(question.name) <= 253
        assert question.name.isascii()
        return given.setdefault(question, answers[len(given) % len(answers)])

    evidence = Evidence(ip, helo, mail_from, (), "mx.example.org", NOW)
    dice = Dice(data[-12:])
    settings = Site(
        dice.pick(tuple(Mode)),
        own_domains=Names(()),
        trusted_sealers=frozenset(),
        defer_on_trouble=dice.flag(),
    )
    asked: list[Question] = []
    verdict = rehearse(authenticate_message(message, evidence, settings, _LIMITS), answer, asked)
    assert len(asked) <= 4 * _LIMITS.questions
    proven(verdict)
    split = split_message(message, header_bytes=_LIMITS.header_bytes)
    if not split.oversized and len(verdict.dkim) <= _LIMITS.signatures:
        told_of_dkim(verdict.dkim, message, {question: found for question, found in given.items() if question.type is RRType.TXT})
    shape(verdict, settings)
    if not split.oversized:
        checking = Authentication(evidence, settings, _LIMITS)
        rehearse(checking.ask_sender(), given.__getitem__)
        checking.read_header(Header(split.header), normalized=split.normalized)
        rehearse(checking.ask_header(), given.__getitem__)
        for piece in dice.cut(split.body):
            checking.feed(piece)
        again = rehearse(checking.finish(), given.__getitem__)
        assert (again.findings, again.disposition, again.story) == (verdict.findings, verdict.disposition, verdict.story)


def _answer(part: bytes) -> Answer:
    if part[:1] == b"!" and part[1:].decode("latin-1") in Rcode.__members__:
        return Answer(Rcode(part[1:].decode()))
    return Answer(Rcode.NOERROR, tuple(part.split(b"%+%")))


def proven(verdict: Verdict) -> None:
    """A DMARC pass has a pass of SPF or DKIM for a domain that shares an organisation with the author's, and one author."""
    dmarc = verdict.dmarc
    spf = verdict.spf.mail_from
    assert (dmarc.status == "pass") == (dmarc.aligned_spf or any(dmarc.aligned_dkim))
    if dmarc.status != "pass":
        return
    author = verdict.author.domain
    assert author is not None
    assert len(verdict.author.mailboxes) == 1
    assert dmarc.record is not None
    passing = [result.domain for result in verdict.dkim if result.status == "pass" and not result.testing]
    passing += [spf.domain] if spf.status == "pass" else []
    names = [str(domain) for domain in passing if domain is not None]
    assert any(_related(str(author), name) for name in names), (author, names)
    if dmarc.record.adkim == "s" and dmarc.record.aspf == "s":
        assert str(author) in names


def _related(one: str, other: str) -> bool:
    """Both lie under one name: what relaxed alignment can never do without."""
    return one.rsplit(".", 1)[-1] == other.rsplit(".", 1)[-1]


def shape(verdict: Verdict, settings: Site) -> None:
    """Bounded, printable, and no refusal from a site that only observes."""
    made = outcome(verdict, Claims(), field=b"X-Q", hold=True)
    assert isinstance(made.action, Accept) or settings.mode is Mode.REJECT
    if settings.mode is Mode.OBSERVE:
        assert verdict.action == "accept"
        assert len(made.edits) == 1
    if isinstance(made.action, Reject):
        assert "DMARC" in made.action.text
        assert verdict.dmarc.status in ("fail", "permerror")
    field = verdict_field(verdict).value
    assert _FIELD.fullmatch(field), field
    results = parse(field)
    assert [item.result for item in results.results if item.method == "dmarc"] == [verdict.dmarc.status]
    story = verdict.story
    assert len(story) <= MAX_ITEMS
    assert len(json.dumps(story)) < 300_000
    for item in story:
        assert "{" not in str(sentence(item)).replace("%{", "") or any("{" in str(value) for value in item.values())
