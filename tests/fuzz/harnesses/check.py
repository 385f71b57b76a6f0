"""The check of a domain over DNS that is the input: every line a name, a type and a record. Its report is bounded, and what it proposes holds.

RFC 7208 4.6.1, RFC 9989 4.8, RFC 8461 3.1 and 3.2, RFC 8460 3.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import zegel
from zegel.ask import Question, rehearse
from zegel.check import mtasts
from zegel.check.dkim import Selector
from zegel.check.plain import as_plain
from zegel.check.report import LIMITS, Options, check
from zegel.check.transport import Fetched
from zegel.grammar.domain import Domain
from zegel.spf import record as spf_record

NAMES = (
    ("example.com", "TXT"),
    ("b.example", "TXT"),
    ("_dmarc.example.com", "TXT"),
    ("z1._domainkey.example.com", "TXT"),
    ("_mta-sts.example.com", "TXT"),
    ("_smtp._tls.example.com", "TXT"),
    ("default._bimi.example.com", "TXT"),
    ("example.com", "MX"),
    ("mx.example.com", "A"),
    ("*._report._dmarc.b.example", "TXT"),
    ("_25._tcp.mx.example.com", "TLSA"),
    ("*._domainkey.example.com", "TXT"),
)
WORDS = (
    *(b"v=spf1 ", b"include:", b"b.example", b"example.com", b"redirect=", b"exp=", b" -all", b" ?all", b"ip4:192.0.2.0/24 ", b"ip6:::/0 "),
    *(
        b"%{i}",
        b"%{d}",
        b"%{l}",
        b"exists:",
        b"ptr ",
        b"mx ",
        b"a/24//64 ",
        b"v=DMARC1; ",
        b"p=none; ",
        b"rua=mailto:a@b.example",
        b"psd=y; ",
    ),
    *(b"v=DKIM1; ", b"p=", b"t=y; ", b"v=STSv1; id=1", b"mode: enforce", b"max_age: 1", b"version: STSv1", b"v=TLSRPTv1; ", b"v=BIMI1; "),
    *(b"\n", b"0 .", b"10 mx.example.com", b"192.0.2.1", b"3 1 1 ab"),
)
_CALM = 400  # octets of a report for each of the input, and the items that every report has
_ALWAYS = 60_000


def starts() -> Iterator[bytes]:
    yield b"\0v=spf1 mx include:b.example -all\n\1v=spf1 ip4:192.0.2.0/24 -all\n\2v=DMARC1; p=reject; rua=mailto:a@b.example\n\710 mx.example.com"
    yield b"\3v=DKIM1; t=y; p=AAAA\n\4v=STSv1; id=1\n\5v=TLSRPTv1; rua=mailto:a@b.example\n\6v=BIMI1; l=https://b.example/l.svg\n\70 ."
    yield b"version: STSv1\nmode: enforce\nmx: mx.example.com\nmax_age: 86400\n"


def fuzz(data: bytes) -> None:
    zone: dict[tuple[str, str], list[bytes | str]] = {}
    for line in data.split(b"\n")[:50]:
        if line:
            name, kind = NAMES[line[0] % len(NAMES)]
            zone.setdefault((name, kind), []).append(line[1:] if kind == "TXT" else line[1:].decode("ascii", "replace"))
    made, asked = zegel.Zone.from_dict(zone), list[Question]()
    options = Options(selectors=(Selector("z1"),), sts=Fetched(data.decode("latin-1")), parked=None if len(data) % 3 else True)
    report = rehearse(check(Domain.parse("example.com"), options), made.answer, asked)
    assert len(asked) <= LIMITS.questions
    plain: dict[str, Any] = as_plain(report)
    assert len(json.dumps(plain)) <= _ALWAYS + _CALM * len(data)
    for item in report.items:
        for record in item.mend:
            text = "".join(record.strings).encode("ascii")
            if text.startswith(b"v=spf1"):
                assert isinstance(spf_record.read(text), spf_record.Record), text
    policy = mtasts.parse_policy(data.decode("latin-1"))
    assert not policy.valid or policy.mode is not None
