"""``zegel quarantine list | show | release | drop``: the messages that are kept instead of delivered."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zegel.cli import place, screen
from zegel.cli.help import Command, Group
from zegel.cli.place import Place
from zegel.cli.screen import Mark
from zegel.cli.words import _

if TYPE_CHECKING:
    from zegel.store.posting import Posting
    from zegel.store.quarantine import Depot, Kept
    from zegel.store.spool import Spool

app = typer.Typer(cls=Group, no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="NAME", help=_("The name of the message, as zegel quarantine list has it."))]
Names = Annotated[list[str], typer.Argument(metavar="NAME", help=_("The names of the messages, as zegel quarantine list has them."))]
AsJson = Annotated[bool, typer.Option("--json", help=_("Write one line of JSON for each message."))]
_MAX_HEADER = 100_000
_MAX_SHOWN = 60


@app.command("list", cls=Command, help=_("List the messages in quarantine, newest first."))
def list_(ctx: typer.Context, json: AsJson = False) -> None:
    """List what is kept."""
    here = place.of(ctx)
    found = depot(here).all()
    if json:
        for kept in found:
            screen.json_line(as_json(kept))
    elif found:
        headings = (_("Name"), _("Time"), _("From domain"), _("Recipients"), _("Subject"), _("Why"))
        screen.table(headings, [_row(kept) for kept in found])
    else:
        screen.say(_("Nothing is in quarantine."))
        if here.read_config().inbound.quarantine != "keep":
            screen.say(_('Messages are kept here with quarantine = "keep" under [inbound] in zegel.toml, and a mode that quarantines.'))


@app.command(cls=Command, help=_("Show a message in quarantine: what is known of it, and its header."))
def show(
    ctx: typer.Context,
    name: Name,
    raw: Annotated[bool, typer.Option("--raw", help=_("Write the message itself, octet for octet."))] = False,
    json: AsJson = False,
) -> None:
    """Show one."""
    here = place.of(ctx)
    folder = depot(here)
    kept = folder.get(name)
    if raw:
        screen.message(folder.message(name))
        return
    if json:
        screen.json_line(as_json(kept))
        return
    screen.say(f"{kept.name}  {_clock(kept.time)}", style="bold")
    lines = [
        (_("Queue id"), kept.queue_id or "-"),
        (_("Client"), kept.client),
        (_("Envelope sender"), kept.sender or "<>"),
        (_("From domain"), kept.from_domain or "-"),
        *((_("Recipient"), recipient) for recipient in kept.recipients),
        (_("Size"), _("{size} octets").format(size=kept.size)),
        (_("Why"), kept.reason),
        (_("State"), _state(kept)),
    ]
    screen.table((_("What"), _("Is")), lines)
    screen.say(_("Its header:"))
    header = folder.message(name).partition(b"\r\n\r\n")[0][:_MAX_HEADER]
    for line in header.decode("utf-8", "replace").replace("\r\n", "\n").split("\n"):
        screen.exact(f"  {line}")
    if kept.queue_id:
        screen.say(_("The story of its verdict:"))
        screen.command(here.command(f"message show {kept.queue_id}"))


@app.command(cls=Command, help=_("Delete messages in quarantine for good."))
def drop(ctx: typer.Context, names: Names) -> None:
    """Drop some."""
    here = place.of(ctx)
    folder = depot(here)
    with here.store(create=False) as store:
        from zegel.store import audit

        for name in names:
            kept = folder.drop(name)
            with store.writing() as tx:
                audit.note(tx, "quarantine.drop", name, now=int(time.time()), before=logged(kept))
            screen.marked(Mark.OK, _("{name} is deleted").format(name=name))


@app.command(cls=Command, help=_("Send messages on to their recipients after all: by the outbox, past the policy, once."))
def release(
    ctx: typer.Context,
    names: Names,
    again: Annotated[bool, typer.Option("--again", help=_("Also messages that were released before: they are sent once more."))] = False,
) -> None:
    """Release some."""
    here = place.of(ctx)
    folder, config = depot(here), here.read_config()
    # All or none: a name typed wrong is told before any is sent. A name given twice is one message.
    found = [folder.releasable(name, again=again) for name in dict.fromkeys(names)]
    with here.store(create=False) as store, _spool(here) as spool:
        from zegel.store import audit, queue
        from zegel.store.posting import RELEASED

        route = RELEASED if config.inbound.release_to else None

        for kept in found:
            now = int(time.time())
            posting = _posting(kept, folder.allow(kept.name, now=now, again=again), folder.message(kept.name))
            with store.writing() as tx:
                audit.note(tx, "quarantine.release", kept.name, now=now, before=logged(kept))
            with spool.writing() as mail:
                queue_id = queue.hand_in(mail, posting, now=now, direct=config.outbox.direct, route=route)
            screen.marked(Mark.OK, _("{name} is on its way as {queue_id}").format(name=kept.name, queue_id=queue_id))
    screen.say(_("The daemon sends it. How it goes:"))
    screen.command(here.command("outbox list --state all"))


def _posting(kept: Kept, token: str, message: bytes) -> Posting:
    """The message as it goes back: as it came, below the token that lets it pass."""
    from zegel.store.posting import Posting
    from zegel.store.quarantine import FIELD

    data = f"{FIELD}: {token}\r\n".encode() + (message if message.endswith(b"\r\n") else message + b"\r\n")
    header = message.partition(b"\r\n\r\n")[0]
    utf8 = not (header.isascii() and all(address.isascii() for address in (kept.sender, *kept.recipients)))
    return Posting(kept.sender, kept.recipients, data, site="quarantine", utf8=utf8, eight_bit=not data.isascii())


def _spool(here: Place) -> Spool:
    from zegel.store.spool import Spool

    return Spool.open(here.data)


def depot(here: Place) -> Depot:
    """The quarantine of the data folder. Raises StoreError when there is none: nobody is to read of a wrong folder that it is empty."""
    from zegel.store import folder
    from zegel.store.quarantine import Depot

    folder.check(here.data)
    return Depot(here.data, max_bytes=here.read_config().inbound.quarantine_bytes)


def as_json(kept: Kept) -> dict[str, Any]:
    """A message for programs."""
    from dataclasses import asdict

    return asdict(kept)


def logged(kept: Kept) -> dict[str, Any]:
    """What the audit log has of a message, and when it was released before: no address of a person."""
    known = {"time": kept.time, "queue_id": kept.queue_id, "from_domain": kept.from_domain, "reason": kept.reason, "size": kept.size}
    return known if kept.released is None else known | {"released": kept.released}


def _row(kept: Kept) -> tuple[str, ...]:
    more = f" +{len(kept.recipients) - 1}" if len(kept.recipients) > 1 else ""
    subject = kept.subject if len(kept.subject) <= _MAX_SHOWN else f"{kept.subject[: _MAX_SHOWN - 3]}..."
    why = kept.reason if kept.state == "kept" else f"{kept.reason} ({_state(kept)})"
    return (kept.name, _clock(kept.time), kept.from_domain or "-", (kept.recipients or ("-",))[0] + more, subject, why)


def _state(kept: Kept) -> str:
    if kept.released is None:
        return _("kept")
    said = _("released on {time}") if kept.state == "released" else _("released on {time}, and not let through for everybody yet")
    return said.format(time=_clock(kept.released))


def _clock(seconds: int) -> str:
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M")
