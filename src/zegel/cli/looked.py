"""One thing that ``zegel status`` has looked at, and how a running daemon is asked about itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zegel.config import Listen

_SECONDS = 2.0
_MAX_METRICS = 4 << 20


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that was looked at: ``state`` is "ok", "note" (to know, not wrong) or "wrong"; ``step`` is a command."""

    about: str
    state: str
    text: str
    step: str = ""


def gauge(address: Listen, name: str) -> int | None:
    """A gauge of the daemon whose metrics are at that address; None when it cannot be had."""
    import http.client

    connection = http.client.HTTPConnection(reachable(address.host), address.port, timeout=_SECONDS)
    try:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read(_MAX_METRICS).decode("utf-8", "replace")
        for line in text.splitlines():
            found, _space, value = line.partition(" ")
            if found == name:
                return int(float(value))
    except (OSError, http.client.HTTPException, ValueError, OverflowError):
        return None
    finally:
        connection.close()
    return None


def reachable(host: str) -> str:
    """The address to connect to where the one to listen on is "all of them"."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - where to connect, not to listen
