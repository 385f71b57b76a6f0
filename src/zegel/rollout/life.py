"""The life of a key as a state machine on plain values: what a look at DNS, the time and the other keys make of it.

A key may sign only when *all* authoritative servers have served exactly its record, without a break, for as long as a cache may remember
that it was not there or something else was: the negative TTL of the zone (RFC 2308 5), or the TTL of what stood there before. A key that
signs is left only on proof, at all servers and three looks in a row; trouble with DNS is no proof of anything and stops nothing.

There is no clock, no store and no DNS here. A time of the store that lies in the future was written by a clock that went wrong: it counts
as now. After a leap forward, or a long time without a look, nothing ends at the first look: it may be the clock that is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from zegel.store import keychanges
from zegel.store.keychanges import Change
from zegel.store.keys import KeyState, StoredKey, Succession

MISSES, MISS_SECONDS = 3, 300
"""So many looks, so many seconds apart at the least, must prove a signing key's record gone: three within a quarter of an hour."""

_LONGEST_WAIT = 7 * 86_400  # more than caches keep (RFC 8767 4)
_TROUBLED = 3  # looks in a row without a whole answer, after which what was served is not known any more
UNAVAILABLE, PARTLY = "unavailable", "partly"


@dataclass(frozen=True, slots=True)
class Times:
    """How long things take, in seconds: a record stays ``retiring`` after its key's last signature, and is then ``revoked``.

    ``look`` lies between two looks at what waits or is in trouble, ``rest`` between two at what is well.
    """

    retiring: int = keychanges.WEEK
    revoked: int = 30 * 86_400
    look: int = 60
    rest: int = 3600

    @property
    def gap(self) -> int:
        """Without a look for longer than this, nobody knows what was served meanwhile."""
        return max(900, 3 * self.look)


@dataclass(frozen=True, slots=True)
class Look:
    """What the authoritative servers of a key's record said, all asked at one moment.

    Of ``servers`` asked, ``serving`` have what the key's state wants (its record; for a revoked one the empty ``p=``), and ``lacking``
    proved that they have nothing or something else; the others did not answer. ``gone``: of the lacking, who has nothing of this key.
    TTLs in seconds: of the key's own record, of its slot's CNAME (0 where not asked), of another record that stood there, and the
    negative one of the zone.
    """

    servers: int = 0
    serving: int = 0
    lacking: int = 0
    gone: int = 0
    own_ttl: int = 0
    alias_ttl: int = 0
    other_ttl: int = 0
    negative_ttl: int = 3600
    difference: str = ""

    @property
    def everywhere(self) -> bool:
        """All servers have it."""
        return 0 < self.servers == self.serving

    @property
    def nowhere(self) -> bool:
        """All servers have proved that they do not."""
        return 0 < self.servers == self.lacking

    @property
    def vanished(self) -> bool:
        """No server has anything of this key."""
        return 0 < self.servers == self.gone


def step(before: StoredKey, look: Look, others: Sequence[StoredKey], *, now: int, times: Times) -> tuple[Change, ...]:
    """Return what changes after a look at one key; ``others`` are the keys of the same domain and type, as they were before the look.

    All of it belongs together, and is to be made only where every key in it is still as it was (``keychanges.apply``).
    """
    key = settled(before, now)
    steady = before.looked is not None and 0 <= now - before.looked <= max(times.gap, 2 * times.rest)
    own, alias = max(key.ttl, min(look.own_ttl, _LONGEST_WAIT)), max(key.alias_ttl, min(look.alias_ttl, _LONGEST_WAIT))
    noted = replace(key, looked=now, serving=look.serving, servers=look.servers, ttl=own, alias_ttl=alias)
    match key.state:
        case KeyState.PENDING | KeyState.VISIBLE:
            return _waiting(before, noted, look, others, now, times, unbroken=key.looked is not None and now - key.looked <= times.gap)
        case KeyState.ACTIVE:
            return _signing(before, noted, look, others, now, times)
        case KeyState.RETIRING:
            return _retiring(before, noted, look, others, now, times, steady=steady)
        case KeyState.REVOKED:
            return _revoked(before, noted, look, now, times, steady=steady)
        case KeyState.REMOVED:
            return ()


def settled(key: StoredKey, now: int) -> StoredKey:
    """The key without times in the future: they count as now, and what lasts a while after one of them lasts as long from now on."""
    names = ("served", "visible", "activated", "retired", "revoked", "removed", "missing", "looked")
    future: dict[str, Any] = {name: now for name in names if (getattr(key, name) or 0) > now}
    if "retired" in future and key.retired is not None and key.keep_until is not None:
        future["keep_until"] = now + max(0, key.keep_until - key.retired)
    return replace(key, **future) if future else key


def _waiting(
    before: StoredKey, key: StoredKey, look: Look, others: Sequence[StoredKey], now: int, times: Times, *, unbroken: bool
) -> tuple[Change, ...]:
    if look.lacking:
        # One server without it is enough to know: somebody would look there, and not find it.
        wait = min(max(key.wait, look.negative_ttl, look.other_ttl), _LONGEST_WAIT)
        lost = replace(key, state=KeyState.PENDING, served=None, visible=None, misses=0, wait=wait, trouble=look.difference)
        return (Change(before, lost, "key.unseen" if key.state is KeyState.VISIBLE else ""),)
    if not look.everywhere:
        misses = min(key.misses + 1, _TROUBLED)
        served = None if misses == _TROUBLED and key.state is KeyState.PENDING else key.served
        return (Change(before, replace(key, served=served, misses=misses, trouble=UNAVAILABLE)),)
    wait = min(max(key.wait, look.negative_ttl), _LONGEST_WAIT)
    served = key.served if key.served is not None and (unbroken or key.state is KeyState.VISIBLE) else now
    seen = replace(key, served=served, wait=wait, misses=0, trouble="")
    if key.state is KeyState.PENDING and now - served < wait:
        return (Change(before, seen),)
    ripe = replace(seen, state=KeyState.VISIBLE, visible=now if key.visible is None else key.visible)
    if key.succession is Succession.NONE:
        return (Change(before, ripe, "key.visible" if key.state is KeyState.PENDING else ""),)
    return _switched(before, ripe, others, now, times)


