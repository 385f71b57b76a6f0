"""Addresses to listen on: ``unix:/path`` or ``inet:HOST:PORT``."""

from __future__ import annotations

import re
from typing import NamedTuple

from zegel.config.error import ConfigError
from zegel.words import N_

_MAX_SOCKET_PATH = 107  # octets; what sockaddr_un holds on Linux
_HOST = re.compile(r"[A-Za-z0-9._-]+|\[?[0-9A-Fa-f:.]+(?:%[A-Za-z0-9._-]+)?\]?", re.ASCII)


class Listen(NamedTuple):
    """An address to listen on: the path of a unix socket, or (with an empty path) a host and a port."""

    path: str
    host: str
    port: int


def listen_address(text: str) -> Listen:
    """Read ``unix:/path`` or ``inet:HOST:PORT`` (also ``inet6:[HOST]:PORT``). Raises :class:`ConfigError`."""
    kind, _, rest = text.partition(":")
    if kind == "unix" and rest.startswith("/") and "\0" not in rest:
        if len(rest.encode()) > _MAX_SOCKET_PATH:
            message = N_("{text!r}: the path of a unix socket has at most {most} octets; choose a shorter one")
            raise ConfigError(message, text=text, most=_MAX_SOCKET_PATH)
        return Listen(rest, "", 0)
    host, _, port = rest.rpartition(":")
    if kind in ("inet", "inet6") and _HOST.fullmatch(host) and re.fullmatch("[0-9]{1,5}", port) and int(port) < 65536:
        return Listen("", host.removeprefix("[").removesuffix("]"), int(port))
    raise ConfigError(N_("{text!r} is not an address to listen on; write unix:/path/to/socket or inet:127.0.0.1:8899"), text=text)
