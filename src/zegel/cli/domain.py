"""``zegel domain``: the domains that are ours, and what they publish."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from zegel.cli import handoff, place, plan, publish, publishing, records, screen, selector
from zegel.cli.help import Command, Group
from zegel.cli.screen import Mark
from zegel.cli.words import _

app = typer.Typer(cls=Group, no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="DOMAIN", help=_("The domain, such as example.be."))]
AsJson = Annotated[bool, typer.Option("--json", help=_("Write JSON, for programs."))]


@app.command(cls=Command, help=_("Add a domain that you sign for."))
def add(
    ctx: typer.Context,
    name: Name,
    organisation: Annotated[str, typer.Option(metavar="NAME", help=_("Whose domain it is; made when it is new."))] = "default",
    sign_subdomains: Annotated[
        bool, typer.Option("--sign-subdomains", help=_("Its keys also sign mail from names below it that have no key."))
    ] = False,
) -> None:
    """Add a domain."""
    here, domain = place.of(ctx), place.domain(name)
    with here.store() as store:
        from zegel.store import domains, organisations

        now = int(time.time())
        with store.writing() as tx:
            new = organisation not in (known.name for known in organisations.all(tx))
            if new:
                organisations.add(tx, organisation, now=now)
            domains.add(tx, domain, now=now, organisation=organisation, sign_subdomains=sign_subdomains)
    if new:
        screen.marked(Mark.NOTE, _("organisation {name}: made, there was none of that name").format(name=organisation))
    screen.marked(Mark.OK, _("{domain} added").format(domain=_with_unicode(domain)))
    screen.say(_("Now make its key:"))
    screen.command(here.command(f"key new {domain}"))


@app.command("list", cls=Command, help=_("List the domains, with their keys counted."))
def list_(ctx: typer.Context, json: AsJson = False) -> None:
    """List the domains."""
    here = place.of(ctx)
    with here.store_to_look() as store, store.reading() as tx:
        from zegel.store import domains, keys

        found = domains.all(tx)
        states: dict[str, dict[str, int]] = {domain.name: dict.fromkeys(map(str, keys.KeyState), 0) for domain in found}
        for key in keys.all(tx):
            states[key.domain][key.state] += 1
    if json:
        rows = [
            {
                "domain": domain.name,
                "organisation": domain.organisation,
                "sign_subdomains": domain.sign_subdomains,
                "created": domain.created,
                "keys": states[domain.name],
            }
            for domain in found
        ]
        screen.json_line(rows)
    elif found:
        headings = (_("Domain"), _("Organisation"), _("Names below it"), _("Keys"))
        shown = [
            (
                _with_unicode(domain.name),
                domain.organisation,
                _("signed too") if domain.sign_subdomains else _("not signed"),
                ", ".join(f"{count} {publish.state_word(state)}" for state, count in states[domain.name].items() if count) or _("none"),
            )
            for domain in found
        ]
        screen.table(headings, shown)
    else:
        screen.say(_("There are no domains yet. Add one:"))
        screen.command(here.command("domain add example.be"))


app.command("plan", cls=Command, help=_("Decide what a domain publishes beside its keys: SPF, DMARC, reports, or that it is parked."))(
    plan.plan
)
app.command("records", cls=Command, help=_("Show the exact text of every record that a domain should have in DNS."))(records.records)
app.command("publish", cls=Command, help=_("Publish the records, read them back from every name server, and name what differs."))(
    publishing.publish_
)
app.command("handoff", cls=Command, help=_("Make a page for the person who owns the DNS: what to enter, and what is seen now."))(
    handoff.handoff
)
app.add_typer(selector.app, name="selector", help=_("Selectors of other services: listed and watched, never made."))
app.command("export", cls=Command, help=_("Write all records of a zone as a file to include in it."))(records.export)


@app.command(cls=Command, help=_("Take out a domain that has no keys, such as one typed wrong."))
def remove(ctx: typer.Context, name: Name) -> None:
    """Remove a domain."""
    here, domain = place.of(ctx), place.domain(name)
    with here.store(create=False) as store:
        from zegel.store import domains

        with store.writing() as tx:
            domains.remove(tx, domain, now=int(time.time()))
    screen.marked(Mark.OK, _("{domain} taken out").format(domain=_with_unicode(domain)))


def _with_unicode(domain: str) -> str:
    from zegel.grammar.domain import Domain

    shown = Domain(domain).unicode
    return domain if shown == domain else f"{domain} ({shown})"
