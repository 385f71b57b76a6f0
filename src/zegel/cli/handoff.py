"""``zegel domain handoff``: one page for the person who owns the DNS, as HTML in one file or as plain text."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Annotated, Literal

import typer

from zegel.cli import handoff_page, place, screen
from zegel.cli.screen import Mark
from zegel.cli.words import _, of_reader


def handoff(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="DOMAIN", help=_("The domain, such as example.be."))],
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help=_("Write the page to this file: no scripts, nothing loaded from elsewhere.")),
    ] = None,
    text: Annotated[bool, typer.Option("--text", help=_("Write it as plain text, for a mail; this is the usual."))] = False,
    language: Annotated[Literal["en", "nl"] | None, typer.Option(help=_("The language of the reader; without it, yours."))] = None,
    contact: Annotated[str, typer.Option(metavar="TEXT", help=_("Whom to ask: a name, an address, a telephone number."))] = "",
) -> None:
    """Make the page."""
    here, domain = place.of(ctx), place.domain(name)
    config = here.read_config()
    with here.store_to_look() as store:
        from zegel.rollout.handoff import prepare
        from zegel.rollout.wanted import holdings
        from zegel.store import services

        with store.reading() as tx:
            of, foreign = holdings(tx, domain), services.all(tx, domain)
        with screen.waiting(_("Asking the name servers of {domain}").format(domain=domain)):
            page = asyncio.run(prepare(place.nameservers(config), of, foreign, now=int(time.time())))
    words, translate = of_reader(language)
    if html is not None:
        from zegel.rollout.publish import write_file

        write_file(html.absolute(), handoff_page.as_html(page, translate, language=words, contact=contact))
        sentence = _("{count} records of {domain} written to {file}; {missing} of them are not there yet")
        screen.marked(Mark.OK, sentence.format(count=len(page.entries), domain=domain, file=html, missing=page.missing))
    if html is None or text:
        for line in handoff_page.as_text(page, translate, contact=contact):
            screen.exact(line)
