"""What the configuration says of the life of keys, as those who keep it want it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from zegel.config import Config
from zegel.rollout.life import Times

_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Rules:
    """Times, seconds between rotations (0: never), and where old private keys are published (None: nowhere, they are destroyed)."""

    times: Times = field(default_factory=Times)
    rotate: int = 0
    private_folder: Path | None = None


def key_rules(config: Config, folder: Path) -> Rules:
    """The rules of a configuration; ``folder`` is the data folder. What a key signed may be verified until its x= (RFC 6376 3.5)."""
    keys = config.keys
    times = Times(keys.retiring_days * _DAY + config.signing.expire, keys.revoked_days * _DAY, keys.look_seconds)
    return Rules(times, keys.rotate_days * _DAY, folder / keys.publish_private if keys.publish_private else None)
