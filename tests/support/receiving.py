"""A real Postfix whose incoming mail goes through the real daemon, and a partner whose key its DNS has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import zegel
from support.daemon import Daemon
from support.postfix import Postfix
from support.sink import Arrived

PARTNER = "partner.example"


class Receiving(NamedTuple):
    """The running servers, and the partner's key."""

    postfix: Postfix
    daemon: Daemon
    key: zegel.Key

    def receive(self, message: bytes) -> Arrived:
        """Hand a message in as a stranger, and give it as it was delivered."""
        before = len(self.postfix.sink.messages)
        self.postfix.send(message, sender=f"a@{PARTNER}", address="203.0.113.5", port=4711)
        return self.postfix.sink.wait(before + 1)[-1]

    def signed(self, message: bytes, **options: str) -> bytes:
        """The message with the partner's signature."""
        return zegel.sign(message, self.key, **options) + message  # type: ignore[arg-type]


@contextmanager
def receiving() -> Iterator[Receiving]:
    """Run both. The daemon reads headers of 64 kB, so that one may be too large."""
    daemon = Daemon("[limits]\nheader_bytes = 65536\n")
    key = zegel.Key.generate(PARTNER, "s1", "ed25519")
    daemon.publish(key)
    with daemon, Postfix(smtpd_milters=daemon.milter_address, non_smtpd_milters=daemon.milter_address) as postfix:
        yield Receiving(postfix, daemon, key)
