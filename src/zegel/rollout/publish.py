"""Publishes the records of a domain, by the way of each zone: dynamic update, a file to include, or by hand.

First everything is looked at, at all authoritative servers; what differs becomes a list of changes that can be shown before anything is
done. What is taken away is only what was ours, by its exact text. A foreign record that stands in the place of ours (an SPF record that
somebody wrote) is a conflict: it stays, and ours stays out, until its owner says that it may be replaced. Nothing is called published here:
the records are read back afterwards, and the difference is named.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from zegel.adapters.nameservers import Looking
from zegel.adapters.resolver import address
from zegel.adapters.update import Edit, read_secret, update
from zegel.ask import RRType
from zegel.config.publishing import Zone
from zegel.rollout import differences
from zegel.rollout.readback import ReadBack, read_back, read_gone
from zegel.rollout.records import Record, as_value, as_zone_line
from zegel.rollout.visibility import Outcome, compare
from zegel.rollout.wanted import Wanted
from zegel.words import N_, Sentence, SpokenError

_TOGETHER = 8  # records that are looked at side by side


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be done about one record: ``add`` it, and take the texts in ``remove`` away, which were ours.

    ``conflicts`` are foreign texts in its place. ``seen`` is what the servers have now; ``zone`` the configured one that holds it, or None.
    """

    record: Record
    add: bool
    remove: tuple[str, ...]
    conflicts: tuple[str, ...]
    seen: ReadBack
    zone: Zone | None
    wish: Wanted | None = None

    @property
    def way(self) -> str:
        """How it is published: ``rfc2136``, ``file`` or ``hand``."""
        return self.zone.way if self.zone else "hand"

    @property
    def needed(self) -> bool:
        """Whether there is anything to do."""
        return self.add or bool(self.remove)

    @property
    def blocked(self) -> bool:
        """Whether a foreign record, or that nothing is known of the servers, stands in the way."""
        return bool(self.conflicts) or self.seen.outcome is Outcome.UNAVAILABLE


@dataclass(frozen=True, slots=True)
class Done:
    """What was done for one zone: how many records were sent, or the error; of by hand nothing."""

    zone: Zone
    sent: int = 0
    error: SpokenError | OSError | None = None


class Publisher:
    """Looks, changes and reads back. ``servers`` asks all authoritative servers; ``zones`` are the configured ones."""

    def __init__(self, servers: Looking, zones: Sequence[Zone]) -> None:
        self._servers, self._zones = servers, zones

    async def survey(self, wishes: Iterable[Wanted], unwanted: Iterable[Record] = (), *, replace: bool = False) -> list[Change]:
        """Look at every record, and tell what is to be done; with ``replace`` foreign records in the place of ours go too."""
        turns = asyncio.Semaphore(_TOGETHER)

        async def one(wish: Wanted) -> Change:
            async with turns:
                seen = await read_back(self._servers, wish.record, former=wish.former)
            return _change(wish, seen, self.zone_of(wish.record.name), replace=replace)

        async def other(record: Record) -> Change:
            async with turns:
                seen = await read_gone(self._servers, record)
            remove = (as_value(record),) if seen.difference in ("still_there", "not_everywhere") else ()
            return Change(record, False, remove, (), seen, self.zone_of(record.name))

        return list(await asyncio.gather(*map(one, wishes), *map(other, unwanted)))

    async def apply(self, changes: Sequence[Change], everything: Callable[[], Sequence[Record]]) -> list[Done]:
        """Make the changes, zone by zone. ``everything`` gives all records of the store: a file of a zone is written whole."""
        done = []
        for zone in dict.fromkeys(change.zone for change in changes if change.zone is not None and change.way != "hand"):
            mine = [change for change in changes if change.zone == zone and not change.blocked]
            try:
                if zone.way == "rfc2136":
                    sent = await _send(zone, mine) if mine else 0
                else:
                    held = [record for record in everything() if self.zone_of(record.name) == zone]
                    sent = int(write_file(Path(zone.file), zone_file(zone, held)))
                done.append(Done(zone, sent))
            except (SpokenError, OSError) as error:
                done.append(Done(zone, error=error))
        return done

    async def read_back(self, changes: Sequence[Change]) -> list[ReadBack]:
        """Read every record back from all servers, in the order given."""
        turns = asyncio.Semaphore(_TOGETHER)

        async def one(change: Change) -> ReadBack:
            async with turns:
                if change.wish is None:
                    return await read_gone(self._servers, change.record)
                return await read_back(self._servers, change.record, former=(*change.wish.former, *change.remove))

        return list(await asyncio.gather(*map(one, changes)))

    def zone_of(self, name: str) -> Zone | None:
        """The configured zone that holds a name: the longest that fits. RFC 1034 4.3.2."""
        fitting = [zone for zone in self._zones if name == zone.name or name.endswith(f".{zone.name}")]
        return max(fitting, key=lambda zone: len(zone.name), default=None)


