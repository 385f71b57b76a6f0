"""What all authoritative servers have of one key's record, as the state machine wants it; and which record the key should have.

For a key in a delegation slot the customer's name is asked for, and its CNAME leads to the servers of our own zone: so the whole way that
receivers go is seen (RFC 6376 3.6.2).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from zegel.adapters.nameservers import Looking
from zegel.ask import RRType
from zegel.rollout.life import Look
from zegel.rollout.readback import ReadBack, Sight, read_back
from zegel.rollout.records import Record, key_record, txt
from zegel.rollout.visibility import Outcome
from zegel.rollout.wanted import REVOKED
from zegel.store.keys import KeyState, StoredKey

_GONE = (KeyState.REVOKED, KeyState.REMOVED)


@dataclass(frozen=True, slots=True)
class Sighting:
    """The key by its row number, the look as the state machine wants it, and all that was read back, for people."""

    number: int
    look: Look
    back: ReadBack


def record_of(key: StoredKey) -> Record:
    """The record that a key has in its state, under the name at which it is published; revoked, its p= is empty (RFC 6376 3.6.1)."""
    return txt(key.record_name, REVOKED) if key.state in _GONE else replace(key_record(key), name=key.record_name)


async def look(servers: Looking, key: StoredKey) -> Sighting:
    """Ask all servers. Trouble with them is in the answer, never raised."""
    back = await read_back(servers, replace(record_of(key), name=key.name))
    right = [sight for sight in back.sights if sight.seen.outcome is Outcome.VISIBLE]
    lacking = [sight for sight in back.sights if sight.seen.outcome not in (Outcome.VISIBLE, Outcome.UNAVAILABLE)]
    seen = Look(
        servers=len(back.sights),
        serving=len(right),
        lacking=len(lacking),
        gone=sum(not _has_this_key(sight, key) for sight in lacking),
        own_ttl=max((sight.ttl for sight in right), default=0),
        alias_ttl=await _alias_ttl(servers, key) if key.slot and key.state is KeyState.REVOKED else 0,
        other_ttl=max((sight.ttl for sight in lacking), default=0),
        negative_ttl=back.negative_ttl,
        difference=back.difference,
    )
    return Sighting(key.number, seen, back)


def _has_this_key(sight: Sight, key: StoredKey) -> bool:
    return any(key.public in "".join(text.split()) for text in sight.seen.seen)


async def _alias_ttl(servers: Looking, key: StoredKey) -> int:
    """How long the customer's CNAME is kept by others, in seconds; 0 when no server says."""
    looked = await servers.look_everywhere(key.name, RRType.CNAME)
    return max((answer.answer.ttl for answer in looked.servers if answer.answer.records), default=0)
