"""``zegel dmarc``: the twin of :func:`zegel.check_dmarc`.

Exit status 0 when the domain passes, 1 when not, 2 for usage and for what cannot be read.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zegel.cli import place, screen
from zegel.cli.screen import Mark, Refusal
from zegel.cli.words import _
from zegel.words import N_

if TYPE_CHECKING:
    from zegel.dmarc.discover import Lookup
    from zegel.dmarc.result import DmarcResult, PslResult

# RFC 8601 2.7.1 and 2.7.2: the words that SPF and DKIM results have.
_SPF_WORDS = ("pass", "fail", "softfail", "neutral", "none", "temperror", "permerror", "policy")
_DKIM_WORDS = ("pass", "fail", "policy", "neutral", "none", "temperror", "permerror")
_ANSWERS = {
    "no_record": N_("no DMARC record ({rcode})"),
    "several": N_("several DMARC records: all are ignored"),
    "trouble": N_("no answer now ({rcode})"),
    "exists": N_("the domain exists"),
    "absent": N_("the domain does not exist ({rcode})"),
}
_FIELDS = {
    "status": N_("Result"),
    "organizational_domain": N_("Organisational domain"),
    "policy_domain": N_("Record of"),
    "policy": N_("Policy"),
    "applied": N_("Policy applied"),
    "aligned_spf": N_("SPF aligned"),
    "aligned_dkim": N_("DKIM aligned"),
}


def dmarc(
    ctx: typer.Context,
    author_domain: Annotated[str, typer.Argument(metavar="AUTHOR_DOMAIN", help=_("The domain of the From address."))],
    spf: Annotated[
        str | None, typer.Option(metavar="RESULT:DOMAIN", help=_("What SPF said of the MAIL FROM domain, as pass:example.org."))
    ] = None,
    dkim: Annotated[
        list[str] | None,
        typer.Option(metavar="RESULT:DOMAIN", help=_("What DKIM said of one signature, as pass:example.org; once for each signature.")),
    ] = None,
    psl: Annotated[bool, typer.Option("--psl", help=_("Tell too what readers of the older RFC 7489 make of it."))] = False,
    zone: Annotated[
        Path | None, typer.Option(metavar="FILE", help=_("Answer from this zone file instead of DNS."), exists=True, dir_okay=False)
    ] = None,
    now: Annotated[float | None, typer.Option(metavar="EPOCH", help=_("Taken as by the other commands; DMARC asks for no time."))] = None,
    json: Annotated[bool, typer.Option("--json", help=_("Write one line of JSON."))] = False,
) -> None:
    """Tell what DMARC says of an author's domain, and why."""
    from zegel import front

    sender = None if spf is None else _pair(spf, _SPF_WORDS, "--spf")
    signers = [_pair(text, _DKIM_WORDS, "--dkim") for text in dkim or ()]
    config = place.of(ctx).read_config()
    resolver = place.resolver(config, zone)
    with screen.waiting(_("Asking DNS")):
        result = front.check_dmarc(author_domain, spf=sender, dkim=signers, resolver=resolver, psl=psl, limits=config.limits)
    if json:
        screen.json_line(_as_json(author_domain, result))
    else:
        _show(author_domain, result, sender, signers)
    raise typer.Exit(int(result.status != "pass"))


def _pair(text: str, words: tuple[str, ...], option: str) -> tuple[str, str]:
    """Read RESULT:DOMAIN. Raises Refusal."""
    word, colon, name = text.partition(":")
    if not colon or not name or word.lower() not in words:
        sentence = _("{option}: '{text}' is no result and domain; write it as pass:example.org, with one of: {words}")
        raise Refusal(sentence.format(option=option, text=text, words=", ".join(words)))
    return word.lower(), name


