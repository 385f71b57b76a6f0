"""``zegel site change | remove``: other settings for a site, and its end. Neither asks for a new secret or a restart."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from zegel.cli import place, screen, site_shown
from zegel.cli.place import Place
from zegel.cli.screen import Mark, Refusal
from zegel.cli.words import _

if TYPE_CHECKING:
    from zegel.store.siterules import Settings

Name = Annotated[str, typer.Argument(metavar="SITE", help=_("The name of the site, as zegel site list has it."))]
Listed = list[str] | None


def change(
    ctx: typer.Context,
    name: Name,
    address: Annotated[str | None, typer.Option(metavar="ADDRESS", help=_("The address that it sends as."))] = None,
    contact: Annotated[str | None, typer.Option(metavar="ADDRESS", help=_("Who hears of mail that could not be delivered."))] = None,
    organisation: Annotated[str | None, typer.Option(metavar="NAME", help=_("Whose site it is."))] = None,
    sender: Annotated[
        Listed, typer.Option(metavar="SENDER", help=_("What it may send as besides, instead of those of now; several times, '' for none."))
    ] = None,
    network: Annotated[
        Listed, typer.Option(metavar="NETWORK", help=_("Where it logs in from, instead of those of now; several times, '' for anywhere."))
    ] = None,
    to: Annotated[
        Listed, typer.Option(metavar="RECIPIENT", help=_("Whom it may write to, instead of those of now; several times, '' for anybody."))
    ] = None,
    foreign_from: Annotated[
        Literal["correct", "refuse"] | None,
        typer.Option(help=_("What becomes of mail in another name: the sender is corrected, or it is refused.")),
    ] = None,
    would_fail: Annotated[
        Literal["warn", "refuse"] | None, typer.Option(help=_("What becomes of mail that would not pass at its receivers."))
    ] = None,
    rate: Annotated[int | None, typer.Option(min=0, help=_("Messages an hour; 0 for no bound."))] = None,
    visitor_rate: Annotated[int | None, typer.Option(min=0, help=_("Messages an hour from one visitor's mailbox; 0 for no bound."))] = None,
    unix_user: Annotated[
        str | None,
        typer.Option(metavar="USER", help=_("The user of this system whose mail by zegel-sendmail is this site's; '' for none.")),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help=_("Write JSON, for programs."))] = False,
) -> None:
    """Change settings."""
    given: dict[str, Any] = {
        "address": address, "contact": contact, "organisation": organisation, "senders": _texts(sender), "networks": _texts(network),
        "recipients": _texts(to), "foreign_from": foreign_from, "would_fail": would_fail, "rate": rate, "visitor_rate": visitor_rate,
    }  # fmt: skip
    # The names above are those of Settings, which no type checker sees in a comprehension.
    changes: Settings = {name: value for name, value in given.items() if value is not None}  # type: ignore[assignment]  # see above
    if unix_user is not None:
        changes["unix_user"] = unix_user or None
    if not changes:
        raise Refusal(_("say what is to change, as in: zegel site change {name} --rate 200").format(name=name))
    here = place.of(ctx)
    with here.store(create=False) as store:
        from zegel.store import sites

        with store.writing() as tx:
            before = sites.get(tx, name)
            changed = sites.change(tx, name, now=int(time.time()), **changes)
            after = sites.get(tx, name)
    labels = site_shown.labels()
    other = [setting for setting in labels if getattr(before, setting) != getattr(after, setting)]
    if json:
        screen.json_line({"site": name, "changed": {setting: getattr(after, setting) for setting in other}})
        return
    screen.marked(
        Mark.OK if changed else Mark.NOTE, (_("site {name} changed") if changed else _("{name} was so already")).format(name=name)
    )
    if other:
        rows = [(labels[setting], site_shown.shown(before, setting), site_shown.shown(after, setting)) for setting in other]
        screen.table((_("What"), _("Was"), _("Is")), rows)


def remove(
    ctx: typer.Context,
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", help=_("Do not ask first."))] = False,
) -> None:
    """Take it out."""
    here = place.of(ctx)
    with here.store(create=False) as store:
        from zegel.store import sites

        with store.reading() as tx:
            contact = sites.get(tx, name).contact
        waiting = _waiting(here, name)
        if not yes:
            question = _("The site {name} and its secret go for good. Remove it?").format(name=name)
            if not sys.stdin.isatty():
                raise Refusal(_("{question} Say so with --yes").format(question=question))
            typer.confirm(question, abort=True, err=True)
        with store.writing() as tx:
            sites.remove(tx, name, now=int(time.time()))
    screen.marked(Mark.OK, _("site {name} removed; no mail of it is taken any more").format(name=name))
    if waiting:
        sentence = _("messages of it that still wait: {count}. They are delivered all the same; of one that cannot be, {contact} is told")
        screen.marked(Mark.NOTE, sentence.format(count=waiting, contact=contact))
        screen.command(here.command("outbox list"))


def _texts(given: Sequence[str] | None) -> list[str] | None:
    """A list as it was given; one empty text is the empty list. None: not given."""
    return None if given is None else [text for text in given if text]


def _waiting(here: Place, name: str) -> int:
    """How many messages of a site wait in the outbox, where there is one."""
    from zegel.store import queue
    from zegel.store.spool import NAME, Spool

    if not (here.data / NAME).exists():
        return 0
    with Spool.open(here.data, create=False) as spool, spool.reading() as tx:
        return queue.waiting_of(tx, name)
