"""What a report has on paper, whatever it is about: one sheet for each domain or message, as values that every form of it is made from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from zegel.check.item import Area, Item, Level
from zegel.check.message.examine import MessageReport
from zegel.check.profiles.profile import Outcome
from zegel.check.proof import Answer
from zegel.check.report import Report
from zegel.words import N_, Sentence

AREAS = {
    Area.PATH: N_("The way it came"),
    Area.MX: N_("Mail servers (MX)"),
    Area.SPF: N_("SPF: which servers may send"),
    Area.DKIM: N_("DKIM: the signature"),
    Area.DMARC: N_("DMARC: what receivers do with a forgery"),
    Area.ARC: N_("ARC: who handed it on"),
    Area.REPORTS: N_("Reports from receivers"),
    Area.TRANSPORT: N_("Transport: encryption on the way"),
    Area.BIMI: N_("BIMI: the logo"),
    Area.PARKED: N_("A domain without mail"),
    Area.MESSAGE: N_("The message itself"),
}
LEVELS = {
    Level.PASS: N_("good"),
    Level.WARN: N_("to look at"),
    Level.FAIL: N_("wrong"),
    Level.INFO: N_("note"),
    Level.NOT_TESTED: N_("not tested"),
}
SIGNS = {Level.PASS: "✓", Level.WARN: "!", Level.FAIL: "✗", Level.INFO: "·", Level.NOT_TESTED: "–"}
_WORST = (Level.FAIL, Level.WARN)
DOMAIN, MAIL = Sentence(N_("Is this domain DKIM-proof?")), Sentence(N_("Test mail"))


class Sheet(NamedTuple):
    """One subject of a report. ``title`` is a domain, or what a message calls itself; ``facts`` are more of its own words."""

    kind: Sentence
    title: str
    level: Level
    answer: Sentence
    items: tuple[Item, ...]
    facts: tuple[tuple[Sentence, str], ...] = ()
    profiles: tuple[Outcome, ...] = ()

    @property
    def counts(self) -> list[tuple[Level, int]]:
        """How many items have each level; those that no item has are left out."""
        found = Counter(item.level for item in self.items)
        return [(level, found[level]) for level in (Level.FAIL, Level.WARN, Level.PASS, Level.NOT_TESTED) if found[level]]

    @property
    def to_do(self) -> list[Item]:
        """What is to be mended, the worst first; each wish once."""
        found: dict[object, Item] = {}
        for level in _WORST:
            for item in self.items:
                if item.level is level and (item.step is not None or item.mend):
                    found.setdefault((item.step, item.mend), item)
        return list(found.values())

    def by_area(self) -> Iterator[tuple[Area, list[Item]]]:
        """The items of each area, in the order of a report."""
        for area in AREAS:
            items = [item for item in self.items if item.area is area]
            if items:
                yield area, items

    def worst(self, area: Area) -> Level | None:
        """The worst level in an area; None where nothing was looked at."""
        levels = {item.level for item in self.items if item.area is area}
        return next((level for level in (*_WORST, Level.NOT_TESTED, Level.PASS, Level.INFO) if level in levels), None)


_ANSWERS = {Answer.YES: Level.PASS, Answer.NO: Level.FAIL, Answer.UNKNOWN: Level.NOT_TESTED}


def several(sheets: Sequence[Sheet]) -> Sentence:
    """How many there are, and of what."""
    mails = all(sheet.kind == MAIL for sheet in sheets)
    return Sentence(N_("{count} test mails") if mails else N_("{count} domains"), count=len(sheets))


def sums(sheets: Sequence[Sheet]) -> Sentence | None:
    """How many domains have each answer; None for test mails, whose answers are of more kinds."""
    if any(sheet.kind == MAIL for sheet in sheets):
        return None
    found = Counter(sheet.level for sheet in sheets)
    sentence = N_("{yes} DKIM-proof, {no} not, {unknown} that cannot be told")
    return Sentence(sentence, yes=found[Level.PASS], no=found[Level.FAIL], unknown=found[Level.NOT_TESTED])


def of_domain(report: Report, profiles: Sequence[Outcome] = ()) -> Sheet:
    """The sheet of a domain, under the name that people write."""
    level, said = _ANSWERS[report.proof.answer], report.proof.sentence
    return Sheet(DOMAIN, report.domain.unicode, level, said, report.items, profiles=tuple(profiles))


def of_message(report: MessageReport, profiles: Sequence[Outcome] = ()) -> Sheet:
    """The sheet of a test mail."""
    facts = (
        (Sentence(N_("From")), report.author),
        (Sentence("Message-ID"), report.message_id),
    )
    title = report.subject or "-"
    return Sheet(MAIL, title, report.level, report.answer, report.items, tuple(fact for fact in facts if fact[1]), tuple(profiles))
