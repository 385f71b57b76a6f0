"""``zegel authenticate``: the twin of :func:`zegel.authenticate`.

Exit status 0 when every message passes DMARC, 1 when not, 2 for usage and for what cannot be read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zegel.cli import messages, place, screen, story
from zegel.cli.messages import Source
from zegel.cli.screen import Refusal
from zegel.cli.words import _

if TYPE_CHECKING:
    from zegel.adapters.converse import AsyncResolver
    from zegel.verdict.authenticate import Verdict

_UNREADABLE = "unreadable"
_MODES = ("observe", "quarantine", "reject")


def authenticate(
    ctx: typer.Context,
    ip: Annotated[str, typer.Option(metavar="ADDRESS", help=_("The IP address of the host that sends."))],
    files: Annotated[list[str] | None, typer.Argument(metavar="FILE", help=_("Messages; - or none is standard input."))] = None,
    helo: Annotated[str, typer.Option(metavar="NAME", help=_("The name that it gives in HELO or EHLO."))] = "",
    mail_from: Annotated[str, typer.Option(metavar="ADDRESS", help=_("The sender of the envelope; empty for a bounce."))] = "",
    mode: Annotated[str, typer.Option(metavar="MODE", help=_("How far to go: observe, quarantine or reject."))] = "observe",
    own_domain: Annotated[
        list[str] | None, typer.Option(metavar="DOMAIN", help=_("A domain of ours, with all below it; may be given again."))
    ] = None,
    trusted_sealer: Annotated[
        list[str] | None, typer.Option(metavar="DOMAIN", help=_("A domain whose ARC seals count; may be given again."))
    ] = None,
    authserv_id: Annotated[str, typer.Option(metavar="NAME", help=_("Our own name in the Authentication-Results field."))] = "",
    explain: Annotated[bool, typer.Option("--explain", help=_("Tell the whole story: each question, each answer, what followed."))] = False,
    zone: Annotated[
        Path | None, typer.Option(metavar="FILE", help=_("Answer from this zone file instead of DNS."), exists=True, dir_okay=False)
    ] = None,
    now: Annotated[float | None, typer.Option(metavar="EPOCH", help=_("The time to judge at, in seconds since 1970."))] = None,
    json: Annotated[bool, typer.Option("--json", help=_("Write one line of JSON for each message."))] = False,
) -> None:
    """Check inbound messages with SPF, DKIM, ARC and DMARC, and tell what happens to them."""
    if mode not in _MODES:
        raise Refusal(_("'{text}' is no mode; take one of: {words}").format(text=mode, words=", ".join(_MODES)))
    if not helo and not mail_from:
        raise Refusal(_("give the sender with --mail-from, the name of the host with --helo, or both"))
    _check_address(ip)
    for name in (*(own_domain or ()), *(trusted_sealer or ())):
        _check_domain(name)
    config = place.of(ctx).read_config()
    arguments: dict[str, Any] = {
        "ip": ip,
        "helo": helo,
        "mail_from": mail_from,
        "mode": mode,
        "own_domains": own_domain or (),
        "trusted_sealers": trusted_sealer or (),
        "authserv_id": authserv_id or config.inbound.authserv_id or None,
        "now": now,
        "limits": config.limits,
    }
    found = _all(messages.sources(files), place.resolver(config, zone), arguments, json=json, explain=explain)
    raise typer.Exit(2 if _UNREADABLE in found else int(any(status != "pass" for status in found)))


def _check_address(ip: str) -> None:
    from zegel.spf.client import Client

    try:
        Client.parse(ip)
    except ValueError:
        raise Refusal(_("'{text}' is no IP address; write it as in 192.0.2.1 or 2001:db8::1").format(text=ip)) from None


def _check_domain(name: str) -> None:
    from zegel.grammar.domain import Domain

    try:
        Domain.parse(name)
    except ValueError:
        raise Refusal(_("'{text}' is no domain name").format(text=name)) from None


def _all(sources: Sequence[Source], resolver: AsyncResolver, arguments: dict[str, Any], *, json: bool, explain: bool) -> list[str]:
    """Check one after the other, in one loop, so that answers of DNS are kept; the DMARC status of each."""
    from zegel import aio

    found = []
    with asyncio.Runner() as runner, screen.bar(_("Checking"), len(sources), scrolls=True) as bar:
        for source in sources:
            # Outside the loop: within, Ctrl-C would wait for the end of the input.
            message = source.read()
            if message is None:
                found.append(_UNREADABLE)
                continue
            verdict = runner.run(aio.authenticate(message, resolver=resolver, **arguments))
            found.append(str(verdict.dmarc.status))
            if bar is None:
                _show(source, verdict, json=json, explain=explain)
            else:
                with bar.aside():
                    _show(source, verdict, json=json, explain=explain)
                bar.advance()
    return found


def _show(source: Source, verdict: Verdict, *, json: bool, explain: bool) -> None:
    if json:
        screen.json_line(_as_json(source, verdict))
        return
    name = _("standard input") if source.name == messages.STDIN else source.name
    screen.say(f"{name}: {verdict.dmarc.status}, {verdict.action}", style="bold")
    story.show(verdict.story, explain=explain)


def _as_json(source: Source, verdict: Verdict) -> dict[str, Any]:
    from zegel.verdict.edits import verdict_field

    disposition, field = verdict.disposition, verdict_field(verdict)
    return {
        "file": source.name,
        "status": str(verdict.dmarc.status),
        "action": str(verdict.action),
        "would": str(disposition.would),
        "reason": disposition.reason.id,
        "author_domain": verdict.author.domain,
        "author_reason": verdict.author.reason.id,
        "spf": {"helo": _brief(verdict.spf.helo), "mail_from": _brief(verdict.spf.mail_from)},
        "dkim": [{**_brief(result), "selector": result.selector} for result in verdict.dkim],
        "arc": {"status": str(verdict.arc.status), "reason": verdict.arc.reason.id, "sets": len(verdict.arc.instances)},
        "dmarc": {
            "status": str(verdict.dmarc.status),
            "reason": verdict.dmarc.reason.id,
            "policy": verdict.dmarc.policy,
            "applied": verdict.dmarc.applied,
            "policy_domain": verdict.dmarc.policy_domain,
            "aligned_spf": verdict.dmarc.aligned_spf,
            "aligned_dkim": list(verdict.dmarc.aligned_dkim),
        },
        "marks": [{"reason": mark.id, "explanation": str(mark.told)} for mark in disposition.marks],
        "override": None if disposition.override is None else disposition.override._asdict(),
        "authentication_results": field.value.decode("ascii").strip(),
        "story": verdict.story,
    }


def _brief(result: Any) -> dict[str, Any]:
    return {"status": str(result.status), "domain": result.domain, "reason": result.reason.id}
