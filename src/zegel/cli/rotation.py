"""``zegel key rotate | retire | revoke | remove``: begins what then goes by itself, and says plainly what happens to the mail meanwhile."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from zegel.cli import answered, publish, screen
from zegel.cli.place import Place
from zegel.cli.screen import Mark, Refusal
from zegel.cli.words import _, told
from zegel.words import Sentence

if TYPE_CHECKING:
    from zegel.config import Config
    from zegel.grammar.domain import Domain
    from zegel.rollout.life import Times
    from zegel.rollout.readback import ReadBack
    from zegel.rollout.rotation import Rotation
    from zegel.store.database import Store
    from zegel.store.keys import StoredKey


def rotate(here: Place, domain: Domain, algorithm: str | None, *, emergency: bool, revoke_now: bool) -> None:
    """Begin a rotation of the domain's keys, or of one kind. Raises Refusal, StoreError."""
    from zegel.rollout import rotation
    from zegel.store.keys import Succession

    if revoke_now and not emergency:
        raise Refusal(_("--revoke-now leaves mail unsigned until the new key is visible; it goes with --emergency only"))
    config = here.read_config()
    succession = Succession.EMERGENCY if emergency else Succession.PLANNED
    with here.store(create=False) as store:
        for number, kind in enumerate([algorithm] if algorithm else rotation.kinds(store, domain, config.keys.algorithm)):
            if number:
                screen.say()
            with screen.waiting(_("Making the key")):
                begun = rotation.rotate(store, domain, kind, now=int(time.time()), succession=succession, revoke_now=revoke_now)
            after, back = _look(here, config, store, begun.key)
            _tell(here, begun, after, back, emergency=emergency, times=times_of(config))


def times_of(config: Config) -> Times:
    """The times of the life of keys that the configuration says."""
    from pathlib import Path

    from zegel.rollout.keyrules import key_rules

    return key_rules(config, Path()).times


def _look(here: Place, config: Config, store: Store, key: StoredKey) -> tuple[StoredKey, ReadBack | None]:
    """Look once, as the daemon does: what is visible already takes over now. Returns the key afterwards, and what the servers said."""
    from zegel.adapters.journal import Journal
    from zegel.app import make_resolver
    from zegel.app.opening import make_servers
    from zegel.rollout.keeper import Keeper
    from zegel.rollout.keypublish import KeyPublisher
    from zegel.rollout.keyrules import key_rules

    rules = key_rules(config, here.data)

    async def once() -> tuple[StoredKey, ReadBack | None]:
        servers = make_servers(config, make_resolver(config))
        publisher = KeyPublisher(store, None, lambda: servers, lambda: config)
        keeper = Keeper(store, Journal(), lambda: servers, lambda: rules, publisher=publisher, quiet=True)
        after = await keeper.attend(key)
        troubles.update(publisher.troubles)
        return after, keeper.back

    troubles: dict[str, str] = {}
    with screen.waiting(_("Looking at {name}").format(name=key.name)):
        found = asyncio.run(once())
    for zone, error in troubles.items():
        if error:
            screen.marked(Mark.WRONG, _("zone {zone}: {error}").format(zone=zone, error=error))
    return found


def _tell(here: Place, begun: Rotation, key: StoredKey, back: ReadBack | None, *, emergency: bool, times: Times) -> None:
    words = {"selector": key.selector, "domain": key.domain}
    if begun.way == "made":
        screen.marked(Mark.OK, _("key {selector} of {domain} made").format(**words))
    elif begun.way == "spare":
        screen.marked(Mark.OK, _("the spare key {selector} of {domain} is taken").format(**words))
    else:
        screen.marked(Mark.OK, _("the key {selector} of {domain} is on its way already").format(**words))
    if begun.revoked is not None:
        sentence = _("the key {selector} is revoked: nothing signs with it from now on, within seconds")
        screen.marked(Mark.NOTE, sentence.format(selector=begun.revoked.selector))
        _tell_record(begun.revoked, _("Change its record to this, so that nobody else's signatures with it are believed:"))
    if key.state == "active":
        _tell_switched(begun, key, emergency=emergency)
        return
    if begun.former is not None:
        sentence = (
            _("until {selector} is visible, mail is signed with {former}, as before; at that moment {former} is revoked")
            if emergency
            else _("until {selector} is visible, mail is signed with {former}, as before; then the switch happens by itself")
        )
        screen.marked(Mark.NOTE, sentence.format(selector=key.selector, former=begun.former.selector))
    elif begun.revoked is not None:
        sentence = _("until {selector} is visible, mail of {domain} leaves without a signature of this kind")
        screen.marked(Mark.NOTE, sentence.format(**words))
    if not key.slot:
        _tell_record(key, _("Publish this record, unless Zegel writes this zone; it is waited for at all name servers:"))
    _tell_waited(here, key, back, times)


