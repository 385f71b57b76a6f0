"""Reads a record back: asks every authoritative server, compares what each says with what should be there, and names the difference.

Nothing is called published that was not read back here. The servers are asked themselves (:mod:`zegel.adapters.nameservers`): a resolver
would keep its "no" and hide the record when it comes. Where nothing is found at the name, the names that a web form makes of it are looked
at: the domain added a second time, or the underscores lost. Trouble with a server is never taken for absence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from zegel.adapters.nameservers import Looked, Looking, ServerAnswer
from zegel.ask import Rcode, RRType
from zegel.rollout.records import Record, as_value
from zegel.rollout.visibility import Outcome, Visibility, compare
from zegel.words import N_, Sentence

_TROUBLES = {
    "timeout": N_("{server} did not answer for {name} in time"),
    "unreachable": N_("{server} cannot be reached"),
    "refused": N_("{server} refuses to answer for {name}"),
    "lame": N_("{server} does not hold the zone of {name}, although the zone names it as its server"),
    "servfail": N_("{server} has trouble of its own with the zone of {name} (SERVFAIL)"),
    "alias_loop": N_("the CNAME records that begin at {name} lead round, or too far"),
    "no_delegation": N_("there are no name servers for {name}: the domain is not registered, or not delegated"),
    "unavailable": N_("the name servers of {name} were not found; DNS did not answer"),
}


@dataclass(frozen=True, slots=True)
class Sight:
    """What one server has: ``ttl`` in seconds, 0 where there is no record."""

    server: str
    seen: Visibility
    ttl: int = 0


@dataclass(frozen=True, slots=True)
class ReadBack:
    """What all servers have of ``record``. ``negative_ttl`` and ``ttl`` are in seconds, the longest of all; ``zone`` holds the name.

    ``outcome`` is of all of them together, ``difference`` its stable id (empty when all is right), ``sentence`` says it.
    """

    record: Record
    zone: str
    sights: tuple[Sight, ...]
    negative_ttl: int
    outcome: Outcome
    difference: str
    sentence: Sentence

    @property
    def everywhere(self) -> bool:
        """All servers answered, and all have the record as it should be."""
        return self.outcome is Outcome.VISIBLE

    @property
    def lost(self) -> bool:
        """Proven: all servers answered, and none of them has the record as it should be."""
        return bool(self.sights) and all(sight.seen.outcome not in (Outcome.VISIBLE, Outcome.UNAVAILABLE) for sight in self.sights)

    @property
    def gone(self) -> bool:
        """Proven: all servers answered, and none of them has it or anything in its place."""
        return bool(self.sights) and all(sight.seen.outcome is Outcome.ABSENT for sight in self.sights)

    @property
    def ttl(self) -> int:
        """The longest TTL of what stands there, in seconds: so long may others keep it."""
        return max((sight.ttl for sight in self.sights), default=0)


async def read_back(servers: Looking, record: Record, *, former: Sequence[str] = ()) -> ReadBack:
    """Look for a record at all servers of its name. ``former`` are values it had before, so that a server that lags is known by them."""

    def judge(answer: ServerAnswer) -> Visibility:
        seen = _judged(answer, record)
        if seen.outcome is not Outcome.VISIBLE and any(
            compare(answer.name, old, seen.seen, rrtype).outcome is Outcome.VISIBLE for old in old_values
        ):
            sentence = N_("the former record still stands at {name}")
            return Visibility(seen.outcome, "old_record", sentence, {"name": answer.name}, seen.seen)
        return seen

    rrtype = RRType(record.type)
    old_values = [old for old in former if old != as_value(record)]
    looked = await servers.look_everywhere(record.name, rrtype)
    sights = _sights(looked, judge)
    if sights and all(sight.seen.outcome is Outcome.ABSENT and not sight.seen.seen for sight in sights):
        mistaken = await _under_another_name(servers, record, looked.zone)
        if mistaken is not None:
            sights = tuple(replace(sight, seen=mistaken) for sight in sights)
    return _together(record, looked, sights)


async def read_gone(servers: Looking, record: Record) -> ReadBack:
    """Look whether exactly this record has left all servers of its name: ``gone`` when it has. Other records there may stay."""
    looked = await servers.look_everywhere(record.name, RRType(record.type))

    def judge(answer: ServerAnswer) -> Visibility:
        if answer.trouble:
            return _trouble(answer)
        values: dict[str, object] = {"name": answer.name}
        if any(
            compare(answer.name, as_value(record), [text], RRType(record.type)).outcome is Outcome.VISIBLE for text in answer.answer.records
        ):
            sentence = N_("the record at {name} is still there")
            return Visibility(Outcome.DIFFERENT, "still_there", sentence, values, tuple(map(_shown, answer.answer.records)))
        return Visibility(Outcome.ABSENT, "", N_("the record at {name} is gone"), values)

    sights = _sights(looked, judge)
    whole = _together(record, looked, sights)
    if not whole.gone:
        return whole
    sentence = Sentence(N_("no name server of {zone} has the record at {name} any more"), zone=looked.zone, name=record.name)
    return replace(whole, difference="", sentence=sentence)


def _sights(looked: Looked, judge: Callable[[ServerAnswer], Visibility]) -> tuple[Sight, ...]:
    return tuple(Sight(str(answer.server), judge(answer), answer.answer.ttl if answer.answer.records else 0) for answer in looked.servers)


def _judged(answer: ServerAnswer, record: Record) -> Visibility:
    if answer.trouble:
        return _trouble(answer)
    if answer.answer.records:
        return compare(answer.name, as_value(record), answer.answer.records, RRType(record.type))
    values: dict[str, object] = {"name": answer.name, "type": record.type}
    if answer.answer.rcode is Rcode.NXDOMAIN:
        return Visibility(Outcome.ABSENT, "no_name", N_("there is nothing at {name} (NXDOMAIN)"), values)
    return Visibility(Outcome.ABSENT, "no_record", N_("there is no {type} record at {name}"), values)


def _trouble(answer: ServerAnswer) -> Visibility:
    values: dict[str, object] = {"server": str(answer.server), "name": answer.name}
    return Visibility(Outcome.UNAVAILABLE, answer.trouble, _TROUBLES[answer.trouble], values)


async def _under_another_name(servers: Looking, record: Record, zone: str) -> Visibility | None:
    """The record under the name that a web form made of it, or None."""
    doubled, plain = f"{record.name}.{zone}", record.name.replace("_", "")
    tried = (
        ("doubled_name", doubled, N_("there is nothing at {name}, but a record at {other}: the web form adds the domain by itself")),
        ("underscore_lost", plain, N_("there is nothing at {name}, but a record at {other}: the underscore was lost")),
    )
    for kind, other, sentence in tried:
        if not zone or other == record.name:
            continue
        looked = await servers.look_everywhere(other, RRType(record.type))
        found = [record_ for answer in looked.servers for record_ in answer.answer.records]
        judged = compare(record.name, as_value(record), found, RRType(record.type)) if found else None
        if judged is not None and judged.outcome is not Outcome.ABSENT:
            return Visibility(Outcome.ABSENT, kind, sentence, {"name": record.name, "other": other}, judged.seen)
    return None


def _together(record: Record, looked: Looked, sights: tuple[Sight, ...]) -> ReadBack:
    """What the servers have, in one sentence: what is wrong with the first that has it wrong, and who has it not yet."""

    def told(outcome: Outcome, difference: str, sentence: str, **values: object) -> ReadBack:
        said = Sentence(sentence, **{"name": record.name, "zone": looked.zone, **values})
        return ReadBack(record, looked.zone, sights, looked.negative_ttl, outcome, difference, said)

    right = [sight for sight in sights if sight.seen.outcome is Outcome.VISIBLE]
    silent = [sight for sight in sights if sight.seen.outcome is Outcome.UNAVAILABLE]
    wrong = [sight for sight in sights if sight not in right and sight not in silent]
    if not sights:
        trouble = looked.trouble or "unavailable"
        return told(Outcome.UNAVAILABLE, trouble, _TROUBLES[trouble])
    if right and wrong:
        names = ", ".join(dict.fromkeys(sight.server for sight in wrong))
        why = Sentence(wrong[0].seen.sentence, **wrong[0].seen.values)
        return told(wrong[0].seen.outcome, "not_everywhere", N_("not on {servers} yet: {why}"), servers=names, why=why)
    if wrong:
        first = next((sight for sight in wrong if sight.seen.outcome is not Outcome.ABSENT), wrong[0])
        return told(first.seen.outcome, first.seen.difference, first.seen.sentence, **first.seen.values)
    if silent:
        return told(Outcome.UNAVAILABLE, silent[0].seen.difference, silent[0].seen.sentence, **silent[0].seen.values)
    return told(Outcome.VISIBLE, "", N_("all name servers of {zone} have the record at {name} ({count})"), count=len(right))


def _shown(record: bytes | str) -> str:
    return record.decode("utf-8", "replace") if isinstance(record, bytes) else record
