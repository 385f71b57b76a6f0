"""Author domains judged over a zone of policy records, in few words."""

from __future__ import annotations

from typing import Any

import zegel
from zegel.ask import Rcode

Pair = tuple[str, str]
Records = dict[str, str | list[str] | Rcode]
NONE, REJECT = "v=DMARC1; p=none", "v=DMARC1; p=reject"


def zone(records: Records) -> zegel.Zone:
    """A zone of records at ``_dmarc`` below each name; ``"=name"`` is a TXT of the name itself."""
    found: dict[tuple[str, str], Any] = {}
    for name, value in records.items():
        where = name.removeprefix("=") if name.startswith("=") else f"_dmarc.{name}"
        found[where, "TXT"] = [value] if isinstance(value, str) and not isinstance(value, Rcode) else value
    return zegel.Zone.from_dict(found)


def check(author: str, records: Records, *, spf: Pair | None = None, dkim: tuple[Pair, ...] = (), psl: bool = False) -> zegel.DmarcResult:
    return zegel.check_dmarc(author, spf=spf, dkim=dkim, resolver=zone(records), psl=psl)


def passing(*domains: str) -> tuple[Pair, ...]:
    return tuple(("pass", domain) for domain in domains)


def asked(result: zegel.DmarcResult) -> list[str]:
    return [question.name.removeprefix("_dmarc.") for question in result.questions]
