"""The table [check] of ``zegel.toml``: the address that answers test mail with a report."""

from __future__ import annotations

from typing import Literal

import msgspec

from zegel.config.error import ConfigError
from zegel.grammar.address import AddressError, mailboxes
from zegel.words import N_

_LONGEST_PAUSE, _MOST_AN_HOUR = 86_400, 10_000


class Check(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Mail to ``answer`` is answered with a report on it; "" answers nobody.

    ``language`` is that of a report where the mail asks for none. One sender gets one answer in ``pause`` seconds; one domain gets
    ``domain_hourly`` answers an hour at most, and all together ``hourly``.
    """

    answer: str = ""
    language: Literal["en", "nl"] = "en"
    pause: int = 600
    hourly: int = 100
    domain_hourly: int = 20


def check(table: Check) -> None:
    """Raise :class:`ConfigError` unless each value is what it says."""
    if table.answer:
        try:
            found = mailboxes(table.answer.encode())
        except (AddressError, UnicodeEncodeError):
            found = []
        if len(found) != 1 or found[0].address != table.answer.strip().rpartition("@")[0] + "@" + found[0].domain:
            raise ConfigError(N_("zegel.toml: check.answer {text!r} is no address; write one such as check@example.be"), text=table.answer)
    if not 60 <= table.pause <= _LONGEST_PAUSE:
        raise ConfigError(N_("zegel.toml: check.pause is a number of seconds, from 60 to 86400"))
    for name in ("hourly", "domain_hourly"):
        if not 1 <= getattr(table, name) <= _MOST_AN_HOUR:
            raise ConfigError(N_("zegel.toml: check.{name} is a number of answers, from 1 to 10000"), name=name)
