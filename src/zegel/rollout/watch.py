"""What was seen of records, kept: of ours after each publication, and of the selectors of other services, which only they may change.

A selector of a service has no text that it should have; it is right as long as one key record stands there that is not revoked.
"""

from __future__ import annotations

from dataclasses import dataclass

from zegel.adapters.nameservers import Looking
from zegel.ask import Rcode, RRType
from zegel.dkim.keyrecord import KeyRecordError
from zegel.dkim.keyrecord import parse as parse_key_record
from zegel.grammar.domain import Domain
from zegel.rollout.readback import ReadBack
from zegel.store import sightings
from zegel.store.services import ForeignSelector
from zegel.store.sightings import Sighting
from zegel.store.transaction import Transaction
from zegel.words import N_, Sentence

_MAX_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Foreign:
    """What was seen of a service's selector: ``outcome`` as of a record of ours, ``difference`` a stable id, and a sentence."""

    selector: ForeignSelector
    outcome: str
    difference: str
    sentence: Sentence
    seen: tuple[str, ...] = ()


def note(tx: Transaction, domain: Domain, back: ReadBack, *, now: int) -> Sighting:
    """Keep what a record was read back as."""
    texts = [text for sight in back.sights for text in sight.seen.seen]
    outcome, difference = str(back.outcome), back.difference
    return sightings.note(tx, domain, back.record.name, back.record.type, outcome=outcome, difference=difference, seen=texts, now=now)


def note_foreign(tx: Transaction, found: Foreign, *, now: int) -> Sighting:
    """Keep what a service's selector was seen as."""
    of, name = found.selector.domain, found.selector.record_name
    return sightings.note(tx, of, name, "TXT", outcome=found.outcome, difference=found.difference, seen=found.seen, now=now)


async def look_at_foreign(servers: Looking, selector: ForeignSelector) -> Foreign:
    """Look at a service's selector, at all servers of its name; most services have a CNAME there, which is followed."""
    looked = await servers.look_everywhere(selector.record_name, RRType.TXT)
    answers = [answer for answer in looked.servers if not answer.trouble]
    values = {"name": selector.record_name}

    def told(outcome: str, difference: str, sentence: str, texts: tuple[str, ...] = ()) -> Foreign:
        return Foreign(selector, outcome, difference, Sentence(sentence, **values), texts)

    if not answers:
        return told("unavailable", looked.trouble or "unavailable", N_("the name servers of {name} did not answer; nothing is known of it"))
    records = dict.fromkeys(record for answer in answers for record in answer.answer.records if isinstance(record, bytes))
    texts = tuple(record.decode("utf-8", "replace") for record in list(records)[:_MAX_SHOWN])
    if not texts:
        gone = all(answer.answer.rcode is Rcode.NXDOMAIN for answer in answers)
        return told(
            "absent", "no_name" if gone else "no_record", N_("there is no key record at {name}: mail of this service is not signed rightly")
        )
    if any(not answer.answer.records for answer in answers):
        return told("different", "not_everywhere", N_("not all name servers have the key record at {name}"), texts)
    if any(_revoked(record) for record in records):
        return told("revoked", "revoked", N_("the key at {name} is revoked or cannot be read"), texts)
    return told("visible", "", N_("there is a key at {name}"), texts)


def _revoked(record: bytes) -> bool:
    try:
        parse_key_record(record)
    except KeyRecordError:
        return True
    return False
