"""The part of the daemon that looks after keys: it looks at the records of all that are not removed, and lets the state machine decide.

What waits, or signs with trouble, is looked at every minute; what is well once an hour, spread by a jitter of its own, so that a thousand
domains do not ask all at once. At most so many looks are under way at a time. Several daemons may run on one store: each looks where the
last look, whoever's it was, is long enough ago, and changes only what is still as it was when it looked.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from zegel.adapters.journal import Journal
from zegel.adapters.nameservers import Looking
from zegel.grammar.domain import Domain
from zegel.rollout import keylook, life, rotation
from zegel.rollout.keyfolder import publish_private
from zegel.rollout.keyrules import Rules
from zegel.rollout.life import MISSES, Times
from zegel.rollout.readback import ReadBack
from zegel.store import keychanges, keys
from zegel.store.database import Store
from zegel.store.errors import StoreError
from zegel.store.keychanges import Change, OutdatedError
from zegel.store.keys import KeyState, StoredKey

_AT_ONCE = 20
_DAY = 86_400
_PATIENT = 5  # looks that are left out of so many, where a key has waited for a day, or DNS is somebody else's to mend


class Publisher(Protocol):
    """Who writes key records into zones that we may write (``rollout.keypublish``)."""

    def writes(self, name: str) -> bool:
        """Tell whether records of that name are written by it."""

    async def publish(self, domain: Domain) -> None:
        """Have the key records of a domain written. Trouble is told by itself."""


class Keeper:
    """Looks after the keys of one store, for one event loop. ``clock`` gives seconds since the epoch; ``quiet`` logs nothing."""

    def __init__(
        self,
        store: Store,
        journal: Journal,
        servers: Callable[[], Looking],
        rules: Callable[[], Rules],
        *,
        publisher: Publisher | None = None,
        clock: Callable[[], float] = time.time,
        quiet: bool = False,
    ) -> None:
        self._store, self._journal, self._servers, self._rules = store, journal, servers, rules
        self._publisher, self._clock = publisher, clock
        self._quiet = quiet
        self._told: dict[tuple[int, str], str] = {}  # the trouble of each key that was told, with its record and with its rotation
        self._wake, self._everything = asyncio.Event(), False
        self.looks = 0
        self.back: ReadBack | None = None  # what the last look, at whatever key, read back

    async def run(self) -> None:
        """Go round until cancelled."""
        while True:
            everything, self._everything = self._everything, False
            self._wake.clear()
            try:
                await self.round(everything=everything)
            except Exception as error:  # whatever it is, what signs now goes on
                self._journal.fault(error)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._rules().times.look)

    def wake(self, *, everything: bool = False) -> None:
        """Go round now: keys have changed, or (``everything``) somebody wants all of them looked at."""
        self._everything |= everything
        self._wake.set()

    async def round(self, *, everything: bool = False) -> None:
        """Look once at all keys that are due, or at everything, then see to what time alone brings."""
        now = int(self._clock())
        known = await asyncio.to_thread(self._read)
        times = self._rules().times
        troubled = {(key.domain, key.key_type) for key in known if key.state is KeyState.ACTIVE and key.misses}
        due = [key for key in known if everything or is_due(key, now=now, times=times, urgent=(key.domain, key.key_type) in troubled)]
        # Those that may be gone back to are looked at first: a key is left only for one that is served now.
        due.sort(key=lambda key: key.state is KeyState.ACTIVE)
        turns = asyncio.Semaphore(_AT_ONCE)
        backs = [key for key in due if key.state is not KeyState.ACTIVE]
        for batch in (backs, due[len(backs) :]):
            await asyncio.gather(*(self._in_turn(turns, key) for key in batch))
        self._journal.troubled_keys.set(sum(bool(key.trouble) for key in known))
        await asyncio.to_thread(self._end_private_halves)
        if self._rules().rotate:
            await asyncio.to_thread(self._rotate)

    async def _in_turn(self, turns: asyncio.Semaphore, key: StoredKey) -> None:
        async with turns:
            try:
                await self.attend(key)
            except Exception as error:  # of one key; the others are looked at all the same
                self._journal.fault(error)

    async def attend(self, key: StoredKey) -> StoredKey:
        """Look at one key, change what is to be changed, and have published what is not as it should be; returns the key afterwards."""
        key, others = await asyncio.to_thread(self._fresh, key)
        self.looks += 1
        seen = await keylook.look(self._servers(), key)
        self.back = seen.back
        now, rules = int(self._clock()), self._rules()
        changes = life.step(key, seen.look, others, now=now, times=rules.times)
        try:
            await asyncio.to_thread(self._apply, changes, now)
        except OutdatedError:
            return (await asyncio.to_thread(self._fresh, key))[0]  # somebody else was there meanwhile: the next look knows
        after = next((change.after for change in changes if change.before.number == key.number), key)
        self._tell(changes, seen.back.sentence.told(str) if after.trouble else "")
        # What is not as it should be, or should be otherwise from now on, is written where we may write.
        fine = seen.look.vanished if after.withdrawn else seen.look.everywhere
        if (
            self._publisher is not None
            and (not fine or any(change.action for change in changes))
            and self._publisher.writes(key.record_name)
        ):
            await self._publisher.publish(key.domain)
        return after

    # -- the store, in a thread of its own --------------------------------------------------------------------------------------------

    def _read(self) -> list[StoredKey]:
        with self._store.reading() as tx:
            return [key for key in keys.all(tx) if key.state is not KeyState.REMOVED]

    def _fresh(self, key: StoredKey) -> tuple[StoredKey, list[StoredKey]]:
        """The key as it is by now, and its siblings: another key's switch in the same round may have changed it."""
        with self._store.reading() as tx:
            return keys.numbered(tx, key.number), keys.siblings(tx, key)

    def _apply(self, changes: Sequence[Change], now: int) -> None:
        with self._store.writing() as tx:
            keychanges.apply(tx, changes, now=now, keep_private=self._rules().private_folder is not None)

    def _end_private_halves(self) -> None:
        """Publish the private halves of removed keys whose time has come, or destroy them where nothing is published."""
        now, folder = int(self._clock()), self._rules().private_folder
        with self._store.reading() as tx:
            left = [key for key in keys.all(tx) if key.state is KeyState.REMOVED and key.has_private]
        for key in left:
            if folder is not None and not life.may_publish_private(key, now=now):
                continue
            try:
                with self._store.writing() as tx:
                    if folder is not None:
                        publish_private(folder, key, keys.private_of(tx, key))
                    keychanges.destroy_private(tx, key, now=now, action="key.publish" if folder else "key.destroy")
            except OutdatedError:
                continue
            self._journal.note("private key published" if folder else "private key destroyed", key=key.name)

    def _rotate(self) -> None:
        """Begin the rotations whose day has come."""
        now, every = int(self._clock()), self._rules().rotate
        for key in self._read():  # anew: this very round may have brought the key that follows
            if key.state is not KeyState.ACTIVE or now - min(key.activated or now, now) < every:
                continue
            with self._store.reading() as tx:
                if rotation.is_under_way(tx, key.domain, key.key_type):
                    continue
            try:
                begun = rotation.rotate(self._store, key.domain, key.algorithm, now=now)
            except StoreError as error:
                self._note_once(key, _ROTATION, str(error))
            else:
                self._told.pop((key.number, _ROTATION), None)
                self._journal.note("key rotation begun", key=begun.key.name, record=begun.key.record_name)

    # -- what is told -----------------------------------------------------------------------------------------------------------------

    def _tell(self, changes: Sequence[Change], why: str) -> None:
        for change in changes:
            key = change.after
            if change.action and not self._quiet:
                self._journal.note(_EVENTS[change.action], key=key.name, record=key.record_name, state=key.state.value)
            if key.state is KeyState.ACTIVE and key.misses >= MISSES:
                self._note_once(key, _RECORD, why)
            elif not key.trouble:
                self._told.pop((key.number, _RECORD), None)

    def _note_once(self, key: StoredKey, kind: str, why: str) -> None:
        if self._told.get((key.number, kind)) != why and not self._quiet:
            self._told[key.number, kind] = why
            self._journal.alarm("key in trouble, and signing on", key=key.name, why=why)


