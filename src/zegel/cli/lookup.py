"""Looks at many key records, side by side and within bounds, and gives up on a DNS that does not answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from zegel.ask import OUT_OF_BUDGET, Dialogue, Together
from zegel.cli import place, screen
from zegel.cli.place import Place
from zegel.cli.words import _
from zegel.rollout import visibility
from zegel.rollout.records import as_value, key_record
from zegel.rollout.visibility import Outcome, Visibility
from zegel.words import N_

if TYPE_CHECKING:
    from zegel.grammar.domain import Domain

# At most two questions each, so that a batch stays within what one message may ask.
_BATCH = 40
Key = tuple["Domain", str, str, str]


@dataclass(frozen=True, slots=True)
class _Public:
    """What of a key is published (:class:`zegel.rollout.records.PublicHalf`)."""

    domain: str
    selector: str
    key_type: str
    public: str


def look_at(here: Place, keys: Sequence[Key]) -> dict[tuple[str, str], Visibility]:
    """What DNS has for each key (domain, selector, k=, p=), by domain and selector. Raises Refusal, OSError."""
    from zegel.front import drive

    config = here.read_config()
    resolver = place.resolver(config)
    found: dict[tuple[str, str], Visibility] = {}
    with screen.bar(_("Looking in DNS"), len(keys)) as bar:
        for batch in _batches(keys):
            seen = drive(_all(batch), resolver, config.limits)
            found |= {key[:2]: one for key, one in zip(batch, seen, strict=True)}
            if bar is not None:
                for _key in batch:
                    bar.advance()
            if len(keys) > len(found) and all(one.outcome is Outcome.UNAVAILABLE for one in seen):
                break
    return found | {key[:2]: _unknown(key) for key in keys if key[:2] not in found}


def _batches(keys: Sequence[Key]) -> Iterator[Sequence[Key]]:
    for start in range(0, len(keys), _BATCH):
        yield keys[start : start + _BATCH]


def _all(keys: Sequence[Key]) -> Dialogue[tuple[Visibility, ...]]:
    records = [key_record(_Public(*key)) for key in keys]
    seen = yield Together(tuple(visibility.look(record.name, as_value(record)) for record in records))
    return cast("tuple[Visibility, ...]", seen)


def _unknown(key: Key) -> Visibility:
    sentence = N_("DNS did not answer for {name} ({rcode}); nothing is known of the record")
    values: dict[str, object] = {"name": f"{key[1]}._domainkey.{key[0]}", "rcode": str(OUT_OF_BUDGET.rcode)}
    return Visibility(Outcome.UNAVAILABLE, "unavailable", sentence, values)
