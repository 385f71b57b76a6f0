"""What ``zegel status`` says of the outbox: whether it opens, what waits in it, and whether the next hop is there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from zegel.cli.looked import Item, gauge
from zegel.cli.words import _, told

if TYPE_CHECKING:
    from zegel.cli.place import Place
    from zegel.config import Config


def look(here: Place, config: Config) -> Iterator[Item]:
    """Look at the outbox, where there is one."""
    from zegel.config import listen_address
    from zegel.store import post
    from zegel.store.errors import StoreError
    from zegel.store.spool import NAME, Spool

    if not (here.data / NAME).exists():
        return
    try:
        with Spool.open(here.data, create=False) as spool, spool.reading() as tx:
            waiting = post.waiting(tx)
    except StoreError as error:
        yield Item("outbox", "wrong", here.localised(told(error)))
        return
    yield Item("outbox", "ok", _("the outbox opens; recipients that mail waits for: {waiting}").format(waiting=waiting))
    if config.metrics.listen and gauge(listen_address(f"inet:{config.metrics.listen}"), "zegel_next_hop_up") == 0:
        # The messages do not tell: none counts as tried while it is away.
        sentence = _("the next hop {hop} cannot be reached, and mail waits; the log has its answer:")
        yield Item("next hop", "wrong", sentence.format(hop=config.outbox.next_hop), "journalctl -u zegel | grep 'next hop'")
