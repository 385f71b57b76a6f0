"""What the tests say of a message that has arrived: its fields, and whether its signatures hold, by two verifiers of different hands."""

from __future__ import annotations

import re
from collections.abc import Mapping

import dkim
import zegel
from zegel.grammar.message import Field, split_message

_FIELD_CAP = 1 << 24
_TAG = re.compile(rb"(?:^|;)\s*([a-z]+)\s*=\s*([^;]*)")


def fields(message: bytes) -> list[Field]:
    """Its header fields."""
    return split_message(message, header_bytes=_FIELD_CAP).fields


def values(message: bytes, name: str) -> list[str]:
    """The values of the fields of that name, from the top, folds and outer white space taken away."""
    found = [field.value for field in fields(message) if field.key == name.lower().encode()]
    return [re.sub(rb"\r\n[ \t]+", b" ", value).strip().decode() for value in found]


def results(message: bytes) -> str:
    """The value of the Authentication-Results field at the very top."""
    top = fields(message)[0]
    assert top.name == b"Authentication-Results", top
    return re.sub(rb"\r\n[ \t]+", b" ", top.value).strip().decode()


def tags(message: bytes) -> list[dict[str, str]]:
    """The tags of each DKIM-Signature, from the top."""
    found = [field.value for field in fields(message) if field.key == b"dkim-signature"]
    return [{name.decode(): re.sub(rb"\s", b"", value).decode() for name, value in _TAG.findall(value)} for value in found]


def holds(message: bytes, records: Mapping[str, str]) -> list[tuple[str, str]]:
    """The (algorithm, domain) of each signature, from the top; both verifiers must say that every one of them holds."""
    zone = zegel.Zone.from_dict({(name, "TXT"): [text] for name, text in records.items()})
    own = zegel.verify(message, resolver=zone)
    assert [(result.status, result.reason.id) for result in own] == [("pass", "verified")] * len(own)
    for index in range(len(own)):
        assert dkim_verifies(message, records, index), f"dkimpy says no to signature {index}"
    return [(result.algorithm or "", result.domain or "") for result in own]


def dkim_verifies(message: bytes, records: Mapping[str, str], index: int = 0) -> bool:
    """Ask dkimpy about one signature."""

    def look_up(name: bytes, timeout: int = 5) -> bytes | None:
        text = records.get(name.decode().rstrip("."))
        return text.encode() if text is not None else None

    try:
        return bool(dkim.DKIM(message).verify(idx=index, dnsfunc=look_up))
    except dkim.DKIMException as error:
        raise AssertionError(f"dkimpy cannot judge signature {index}: {error}") from error
