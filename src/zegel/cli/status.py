"""``zegel status``: is all well? For people, and by its exit status for monitoring: 0 when nothing is wrong, 1 when something is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from zegel.cli import outbox_status, place, screen
from zegel.cli.looked import Item, gauge, reachable
from zegel.cli.place import Place
from zegel.cli.screen import Mark, Refusal
from zegel.cli.words import _, told

if TYPE_CHECKING:
    from zegel.config import Config
    from zegel.grammar.domain import Domain
    from zegel.store.domains import OwnDomain
    from zegel.store.keys import StoredKey

_SECONDS = 2.0
# The daemon looks once a second whether the store has changed.
_TAKE_OVER_SECONDS = 1.5
_MARKS = {"ok": Mark.OK, "wrong": Mark.WRONG, "note": Mark.NOTE}


def status(ctx: typer.Context, json: Annotated[bool, typer.Option("--json", help=_("Write JSON, for programs."))] = False) -> None:
    """Look at everything."""
    here = place.of(ctx)
    items = list(_look(here))
    wrong = any(item.state == "wrong" for item in items)
    if json:
        screen.json_line({"ok": not wrong, "items": [asdict(item) for item in items]})
    else:
        for item in items:
            screen.marked(_MARKS[item.state], item.text, item.step)
    raise typer.Exit(int(wrong))


def _look(here: Place) -> Iterator[Item]:
    config, item = _configuration(here)
    yield item
    generation = None
    for found in _store(here):
        if isinstance(found, int):
            generation = found
        else:
            yield found
    if config is None:
        return
    if not config.outbound.allow:
        sentence = _("no [[outbound.allow]] says who may sign as whom, so nothing is signed; write one in {file}")
        yield Item("outbound", "note", sentence.format(file=here.config_file))
    answers = [_milter(here, address) for address in config.milter.listen]
    yield from answers
    if config.metrics.listen:
        yield _daemon(here, config.metrics.listen, generation, runs=any(answer.state == "ok" for answer in answers))
    yield from outbox_status.look(here, config)


def _configuration(here: Place) -> tuple[Config | None, Item]:
    from zegel.config import ConfigError
    from zegel.gateway.site import check

    try:
        config = here.read_config()
        check(config.inbound)  # what a daemon would not start with
    except ConfigError as error:
        return None, Item("configuration", "wrong", here.localised(told(error)))
    except OSError as error:
        return None, Item("configuration", "wrong", f"{here.config_file}: {error.strerror}")
    try:
        place.resolver(config)
    except Refusal as error:
        # The same, but the rest can still be looked at.
        return config, Item("configuration", "wrong", _("configuration {file}: {error}").format(file=here.config_file, error=error))
    sentence = _("configuration {file} is in order") if here.config_file.exists() else _("no configuration {file}: the defaults hold")
    return config, Item("configuration", "ok", sentence.format(file=here.config_file))


def _store(here: Place) -> Iterator[Item | int]:
    """What the store holds; its generation comes as a number."""
    from zegel.store import domains, keys
    from zegel.store.errors import StoreError

    try:
        with here.store_to_look() as store:
            with store.reading() as tx:
                own, every = domains.all(tx), keys.all(tx)
            generation = store.generation()
    except StoreError as error:
        yield Item("store", "wrong", here.localised(told(error)))
        return
    active = [key for key in every if key.state == "active"]
    sentence = _("store {folder} opens; domains: {domains}, keys: {keys}, active keys: {active}")
    yield Item("store", "ok", sentence.format(folder=here.data, domains=len(own), keys=len(every), active=len(active)))
    yield from _unlocked(here)
    yield from _domains(here, own, active)
    yield from _troubled(here, active)
    yield generation


def _unlocked(here: Place) -> Iterator[Item]:
    """Whether the master key opens the private keys: a daemon that starts needs it."""
    from zegel.store.errors import StoreError

    try:
        here.store(create=False).close()
    except StoreError as error:
        yield Item("master key", "wrong", here.localised(told(error)))
    else:
        yield Item("master key", "ok", _("the master key is the store's own"))


def _domains(here: Place, own: list[OwnDomain], active: list[StoredKey]) -> Iterator[Item]:
    if not own:
        yield Item("domains", "note", _("there are no domains yet; add one"), here.command("domain add example.be"))
    kinds: dict[Domain, set[str]] = {domain.name: set() for domain in own}
    for key in active:
        kinds[key.domain].add(key.key_type)
    for domain, found in kinds.items():
        if not found:
            sentence = _("{domain} has no active key, so its mail is not signed; see its keys")
            yield Item("keys", "note", sentence.format(domain=domain), here.command(f"key list {domain}"))
        elif found == {"ed25519"}:
            sentence = _("{domain} signs with Ed25519 only, which large receivers do not verify; add an RSA key")
            yield Item("keys", "note", sentence.format(domain=domain), here.command(f"key new {domain}"))


def _troubled(here: Place, active: list[StoredKey]) -> Iterator[Item]:
    """Keys that sign, and whose records were proved to be missing. Name servers that do not answer are no news of the key."""
    from zegel.cli import rotation
    from zegel.rollout.life import Times

    for key in active:
        if key.missing and (said := rotation.waits(key, Times())):
            yield Item("keys", "wrong", f"{key.name}: {said}", here.command(f"key show {key.domain} {key.selector}"))


def _milter(here: Place, text: str) -> Item:
    """Whether our daemon answers at an address of the configuration, with one greeting of the milter protocol."""
    from zegel.config import listen_address
    from zegel.postfix.reach import negotiate

    address = listen_address(text)
    where = address.path or (reachable(address.host), address.port)
    try:
        version = negotiate(where, _SECONDS)
    except (FileNotFoundError, ConnectionRefusedError):
        sentence = _("nobody listens on {address}; start the service (systemctl start zegel), or by hand:")
        return Item("milter", "wrong", sentence.format(address=text), here.command("serve"))
    except TimeoutError:
        sentence = _("what listens on {address} does not answer; look in its log: journalctl -u zegel")
    except ValueError:
        sentence = _("what listens on {address} does not speak the milter protocol; give Zegel its own address in zegel.toml")
    except OSError as error:
        return Item("milter", "wrong", _("{address} cannot be reached: {error}").format(address=text, error=error.strerror or error))
    else:
        return Item("milter", "ok", _("the milter answers on {address}, protocol {version}").format(address=text, version=version))
    return Item("milter", "wrong", sentence.format(address=text))


def _daemon(here: Place, listen: str, generation: int | None, *, runs: bool) -> Item:
    """Whether the daemon signs with what the store has now, by its own metrics."""
    from zegel.config import listen_address

    address = listen_address(f"inet:{listen}")
    running = gauge(address, "zegel_generation")
    if running is None:
        sentence = _("metrics do not answer on {address}") if runs else _("no daemon tells on {address} which keys it signs with")
        return Item("daemon", "note", sentence.format(address=listen))
    if generation is None:
        return Item(
            "daemon", "note", _("the daemon signs with generation {running}; the store cannot tell its own").format(running=running)
        )
    if running < generation:
        time.sleep(_TAKE_OVER_SECONDS)
        running = gauge(address, "zegel_generation") or running
    if running == generation:
        return Item("daemon", "ok", _("the daemon signs with what the store has (generation {running})").format(running=running))
    sentence = _(
        "the daemon signs with generation {running}, the store has {generation}: it could not take the change over, or it runs with "
        "another data folder than {folder}; look in its log: journalctl -u zegel"
    )
    return Item("daemon", "wrong", sentence.format(running=running, generation=generation, folder=here.data))
