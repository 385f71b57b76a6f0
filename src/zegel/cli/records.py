"""``zegel domain records | export``: every record that a domain should have, in the spelling that is wanted, or as a file of a zone."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zegel.cli import place, publish, screen
from zegel.cli.screen import Mark, Refusal
from zegel.cli.words import _, told
from zegel.rollout.records import as_split, as_value, as_zone_line

if TYPE_CHECKING:
    from zegel.rollout.wanted import Holdings, Wanted
    from zegel.store.database import Store

Name = Annotated[str, typer.Argument(metavar="DOMAIN", help=_("The domain, such as example.be."))]
AsJson = Annotated[bool, typer.Option("--json", help=_("Write JSON, for programs."))]


class Format(StrEnum):
    """The spellings of records."""

    ZONE = "zone"
    VALUE = "value"
    SPLIT = "split"
    RELATIVE = "relative"
    JSON = "json"


def records(
    ctx: typer.Context,
    name: Name,
    format_: Annotated[
        Format | None,
        typer.Option(
            "--format",
            help=_(
                "Only the records, one a line: zone (lines of a zone file), value (name, type, one string), "
                "split (strings of 255 in quotes), relative (names within the zone), or json."
            ),
        ),
    ] = None,
    zone: Annotated[
        str | None, typer.Option("--zone", metavar="ZONE", help=_("The zone that names are relative to; without it, the domain."))
    ] = None,
    json: AsJson = False,
) -> None:
    """Show the records to publish."""
    here, domain = place.of(ctx), place.domain(name)
    within = place.domain(zone) if zone else domain
    with here.store_to_look() as store:
        from zegel.rollout.wanted import faults, wanted

        of = _holdings(store, domain)
    wishes = wanted(of)
    if json or format_ is Format.JSON:
        screen.json_line({"domain": domain, "records": [publish.wanted_json(wish, within) for wish in wishes]})
    elif format_ is not None:
        for wish in wishes:
            screen.columns(*_cells(wish, format_, within, named=zone is not None))
    else:
        for number, wish in enumerate(wishes):
            if number:
                screen.say()
            publish.show_wanted(wish, within)
        _tell_the_rest(store, of, wishes)
    for fault in faults(of):
        screen.marked(Mark.WRONG, told(fault), to=screen.console_of_errors())
    if not wishes and not json and format_ is None:
        screen.say(_("{domain} has no key to publish yet. Make one:").format(domain=domain))
        screen.command(here.command(f"key new {domain}"))


def export(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="ZONE", help=_("The zone: all records in it, whatever domain they are of."))],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help=_("Write this file, whole or not at all, instead of standard output."))
    ] = None,
    ttl: Annotated[int, typer.Option("--ttl", min=60, max=86400, help=_("The TTL of the records, in seconds."))] = 3600,
) -> None:
    """Write the records of a zone as a file to include."""
    from zegel.config.publishing import Zone
    from zegel.rollout.publish import write_file, zone_file
    from zegel.rollout.wanted import everything

    here, domain = place.of(ctx), place.domain(name)
    with here.store_to_look() as store, store.reading() as tx:
        found = [record for record in everything(tx) if record.name == domain or record.name.endswith(f".{domain}")]
    if not found:
        raise Refusal(_("no record of a domain in the store stands in the zone {zone}").format(zone=domain), status=1)
    text = zone_file(Zone(name=domain, ttl=ttl, file=str(out or "FILE")), found)
    if out is None:
        for line in text.splitlines():
            screen.exact(line)
        return
    changed = write_file(out.absolute(), text)
    sentence = _("{count} records written to {file}") if changed else _("{file} has these {count} records already")
    screen.marked(Mark.OK, sentence.format(count=len(found), file=out))


def _holdings(store: Store, domain: str) -> Holdings:
    from zegel.grammar.domain import Domain
    from zegel.rollout.wanted import holdings

    with store.reading() as tx:
        return holdings(tx, Domain(domain))


def _cells(wish: Wanted, format_: Format, zone: str, *, named: bool) -> tuple[str, ...]:
    """One record as the columns of a line. A zone-file line has names in full unless a zone was named."""
    record = wish.record
    if format_ is Format.ZONE:
        inside = named and not publish.relative(record, zone).endswith(".")
        return (as_zone_line(record, zone=zone if inside else None),)
    name = publish.relative(record, zone) if format_ is Format.RELATIVE else record.name
    return name, record.type, as_split(record) if format_ is Format.SPLIT else as_value(record)


def _tell_the_rest(store: Store, of: Holdings, wishes: tuple[Wanted, ...]) -> None:
    """The policy file of MTA-STS, the selectors of others, and what is not planned yet."""
    from zegel.rollout.wanted import mta_sts_policy
    from zegel.store import services

    policy = mta_sts_policy(of.plan)
    if policy:
        screen.say()
        screen.say(_("MTA-STS: the file https://mta-sts.{domain}/.well-known/mta-sts.txt").format(domain=of.domain), style="bold")
        for line in policy.splitlines():
            screen.exact(line)
    with store.reading() as tx:
        foreign = services.all(tx, of.domain)
    if foreign:
        screen.say()
        screen.say(_("Selectors of other services; their records stay as they are:"), style="bold")
        for one in foreign:
            screen.exact(one.record_name + (f"  ({one.service})" if one.service else ""))
    if wishes and all(wish.key is not None or wish.purpose == "slot" for wish in wishes):
        screen.say()
        screen.say(_("SPF, DMARC and the others are not planned yet: see zegel domain plan --help"), style="dim")
