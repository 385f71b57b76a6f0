"""What stands behind MAIL FROM: and RCPT TO: a path and parameters. RFC 5321 4.1.2, RFC 6531 3.3.

A source route is read and left out, as RFC 5321 4.1.1.3 allows. An address literal, a domain of one label and a quoted local part with a
line end or a NUL in it are refused: a submission is to name its recipients in full (RFC 6409 5.2).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from zegel.grammar.domain import Domain

_MAX_LOCAL, _MAX_PATH = 64, 254  # RFC 5321 4.5.3.1.1 and 4.5.3.1.3, without the angle brackets
_ROUTE = re.compile(r"@[^\s@:,<>]+(?:,@[^\s@:,<>]+)*:")
_DOT_STRING = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\U0010ffff-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\U0010ffff-]+)*")
_QUOTED = re.compile(r'"(?:[ !#-\[\]-~\u00a0-\U0010ffff]|\\[ -~])*"')
_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([!-<>-~\u0080-\U0010ffff]+))?")
_POSTMASTER = "postmaster"


class PathError(ValueError):
    """The path cannot be used: reply code, enhanced code and text."""

    def __init__(self, code: str, enhanced: str, text: str) -> None:
        super().__init__(text)
        self.code, self.enhanced, self.text = code, enhanced, text


class Path(NamedTuple):
    """A path: the address ("" for ``<>``), its domain in A-labels unless it has other letters in its local part, and the parameters."""

    address: str
    parameters: dict[str, str]


def read(argument: bytes, word: str, *, hostname: str) -> Path:
    """Read what follows MAIL or RCPT: ``word`` ("FROM" or "TO"), a colon, a path, parameters. Raises :class:`PathError`.

    ``<Postmaster>`` without a domain is that of ``hostname`` (RFC 5321 4.1.1.3). White space before the path is taken, as many write it.
    """
    try:
        text = argument.decode("utf-8")
    except UnicodeDecodeError:
        raise PathError("501", "5.5.4", "the command is not UTF-8") from None
    head, colon, rest = text.partition(":")
    if not colon or head.strip().upper() != word:
        raise PathError("501", "5.5.4", f"write {word}:<address>")
    rest = rest.strip(" ")
    if not rest.startswith("<"):
        raise PathError("501", "5.5.4", "an address stands in angle brackets")
    inner, after = _bracketed(rest)
    if after and not after.startswith(" "):
        raise PathError("501", "5.5.4", "a space is missing behind the address")
    return Path(_address(inner, hostname), _parameters(after))


def _bracketed(text: str) -> tuple[str, str]:
    """What is between the angle brackets, of which a quoted local part may have its own, and what is behind."""
    at, quoted = 1, False
    while at < len(text):
        char = text[at]
        if quoted and char == "\\":
            at += 1
        elif char == '"':
            quoted = not quoted
        elif char == ">" and not quoted:
            return text[1:at], text[at + 1 :]
        at += 1
    raise PathError("501", "5.5.4", "an angle bracket is not closed")


def _address(text: str, hostname: str) -> str:
    if not text:
        return ""
    if text.lower() == _POSTMASTER:
        return f"{text}@{hostname}"
    if text.startswith("@") and (route := _ROUTE.match(text)):
        text = text[route.end() :]
    return mailbox(text)


def mailbox(text: str) -> str:
    """The address of a recipient as it may stand between angle brackets, its domain in A-labels. Raises :class:`PathError`."""
    local, at, host = text.rpartition("@")
    if not at or not (_DOT_STRING.fullmatch(local) or _QUOTED.fullmatch(local)):
        raise PathError("501", "5.1.3", f"{text[:_MAX_PATH]!r} is no address")
    if len(local.encode()) > _MAX_LOCAL or len(text.encode()) > _MAX_PATH:
        raise PathError("501", "5.1.3", "the address is too long")
    try:
        domain = Domain.parse(host)
    except ValueError:
        raise PathError("501", "5.1.3", f"{host[:_MAX_PATH]!r} is no domain name") from None
    if len(domain.labels) < 2:
        raise PathError("554", "5.1.3", f"{host} is no full domain name")  # RFC 6409 5.2
    # Some people's own domain is in their own letters too: kept as written where the local part needs SMTPUTF8 all the same.
    return f"{local}@{domain if local.isascii() else host}"


def _parameters(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for word in text.split():
        parameter = _PARAMETER.fullmatch(word)
        if parameter is None or parameter[1].upper() in found:
            raise PathError("501", "5.5.4", "a parameter cannot be read, or stands there twice")
        found[parameter[1].upper()] = parameter[2] or ""
    return found
