"""The [[zone]] tables: how the records of a zone are published, and who its servers are."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Literal

import msgspec

from zegel.config.error import ConfigError
from zegel.grammar.domain import Domain
from zegel.words import N_

_SHORTEST, _LONGEST = 60, 86_400
_NEEDED = {"rfc2136": ("server", "tsig_name", "tsig_secret_file"), "file": ("file",), "hand": ()}


class Zone(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One zone. ``way``: ``rfc2136`` (updates with a TSIG key), ``file`` (a file to $INCLUDE), or ``hand``.

    ``server`` takes the updates; ``servers`` are all authoritative ones, as ``192.0.2.53`` or ``192.0.2.53:5353``, for a zone whose
    delegation does not name those that count. ``ttl`` in seconds.
    """

    name: str
    way: Literal["rfc2136", "file", "hand"] = "hand"
    server: str = ""
    servers: tuple[str, ...] = ()
    tsig_name: str = ""
    tsig_algorithm: Literal["hmac-sha256", "hmac-sha384", "hmac-sha512"] = "hmac-sha256"
    tsig_secret_file: str = ""
    file: str = ""
    ttl: int = 3600


def check(zones: Sequence[Zone]) -> None:
    """Check the zones. Raises ConfigError."""
    names: set[str] = set()
    for zone in zones:
        try:
            name = Domain.parse(zone.name)
        except ValueError:
            raise ConfigError(
                N_("zegel.toml: zone.name {name!r} is no domain name; write one such as example.be"), name=zone.name
            ) from None
        if zone.name != name:
            raise ConfigError(N_("zegel.toml: zone.name {name!r}: write it as {plain}"), name=zone.name, plain=name)
        if name in names:
            raise ConfigError(N_("zegel.toml: the zone {name} stands there twice"), name=name)
        names.add(name)
        for option in _NEEDED[zone.way]:
            if not getattr(zone, option):
                raise ConfigError(N_("zegel.toml: the zone {name} with way = {way} needs {option}"), name=name, way=zone.way, option=option)
        for option in ("file", "tsig_secret_file"):
            path = getattr(zone, option)
            if path and not path.startswith("/"):
                raise ConfigError(N_("zegel.toml: zone.{option} {path!r} is no full path; begin it with /"), option=option, path=path)
        for option, addresses in (("server", (zone.server,) if zone.server else ()), ("servers", zone.servers)):
            for address in addresses:
                _check_server(option, address)
        if not _SHORTEST <= zone.ttl <= _LONGEST:
            raise ConfigError(N_("zegel.toml: zone.ttl is a number of seconds, from 60 to 86400"))


def _check_server(option: str, text: str) -> None:
    """``192.0.2.53``, ``192.0.2.53:5353``, ``2001:db8::53`` or ``[2001:db8::53]:5353``."""
    host, port = text, "53"
    if text.startswith("[") or text.count(":") == 1:
        host, _, port = text.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
    try:
        ipaddress.ip_address(host)
        fine = port.isascii() and port.isdigit() and 0 < int(port) < 65536
    except ValueError:
        fine = False
    if not fine:
        message = N_("zegel.toml: zone.{option} {text!r} is no address of a name server; write 192.0.2.53 or 192.0.2.53:5353")
        raise ConfigError(message, option=option, text=text)
