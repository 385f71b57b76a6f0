"""What all messages share: the site's decisions and the parts that the gateway works with. A message keeps those that it began with."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from zegel.adapters.converse import AsyncResolver
from zegel.adapters.journal import Journal
from zegel.adapters.keyring import Keyring
from zegel.dkim.sign import Style
from zegel.gateway.outbound import Policy
from zegel.gateway.testmail import Answering
from zegel.limits import Limits
from zegel.store.record import Recording
from zegel.verdict.policy import Site


@dataclass(frozen=True, slots=True)
class Quarantine:
    """How a message for quarantine is told apart: by a field for the mail store, which nobody else may write, or held by the server."""

    field: bytes = b"X-Zegel-Quarantine"
    hold: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of now. ``authserv_id`` is in A-labels and lower case; ``subjects`` tells that subjects are recorded too.

    ``answering`` answers mail to one address with a report on it, where the site wants that.
    """

    policy: Policy
    keyring: Keyring
    resolver: AsyncResolver
    journal: Journal
    authserv_id: str
    style: Style
    limits: Limits
    recorder: Recording
    site: Site = field(default_factory=Site)
    quarantine: Quarantine = field(default_factory=Quarantine)
    subjects: bool = False
    answering: Answering | None = None
    clock: Callable[[], float] = time.time
