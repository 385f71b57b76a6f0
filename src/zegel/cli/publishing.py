"""``zegel domain publish``: shows what differs, publishes it by the way of each zone, reads it back, and names what is still wrong."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from zegel.cli import place, screen
from zegel.cli.place import Place
from zegel.cli.screen import Mark
from zegel.cli.words import _, told
from zegel.rollout.records import as_zone_line
from zegel.words import SpokenError

if TYPE_CHECKING:
    from zegel.config import Config
    from zegel.grammar.domain import Domain
    from zegel.rollout.publish import Change, Done, Publisher
    from zegel.rollout.readback import ReadBack
    from zegel.rollout.records import Record
    from zegel.store.database import Store

_MAX_SHOWN, _MAX_TEXT = 3, 500


def publish_(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="DOMAIN", help=_("The domain, such as example.be."))],
    dry_run: Annotated[bool, typer.Option("--dry-run", help=_("Only show what would change."))] = False,
    replace: Annotated[bool, typer.Option("--replace", help=_("Replace records that others wrote in the place of these."))] = False,
    wait: Annotated[
        float, typer.Option("--wait", min=0, max=3600, metavar="SECONDS", help=_("How long to wait until every server has it."))
    ] = 10,
) -> None:
    """Publish the records of a domain."""
    here, domain = place.of(ctx), place.domain(name)
    config = here.read_config()
    with here.store_to_look() if dry_run else here.store(create=False) as store:
        fine = asyncio.run(_publish(here, config, store, domain, dry_run=dry_run, replace=replace, wait=wait))
    if not fine:
        raise typer.Exit(1)


async def _publish(here: Place, config: Config, store: Store, domain: Domain, *, dry_run: bool, replace: bool, wait: float) -> bool:
    from zegel.rollout.publish import Publisher
    from zegel.rollout.wanted import faults, holdings, unwanted, wanted

    with store.reading() as tx:
        of = holdings(tx, domain)
    for fault in faults(of):
        screen.marked(Mark.WRONG, told(fault))
    wishes, leftovers = wanted(of), unwanted(of)
    if not wishes and not leftovers:
        _tell_nothing_known(here, domain)
        return True
    publisher = Publisher(place.nameservers(config), config.zone)
    with screen.waiting(_("Asking the name servers of {domain}").format(domain=domain)):
        changes = await publisher.survey(wishes, leftovers, replace=replace)
    # What is not there and not wanted either needs no word.
    changes = [change for change in changes if change.wish is not None or change.needed or change.seen.outcome == "unavailable"]
    if not changes:
        _tell_nothing_known(here, domain)
        return True
    _show_changes(changes)
    if wishes and all(wish.key is not None or wish.purpose == "slot" for wish in wishes):
        screen.say(_("SPF, DMARC and the others are not planned yet: see zegel domain plan --help"), style="dim")
    if dry_run:
        return not any(change.blocked for change in changes)
    done = await publisher.apply(changes, lambda: _everything(store))
    clean = _tell_done(done)
    by_hand = [change for change in changes if change.needed and change.way == "hand" and not change.blocked]
    patience = wait if any(one.sent for one in done if one.zone.way == "rfc2136") else 0
    with screen.waiting(_("Reading back from the name servers of {domain}").format(domain=domain)):
        seen = await _read_back(publisher, changes, patience)
    _note(store, domain, seen)
    screen.say()
    if by_hand:
        screen.say(_("What no [[zone]] of zegel.toml holds is published by hand: see zegel domain handoff {domain}").format(domain=domain))
    return _tell_seen(changes, seen) and clean


def _tell_nothing_known(here: Place, domain: Domain) -> None:
    """A domain without a key and without a plan is not a domain whose records are right."""
    sentence = _("{domain} has neither a key nor a plan, so it is not known what it should publish. Make a key, and say what is planned:")
    plan = here.command(f"domain plan {domain} --egress 192.0.2.25 --policy none --rua dmarc@{domain}")
    screen.marked(Mark.NOTE, sentence.format(domain=domain), here.command(f"key new {domain}"), plan)


def _everything(store: Store) -> list[Record]:
    from zegel.rollout.wanted import everything

    with store.reading() as tx:
        return everything(tx)


async def _read_back(publisher: Publisher, changes: Sequence[Change], patience: float) -> list[ReadBack]:
    """Read back until every server has everything, or the patience is over."""
    end, pause = time.monotonic() + patience, 0.25
    while True:
        seen = await publisher.read_back(changes)
        if all(map(_fine, changes, seen)) or time.monotonic() + pause > end:
            return seen
        await asyncio.sleep(pause)
        pause = min(pause * 2, 5)


def _fine(change: Change, seen: ReadBack) -> bool:
    return seen.everywhere if change.wish is not None else seen.gone


def _show_changes(changes: Sequence[Change]) -> None:
    """The difference, record by record: what is there is kept, added or taken away."""
    ways = {"rfc2136": _("by dynamic update"), "file": _("by the file of its zone"), "hand": _("by hand")}
    for change in (change for change in changes if not change.blocked):
        for text in change.remove:
            screen.changes(f"- {change.record.name}. {change.record.type} {text[:_MAX_TEXT]}")
        if change.add:
            screen.changes(f"+ {as_zone_line(change.record)}")
        if change.needed:
            screen.say(f"  {ways[change.way]}; {told(change.seen.sentence)}", style="dim")
    from zegel.rollout.publish import told as why

    for change in changes:
        if (sentence := why(change)) is not None:
            screen.marked(Mark.WRONG, told(sentence))
    silent = [change for change in changes if change.seen.outcome == "unavailable"]
    if silent:
        unknown = _("of {count} records it is not known what DNS has, so they stay as they are: {why}")
        screen.marked(Mark.WRONG, unknown.format(count=len(silent), why=told(silent[0].seen.sentence)))
    elif not any(change.needed or change.conflicts for change in changes):
        screen.say(_("Nothing is to be changed."))


def _tell_done(done: Sequence[Done]) -> bool:
    for one in done:
        if isinstance(one.error, SpokenError):
            screen.marked(Mark.WRONG, _("zone {zone}: {error}").format(zone=one.zone.name, error=told(one.error)))
        elif one.error is not None:
            detail = f"{one.error.filename}: {one.error.strerror}" if one.error.filename else str(one.error)
            screen.marked(Mark.WRONG, _("zone {zone}: {error}").format(zone=one.zone.name, error=detail))
        elif one.sent and one.zone.way == "file":
            sentence = _("the file {file} is written; have the name server load the zone {zone} again, with a new serial number")
            screen.marked(Mark.NOTE, sentence.format(file=one.zone.file, zone=one.zone.name))
        elif one.sent:
            sentence = _("{server} has taken the changes of the zone {zone}: {count}")
            screen.marked(Mark.NOTE, sentence.format(server=one.zone.server, zone=one.zone.name, count=one.sent))
    return all(one.error is None for one in done)


def _tell_seen(changes: Sequence[Change], seen: Sequence[ReadBack]) -> bool:
    """What the servers have now: nothing is called published that was not read back."""
    for change, back in zip(changes, seen, strict=True):
        fine = _fine(change, back)
        if not fine or change.needed:
            screen.marked(Mark.OK if fine else Mark.WRONG, told(back.sentence))
        if not fine:
            texts = dict.fromkeys(
                text for sight in back.sights if sight.seen.outcome in ("different", "revoked") for text in sight.seen.seen
            )
            for text in list(texts)[:_MAX_SHOWN]:
                screen.say(_("seen:"), style="dim")
                screen.exact(text[:_MAX_TEXT])
    right = sum(map(_fine, changes, seen))
    if right == len(changes):
        sentence = _("published, and read back from every name server: {count} records")
        screen.marked(Mark.OK, sentence.format(count=right))
    else:
        screen.marked(
            Mark.WRONG, _("{right} of {count} records are as they should be at every name server").format(right=right, count=len(changes))
        )
    return right == len(changes)


def _note(store: Store, domain: Domain, seen: Sequence[ReadBack]) -> None:
    """Keep what was seen, so that the next look can tell since when it is so."""
    from zegel.rollout.watch import note

    with store.writing() as tx:
        for back in seen:
            note(tx, domain, back, now=int(time.time()))
