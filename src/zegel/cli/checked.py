"""How the check of a domain looks: for one domain all of it, area by area; for many, one line each."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.text import Text

from zegel.cli import screen
from zegel.cli.screen import Mark
from zegel.cli.words import _, told
from zegel.words import N_

if TYPE_CHECKING:
    from zegel.check.item import Item
    from zegel.check.report import Report
    from zegel.check.spftree import Node, Term

_MARKS = {"pass": Mark.OK, "warn": Mark.NOTE, "fail": Mark.WRONG, "info": Mark.PLAIN, "not_tested": Mark.UNKNOWN}
_ANSWERS = {"yes": Mark.OK, "no": Mark.WRONG, "unknown": Mark.UNKNOWN}
_AREAS = {
    "mx": N_("Mail servers"),
    "spf": "SPF",
    "dkim": "DKIM",
    "dmarc": "DMARC",
    "reports": N_("DMARC reports"),
    "transport": N_("Transport"),
    "bimi": "BIMI",
    "parked": N_("Domain without mail"),
}
_TROUBLES = {
    "gone": N_("does not exist"),
    "empty": N_("finds nothing"),
    "unreadable": N_("no record that can be read"),
    "loop": N_("goes round in a circle"),
    "too_many_hosts": N_("over ten mail servers"),
    "malformed": N_("names nothing"),
    "unanswered": N_("DNS does not answer"),
    "per_message": N_("depends on the message"),
    "not_followed": N_("not followed"),
}
# What is shown of a record that is only evidence: a key is known by its beginning.
_SHOWN = 300


def show(report: Report) -> None:
    """Show the check of one domain."""
    from zegel.check.item import Area

    screen.say(_("{domain}: is it DKIM-proof?").format(domain=report.domain.unicode), style="bold")
    screen.marked(_ANSWERS[report.proof.answer], told(report.proof.sentence))
    told_before: set[object] = set()
    for area in Area:
        items = report.of(area)
        if not items:
            continue
        screen.say()
        screen.say(_(_AREAS[area]), style="bold")
        for item in items:
            _item(item, told_before)
        if area is Area.SPF:
            _tree(report.facts.spf.tree)
    screen.say()
    screen.say(_counts(report))


def line(report: Report, width: int) -> None:
    """Show the check of one domain among many: the answer, the counts, and the ids of what stands against it and of what is wrong."""
    from zegel.check.item import Level

    mark = _ANSWERS[report.proof.answer]
    console = screen.console()
    counts = report.counts
    ids = ", ".join(dict.fromkeys((*report.proof.against, *(item.id for item in report.items if item.level == "fail"))))
    answer = {"yes": _("yes"), "no": _("no"), "unknown": _("not told")}[report.proof.answer]
    wrong, unsure = Mark.WRONG.text(console.encoding), Mark.NOTE.text(console.encoding)
    numbers = Text.assemble(f"{counts[Level.FAIL]:>3}", wrong, f"{counts[Level.WARN]:>4}", unsure)
    named = (f"  {screen.safe(ids)}" if ids else "", "dim")
    text = Text.assemble(mark.text(console.encoding), f" {report.domain:<{width}}  {answer:<9}", numbers, named)
    console.print(text, soft_wrap=True)


def total(answers: Counter[str], wrong: int) -> None:
    """Show the sums of many."""
    screen.say()
    count = sum(answers.values())
    sentence = _("{count} domains: {yes} DKIM-proof, {no} not, {unknown} not told; {wrong} with something wrong.")
    screen.say(sentence.format(count=count, yes=answers["yes"], no=answers["no"], unknown=answers["unknown"], wrong=wrong))
    screen.say(_("For the reasons, check one domain by itself."))


def _counts(report: Report) -> str:
    counts = {str(level): count for level, count in report.counts.items()}
    sentence = _("{good} good, {warn} to look at, {fail} wrong, {unknown} not tested.")
    return sentence.format(
        good=counts.get("pass", 0), warn=counts.get("warn", 0), fail=counts.get("fail", 0), unknown=counts.get("not_tested", 0)
    )


def _item(item: Item, told_before: set[object]) -> None:
    """One finding, and below it why it matters, what is there and what to do."""
    bad = item.level in ("warn", "fail")
    screen.marked(_MARKS[item.level], told(item.finding) + (f" ({item.section})" if bad else ""))
    if bad and item.why is not None:
        _below(told(item.why))
    if bad or item.id.endswith(".record"):
        for text in item.seen:
            _below(text if len(text) <= _SHOWN else text[:_SHOWN] + "...", style="dim")
    if item.step is not None and item.step not in told_before:
        _below(told(item.step))
    fresh = [record for record in item.mend if record not in told_before]
    if item.mend and not fresh:
        _below(_("The record above mends this too."))
    told_before.update(fresh, [item.step])
    for record in fresh:
        _below(_("Publish as {type} at {name}:").format(type=record.type, name=record.name), style="bold")
        screen.command("".join(record.strings))


def _below(text: str, *, style: str | None = None) -> None:
    """A paragraph beside its mark, four columns in."""
    console = screen.console()
    for part in textwrap.wrap(screen.safe(text), max(console.width - 4, 20), break_on_hyphens=False):
        console.print("    " + part, style=style, soft_wrap=True)


def _tree(tree: Node) -> None:
    """The record as a tree, when there is something to follow."""
    if any(term.asks for term in tree.terms):
        screen.say(_("The record as a tree, with the look-ups of each term:"))
        _branches(tree, "  ")


def _branches(node: Node, lead: str) -> None:
    lines: list[tuple[str, Mark | None, Node | None]] = [
        (_told(term), Mark.WRONG if term.breaks else Mark.NOTE if term.trouble else None, term.node) for term in node.terms if term.asks
    ]
    networks = sum(term.directive is not None and term.directive.mechanism in ("ip4", "ip6") for term in node.terms)
    if networks:
        lines.append((_("{count} networks by address").format(count=networks), None, None))
    for place, (text, mark, below) in enumerate(lines):
        last = place == len(lines) - 1
        screen.branch(lead, text, last=last, mark=mark)
        if below is not None:
            _branches(below, lead + ("   " if last else "│  "))


def _told(term: Term) -> str:
    return "  ".join((term.text[:120], f"[{term.lookups}]", *_details(term)))


def _details(term: Term) -> Iterator[str]:
    if term.trouble is not None:
        yield _(_TROUBLES[term.trouble])
    found = sum(map(len, term.found.values()))
    if found:
        yield _("1 address") if found == 1 else _("{count} addresses").format(count=found)
