"""Writes the ``[[outbound.allow]]`` lines of ``zegel.toml`` that give the same hosts and logins their right to sign."""

from __future__ import annotations

import json
from collections.abc import Sequence

from zegel.moving.model import Found

_WIDTH = 80  # of a terminal; TOML 1.0 lets an array go on over lines, with a comma behind the last
_INDENT = " " * 3


def lines(found: Found, senders: Sequence[str]) -> list[str]:
    """The lines, none when nobody is signed for. Every entry has all senders: nothing there tied a host to a name."""
    if not senders:
        return []
    shown = _sign(senders)
    whom = ["local = true"] if found.local else []
    whom += [f'network = "{network}"' for network in dict.fromkeys(found.networks)]
    whom += ['login = "*"'] if found.logins else []
    return [line for who in whom for line in ("[[outbound.allow]]", who, *shown, "")][:-1]


def _sign(senders: Sequence[str]) -> list[str]:
    written = [json.dumps(sender, ensure_ascii=False) for sender in senders]
    whole = f"sign = [{', '.join(written)}]"
    if len(whole) <= _WIDTH:
        return [whole]
    # A name may be longer than the line: it is on a line of its own then, and nothing stands behind its comma.
    found, line = ["sign = ["], _INDENT
    for text in written:
        if line != _INDENT and len(line) + len(text) + 2 > _WIDTH:
            found.append(line)
            line = _INDENT
        line += f" {text},"
    return [*found, line, "]"]
