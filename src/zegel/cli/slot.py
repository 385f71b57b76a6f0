"""``zegel slot add | list``: delegation slots: CNAMEs handed out once, so that later rotations need nothing of who owns the DNS."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zegel.cli import place, publish, screen
from zegel.cli.help import Command, Group
from zegel.cli.rotation import moment
from zegel.cli.screen import Mark
from zegel.cli.words import _

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zegel.store.slots import Slot

app = typer.Typer(cls=Group, no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="DOMAIN", help=_("The domain, such as example.be."))]


@app.command(cls=Command, help=_("Make delegation slots for a domain, and show the CNAMEs to hand out, once."))
def add(
    ctx: typer.Context,
    name: Name,
    zone: Annotated[str, typer.Option("--zone", metavar="ZONE", help=_("Your own zone that the CNAMEs point into: dkim.agency.be."))],
    rsa: Annotated[int, typer.Option("--rsa", min=0, max=9, help=_("Slots for RSA keys, at least two; three leave one to spare."))] = 3,
    ed25519: Annotated[int, typer.Option("--ed25519", min=0, max=9, help=_("Slots for Ed25519 keys: none, or two."))] = 0,
) -> None:
    """Make slots."""
    here, domain, ours = place.of(ctx), place.domain(name), place.domain(zone)
    if rsa == 1 or ed25519 == 1:
        raise screen.Refusal(_("one slot cannot be rotated: its key would have to stay and to go; take two at least"))
    with here.store(create=False) as store, store.writing() as tx:
        from zegel.store import slots

        now = int(time.time())
        for kind, count in (("rsa", rsa), ("ed25519", ed25519)):
            slots.add(tx, domain, ours, kind, count, now=now)
        found = slots.all(tx, domain)
    screen.marked(Mark.OK, _("{domain} has {count} delegation slots").format(domain=domain, count=len(found)))
    screen.say()
    screen.say(_("Hand these out once, for the zone of {domain}:").format(domain=domain))
    for slot in found:
        screen.exact(zone_line(slot))
    screen.say()
    screen.say(_("When they are there, have a key made in one of them; from then on only {zone} changes:").format(zone=ours))
    screen.command(here.command(f"key rotate {domain}"))


@app.command("list", cls=Command, help=_("List the delegation slots, of one domain or of all, and what lives in them."))
def list_(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="DOMAIN", help=_("Only the slots of this domain."))] = None,
    json: Annotated[bool, typer.Option("--json", help=_("Write JSON, for programs."))] = False,
) -> None:
    """List slots."""
    here = place.of(ctx)
    domain = place.domain(name) if name else None
    with here.store_to_look() as store, store.reading() as tx:
        from zegel.store import slots

        found = slots.all(tx, domain)
    if json:
        screen.json_line([_as_json(slot) for slot in found])
    elif found:
        headings = (_("CNAME"), _("Points to"), _("Kind"), _("Key"))
        screen.table(headings, [(slot.alias, slot.target, slot.key_type, _use(slot)) for slot in found])
    else:
        screen.say(_("There are no delegation slots. Make some:"))
        screen.command(here.command(f"slot add {domain or 'example.be'} --zone dkim.example.org"))


def zone_line(slot: Slot) -> str:
    """The CNAME of a slot as one line of a zone file (RFC 1035 5.1)."""
    from zegel.rollout.records import TTL

    return f"{slot.alias}. {TTL} IN CNAME {slot.target}."


def _use(slot: Slot) -> str:
    if slot.used_by:
        return publish.state_word(slot.used_by)
    if slot.is_free(int(time.time())):
        return _("free")
    return _("free from {when} on").format(when=moment(slot.free or 0))


def _as_json(slot: Slot) -> dict[str, Any]:
    names: Sequence[str] = ("domain", "name", "alias", "target", "key_type", "used_by", "free", "created")
    return {name: getattr(slot, name) for name in names}
