"""``zegel spf``: the twin of :func:`zegel.check_spf`.

Exit status 0 when MAIL FROM passes (the HELO name for an empty one), 1 when not, 2 for usage.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zegel.cli import place, screen
from zegel.cli.screen import Mark, Refusal
from zegel.cli.words import _, told

if TYPE_CHECKING:
    from zegel.adapters.converse import AsyncResolver
    from zegel.spf.result import SpfCause, SpfCheck, SpfResult

_WRONG = ("fail", "permerror")


def spf(
    ctx: typer.Context,
    ip: Annotated[str, typer.Option(metavar="ADDRESS", help=_("The IP address of the host that sends."))],
    helo: Annotated[str, typer.Option(metavar="NAME", help=_("The name that it gives in HELO or EHLO."))] = "",
    mail_from: Annotated[str, typer.Option(metavar="ADDRESS", help=_("The sender of the envelope; empty for a bounce."))] = "",
    zone: Annotated[
        Path | None, typer.Option(metavar="FILE", help=_("Answer from this zone file instead of DNS."), exists=True, dir_okay=False)
    ] = None,
    now: Annotated[float | None, typer.Option(metavar="EPOCH", help=_("The time to judge at, in seconds since 1970."))] = None,
    json: Annotated[bool, typer.Option("--json", help=_("Write one line of JSON."))] = False,
) -> None:
    """Check if a host may send for a domain."""
    from zegel.spf.client import Client

    try:
        Client.parse(ip)
    except ValueError:
        raise Refusal(_("'{text}' is no IP address; write it as in 192.0.2.1 or 2001:db8::1").format(text=ip)) from None
    if not helo and not mail_from:
        raise Refusal(_("give the sender with --mail-from, the name of the host with --helo, or both"))
    config = place.of(ctx).read_config()
    checked = asyncio.run(_check(place.resolver(config, zone), ip=ip, helo=helo, mail_from=mail_from, now=now, limits=config.limits))
    if json:
        results = {"helo": _as_json(checked.helo), "mail_from": _as_json(checked.mail_from)}
        screen.json_line({"ip": ip, "status": str(checked.mail_from.status), **results})
    else:
        _show(checked, ip)
    raise typer.Exit(int(checked.mail_from.status != "pass"))


async def _check(resolver: AsyncResolver, **arguments: Any) -> SpfCheck:
    from zegel import aio

    return await aio.check_spf(resolver=resolver, **arguments)


def _show(checked: SpfCheck, ip: str) -> None:
    screen.say(f"{ip}: {checked.mail_from.status}", style="bold")
    for name, result in (("MAIL FROM", checked.mail_from), ("HELO", checked.helo)):
        mark = Mark.OK if result.status == "pass" else Mark.WRONG if result.status in _WRONG else Mark.NOTE
        steps = [_("at {domain}: {term}").format(domain=domain, term=term) for domain, term in result.cause.path if term]
        if result.explanation:
            steps.append(_("{domain} explains: {text}").format(domain=result.domain, text=result.explanation))
        screen.marked(mark, f"{name} {result.status} {result.domain or result.sender}: {_reason(result)}", *steps)


def _reason(result: SpfResult) -> str:
    from zegel.verdict.details import said

    cause: SpfCause = result.cause
    notes = [told(said(cause.detail)), cause.reason.section if result.status != "pass" else ""]
    shown = "; ".join(filter(None, notes))
    return f"{_(cause.reason.sentence)} ({shown})" if shown else _(cause.reason.sentence)


def _as_json(result: SpfResult) -> dict[str, Any]:
    cause = result.cause
    return {
        "status": str(result.status),
        "domain": result.domain,
        "sender": result.sender,
        "reason": cause.reason.id,
        "section": cause.reason.section,
        "cause": str(cause),
        "mechanism": cause.mechanism,
        "path": [{"domain": domain, "term": term} for domain, term in cause.path],
        "explanation": result.explanation,
    }
