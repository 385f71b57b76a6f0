"""``zegel export opendkim | rspamd | pem``: the keys that sign here, as files that another signer reads.

It goes out only into new files of mode 0600, with a word on what they are worth, and with a line in the audit log.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zegel.cli import place, screen
from zegel.cli.help import Command, Group
from zegel.cli.place import Place
from zegel.cli.screen import Mark, Refusal
from zegel.cli.words import _, told

if TYPE_CHECKING:
    from zegel.config import Config
    from zegel.moving.export import Export, Signing
    from zegel.store.transaction import Transaction

app = typer.Typer(cls=Group, no_args_is_help=True)
Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help=_("A new folder; its path goes into the files, so put it where it stays."))]


@app.command(cls=Command, help=_("Write what signs here as a configuration of OpenDKIM, with the private keys."))
def opendkim(ctx: typer.Context, folder: Folder) -> None:
    """Export to OpenDKIM."""
    from zegel.moving.export import opendkim as written

    target = _target(folder)
    _hand_out(place.of(ctx), target, written, "opendkim")
    screen.say(_("Let opendkim read them, then see if they are right:"))
    screen.command(f"chown -R opendkim: {target}")
    screen.command(f"opendkim -n -x {target}/opendkim.conf")


@app.command(cls=Command, help=_("Write what signs here as a dkim_signing.conf of rspamd, with the private keys."))
def rspamd(ctx: typer.Context, folder: Folder) -> None:
    """Export to rspamd."""
    from zegel.moving.export import rspamd as written

    target = _target(folder)
    _hand_out(place.of(ctx), target, written, "rspamd")
    screen.say(_("Let rspamd read them, then see if they are right:"))
    screen.command(f"chown -R _rspamd: {target}")
    screen.command(f"cp {target}/dkim_signing.conf /etc/rspamd/local.d/")
    screen.command("rspamadm configtest")


@app.command(cls=Command, help=_("Write the private half of one key as a PEM file."))
def pem(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="DOMAIN", help=_("The domain, such as example.be."))],
    selector: Annotated[str, typer.Argument(metavar="SELECTOR", help=_("The name of the key, as zegel key list has it."))],
    file: Annotated[Path, typer.Argument(metavar="FILE", help=_("A new file, for your eyes only."))],
) -> None:
    """Export one key."""
    from zegel.moving.handout import write_one

    here, domain, path = place.of(ctx), place.domain(name), file.absolute()
    with here.store(create=False) as store:
        from zegel.store import keys

        with store.writing() as tx:
            key = keys.get(tx, domain, selector)
            _note(tx, "pem", path, 1)
            write_one(keys.private_pem(tx, domain, selector), path)
    screen.marked(
        Mark.OK, _("{path} has the private half of {selector} of {domain}").format(path=path, selector=key.selector, domain=domain)
    )
    _warn()


def _target(folder: Path) -> Path:
    from zegel.moving.export import can_hold

    target = folder.absolute()
    if not can_hold(str(target)):
        raise Refusal(_("{path}: in a path of theirs only letters, digits and . _ + @ ~ - may be; name another folder").format(path=target))
    return target


def _hand_out(here: Place, folder: Path, written: Callable[[list[Signing], Config, str], Export], program: str) -> None:
    from zegel.moving import handout

    config = here.read_config()
    with here.store(create=False) as store, store.writing() as tx:
        found = _signing(tx)
        if not found:
            raise Refusal(_("no key signs here, so there is nothing to write; see: {command}").format(command=here.command("key list")))
        made = written(found, config, str(folder))
        # What went out is in the log before it is out: a line too many is better than one too few.
        _note(tx, program, folder, len(found))
        handout.write(made, folder)
    sentence = _("{path} has {keys} private keys of {domains} domains")
    screen.marked(Mark.OK, sentence.format(path=folder, keys=len(found), domains=len({key.domain for key in found})))
    for unequal in made.unequal:
        screen.marked(Mark.NOTE, told(unequal))
    _warn()


def _signing(tx: Transaction) -> list[Signing]:
    """The keys that sign, by domain."""
    from zegel.moving.export import Signing
    from zegel.store import domains, keys

    below = {domain.name: domain.sign_subdomains for domain in domains.all(tx)}
    public = {(key.domain, key.selector): key for key in keys.all(tx) if key.state is keys.KeyState.ACTIVE}
    found = []
    for key in keys.active(tx):
        shown = public[key.domain, key.selector]
        found.append(Signing(key.domain, key.selector, shown.key_type, shown.public, below[key.domain], key.private_pem))
    return found


def _note(tx: Transaction, program: str, path: Path, count: int) -> None:
    from zegel.store import audit

    audit.note(tx, "export", f"{program} {path}", now=int(time.time()), after={"keys": count})


def _warn() -> None:
    sentence = _(
        "who has these files can sign mail in the name of these domains, for as long as the records are in DNS. Keep them to the program "
        "that needs them, send them to nobody, and delete them when they are not needed: a key that got away is replaced, not taken back"
    )
    screen.marked(Mark.NOTE, sentence)
