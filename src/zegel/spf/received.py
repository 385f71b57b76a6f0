"""The Received-SPF header field: format only. RFC 7208 9.1.

What a sender wrote goes in as dot-atoms or quoted strings, without control characters and cut where it is long: nothing of it can end the
field, begin another, or pass for a key of ours. The Authentication-Results field is the one that readers should trust; this one tells more.
"""

from __future__ import annotations

import re

from zegel.spf.result import SpfIdentity, SpfResult, SpfStatus

FIELD = b"Received-SPF"
_WIDTH = 78
_MAX_VALUE = 320  # characters; with the longest key a line stays far under the 998 octets of RFC 5322 2.1.1
_DOT_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*", re.ASCII)
_UNPRINTABLE = re.compile(r"[^ -~]")
_ERRORS = (SpfStatus.TEMPERROR, SpfStatus.PERMERROR)


def format_received_spf(result: SpfResult, *, client_ip: str, helo: str, receiver: str) -> bytes:
    """Write what stands behind the colon of the field for one result; put it above all others of its name and above our Received.

    ``client_ip`` and ``helo`` are as the client gave them, ``receiver`` is our own name.
    """
    reason = result.cause.reason
    of = f"domain of {result.domain}: " if result.domain else ""
    words = [str(result.status), f"({_comment(f'{receiver}: {of}{reason.sentence}')})"]
    pairs = [("receiver", receiver), ("identity", str(result.identity)), ("client-ip", client_ip)]
    if result.identity is SpfIdentity.MAIL_FROM:
        pairs.append(("envelope-from", result.sender))
    pairs += [("helo", helo), ("mechanism", result.cause.mechanism)]
    if result.status in _ERRORS:
        pairs.append(("problem", str(result.cause)))
    words += [f"{name}={_value(value)};" for name, value in pairs]
    return _folded(words).encode("ascii")


def _value(text: str) -> str:
    """A dot-atom where it is one, otherwise a quoted string. RFC 5322 3.2.3 and 3.2.4."""
    plain = _plain(text)
    if _DOT_ATOM.fullmatch(plain):
        return plain
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _comment(text: str) -> str:
    """The inside of a comment. RFC 5322 3.2.2."""
    return re.sub(r"([\\()])", r"\\\1", _plain(text))


def _plain(text: str) -> str:
    return _UNPRINTABLE.sub("?", text[:_MAX_VALUE])


def _folded(words: list[str]) -> str:
    """The words with a fold before each that would make its line too long, the field's name before them; no word is broken."""
    lines, line, room = [], "", _WIDTH - len(FIELD) - len(":")
    for word in words:
        if len(line) + 1 + len(word) > room and line:
            lines.append(line)
            line, room = "", _WIDTH
        line += " " + word
    return "\r\n".join([*lines, line])
