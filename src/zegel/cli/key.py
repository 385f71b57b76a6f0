"""``zegel key new | list | show | activate``: the keys, and which of them sign."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from zegel.cli import activation, place, publish, screen
from zegel.cli.help import Command, Group
from zegel.cli.screen import Mark, Refusal
from zegel.cli.words import _

if TYPE_CHECKING:
    from zegel.dkim.crypto import Key
    from zegel.store.keys import StoredKey

app = typer.Typer(cls=Group, no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="DOMAIN", help=_("The domain, such as example.be."))]
Selector = Annotated[str, typer.Argument(metavar="SELECTOR", help=_("The name of the key, as zegel key list has it."))]
AsJson = Annotated[bool, typer.Option("--json", help=_("Write JSON, for programs."))]


@app.command(cls=Command, help=_("Make a key for a domain. It signs nothing until it is activated."))
def new(
    ctx: typer.Context,
    name: Name,
    algorithm: Annotated[
        Literal["rsa2048", "ed25519"],
        typer.Option(help=_("Every receiver knows RSA; Ed25519 is shorter, and many do not verify it yet.")),
    ] = "rsa2048",
    selector: Annotated[
        str | None, typer.Option(metavar="NAME", help=_("The name of the key in DNS; without it one is made that nobody else uses."))
    ] = None,
    force: Annotated[bool, typer.Option("--force", help=_("Take a selector that mail providers hand out too."))] = False,
) -> None:
    """Make a key."""
    here, domain = place.of(ctx), place.domain(name)
    with here.store() as store:
        from zegel.store import domains, keys, selectors

        with store.reading() as tx:
            domains.get(tx, domain)
        now = int(time.time())
        chosen = selectors.parse(selector or selectors.propose(algorithm, now), domain, force=force)
        made = _generate(domain, chosen, algorithm)
        with store.writing() as tx:
            stored = keys.add(tx, domain, chosen, algorithm, _pem(made), made.public, now=now, force=force)
    screen.marked(Mark.OK, _("key {selector} of {domain} made; it does not sign yet").format(selector=chosen, domain=domain))
    screen.say()
    publish.show(stored)
    screen.say()
    screen.say(_("Publish this record, then let the key sign (it is looked up first):"))
    screen.command(here.command(f"key activate {domain} {chosen}"))


@app.command("list", cls=Command, help=_("List the keys, of one domain or of all."))
def list_(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="DOMAIN", help=_("Only the keys of this domain."))] = None,
    json: AsJson = False,
) -> None:
    """List the keys."""
    here = place.of(ctx)
    domain = place.domain(name) if name else None
    with here.store_to_look() as store, store.reading() as tx:
        from zegel.store import keys

        found = keys.all(tx, domain)
    if json:
        screen.json_line([_as_json(key) for key in found])
    elif found:
        headings = (_("Domain"), _("Selector"), _("Kind"), _("State"), _("Since"))
        rows = [(key.domain, key.selector, key.algorithm, publish.state_word(key.state), _day(_since(key))) for key in found]
        screen.table(headings, rows)
    else:
        screen.say(_("There are no keys yet. Make one:"))
        screen.command(here.command(f"key new {domain or 'example.be'}"))


@app.command(cls=Command, help=_("Show a key: its history, and the record that belongs to it."))
def show(ctx: typer.Context, name: Name, selector: Selector, json: AsJson = False) -> None:
    """Show one key."""
    here, domain = place.of(ctx), place.domain(name)
    with here.store_to_look() as store, store.reading() as tx:
        from zegel.store import keys

        key = keys.get(tx, domain, selector)
    if json:
        screen.json_line(_as_json(key) | {"record": publish.as_json(key)})
        return
    times = ((_("made"), key.created), (_("activated"), key.activated), (_("retired"), key.retired))
    known = ", ".join(f"{word} {_day(at)}" for word, at in times if at is not None)
    screen.say(
        _("Key {selector} of {domain}, organisation {organisation}: {times}").format(
            selector=key.selector, domain=key.domain, organisation=key.organisation, times=known
        )
    )
    screen.say()
    publish.show(key)


@app.command(cls=Command, help=_("Let a key sign, once its record is seen in DNS. A former key of the same kind is retired."))
def activate(
    ctx: typer.Context,
    name: Name,
    selector: Selector,
    no_dns_check: Annotated[bool, typer.Option("--no-dns-check", help=_("Do not look in DNS."))] = False,
    force: Annotated[bool, typer.Option("--force", help=_("Look, and activate whatever is seen."))] = False,
) -> None:
    """Activate a key."""
    activation.activate(place.of(ctx), place.domain(name), selector, look=not no_dns_check, force=force)


def _generate(domain: str, selector: str, algorithm: Literal["rsa2048", "ed25519"]) -> Key:
    from zegel.dkim.crypto import Key

    with screen.waiting(_("Making the key")):
        return Key.generate(domain, selector, algorithm)


def _pem(key: Key) -> bytes:
    if isinstance(key.private_key, str):
        raise Refusal("the private key is no PEM in bytes")
    return key.private_key


def _as_json(key: StoredKey) -> dict[str, Any]:
    names = ("domain", "organisation", "selector", "algorithm", "state", "created", "activated", "retired")
    return {name: getattr(key, name) for name in names}


def _since(key: StoredKey) -> int:
    return {"active": key.activated, "retiring": key.retired}.get(key.state) or key.created


def _day(seconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
