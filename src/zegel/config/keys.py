"""``[keys]``: how the life of keys goes: how often they are looked at, how long each state lasts, and if they change by themselves."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from zegel.config.error import ConfigError
from zegel.words import N_

_MOST_DAYS = 3650
_LEAST_RETIRING = 7
_LEAST_LOOK, _MOST_LOOK = 10, 300


class Keys(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The life of keys. ``rotate_days`` 0 changes none by itself: where DNS is written by hand, a new key is work for somebody else.

    ``publish_private`` names a folder below the data folder; empty publishes no private half, and destroys it.
    """

    rotate_days: int = 0
    algorithm: Literal["rsa2048", "ed25519"] = "rsa2048"
    look_seconds: int = 60
    retiring_days: int = 7
    revoked_days: int = 30
    publish_private: str = ""


def check(keys: Keys) -> None:
    """Check what ``[keys]`` says. Raises :class:`ConfigError`."""
    if keys.rotate_days and not _LEAST_RETIRING <= keys.rotate_days <= _MOST_DAYS:
        raise ConfigError(N_("zegel.toml: keys.rotate_days is a number of days, at least 7 (180 for twice a year), or 0 for never"))
    if not _LEAST_LOOK <= keys.look_seconds <= _MOST_LOOK:
        raise ConfigError(N_("zegel.toml: keys.look_seconds is a number of seconds, from 10 to 300"))
    if not _LEAST_RETIRING <= keys.retiring_days <= _MOST_DAYS:
        # RFC 5321 4.5.4.1: a queue gives up after four or five days; what it delivers last is verified then.
        raise ConfigError(N_("zegel.toml: keys.retiring_days is a number of days, at least 7: mail waits in queues for up to 5 days"))
    if not 1 <= keys.revoked_days <= _MOST_DAYS:
        raise ConfigError(N_("zegel.toml: keys.revoked_days is a number of days, from 1 to 3650"))
    if keys.publish_private and not re.fullmatch("[A-Za-z0-9_-]{1,64}", keys.publish_private):
        message = N_('zegel.toml: keys.publish_private is the name of a folder, made below the data folder; write "published-keys"')
        raise ConfigError(message)
