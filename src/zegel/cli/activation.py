"""``zegel key activate``: looks at DNS once, says what it saw, and lets the key sign when receivers can find it.

A signature that no receiver can check is worse than none (RFC 6376 5.2): so a key whose record is not seen is refused unless insisted upon.
The authoritative servers are asked, never a resolver: it would keep their "no" (RFC 2308 5), and hide the record when it comes.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from zegel.cli import place, publish, screen
from zegel.cli.place import Place
from zegel.cli.screen import Mark, Refusal
from zegel.cli.words import _, told
from zegel.rollout import visibility
from zegel.rollout.records import key_record
from zegel.rollout.visibility import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zegel.grammar.domain import Domain
    from zegel.rollout.readback import ReadBack
    from zegel.store.keys import StoredKey

_MAX_SHOWN = 3
_MAX_TEXT = 500


def activate(here: Place, domain: Domain, selector: str, *, look: bool, force: bool) -> None:
    """Activate a key. Raises Refusal with status 1 when its record is not seen as it must be."""
    with here.store(create=False) as store:
        from zegel.rollout.keyrules import key_rules
        from zegel.store import keychanges, keys

        with store.reading() as tx:
            key = keys.get(tx, domain, selector)
        if key.state == "active":
            screen.marked(Mark.OK, _("the key {selector} of {domain} is active already").format(selector=key.selector, domain=domain))
            return
        if look:
            _judge(here, key, force=force)
        else:
            screen.marked(Mark.NOTE, _("DNS was not looked at; without the record receivers cannot check what this key signs"))
        with store.writing() as tx:
            keep = key_rules(here.read_config(), here.data).times.retiring
            former = keychanges.activate(tx, domain, key.selector, now=int(time.time()), keep=keep)
            active = [other for other in keys.all(tx, domain) if other.state == "active"]
    sentence = _("the key {selector} of {domain} is active: running daemons sign with it within seconds")
    screen.marked(Mark.OK, sentence.format(selector=key.selector, domain=domain))
    _tell_consequences(here, domain, former, active)


def _judge(here: Place, key: StoredKey, *, force: bool) -> None:
    """Look at DNS and say what is there. Raises Refusal when it is not the key's record everywhere, unless forced."""
    back = _look(here, key)
    screen.marked(Mark.OK if back.everywhere else Mark.WRONG, told(back.sentence))
    if back.everywhere:
        if any(visibility.is_testing(sight.seen) for sight in back.sights):
            screen.marked(Mark.NOTE, _("the record says t=y (testing): receivers may take no notice of the signatures; take t=y out"))
        return
    for text in list(dict.fromkeys(text for sight in back.sights for text in sight.seen.seen))[:_MAX_SHOWN]:
        screen.say(_("seen:"), style="dim")
        screen.exact(text[:_MAX_TEXT])
    if force:
        screen.marked(Mark.NOTE, _("activated all the same: until the record is right, receivers see a signature that they cannot check"))
        return
    again = here.command(f"key activate {key.domain} {key.selector}")
    if back.outcome is Outcome.UNAVAILABLE:
        sentence = _("not activated, as nothing is known of the record. Try again ({again}), or add --force to activate it unseen")
    else:
        screen.say()
        publish.show(key)
        screen.say()
        sentence = _("not activated. Publish the record as above, wait until DNS has it, then: {again}")
    raise Refusal(sentence.format(again=again), status=1)


def _look(here: Place, key: StoredKey) -> ReadBack:
    from zegel.rollout.readback import read_back

    record = key_record(key)
    servers = place.nameservers(here.read_config())
    with screen.waiting(_("Asking the name servers of {domain}").format(domain=key.domain)):
        return asyncio.run(read_back(servers, record))


def _tell_consequences(here: Place, domain: Domain, former: StoredKey | None, active: Sequence[StoredKey]) -> None:
    if former is not None:
        sentence = _(
            "the key {selector} is retired. Leave its record published for at least 7 days ({name}): "
            "mail that it signed is still on its way, and is checked when it arrives"
        )
        screen.marked(Mark.NOTE, sentence.format(selector=former.selector, name=key_record(former).name))
    if all(key.key_type == "ed25519" for key in active):
        sentence = _(
            "Ed25519 is now the only kind that {domain} signs with, and large receivers do not verify it; keep an RSA key active too"
        )
        screen.marked(Mark.NOTE, sentence.format(domain=domain), here.command(f"key new {domain}"))
