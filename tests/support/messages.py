"""Made-up messages to record, and what is left of them in the files of a store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zegel.store.record import Direction, Record, Result

NOW = 1_790_000_000
DAY = 86_400
JAN = "Jan.Peeters@klant.example"


def outbound(number: int = 1, **changes: Any) -> Record:
    """A message that example.be sends to Jan, signed."""
    record = Record(
        time=NOW,
        direction=Direction.OUTBOUND,
        queue_id=f"4Wx{number}",
        sender="info@example.be",
        recipients=(JAN,),
        from_domain="example.be",
        action="signed",
        results=(Result("dkim", "signed", domain="example.be", selector="z202611r-k7qd"),),
        story=({"step": "signed", "keys": ["z202611r-k7qd._domainkey.example.be"]},),
    )
    return record._replace(**changes)


def inbound(number: int = 1, **changes: Any) -> Record:
    """A message from Jan, checked."""
    record = Record(
        time=NOW,
        direction=Direction.INBOUND,
        queue_id=f"5Wx{number}",
        sender=JAN,
        recipients=("info@example.be",),
        from_domain="klant.example",
        action="accepted",
        results=(Result("spf", "pass", "matched", "klant.example"), Result("dkim", "fail", "body_changed", "klant.example", "s1")),
        story=({"step": "spf", "question": "klant.example TXT"}, {"step": "author", "from": f"Jan <{JAN}>"}),
    )
    return record._replace(**changes)


def traces(folder: Path, *words: str) -> list[str]:
    """The words (in any case) that stand somewhere in the files of a data folder, the database's log (WAL) among them."""
    octets = b"\n".join(path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()).lower()
    return [word for word in words if word.lower().encode() in octets]
