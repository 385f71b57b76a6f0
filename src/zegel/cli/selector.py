"""``zegel domain selector add | list | remove``: selectors that are not ours, listed and watched, never made."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Annotated

import typer

from zegel.cli import place, screen
from zegel.cli.help import Command, Group
from zegel.cli.screen import Mark
from zegel.cli.words import _, told

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zegel.adapters.nameservers import Looking
    from zegel.rollout.watch import Foreign
    from zegel.store.services import ForeignSelector

app = typer.Typer(cls=Group, no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="DOMAIN", help=_("The domain, such as example.be."))]
Selector = Annotated[str, typer.Argument(metavar="SELECTOR", help=_("The name below _domainkey, such as selector1."))]


@app.command(cls=Command, help=_("List a selector that a mail provider or a service has in your DNS."))
def add(
    ctx: typer.Context,
    name: Name,
    selector: Selector,
    service: Annotated[str, typer.Option(metavar="NAME", help=_("Whose it is, such as Microsoft 365."))] = "",
) -> None:
    """Add a selector."""
    here, domain = place.of(ctx), place.domain(name)
    with here.store(create=False) as store:
        from zegel.store import services

        with store.writing() as tx:
            found = services.add(tx, domain, selector, service, now=int(time.time()))
    screen.marked(Mark.OK, _("{name} is listed; no key of yours takes this name").format(name=found.record_name))


@app.command("list", cls=Command, help=_("Look at these selectors at all name servers, and tell since when it is so."))
def list_(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="DOMAIN", help=_("Only those of this domain."))] = None,
    json: Annotated[bool, typer.Option("--json", help=_("Write JSON, for programs."))] = False,
    no_dns: Annotated[bool, typer.Option("--no-dns-check", help=_("Do not look in DNS."))] = False,
) -> None:
    """List the selectors."""
    here = place.of(ctx)
    domain = place.domain(name) if name else None
    with here.store_to_look() if no_dns else here.store(create=False) as store:
        from zegel.rollout import watch
        from zegel.store import services, sightings

        with store.reading() as tx:
            known = services.all(tx, domain)
        seen = [] if no_dns or not known else asyncio.run(_look(place.nameservers(here.read_config()), known))
        if seen:
            with store.writing() as tx:
                for found in seen:
                    watch.note_foreign(tx, found, now=int(time.time()))
        with store.reading() as tx:
            since = {one.record_name: sightings.get(tx, one.domain, one.record_name, "TXT") for one in known}
    if json:
        rows = [
            {
                "domain": one.domain,
                "selector": one.selector,
                "service": one.service,
                "outcome": sighting.outcome if (sighting := since[one.record_name]) else None,
                "difference": sighting.difference if sighting else None,
                "since": sighting.since if sighting else None,
                "looked": sighting.looked if sighting else None,
            }
            for one in known
        ]
        screen.json_line(rows)
        return
    for one in known:
        title = f"{one.selector}  {one.domain}" + (f"  ({one.service})" if one.service else "")
        screen.say(title, style="bold")
        if (found_ := next((found for found in seen if found.selector == one), None)) is not None:
            marks = {"visible": Mark.OK, "unavailable": Mark.NOTE}
            screen.marked(marks.get(found_.outcome, Mark.WRONG), told(found_.sentence))
        if (sighting := since[one.record_name]) is not None:
            screen.say(
                "  " + _("so since {time}").format(time=time.strftime("%Y-%m-%d %H:%M", time.localtime(sighting.since))), style="dim"
            )
    if not known:
        screen.say(_("No selectors of other services are listed. For example:"))
        screen.command(here.command(f'domain selector add {domain or "example.be"} selector1 --service "Microsoft 365"'))


@app.command(cls=Command, help=_("Take a selector off the list; its record in DNS is not touched."))
def remove(ctx: typer.Context, name: Name, selector: Selector) -> None:
    """Remove a selector."""
    here, domain = place.of(ctx), place.domain(name)
    with here.store(create=False) as store:
        from zegel.store import services

        with store.writing() as tx:
            services.remove(tx, domain, selector, now=int(time.time()))
    screen.marked(Mark.OK, _("{selector} of {domain} is off the list").format(selector=selector, domain=domain))


async def _look(servers: Looking, known: Sequence[ForeignSelector]) -> list[Foreign]:
    from zegel.rollout.watch import look_at_foreign

    with screen.waiting(_("Asking the name servers")):
        return list(await asyncio.gather(*(look_at_foreign(servers, one) for one in known)))