def _switched(before: StoredKey, ripe: StoredKey, others: Sequence[StoredKey], now: int, times: Times) -> tuple[Change, ...]:
    """The key takes over."""
    taking = Change(before, keychanges.activated(ripe, now=now), "key.activate")
    former = next((other for other in others if other.state is KeyState.ACTIVE), None)
    if former is None:
        return (taking,)
    if ripe.succession is Succession.EMERGENCY:
        return (Change(former, keychanges.revoked(former, now=now), "key.revoke"), taking)
    return (Change(former, keychanges.retired(former, now=now, keep=times.retiring), "key.retire"), taking)


def _signing(before: StoredKey, key: StoredKey, look: Look, others: Sequence[StoredKey], now: int, times: Times) -> tuple[Change, ...]:
    if look.everywhere:
        served = now if key.served is None else key.served
        return (Change(before, replace(key, served=served, misses=0, missing=None, trouble="")),)
    if not look.nowhere:
        trouble = PARTLY if look.lacking else UNAVAILABLE
        # In a row: what is not proved at all servers begins the count anew.
        return (Change(before, replace(key, misses=0, missing=None, trouble=trouble)),)
    missing = now if key.missing is None else key.missing
    counts = key.misses < MISSES and now - missing >= key.misses * MISS_SECONDS
    misses = key.misses + 1 if counts else key.misses
    missed = replace(key, served=None, misses=misses, missing=missing, trouble=look.difference)
    back = _last_visible(others, now, times) if misses >= MISSES else None
    if back is None:
        return (Change(before, missed, "key.missing" if misses == MISSES != key.misses else ""),)
    # It comes back by itself when its record does, unless another is to take over anyway.
    planned = any(other.succession and other.state in (KeyState.PENDING, KeyState.VISIBLE) for other in others)
    cleared: dict[str, Any] = {"visible": None, "misses": 0, "missing": None}
    succession = Succession.NONE if planned else Succession.PLANNED
    left = replace(missed, state=KeyState.PENDING, succession=succession, **cleared)
    return (Change(before, left, "key.lost"), Change(back, keychanges.activated(back, now=now), "key.back"))


def _last_visible(others: Sequence[StoredKey], now: int, times: Times) -> StoredKey | None:
    """The key to go back to: one that signed last, or a spare, whose record all servers served at a look just now."""
    fresh = [
        other
        for other in others
        if other.served is not None and other.looked is not None and abs(now - other.looked) <= times.gap and not other.trouble
    ]
    retiring = [other for other in fresh if other.state is KeyState.RETIRING]
    if retiring:
        return max(retiring, key=lambda other: (other.retired or 0, other.number))
    spare = [other for other in fresh if other.state is KeyState.VISIBLE]
    return max(spare, key=lambda other: (other.visible or 0, other.number), default=None)


def _retiring(
    before: StoredKey, key: StoredKey, look: Look, others: Sequence[StoredKey], now: int, times: Times, *, steady: bool
) -> tuple[Change, ...]:
    if look.everywhere:
        key = replace(key, served=now if key.served is None else key.served, trouble="")
    else:
        key = replace(key, served=None if look.lacking else key.served, trouble=look.difference if look.lacking else UNAVAILABLE)
    until = key.keep_until if key.keep_until is not None else (key.retired or now) + times.retiring
    key = replace(key, keep_until=until)
    needed = any(other.state is KeyState.ACTIVE and other.misses for other in others)
    if steady and now >= until and not needed:
        return (Change(before, keychanges.revoked(key, now=now), "key.revoke"),)
    return (Change(before, key),)


def _revoked(before: StoredKey, key: StoredKey, look: Look, now: int, times: Times, *, steady: bool) -> tuple[Change, ...]:
    if look.vanished:
        trouble = ""
    elif look.lacking > look.gone:
        trouble = "not_revoked"
    else:
        trouble = "" if look.serving + look.lacking == look.servers > 0 else UNAVAILABLE
    key = replace(key, trouble=trouble)
    over = steady and now >= (key.revoked or now) + times.revoked
    if not over and not key.withdrawn:
        return (Change(before, key),)
    if look.vanished:
        return (Change(before, replace(key, state=KeyState.REMOVED, removed=now), "key.remove"),)
    # The record may go; the key is removed when it has gone.
    return (Change(before, replace(key, removed=now if key.removed is None else key.removed), "" if key.withdrawn else "key.withdraw"),)


def may_publish_private(key: StoredKey, *, now: int) -> bool:
    """Tell whether the private half of a removed key may become public: no cache has its record any more, so that it proves nothing."""
    if key.state is not KeyState.REMOVED or key.removed is None or not key.has_private:
        return False
    return now - key.removed >= max(key.ttl + key.alias_ttl, 3600)
