"""Where opendkim listens, so that Zegel can take its place: from its own configuration, or by the names that guides for it use.

Reads the ``Socket`` lines of opendkim.conf(5) and the older ``SOCKET=`` of /etc/default/opendkim. It is text in, addresses out.
"""

from __future__ import annotations

import re

from zegel.postfix import milterlist

_SOCKET = re.compile(r"^\s*Socket\s+(\S+)", re.IGNORECASE | re.MULTILINE)
_DEFAULT = re.compile(r"""^\s*(\w+)=["']?([^"'\s#]*)""", re.MULTILINE)
_PORTS = ("8891", "12301")
DMARC_PORTS = ("8893",)


def configured(conf: str, default: str = "") -> tuple[str, ...]:
    """The addresses in the text of opendkim.conf and /etc/default/opendkim, written as Postfix writes them."""
    variables: dict[str, str] = {}
    for name, value in _DEFAULT.findall(default):
        variables[name] = milterlist.expand(value, variables)
    found = [*_SOCKET.findall(conf), *filter(None, (variables.get("SOCKET"),))]
    return tuple(dict.fromkeys(filter(None, map(from_milter_form, found))))


def from_milter_form(socket: str) -> str:
    """Turn ``inet:8891@localhost``, ``local:/path`` or ``/path`` into Postfix's ``inet:localhost:8891`` or ``unix:/path``; else empty."""
    kind, _, rest = socket.partition(":")
    if socket.startswith("/"):
        return f"unix:{socket}"
    if kind in ("local", "unix") and rest:
        return f"unix:{rest}"
    if kind in ("inet", "inet6"):
        port, _, host = rest.partition("@")
        host = host.removeprefix("[").removesuffix("]")
        return f"inet:{f'[{host}]' if ':' in host else host or 'localhost'}:{port}" if port else ""
    return ""


def is_opendkim(address: str, known: tuple[str, ...], queue_directory: str) -> bool:
    """Whether an entry of a milter list leads to opendkim: a configured address, a path with its name, or one of its usual ports here."""
    return any(milterlist.same(address, other, queue_directory) for other in known) or _usual(address, "opendkim", _PORTS)


def is_opendmarc(address: str) -> bool:
    """Whether an entry leads to opendmarc, which reads the Authentication-Results of the milters before it."""
    return _usual(address, "opendmarc", DMARC_PORTS)


def _usual(address: str, name: str, ports: tuple[str, ...]) -> bool:
    kind, _, rest = address.partition(":")
    if kind in ("unix", "local"):
        return name in rest.lower()
    host, _, _ = rest.rpartition(":")
    return host.lower() == name or any(place == f"inet:localhost:{port}" for place in milterlist.places(address, "/") for port in ports)
