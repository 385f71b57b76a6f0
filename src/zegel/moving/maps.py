"""rspamd's maps as they may be written in its configuration: a file, a list of lines, a section, or several of these.

A map that is fetched by HTTP or asked of a server is refused by name.
"""

from __future__ import annotations

from collections.abc import Iterator

from zegel.moving.dataset import Entry
from zegel.moving.model import MAX_ENTRIES, Files, UnreadableError
from zegel.moving.ucl import Value
from zegel.words import N_

_SCHEMES = ("fallback+file://", "file://", "map://", "regexp;", "glob;", "radix;", "cidr;")


def entries(value: Value, at: str, files: Files) -> Iterator[Entry]:
    """The lines of a map. Raises UnreadableError for one that is elsewhere."""
    if isinstance(value, dict):
        if "urls" in value or "url" in value:
            yield from entries(value.get("urls", value.get("url")), at, files)
            return
        for key, inner in value.items():
            yield Entry(key, inner if isinstance(inner, str) else "", at)
    elif isinstance(value, list):
        for inner in value:
            yield from entries(inner, at, files)
    elif isinstance(value, str):
        yield from _of_text(value, at, files)


def _of_text(text: str, at: str, files: Files) -> Iterator[Entry]:
    path = text
    for scheme in _SCHEMES:
        path = path.removeprefix(scheme)
    if path.startswith("/"):
        lines = files.read(path).decode("utf-8", "replace").split("\n")
        if len(lines) > MAX_ENTRIES:
            raise UnreadableError(N_("{path} has more than {most} entries"), path=path, most=MAX_ENTRIES)
        yield from _lines(lines, path)
    elif "://" in text:
        sentence = N_("{at}: the map {text} is fetched from elsewhere; write it to a file and name that here")
        raise UnreadableError(sentence, at=at, text=text)
    else:
        for entry in _lines(text.split("\n"), at):
            yield Entry(entry.key, entry.value, at)


def _lines(lines: list[str], path: str) -> Iterator[Entry]:
    for number, line in enumerate(lines, 1):
        words = line.partition("#")[0].split(None, 1)
        if words:
            value = words[1].strip() if len(words) > 1 else ""
            yield Entry(words[0].strip('"'), value.strip('"'), f"{path}:{number}")