_RECORD, _ROTATION = "record", "rotation"
_EVENTS = {
    "key.visible": "key visible",
    "key.unseen": "key not visible any more",
    "key.activate": "key signs",
    "key.retire": "key retiring",
    "key.revoke": "key revoked",
    "key.withdraw": "record of a revoked key withdrawn",
    "key.remove": "key removed",
    "key.missing": "key missing in DNS",
    "key.lost": "key left, as its record is gone",
    "key.back": "key signs again",
}


def is_due(key: StoredKey, *, now: int, times: Times, urgent: bool = False) -> bool:
    """Tell whether a key is to be looked at now. ``urgent``: the domain's signing key of this type is missing its record."""
    if key.looked is None or key.looked > now:
        return True
    waits = key.state is KeyState.PENDING or (key.state is KeyState.VISIBLE and bool(key.succession))
    if urgent or waits or (key.state is KeyState.ACTIVE and key.trouble):
        patient = key.state is KeyState.PENDING and key.served is None and now - key.created > _DAY
        every = times.look * (_PATIENT if patient and not urgent else 1)
    elif key.trouble:
        every = times.look * _PATIENT
    else:
        # From three quarters of an hour to five quarters, the same for a key at all times (Knuth's multiplicative hash).
        every = times.rest * (750 + key.number * 2_654_435_761 % 500) // 1000
    return now - key.looked >= every - times.look // 2