def _show(name: str, result: DmarcResult, spf: tuple[str, str] | None, dkim: list[tuple[str, str]]) -> None:
    screen.say(f"{result.author_domain or name}: {result.status}", style="bold")
    mark = {"pass": Mark.OK, "fail": Mark.WRONG, "permerror": Mark.WRONG}.get(result.status, Mark.NOTE)
    shown = "; ".join(filter(None, (result.detail, result.reason.section if result.status != "pass" else "")))
    screen.marked(mark, f"{result.status}: {_(result.reason.sentence)}" + (f" ({shown})" if shown else ""))
    for what, (word, domain), aligned in _checks(result, spf, dkim):
        counts = _("aligned") if aligned else _("does not count")
        screen.marked(Mark.OK if aligned else Mark.NOTE, f"{what} {word} {domain}: {counts}")
    if result.record is not None and result.policy_domain is not None:
        screen.say()
        screen.say(_("The record of {domain}: {record}").format(domain=result.policy_domain, record=result.record))
        screen.say(_policy(result))
        for note in result.record.notes:
            screen.marked(Mark.NOTE, f"{_(note.fault.sentence)} ({_at_fault(note.tag, note.value)})")
    if result.organizational_domain is not None:
        screen.say(_("Organisational domain: {domain}").format(domain=result.organizational_domain))
    if result.lookups:
        screen.say()
        rows = [(lookup.question.name, str(lookup.question.type), _answer(lookup)) for lookup in result.lookups]
        screen.table((_("Question"), _("Type"), _("Answer")), rows)
    if result.psl is not None:
        _show_psl(result)


def _checks(result: DmarcResult, spf: tuple[str, str] | None, dkim: list[tuple[str, str]]) -> list[tuple[str, tuple[str, str], bool]]:
    found = [("DKIM", pair, aligned) for pair, aligned in zip(dkim, result.aligned_dkim, strict=True)]
    return found if spf is None else [("SPF", spf, result.aligned_spf), *found]


def _policy(result: DmarcResult) -> str:
    if result.policy is None:
        return _("Policy: none that can be told")
    if result.applied != result.policy:
        return _("Policy: {policy}, applied as {applied} while the domain is testing (t=y)").format(
            policy=result.policy, applied=result.applied
        )
    return _("Policy: {policy}").format(policy=result.policy)


def _at_fault(tag: str, value: str) -> str:
    return f"{tag}={value}" if tag else value.strip()


def _answer(lookup: Lookup) -> str:
    if lookup.record is not None:
        return str(lookup.record)
    return _(_ANSWERS[lookup.outcome]).format(rcode=lookup.rcode)


def _show_psl(result: DmarcResult) -> None:
    screen.say()
    if result.psl is not None and result.differences:
        rows = [(_(_FIELDS[name]), _told(getattr(result, name)), _told(getattr(result.psl, name))) for name in result.differences]
        screen.table(("", "RFC 9989", "RFC 7489"), rows)
    else:
        screen.marked(Mark.OK, _("Readers of the older RFC 7489 come to the same."))
    if result.psl is not None and result.psl.percentage < 100:
        screen.marked(
            Mark.NOTE,
            _("They apply the policy to {percentage} in 100 failing messages (pct=).").format(percentage=result.psl.percentage),
        )


def _told(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_told, value)) or "-"
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return "-" if value is None else str(value)


def _as_json(name: str, result: DmarcResult) -> dict[str, Any]:
    psl = result.psl
    return {
        "author_domain": result.author_domain or name,
        **_verdict(result),
        "section": result.reason.section,
        "explanation": result.explanation,
        "record": None if result.record is None else str(result.record),
        "notes": [
            {"fault": note.fault.id, "tag": note.tag, "value": note.value}
            for note in (() if result.record is None else result.record.notes)
        ],
        "questions": [
            {"name": lookup.question.name, "type": str(lookup.question.type), "outcome": str(lookup.outcome), "rcode": str(lookup.rcode)}
            for lookup in result.lookups
        ],
        "psl": None if psl is None else {**_verdict(psl), "percentage": psl.percentage},
        "differences": list(result.differences),
    }


def _verdict(result: DmarcResult | PslResult) -> dict[str, Any]:
    """What both answers have."""
    return {
        "status": str(result.status),
        "reason": result.reason.id,
        "policy": result.policy,
        "applied": result.applied,
        "policy_domain": result.policy_domain,
        "organizational_domain": result.organizational_domain,
        "aligned_spf": result.aligned_spf,
        "aligned_dkim": list(result.aligned_dkim),
    }