def _change(wish: Wanted, seen: ReadBack, zone: Zone | None, *, replace: bool) -> Change:
    """What one look means for one record."""
    wanted, rrtype = as_value(wish.record), RRType(wish.record.type)
    texts = dict.fromkeys(text for sight in seen.sights for text in sight.seen.seen)
    at_place = seen.difference not in ("doubled_name", "underscore_lost")
    remove, conflicts = [], []
    for text in texts if at_place else ():
        if compare(wish.record.name, wanted, [text], rrtype).outcome is Outcome.VISIBLE:
            continue
        if any(compare(wish.record.name, old, [text], rrtype).outcome is Outcome.VISIBLE for old in wish.former):
            remove.append(text)
        elif _rival(wish.record, text):
            conflicts.append(text)
    if replace:
        remove, conflicts = [*remove, *conflicts], []
    # Where one server has it the others lag: there is nothing to add. Who sends an update looks at the primary itself.
    add = seen.outcome is not Outcome.UNAVAILABLE and not any(_is_there(wish.record, sight.seen.seen) for sight in seen.sights)
    return Change(wish.record, add, tuple(remove), tuple(conflicts), seen, zone, wish)


def _is_there(record: Record, texts: Sequence[str]) -> bool:
    """Whether a record is among those that one server has."""
    return any(compare(record.name, as_value(record), [text], RRType(record.type)).outcome is Outcome.VISIBLE for text in texts)


def _rival(record: Record, text: str) -> bool:
    """Whether a foreign record stands in the place of ours: a second of its kind would make receivers take neither."""
    return record.type != "TXT" or "_domainkey" in record.name.split(".") or differences.claims(text, as_value(record))


async def _send(zone: Zone, changes: Sequence[Change]) -> int:
    edits = [
        Edit(change.record.name, change.record.type, change.record.strings if change.wish else None, frozenset(change.remove))
        for change in changes
        if change.needed or not change.seen.everywhere
    ]
    tsig = read_secret(Path(zone.tsig_secret_file), zone.tsig_name, zone.tsig_algorithm)
    return await update(address(zone.server), zone.name, tsig, edits, ttl=zone.ttl)


def zone_file(zone: Zone, records: Sequence[Record]) -> str:
    """The text of a file for ``$INCLUDE`` in the zone's own file: records only, no SOA, no serial. RFC 1035 5.1."""
    head = f"; Records of Zegel; written anew at each change. Include it: $INCLUDE {zone.file} {zone.name}.\n"
    lines = sorted({as_zone_line(record, zone=zone.name, ttl=zone.ttl) for record in records})
    return head + "".join(f"{line}\n" for line in lines)


def write_file(path: Path, text: str) -> bool:
    """Write a file whole or not at all; False when it has that text already. Readable by all: the records are public. Raises OSError."""
    try:
        if path.read_text("utf-8") == text:
            return False
    except FileNotFoundError:
        pass
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
    return True


def told(change: Change) -> Sentence | None:
    """Why a change cannot be made by itself, or None."""
    if not change.conflicts:
        return None
    sentence = N_("another record stands at {name}: {text}. Take it away, or let it be replaced with --replace")
    return Sentence(sentence, name=change.record.name, text=change.conflicts[0][:200])
