"""Postfix's own lists of milters (``smtpd_milters``): split, read, compare. MILTER_README, "SMTP-Only Milter applications".

An entry is an address (``inet:host:port``, ``unix:path``) or ``{ address, option=value, ... }``; a list may also name another parameter
(``$smtpd_milters``). Pure text: nothing is looked up here, and a conditional expression (``${name?...}``) is kept as it stands.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_SEPARATORS = ", \t\r\n"
_REFERENCE = re.compile(r"\$(?:(\w+)|\{(\w+)\}|\((\w+)\))")
_DEPTH = 20
_LOOPBACK = {"localhost", "127.0.0.1", "::1", "0.0.0.0", "::"}  # noqa: S104 - compared, never bound


@dataclass(frozen=True, slots=True)
class Entry:
    """One milter of a list: the text as written, its address (empty when it cannot be told) and its own options."""

    text: str
    address: str
    options: tuple[tuple[str, str], ...] = ()

    def option(self, name: str) -> str:
        """The value of an option in braces; empty when the entry has none."""
        return dict(self.options).get(name, "")


def split(value: str) -> tuple[str, ...]:
    """Cut a list into its entries, each as written; commas and spaces inside braces do not separate."""
    return tuple(_tokens(value))


def _tokens(value: str) -> Iterator[str]:
    token, depth = "", 0
    for letter in value:
        depth += (letter == "{") - (letter == "}" and depth > 0)
        if depth == 0 and letter in _SEPARATORS:
            if token:
                yield token
            token = ""
        else:
            token += letter
    if token:
        yield token


def entry(token: str) -> Entry:
    """Read one entry of :func:`split`."""
    if not token.startswith("{"):
        return Entry(token, "" if "$" in token else token)
    words = split(token.removeprefix("{").removesuffix("}"))
    pairs = [word.strip("{} \t").partition("=") for word in words[1:]]
    return Entry(token, words[0] if words else "", tuple((name.strip(), value.strip()) for name, _, value in pairs))


def expand(value: str, parameters: Mapping[str, str]) -> str:
    """Put the values of other parameters in place of ``$name``, ``${name}`` and ``$(name)``; an unknown name stays."""
    for _ in range(_DEPTH):
        expanded = _REFERENCE.sub(lambda found: parameters.get(next(filter(None, found.groups())), found.group()), value)
        if expanded == value or len(expanded) > 1 << 20:
            break
        value = expanded
    return value


def entries(value: str, parameters: Mapping[str, str]) -> tuple[Entry, ...]:
    """All milters of a list, with the other parameters that it names filled in."""
    return tuple(entry(token) for token in split(expand(value, parameters)))


def places(address: str, queue_directory: str) -> frozenset[str]:
    """The places that an address can mean: a file under the queue folder or on the machine, or host and port.

    A chrooted smtpd takes an absolute path from the queue folder, another takes it as it is; so ``unix:/a`` has two places.
    """
    kind, _, rest = address.partition(":")
    if kind in ("unix", "local") and rest:
        inside = posixpath.normpath(f"{queue_directory}/{rest.lstrip('/')}")
        if not rest.startswith("/"):
            return frozenset({inside})
        outside = posixpath.normpath(rest)
        return frozenset({outside} if is_inside(outside, queue_directory) else {inside, outside})
    if kind in ("inet", "inet6"):
        host, _, port = rest.rpartition(":")
        host = host.removeprefix("[").removesuffix("]").lower()
        return frozenset({f"inet:{'localhost' if host in _LOOPBACK else host}:{port}"})
    return frozenset()


def is_inside(path: str, folder: str) -> bool:
    """Whether a path lies below a folder; both absolute."""
    return posixpath.normpath(path).startswith(posixpath.normpath(folder).rstrip("/") + "/")


def same(one: str, other: str, queue_directory: str) -> bool:
    """Whether two addresses can mean one listener."""
    return bool(places(one, queue_directory) & places(other, queue_directory))
