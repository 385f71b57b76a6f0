"""``zegel import opendkim | rspamd | pem``: keys and domains from another signer, under the selectors that they have in DNS.

The files are read first, as whoever calls this; then root goes on as the owner of the data folder. All comes into the store in one
transaction, or nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zegel.cli import people, place, screen
from zegel.cli.help import Command, Group
from zegel.cli.place import Place
from zegel.cli.screen import Mark, Refusal
from zegel.cli.words import _

if TYPE_CHECKING:
    from zegel.moving.model import Files, Found
    from zegel.moving.plan import Keys, Plan
    from zegel.rollout.visibility import Visibility

app = typer.Typer(cls=Group, no_args_is_help=True)
DryRun = Annotated[bool, typer.Option("--dry-run", help=_("Only show what would come, and what has no equal."))]
NoDns = Annotated[bool, typer.Option("--no-dns-check", help=_("Do not look in DNS; what signs there signs here at once."))]
SkipBroken = Annotated[bool, typer.Option("--skip-broken", help=_("Leave out what is wrong, and import the rest."))]
Organisation = Annotated[str, typer.Option(metavar="NAME", help=_("Whose new domains these are; made when it is new."))]


@dataclass(frozen=True, slots=True)
class Options:
    """How it is to be done."""

    dry_run: bool = False
    look: bool = True
    skip_broken: bool = False
    organisation: str = "default"


@app.command(cls=Command, help=_("Take over what OpenDKIM signs, by its configuration; nothing changes in DNS."))
def opendkim(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help=_("Its configuration."))] = Path("/etc/opendkim.conf"),
    dry_run: DryRun = False,
    no_dns_check: NoDns = False,
    skip_broken: SkipBroken = False,
    organisation: Organisation = "default",
) -> None:
    """Import from OpenDKIM."""
    from zegel.moving.opendkim import read

    here, path = place.of(ctx), str(file.absolute())
    options = Options(dry_run, not no_dns_check, skip_broken, organisation)
    _bring(here, file, lambda files: read(path, files), options, f"opendkim {path}")
    if not dry_run:
        screen.say(_("When all is in the store, let Zegel take opendkim's place in Postfix (as root):"))
        screen.command(here.command("postfix setup --dry-run"))


@app.command(cls=Command, help=_("Take over what rspamd signs, by its dkim_signing.conf; nothing changes in DNS."))
def rspamd(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help=_("Its configuration of signing."))] = Path(
        "/etc/rspamd/local.d/dkim_signing.conf"
    ),
    dry_run: DryRun = False,
    no_dns_check: NoDns = False,
    skip_broken: SkipBroken = False,
    organisation: Organisation = "default",
) -> None:
    """Import from rspamd."""
    from zegel.moving.rspamd import read

    path = str(file.absolute())
    options = Options(dry_run, not no_dns_check, skip_broken, organisation)
    _bring(place.of(ctx), file, lambda files: read(path, files), options, f"rspamd {path}")


@app.command(
    cls=Command, help=_("Take over one key from a PEM file; it signs when its record is in DNS and no other key of its kind does.")
)
def pem(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="DOMAIN", help=_("The domain, such as example.be."))],
    selector: Annotated[str, typer.Argument(metavar="SELECTOR", help=_("The name that the key has in DNS."))],
    file: Annotated[Path, typer.Argument(metavar="FILE", help=_("The private key, in PEM or as rspamd writes it."))],
    dry_run: DryRun = False,
    no_dns_check: NoDns = False,
    organisation: Organisation = "default",
) -> None:
    """Import one key."""
    from zegel.moving.model import Found, Signer, Source
    from zegel.store import selectors

    domain, path = place.domain(name), str(file.absolute())
    chosen = selectors.parse(selector, domain, force=True)
    signer = Signer((str(domain),), domain, chosen, Source(path), path)
    options = Options(dry_run, not no_dns_check, organisation=organisation)
    _bring(place.of(ctx), file, lambda _files: Found([signer], single=True), options, f"pem {path}")


def _bring(here: Place, file: Path, read: Callable[[Files], Found], options: Options, origin: str) -> None:
    """Read, plan, look, show, do. Raises Refusal with status 1 when something stands in the way."""
    from zegel.cli import brought
    from zegel.moving.disk import Disk
    from zegel.moving.plan import load

    _expect(file)
    files = Disk()
    with screen.waiting(_("Reading")):
        found = read(files)
        loaded = load(found, files)
    people.become_owner(here.data)
    plan = _plan(here, found, loaded, dry_run=options.dry_run)
    seen = _look(here, plan) if options.look else {}
    brought.show(here, plan, seen, looked=options.look)
    broken = plan.broken
    if broken and not options.skip_broken:
        raise Refusal(_("nothing was imported; mend what is marked above, or leave it out: --skip-broken"), status=1)
    if options.dry_run:
        screen.say(_("Nothing was changed. To have it done, leave out --dry-run."))
    elif plan.changes:
        _do(here, plan, seen, options, origin)
    else:
        screen.marked(Mark.OK, _("nothing to import, and nothing was changed: what can come is in the store already"))


def _expect(file: Path) -> None:
    """Look whether the file that was named is there: one that a configuration names is told otherwise."""
    try:
        file.stat()
    except FileNotFoundError:
        raise Refusal(_("there is no file {file}; name the right one").format(file=file)) from None
    except OSError:
        pass  # reading it says what is wrong, and as whom to run this


def _plan(here: Place, found: Found, loaded: Keys, *, dry_run: bool) -> Plan:
    from zegel.moving.plan import make
    from zegel.store import domains, keys
    from zegel.store.folder import DATABASE

    if dry_run and not (here.data / DATABASE).exists():
        return make(found, loaded, (), ())
    with here.store_to_look() if dry_run else here.store() as store, store.reading() as tx:
        return make(found, loaded, domains.all(tx), keys.all(tx))


def _look(here: Place, plan: Plan) -> dict[tuple[str, str], Visibility]:
    """What DNS has for each key that would come along."""
    from zegel.cli.lookup import look_at

    return look_at(here, [(move.domain, move.selector, move.loaded.key_type, move.loaded.public) for move in plan.new if move.loaded])


def _do(here: Place, plan: Plan, seen: dict[tuple[str, str], Visibility], options: Options, origin: str) -> None:
    from zegel.moving.bring import Brought, bring_all
    from zegel.rollout.visibility import Outcome
    from zegel.store.errors import StoreError

    visible = {
        (move.domain, move.selector) for move in plan.new if not options.look or seen[move.domain, move.selector].outcome is Outcome.VISIBLE
    }
    done, now = Brought(0, 0, 0), int(time.time())
    try:
        with here.store() as store, screen.bar(_("Importing"), len(plan.new)) as bar:
            for so_far in bring_all(store, plan, visible, now=now, organisation=options.organisation, origin=origin):
                if bar is not None:
                    bar.advance(so_far.keys - done.keys)
                done = so_far
    except StoreError:
        if done.keys:
            sentence = _("imported before the trouble: {domains} domains and {keys} keys; the same command goes on with the rest")
            screen.marked(Mark.NOTE, sentence.format(domains=done.domains, keys=done.keys))
        raise
    sentence = _("imported: {domains} domains and {keys} keys, of which {active} sign at once")
    screen.marked(Mark.OK, sentence.format(domains=done.domains, keys=done.keys, active=done.active))
    waiting = [move for move in plan.new if move.signs and (move.domain, move.selector) not in visible]
    if waiting:
        sentence = _("{count} keys wait, as their record is not seen; when it is:")
        first = here.command(f"key activate {waiting[0].domain} {waiting[0].selector}")
        screen.marked(Mark.NOTE, sentence.format(count=len(waiting)), first)
    screen.marked(Mark.NOTE, _("these keys have lain in files: replace them once you can, and delete the files when nothing reads them"))
