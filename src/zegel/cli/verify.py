"""``zegel verify``: the twin of :func:`zegel.verify`.

Exit status 0 when every message has a signature that passes, 1 when not, 2 for usage and for what cannot be read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zegel.cli import messages, place, screen
from zegel.cli.messages import Source
from zegel.cli.screen import Bar, Mark
from zegel.cli.words import _, told

if TYPE_CHECKING:
    from zegel.adapters.converse import AsyncResolver
    from zegel.config import Config
    from zegel.dkim.result import DkimResult

# The one that tells most about a message comes first.
_BEST = ("pass", "policy", "temperror", "fail", "neutral", "permerror")
_UNREADABLE = "unreadable"


def verify(
    ctx: typer.Context,
    files: Annotated[list[str] | None, typer.Argument(metavar="FILE", help=_("Messages; - or none is standard input."))] = None,
    zone: Annotated[
        Path | None, typer.Option(metavar="FILE", help=_("Answer from this zone file instead of DNS."), exists=True, dir_okay=False)
    ] = None,
    now: Annotated[float | None, typer.Option(metavar="EPOCH", help=_("The time to judge at, in seconds since 1970."))] = None,
    json: Annotated[bool, typer.Option("--json", help=_("Write one line of JSON for each message."))] = False,
) -> None:
    """Verify messages."""
    here = place.of(ctx)
    config = here.read_config()
    resolver = place.resolver(config, zone)
    sources = messages.sources(files)
    with screen.bar(_("Verifying"), len(sources), scrolls=True) as bar:
        found = _verify_all(sources, resolver, config, now, json=json, bar=bar)
    raise typer.Exit(2 if _UNREADABLE in found else int(any(status != "pass" for status in found)))


def _verify_all(
    sources: Sequence[Source], resolver: AsyncResolver, config: Config, now: float | None, *, json: bool, bar: Bar | None
) -> list[str]:
    """Verify one after the other, in one loop, so that answers of DNS are kept; the best status of each."""
    from zegel import aio

    found = []
    with asyncio.Runner() as runner:
        for source in sources:
            # Outside the loop: within, Ctrl-C would wait for the end of the input.
            message = source.read()
            if message is None:
                found.append(_UNREADABLE)
                continue
            results = runner.run(aio.verify(message, resolver=resolver, now=now, limits=config.limits))
            found.append(best(results))
            if bar is None:
                _show(source, results, json=json)
            else:
                with bar.aside():
                    _show(source, results, json=json)
                bar.advance()
    return found


def best(results: Sequence[DkimResult]) -> str:
    """The status that stands for a message: that of its best signature, "none" without one."""
    return min((str(result.status) for result in results), key=_BEST.index, default="none")


def _show(source: Source, results: Sequence[DkimResult], *, json: bool) -> None:
    if json:
        screen.json_line({"file": source.name, "status": best(results), "results": [_as_json(result) for result in results]})
        return
    name = _("standard input") if source.name == messages.STDIN else source.name
    screen.say(f"{name}: {best(results)}", style="bold")
    if not results:
        screen.marked(Mark.NOTE, _("the message has no DKIM signature"))
    for result in results:
        mark = Mark.OK if result.status == "pass" else Mark.NOTE if result.status == "temperror" else Mark.WRONG
        screen.marked(mark, f"{result.status} {_who(result)}: {_reason(result)}")


def _who(result: DkimResult) -> str:
    words = [f"d={result.domain}" if result.domain else "", f"s={result.selector}" if result.selector else "", result.algorithm or ""]
    if result.key_bits and result.algorithm and result.algorithm.startswith("rsa"):
        words.append(_("{bits} bits").format(bits=result.key_bits))
    return " ".join(filter(None, words)) or _("(unreadable signature)")


def _reason(result: DkimResult) -> str:
    from zegel.verdict.details import said

    sentence = _(result.reason.sentence)
    notes = [
        told(said(result.detail)),
        result.reason.section if result.status != "pass" else "",
        _("the domain is testing, t=y") if result.testing else "",
    ]
    shown = "; ".join(filter(None, notes))
    return f"{sentence} ({shown})" if shown else sentence


def _as_json(result: DkimResult) -> dict[str, Any]:
    return {
        "status": str(result.status),
        "reason": result.reason.id,
        "section": result.reason.section,
        "explanation": result.explanation,
        "domain": result.domain,
        "selector": result.selector,
        "algorithm": result.algorithm,
        "identity": result.identity,
        "key_bits": result.key_bits,
        "timestamp": result.timestamp,
        "expire": result.expire,
        "testing": result.testing,
        "normalized": result.normalized,
        "signed_fields": list(result.signed_fields),
        "signature_start": result.signature_start,
    }