def _tell_switched(begun: Rotation, key: StoredKey, *, emergency: bool) -> None:
    screen.marked(Mark.OK, _("the key {selector} is visible and signs from now on, within seconds").format(selector=key.selector))
    if begun.former is not None and emergency:
        screen.marked(Mark.NOTE, _("the key {selector} is revoked").format(selector=begun.former.selector))
        _tell_record(begun.former, _("Change its record to this, so that nobody else's signatures with it are believed:"), revoked=True)


def _tell_record(key: StoredKey, sentence: str, *, revoked: bool = False) -> None:
    from dataclasses import replace

    screen.say()
    screen.say(sentence)
    screen.say()
    publish.show(replace(key, state=type(key.state)("revoked")) if revoked else key)
    screen.say()


def _tell_waited(here: Place, key: StoredKey, back: ReadBack | None, times: Times) -> None:
    """Say what the key waits for, who waits, and what each server answered that it waits for."""
    said = waits(key, times)
    if said:
        screen.marked(Mark.NOTE, f"{key.selector}: {said}")
    if back is not None and key.trouble:
        answered.show(back)
    screen.say(_("A running daemon goes on with it by itself. To see how far it is:"))
    screen.command(here.command(f"key list {key.domain}"))


def waits(key: StoredKey, times: Times) -> str:
    """What the key waits for, or an empty text."""
    from zegel.rollout.waiting import waits_for

    said: Sentence | None = waits_for(key, now=int(time.time()), times=times, when=moment)
    return told(said) if said else ""


def moment(seconds: int) -> str:
    """A time for people; of today only the hour."""
    at, today = time.localtime(seconds), time.localtime()
    return time.strftime("%H:%M" if at[:3] == today[:3] else "%Y-%m-%d %H:%M", at)


def retire(here: Place, domain: Domain, selector: str, *, force: bool) -> None:
    """Let a key sign no more, its record staying. Raises Refusal, StoreError."""
    from zegel.store import keychanges, keys

    keep = times_of(here.read_config()).retiring
    with here.store(create=False) as store, store.writing() as tx:
        key = keys.get(tx, domain, selector)
        others = [other for other in keys.all(tx, domain) if other.state == "active" and other.number != key.number]
        if key.state == "active" and not others and not force:
            again = here.command(f"key rotate {domain}")
            sentence = _("without {selector} nothing of {domain} is signed. Let another take its place ({again}), or add --force")
            raise Refusal(sentence.format(selector=key.selector, domain=domain, again=again))
        retired = keychanges.retire(tx, domain, selector, now=int(time.time()), keep=keep)
    sentence = _("the key {selector} of {domain} signs no more; its record stays until {until}")
    screen.marked(Mark.OK, sentence.format(selector=retired.selector, domain=domain, until=moment(retired.keep_until or 0)))


def revoke(here: Place, domain: Domain, selector: str, *, force: bool) -> None:
    """Revoke a key for good. Raises Refusal, StoreError."""
    from zegel.store import keychanges, keys

    with here.store(create=False) as store, store.writing() as tx:
        key = keys.get(tx, domain, selector)
        if key.state == "active" and not force:
            again = here.command(f"key rotate {domain} --emergency")
            sentence = _("{selector} signs the mail of {domain}. To have another take its place: {again}; to revoke it at once: --force")
            raise Refusal(sentence.format(selector=key.selector, domain=domain, again=again))
        revoked = keychanges.revoke(tx, domain, selector, now=int(time.time()))
    sentence = _("the key {selector} of {domain} is revoked for good: its signatures are not to be believed any more")
    screen.marked(Mark.OK, sentence.format(selector=revoked.selector, domain=domain))
    _tell_record(revoked, _("Its record is to be this from now on:"))


def remove(here: Place, domain: Domain, selector: str) -> None:
    """Take out a key that was revoked or has never signed. Raises StoreError."""
    from zegel.store import keychanges

    with here.store(create=False) as store, store.writing() as tx:
        removed = keychanges.remove(tx, domain, selector, now=int(time.time()))
    sentence = _("the key {selector} of {domain} is removed and its private half destroyed; take its record ({name}) out of DNS")
    screen.marked(Mark.OK, sentence.format(selector=removed.selector, domain=domain, name=removed.record_name))
