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
from zegel.grammar.domain import Domain
from zegel.limits import Limits
from zegel.store.quarantine import Depot
from zegel.store.record import Recording
from zegel.verdict.policy import Site


@dataclass(frozen=True, slots=True)
class Quarantine:
    """How a message for quarantine is told apart: by a field for the mail store, which nobody else may write, held by the server, or
    kept by us in ``depot``.
    """

    field: bytes = b"X-Zegel-Quarantine"
    hold: bool = False
    depot: Depot | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of now. ``authserv_id`` is in A-labels and lower case; ``subjects`` tells that subjects are recorded too.

    ``seal_as`` is the domain of ours whose key seals mail from outside (ARC); None seals nothing. ``answering`` answers mail to one address
    with a report on it, where the site wants that. ``received_spf`` writes the results of SPF in a field of their own as well.
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
    seal_as: Domain | None = None
    received_spf: bool = False
    answering: Answering | None = None
    clock: Callable[[], float] = time.time
