"""``zegel key``: the keys, and where each is in its life."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from zegel.cli import activation, answered, place, publish, rotation, screen
from zegel.cli.help import Command, Group
from zegel.cli.screen import Mark, Refusal
from zegel.cli.words import _

if TYPE_CHECKING:
    from zegel.dkim.crypto import Key, KeyKind
    from zegel.grammar.domain import Domain
    from zegel.store.database import Store
    from zegel.store.keys import StoredKey

_PATIENCE = 5.0  # seconds that DNS has to say whose a selector is

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
        from zegel.rollout import rotation as making

        with screen.waiting(_("Making the key")):
            if selector is None:
                stored = making.make(store, domain, algorithm, now=int(time.time()))
            else:
                stored = _named(here, store, domain, selector, algorithm, force=force)
    screen.marked(Mark.OK, _("key {selector} of {domain} made; it does not sign yet").format(selector=stored.selector, domain=domain))
    screen.say()
    publish.show(stored)
    screen.say()
    screen.say(_("Publish this record, then let the key sign (it is looked up first):"))
    screen.command(here.command(f"key activate {domain} {stored.selector}"))


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
        times = rotation.times_of(here.read_config())
        headings = (_("Domain"), _("Selector"), _("Kind"), _("State"), _("Since"), _("Waits for"))
        rows = [
            (key.domain, key.selector, key.algorithm, publish.state_word(key.state), _day(_since(key)), rotation.waits(key, times))
            for key in found
        ]
        screen.table(headings, rows)
        if troubled := next((key for key in found if key.trouble), None):
            screen.say(_("What each name server answers for a key that is not as it should be:"))
            screen.command(here.command(f"key show {troubled.domain} {troubled.selector}"))
    else:
        screen.say(_("There are no keys yet. Make one:"))
        screen.command(here.command(f"key new {domain or 'example.be'}"))


@app.command(cls=Command, help=_("Show a key: its history, its record, and what name servers answer where they do not all have it."))
def show(
    ctx: typer.Context,
    name: Name,
    selector: Selector,
    no_dns_check: Annotated[bool, typer.Option("--no-dns-check", help=_("Do not look in DNS."))] = False,
    json: AsJson = False,
) -> None:
    """Show one key."""
    here, domain = place.of(ctx), place.domain(name)
    with here.store_to_look() as store, store.reading() as tx:
        from zegel.store import keys

        key = keys.get(tx, domain, selector)
    if json:
        screen.json_line(_as_json(key) | {"record": publish.as_json(key)})
        return
    made, retired = ((_("made"), key.created), (_("visible"), key.visible)), ((_("activated"), key.activated), (_("retired"), key.retired))
    times = (*made, *retired, (_("revoked"), key.revoked), (_("removed"), key.removed))
    known = ", ".join(f"{word} {_day(at)}" for word, at in times if at is not None)
    screen.say(
        _("Key {selector} of {domain}, organisation {organisation}: {times}").format(
            selector=key.selector, domain=key.domain, organisation=key.organisation, times=known
        )
    )
    screen.say()
    publish.show(key)
    if key.trouble and not no_dns_check:
        _show_answers(here, key)


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


@app.command(cls=Command, help=_("Have a new key take the place of the one that signs: by itself, once its record is visible everywhere."))
def rotate(
    ctx: typer.Context,
    name: Name,
    algorithm: Annotated[
        Literal["rsa2048", "ed25519"] | None, typer.Option(help=_("Only this kind; else all kinds that the domain signs with."))
    ] = None,
    emergency: Annotated[
        bool, typer.Option("--emergency", help=_("The old key is not to be trusted: revoke it as soon as the new one is visible."))
    ] = False,
    revoke_now: Annotated[
        bool, typer.Option("--revoke-now", help=_("With --emergency: revoke the old key at once, even if mail then leaves unsigned."))
    ] = False,
) -> None:
    """Rotate keys."""
    rotation.rotate(place.of(ctx), place.domain(name), algorithm, emergency=emergency, revoke_now=revoke_now)


@app.command(cls=Command, help=_("Let a key sign no more. Its record stays while mail that it signed is on its way."))
def retire(
    ctx: typer.Context,
    name: Name,
    selector: Selector,
    force: Annotated[bool, typer.Option("--force", help=_("Also where the domain then signs nothing."))] = False,
) -> None:
    """Retire a key."""
    rotation.retire(place.of(ctx), place.domain(name), selector, force=force)


@app.command(cls=Command, help=_("Revoke a key for good, and show the record that says so."))
def revoke(
    ctx: typer.Context,
    name: Name,
    selector: Selector,
    force: Annotated[bool, typer.Option("--force", help=_("Also the key that signs."))] = False,
) -> None:
    """Revoke a key."""
    rotation.revoke(place.of(ctx), place.domain(name), selector, force=force)


@app.command(cls=Command, help=_("Take out a key that is revoked, or has never signed; its private half is destroyed."))
def remove(ctx: typer.Context, name: Name, selector: Selector) -> None:
    """Remove a key."""
    rotation.remove(place.of(ctx), place.domain(name), selector)


def _show_answers(here: place.Place, key: StoredKey) -> None:
    """What each server says now, of a key that was not right at the last look."""
    from zegel.rollout import keylook

    servers = place.nameservers(here.read_config())
    with screen.waiting(_("Asking the name servers of {domain}").format(domain=key.domain)):
        seen = asyncio.run(keylook.look(servers, key))
    screen.say()
    screen.say(_("What the name servers answer now:"), style="bold")
    answered.show(seen.back)


def _named(here: place.Place, store: Store, domain: Domain, selector: str, algorithm: KeyKind, *, force: bool) -> StoredKey:
    """Make a key of a name that a person chose, unless somebody else has a record of that name. Raises Refusal, StoreError."""
    from zegel.dkim.crypto import Key
    from zegel.store import domains, keys, selectors

    chosen = selectors.parse(selector, domain, force=force)
    with store.reading() as tx:
        domains.get(tx, domain)
        known = any(key.selector == chosen for key in keys.all(tx, domain))
    if not known and not force and _answers(here, f"{chosen}._domainkey.{domain}"):
        sentence = _("DNS has a record at {name} already, which is not ours: another service may sign with it. Take another, or force it")
        raise Refusal(sentence.format(name=f"{chosen}._domainkey.{domain}"))
    made = Key.generate(domain, chosen, algorithm)
    with store.writing() as tx:
        return keys.add(tx, domain, chosen, algorithm, _pem(made), made.public, now=int(time.time()), force=force)


def _answers(here: place.Place, name: str) -> bool:
    """Whether an authoritative server has a record of that name; no, where DNS cannot be asked. No resolver is: its "no" would stay."""
    from zegel.app import make_resolver
    from zegel.app.opening import make_servers
    from zegel.ask import RRType

    config = here.read_config()

    async def ask() -> bool:
        try:
            async with asyncio.timeout(_PATIENCE):
                looked = await make_servers(config, make_resolver(config)).look_everywhere(name, RRType.TXT)
        except TimeoutError:
            return False
        return bool(looked.aliases) or any(answer.answer.records for answer in looked.servers)

    return asyncio.run(ask())


def _pem(key: Key) -> bytes:
    if isinstance(key.private_key, str):
        raise Refusal("the private key is no PEM in bytes")
    return key.private_key


def _as_json(key: StoredKey) -> dict[str, Any]:
    names = ("domain", "organisation", "selector", "algorithm", "state", "succession", "slot", "created", "activated", "retired")
    life = ("served", "visible", "keep_until", "revoked", "removed", "looked", "serving", "servers", "trouble")
    return {name: getattr(key, name) for name in (*names, *life)}


def _since(key: StoredKey) -> int:
    times = {"visible": key.visible, "active": key.activated, "retiring": key.retired, "revoked": key.revoked, "removed": key.removed}
    return times.get(key.state) or key.created


def _day(seconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
