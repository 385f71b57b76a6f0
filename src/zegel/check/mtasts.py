"""MTA-STS: its record and its policy file, read strictly, each fault with its name. RFC 8461 3.1 and 3.2.

It is pure: the file is fetched elsewhere, or not at all. What the RFC tells a sender to ignore is noted for the owner all the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from zegel.grammar.domain import Domain
from zegel.words import N_

MAX_AGE = 31_557_600  # seconds; RFC 8461 3.2
MAX_POLICY = 64 * 1024  # octets; RFC 8461 3.3 lets senders set such a bound
_MAX_MX = 100
_MAX_NOTES = 20
_ID = re.compile(r"[A-Za-z0-9]{1,32}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")
_VALUE = re.compile(r"[\x21-\x3A\x3C\x3E-\x7E]+")


class Mode(StrEnum):
    """What a sender does when TLS cannot be had as the policy wants. RFC 8461 5."""

    ENFORCE = "enforce"
    TESTING = "testing"
    NONE = "none"


class Note(NamedTuple):
    """What is wrong: a marked sentence, with the text at fault, and whether the whole is worth nothing by it."""

    sentence: str
    text: str = ""
    fatal: bool = True


class StsRecord(NamedTuple):
    """The TXT record: the id of the policy, "" when it cannot be told, and what is wrong."""

    id: str = ""
    notes: tuple[Note, ...] = ()

    @property
    def valid(self) -> bool:
        """True when senders go by it."""
        return not any(note.fatal for note in self.notes)


@dataclass(frozen=True, slots=True)
class StsPolicy:
    """A policy file: the mode, seconds that it holds, the patterns of mail servers, and what is wrong."""

    mode: Mode | None = None
    max_age: int = 0
    mx: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()

    @property
    def valid(self) -> bool:
        """True when senders go by it."""
        return not any(note.fatal for note in self.notes)

    def covers(self, host: str) -> bool:
        """Whether a mail server matches one of the patterns: a star stands for one label, the leftmost. RFC 8461 4.1."""
        above = host.partition(".")[2]
        return any(pattern == host or (pattern.startswith("*.") and pattern[2:] == above) for pattern in self.mx)


def is_record(text: bytes) -> bool:
    """True for a TXT record that counts as one of MTA-STS. RFC 8461 3.1: it begins with ``v=STSv1;``."""
    return text[:7] == b"v=STSv1" and text[7:].lstrip(b" \t")[:1] in (b";", b"")


def parse_record(text: bytes) -> StsRecord:
    """Read the text of a TXT record at ``_mta-sts``."""
    if not is_record(text):
        return StsRecord(notes=(Note(N_("it does not begin with v=STSv1")),))
    notes: list[Note] = []
    found: dict[str, str] = {}
    for part in text.decode("ascii", "replace").split(";")[1:]:
        name, equals, value = part.strip(" \t").partition("=")
        if not name and not equals:
            continue  # RFC 8461 3.1: the delimiter may stand at the end
        if not equals or not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            notes.append(Note(N_("a part is no field=value"), part[:100]))
        elif name in found:
            # RFC 8461 3.1: two ids, and nobody can tell if the policy has changed.
            notes.append(Note(N_("a field is there more than once"), name))
        else:
            found[name] = value
            if name != "id":
                notes.append(Note(N_("a field that MTA-STS does not know"), name, fatal=False))
    if not _ID.fullmatch(found.get("id", "")):
        notes.append(Note(N_("id= must have 1 to 32 letters and digits"), found.get("id", "")[:100]))
    return StsRecord(found.get("id", "")[:32], tuple(notes[:_MAX_NOTES]))


def parse_policy(text: str) -> StsPolicy:
    """Read a policy file: lines ``key: value`` that end in CRLF or LF. RFC 8461 3.2."""
    if len(text) > MAX_POLICY:
        return StsPolicy(notes=(Note(N_("the file is longer than what is read")),))
    notes: list[Note] = []
    found: dict[str, str] = {}
    mx: list[str] = []
    for line in text.replace("\r\n", "\n").split("\n"):
        if not line.strip(" \t"):
            continue
        name, colon, value = line.partition(":")
        name, value = name.strip(" \t"), value.strip(" \t")
        if not colon or not _NAME.fullmatch(name) or not value:
            notes.append(Note(N_("a line is no key: value"), line[:100]))
        elif name == "mx":
            mx.append(value.lower().removesuffix("."))
        elif name in found:
            # RFC 8461 3.2: "all entries except for the first SHALL be ignored"; only "mx" may be repeated.
            notes.append(Note(N_("a key is there more than once, and only the first counts"), name, fatal=False))
        else:
            found[name] = value
            if name not in ("version", "mode", "max_age"):
                # RFC 8461 3.2: "unknown fields SHALL be ignored".
                notes.append(Note(N_("a key that MTA-STS does not know"), name, fatal=False))
    mode = _mode(found, notes)
    age = _age(found, notes)
    notes += [Note(N_("a pattern is no name of a mail server"), pattern[:100]) for pattern in mx[:_MAX_MX] if not _is_pattern(pattern)]
    if not mx and mode is not Mode.NONE:
        notes.append(Note(N_("no mail server is named (mx)")))
    return StsPolicy(mode, age, tuple(mx[:_MAX_MX]), tuple(notes[:_MAX_NOTES]))


def _mode(found: dict[str, str], notes: list[Note]) -> Mode | None:
    if found.get("version") != "STSv1":
        notes.append(Note(N_("version must be STSv1"), found.get("version", "")[:100]))
    try:
        return Mode(found.get("mode", ""))
    except ValueError:
        notes.append(Note(N_("mode must be enforce, testing or none"), found.get("mode", "")[:100]))
        return None


def _age(found: dict[str, str], notes: list[Note]) -> int:
    text = found.get("max_age", "")
    age = int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else -1
    if not 0 <= age <= MAX_AGE:
        notes.append(Note(N_("max_age must be whole seconds, at most a year"), text[:100]))
        return 0
    return age


def _is_pattern(pattern: str) -> bool:
    try:
        Domain.parse(pattern.removeprefix("*."))
    except ValueError:
        return False
    return True
