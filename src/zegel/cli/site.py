"""The command group ``zegel site``: the websites and programs whose mail the relay takes.

Other settings, and the end of a site, are in :mod:`zegel.cli.site_change`; the test mail is in :mod:`zegel.cli.site_trial`.
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from zegel.cli import place, screen, site_change, site_shown, site_trial, site_way
from zegel.cli.help import Command, Group
from zegel.cli.screen import Mark
from zegel.cli.words import _

if TYPE_CHECKING:
    from zegel.store.sites import Site

app = typer.Typer(cls=Group, no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="SITE", help=_("The name of the site, as zegel site list has it."))]
AsJson = Annotated[bool, typer.Option("--json", help=_("Write JSON, for programs."))]


@app.command(cls=Command, help=_("Add a site, and show once what to type into it: server, port, user and password."))
def add(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="SITE", help=_("A name for it, such as town-portal; it is its user name too."))],
    address: Annotated[
        str, typer.Option(metavar="ADDRESS", help=_("The address that it sends as; what it writes in other names is sent as this one."))
    ],
    contact: Annotated[str, typer.Option(metavar="ADDRESS", help=_("Who hears of mail that could not be delivered."))],
    organisation: Annotated[str, typer.Option(metavar="NAME", help=_("Whose site it is."))] = "default",
    sender: Annotated[
        list[str] | None, typer.Option(metavar="SENDER", help=_("An address or domain that it may send as besides; several times."))
    ] = None,
    network: Annotated[
        list[str] | None,
        typer.Option(metavar="NETWORK", help=_("Where it logs in from; 127.0.0.1/32 also lets it in without a login, on relay.loopback.")),
    ] = None,
    to: Annotated[
        list[str] | None, typer.Option(metavar="RECIPIENT", help=_("It may write to this address or domain only; several times."))
    ] = None,
    foreign_from: Annotated[
        Literal["correct", "refuse"],
        typer.Option(help=_("What becomes of mail in another name: the sender is corrected, or it is refused.")),
    ] = "correct",
    would_fail: Annotated[
        Literal["warn", "refuse"], typer.Option(help=_("What becomes of mail that would not pass at its receivers."))
    ] = "warn",
    rate: Annotated[int, typer.Option(min=0, help=_("Messages an hour; 0 for no bound."))] = 1000,
    visitor_rate: Annotated[int, typer.Option(min=0, help=_("Messages an hour from one visitor's mailbox; 0 for no bound."))] = 20,
    unix_user: Annotated[
        str | None, typer.Option(metavar="USER", help=_("The user of this system whose mail by zegel-sendmail is this site's."))
    ] = None,
    json: AsJson = False,
) -> None:
    """Add a site."""
    here = place.of(ctx)
    config = here.read_config()  # before there is a secret: what is wrong in it must not keep that from being shown
    with here.store() as store:
        from zegel.store import sites

        with store.writing() as tx:
            made, secret = sites.add(
                tx,
                name,
                address=address,
                contact=contact,
                now=int(time.time()),
                organisation=organisation,
                senders=sender or (),
                networks=network or (),
                recipients=to or (),
                foreign_from=foreign_from,
                would_fail=would_fail,
                rate=rate,
                visitor_rate=visitor_rate,
                unix_user=unix_user,
            )
    if json:
        screen.json_line({**_as_json(made), "secret": secret})
        return
    screen.marked(Mark.OK, _("site {name} added").format(name=made.name))
    site_way.show(here, config, made, secret)


@app.command("list", cls=Command, help=_("List the sites."))
def list_(ctx: typer.Context, json: AsJson = False) -> None:
    """List the sites."""
    here = place.of(ctx)
    with here.store_to_look() as store, store.reading() as tx:
        from zegel.store import sites

        found = sites.all(tx)
    if json:
        screen.json_line([_as_json(site) for site in found])
    elif found:
        headings = (_("Site"), _("Organisation"), _("Sends as"), _("Recipients"), _("Messages an hour"), _("State"))
        rows = [
            (site.name, site.organisation, site.address, ", ".join(site.recipients) or _("anybody"), str(site.rate or "-"), _state(site))
            for site in found
        ]
        screen.table(headings, rows)
    else:
        screen.say(_("There are no sites yet. Add one:"))
        screen.command(here.command("site add town-portal --address noreply@example.be --contact it@example.be"))


@app.command(cls=Command, help=_("Show all that is known of a site; its secret is not, it was shown once."))
def show(ctx: typer.Context, name: Name, json: AsJson = False) -> None:
    """Show a site."""
    here = place.of(ctx)
    with here.store_to_look() as store, store.reading() as tx:
        from zegel.store import sites

        found = sites.get(tx, name)
    if json:
        screen.json_line(_as_json(found))
        return
    rows = [
        *((label, site_shown.shown(found, setting)) for setting, label in site_shown.labels().items()),
        (_("Secret made"), _clock(found.rotated)),
        (_("State"), _state(found)),
    ]
    screen.table((_("What"), _("Is")), rows)


app.command(cls=Command, help=_("Change settings of a site, all others stay; the running daemon goes by them within a second."))(
    site_change.change
)


@app.command("rotate-secret", cls=Command, help=_("Make a new secret and show it once; the old one no longer serves from now on."))
def rotate_secret(ctx: typer.Context, name: Name, json: AsJson = False) -> None:
    """Make a new secret."""
    here = place.of(ctx)
    config = here.read_config()  # as in add
    with here.store(create=False) as store:
        from zegel.store import sites

        with store.writing() as tx:
            secret = sites.rotate(tx, name, now=int(time.time()))
            found = sites.get(tx, name)
    if json:
        screen.json_line({"site": name, "secret": secret})
        return
    screen.marked(Mark.OK, _("{name} has a new secret; until it is typed in there, its mail is refused").format(name=name))
    site_way.show(here, config, found, secret)


@app.command(cls=Command, help=_("Take no more mail of a site, from this moment on."))
def disable(ctx: typer.Context, name: Name) -> None:
    """Disable a site."""
    _switch(ctx, name, on=False)


@app.command(cls=Command, help=_("Take mail of a site again."))
def enable(ctx: typer.Context, name: Name) -> None:
    """Enable a site."""
    _switch(ctx, name, on=True)


app.command(
    cls=Command, help=_("Take out a site: no mail of it is taken any more. What it has handed in before is delivered all the same.")
)(site_change.remove)
app.command("test", cls=Command, help=_("Send a test mail along the way of a site, and report each step. Exit status 1 when one fails."))(
    site_trial.trial
)


def _switch(ctx: typer.Context, name: str, *, on: bool) -> None:
    here = place.of(ctx)
    with here.store(create=False) as store:
        from zegel.store import sites

        with store.writing() as tx:
            changed = (sites.enable if on else sites.disable)(tx, name, now=int(time.time()))
    said = _("mail of {name} is taken") if on else _("mail of {name} is no longer taken")
    screen.marked(Mark.OK if changed else Mark.NOTE, (said if changed else _("{name} was so already")).format(name=name))


def _state(site: Site) -> str:
    return _("enabled") if site.disabled is None else _("disabled since {time}").format(time=_clock(site.disabled))


def _clock(seconds: int) -> str:
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M")


def _as_json(site: Site) -> dict[str, Any]:
    names = ("name", "organisation", "address", "contact", "senders", "networks", "recipients", "foreign_from", "would_fail")
    return {name: getattr(site, name) for name in (*names, "rate", "visitor_rate", "unix_user", "created", "rotated", "disabled")}
