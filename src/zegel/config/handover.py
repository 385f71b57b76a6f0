"""The table ``[handover]``: where programs on this machine hand over mail (``zegel-sendmail``, the back end for Django)."""

from __future__ import annotations

import msgspec

from zegel.config.address import listen_address
from zegel.config.error import ConfigError
from zegel.words import N_


class Handover(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The path of the socket and of the drop folder; empty switches either off."""

    socket: str = ""
    drop_folder: str = ""


def check_handover(handover: Handover) -> None:
    """Check the table. Raises :class:`ConfigError`."""
    for key, path in (("socket", handover.socket), ("drop_folder", handover.drop_folder)):
        if path and (not path.startswith("/") or "\0" in path):
            message = N_("zegel.toml: handover.{key} {path!r} is no path from the root; write one such as /run/zegel/handover.sock")
            raise ConfigError(message, key=key, path=path)
    if handover.socket:
        listen_address(f"unix:{handover.socket}")
