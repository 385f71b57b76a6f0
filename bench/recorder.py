"""What recording costs: CPU for each message, the writer's thread included, into a real store. ``python -m bench.recorder [MESSAGES]``.

Half of the messages come in and half go out, to and from some thousands of people in hundreds of domains. What is done once (the first
look-ups, the list of public suffixes) is over before the clock starts. No peer does the same, so there is no ratio.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import tempfile
import time
from pathlib import Path

from zegel.adapters.journal import Journal
from zegel.adapters.zone import Zone
from zegel.gateway.destinations import Destinations
from zegel.gateway.recorder import BATCH, Recorder, Rules
from zegel.store.addresses import Addresses
from zegel.store.database import Store
from zegel.store.messages import Keeping
from zegel.store.record import Direction, Record, Result
from zegel.store.retention import Term

_NOW = 1_790_000_000
_DOMAINS = 900
_WARM = 6000
_STORY = tuple(
    {"step": step, "question": "s1._domainkey.example.org TXT", "answer": "NOERROR", "reason": "verified"}
    for step in ("spf", "dkim", "dmarc", "policy")
)


def record(number: int) -> Record:
    """One message of a made-up day."""
    domain = f"d{number % _DOMAINS}.example"
    ours, theirs = f"staff{number % 300}@example.be", f"user{number % 5}@{domain}"
    second, queue_id = _NOW + number // BATCH, f"4W{number:08X}"
    if number % 2:
        signed = (Result("dkim", "signed", "", "example.be", "z202611r-k7qd"),)
        return Record(second, Direction.OUTBOUND, queue_id, ours, (theirs,), "example.be", "signed", "", signed, _STORY[:1])
    results = (
        Result("spf", "pass", "matched", domain),
        Result("dkim", "pass", "verified", domain, "s1"),
        Result("dmarc", "pass", "", domain),
    )
    return Record(second, Direction.INBOUND, queue_id, theirs, (ours,), domain, "accepted", "", results, _STORY)


async def _feed(recorder: Recorder, records: list[Record], journal: Journal) -> None:
    wanted = (journal.registry.get_sample_value("zegel_recorded_total") or 0) + len(records)
    for start in range(0, len(records), BATCH):
        for item in records[start : start + BATCH]:
            recorder.take(item)
        await asyncio.sleep(0.02)
    while (journal.registry.get_sample_value("zegel_recorded_total") or 0) < wanted:  # noqa: ASYNC110 - a counter has no event
        await asyncio.sleep(0.02)


async def measure(store: Store, count: int, *, hashed: bool) -> float:
    """Seconds of CPU for one message."""
    assert store.vault is not None
    zone = Zone.from_dict({(f"d{number}.example", "MX"): ["10 mx.provider.example"] for number in range(_DOMAINS)})
    rules, journal = Rules(Keeping(Addresses(store.vault, hashed=hashed)), Term()), Journal()
    recorder = Recorder(store, rules, Destinations(lambda: zone), journal, clock=lambda: _NOW)
    records = [record(number) for number in range(_WARM + count)]
    gc.freeze()
    task = asyncio.create_task(recorder.run())
    await _feed(recorder, records[:_WARM], journal)
    await asyncio.sleep(1.0)
    before = time.process_time()
    await _feed(recorder, records[_WARM:], journal)
    spent = time.process_time() - before
    await recorder.close(task, 5.0)
    return spent / count


def main(arguments: list[str]) -> int:
    """Measure and tell; the exit status."""
    count = int(arguments[0]) if arguments else 20_000
    for hashed in (False, True):
        with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder, "data")) as store:
            seconds = asyncio.run(measure(store, count, hashed=hashed))
        print(f"{'hashed' if hashed else 'in clear':9}{seconds * 1e6:7.1f} us of CPU for each message, of {count}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
