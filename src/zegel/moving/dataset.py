"""OpenDKIM's configuration file and its data sets, as texts: opendkim.conf(5), and DATA SETS in opendkim(8).

A data set is a flat file, a file of wildcard patterns (``refile:``) or a list with commas. The other kinds are programs and databases that
only a running opendkim can ask; they are refused by name.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass

from zegel.moving.model import MAX_ENTRIES, Files, UnreadableError
from zegel.words import N_

_MAX_NESTED = 5  # files, by opendkim.conf(5)
_MAX_INCLUDED = 100  # in all: five levels of a thousand lines each would be more than anybody waits for
_ELSEWHERE = ("db", "dsn", "ldap", "ldaps", "ldapi", "lua", "memcache", "erlang", "mdb", "repute")


@dataclass(frozen=True, slots=True)
class Option:
    """One parameter, as it is written there."""

    name: str
    value: str
    at: str

    @property
    def says_yes(self) -> bool:
        """A Boolean: its first letter counts."""
        return self.value[:1] in tuple("TtYy1")


@dataclass(frozen=True, slots=True)
class Entry:
    """One element of a data set; ``value`` is empty where it has none."""

    key: str
    value: str
    at: str


@dataclass(frozen=True, slots=True)
class DataSet:
    """The elements in their order; with ``patterns`` their keys are wildcard patterns, of which the first that matches counts."""

    entries: tuple[Entry, ...]
    patterns: bool = False


def options(path: str, files: Files) -> list[Option]:
    """Read a configuration file and what it includes, in order. Raises UnreadableError."""
    return _options(path, files, 0, [_MAX_INCLUDED])


def _options(path: str, files: Files, depth: int, left: list[int]) -> list[Option]:
    """The options of one file; ``left`` holds how many more may be included."""
    found: list[Option] = []
    for number, line in _lines(path, files):
        name, _, value = line.replace("\t", " ").partition(" ")
        option = Option(name, value.strip(), f"{path}:{number}")
        if name.lower() != "include":
            found.append(option)
            continue
        left[0] -= 1
        if depth >= _MAX_NESTED:
            raise UnreadableError(N_("{at}: files are included more than {most} deep"), at=option.at, most=_MAX_NESTED)
        if left[0] < 0:
            raise UnreadableError(N_("{path}: more than {most} files are included"), path=option.at, most=_MAX_INCLUDED)
        found += _options(absolute(option.value, posixpath.dirname(path)), files, depth + 1, left)
    return found


def data_set(option: Option, files: Files, *, base: str = "/") -> DataSet:
    """Read the data set that a parameter names; relative paths are below ``base``. Raises UnreadableError."""
    kind, colon, rest = option.value.partition(":")
    if (colon and kind.lower() in _ELSEWHERE) or option.value.endswith(".db"):
        sentence = N_("{at}: {name} is kept in {kind}:, which only opendkim itself can ask; write it to a plain file and name that here")
        raise UnreadableError(sentence, at=option.at, name=option.name, kind=kind.lower() if colon else "db")
    if colon and kind in ("file", "refile"):
        return DataSet(_of_file(absolute(rest, base), files), patterns=kind == "refile")
    if option.value.startswith(("/", "./", "../")):
        return DataSet(_of_file(absolute(option.value, base), files))
    listed = rest if colon and kind == "csl" else option.value
    parts = [part.strip() for part in listed.split(",") if part.strip()]
    pairs = ((key.strip(), value.strip()) for key, _, value in (part.partition("=") for part in parts))
    return DataSet(tuple(Entry(key, value, option.at) for key, value in pairs))


def absolute(path: str, base: str) -> str:
    """The path, below ``base`` when it is relative."""
    return posixpath.normpath(posixpath.join(base, path.strip()))


def _of_file(path: str, files: Files) -> tuple[Entry, ...]:
    entries = []
    for number, line in _lines(path, files):
        key, value = [*line.split(None, 1), ""][:2]
        entries.append(Entry(key, value.strip(), f"{path}:{number}"))
    if len(entries) > MAX_ENTRIES:
        raise UnreadableError(N_("{path} has more than {most} entries"), path=path, most=MAX_ENTRIES)
    return tuple(entries)


def _lines(path: str, files: Files) -> list[tuple[int, str]]:
    """The lines that say something, with their numbers. A hash sign starts a comment anywhere."""
    text = files.read(path).decode("utf-8", "replace")
    cut = (line.partition("#")[0].strip() for line in text.split("\n"))
    return [(number, line) for number, line in enumerate(cut, 1) if line]
