"""What the fuzzers start from: the messages, fields and records of the suites beside the repository, and the RFCs' own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from support import cases, samples
from support.rfc_examples import RFC6376_MESSAGE, RFC8463_MESSAGE

_MOST = 16_384
_MESSAGES = (".msg", ".eml", ".message", ".mbox", ".txt")
RECORDS = tuple(text.encode() for text in cases.RFC_RECORDS.values())


def _files() -> Iterator[Path]:
    for path in sorted(cases.FOLDER.glob("dkim/**/*")) + sorted(cases.FOLDER.glob("mime/**/*")):
        if path.is_file() and path.stat().st_size <= _MOST:
            yield path


@cache
def messages() -> tuple[bytes, ...]:
    """Whole messages with CRLF, of at most 16 kB, each once."""
    found = [cases.crlf(text.encode()) for text in (RFC8463_MESSAGE, RFC6376_MESSAGE)] + [
        samples.MESSAGE,
        samples.HEADER + b"\r\na  b\r\n\r\n",
    ]
    for path in _files():
        data = cases.crlf(path.read_bytes())
        if path.suffix in _MESSAGES and b":" in data:
            found.append(data)
    return tuple(dict.fromkeys(found))


@cache
def fields(*names: bytes) -> tuple[bytes, ...]:
    """The values of these fields (lower case) in all messages, each once."""
    found: list[bytes] = []
    for message in messages():
        header = re.sub(rb"\r\n([ \t])", rb"\0\1", message.partition(b"\r\n\r\n")[0])
        for line in header.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.strip().lower() in names:
                found.append(value.replace(b"\0", b"\r\n"))
    return tuple(dict.fromkeys(found))


@cache
def key_records() -> tuple[bytes, ...]:
    """Texts with a ``p=`` in the suites' DNS files, each once."""
    found = list(RECORDS)
    for path in _files():
        if path.suffix in (".dns", ".json", ".dat", ".txt", ".bind9"):
            found += [match.replace(b'" "', b"").strip() for match in re.findall(rb'[vkhnst]=[^\n"]*p=[^\n"]*', path.read_bytes())]
    return tuple(dict.fromkeys(found))


@cache
def strings(name: str) -> tuple[str, ...]:
    """Every string within a JSON file of the suites, each once; none when it is not there."""
    path = cases.FOLDER / name
    return tuple(dict.fromkeys(_strings(json.loads(path.read_text("utf-8"))))) if path.is_file() else ()


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from _strings(one)
