"""The parameters of MAIL and RCPT: which are known here, and what they may say. RFC 5321 4.1.2.

SIZE (RFC 1870), BODY (RFC 6152) and SMTPUTF8 (RFC 6531). Those of DSN (RFC 3461 4) and AUTH= (RFC 4954 5) are taken and left out; any other
is refused.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from zegel.smtp.path import Path, PathError

_SIZE = re.compile(r"[0-9]{1,20}", re.ASCII)
_IGNORED = {"MAIL": ("RET", "ENVID", "AUTH"), "RCPT": ("NOTIFY", "ORCPT")}


class MailParameters(NamedTuple):
    """What a client declares of its message: octets (0: it does not say), and whether it has addresses or fields in UTF-8."""

    size: int
    utf8: bool


def read_mail(path: Path, *, limit: int) -> MailParameters:
    """Read those of MAIL; a message may have ``limit`` octets. Raises :class:`PathError`."""
    parameters = _without_ignored(path.parameters, "MAIL")
    size, body = parameters.pop("SIZE", "0"), parameters.pop("BODY", "7BIT").upper()
    utf8 = parameters.pop("SMTPUTF8", None)
    _refuse_unknown(parameters)
    if not _SIZE.fullmatch(size) or body not in ("7BIT", "8BITMIME") or utf8:
        raise PathError("501", "5.5.4", "a parameter has a value that it cannot have")
    if int(size) > limit:
        raise PathError("552", "5.3.4", f"the message is larger than {limit} octets")  # RFC 1870 6.1
    _check_letters(path.address, utf8=utf8 is not None)
    return MailParameters(int(size), utf8 is not None)


def check_rcpt(path: Path, *, utf8: bool) -> None:
    """Look at those of RCPT; ``utf8`` is what MAIL declared. Raises :class:`PathError`."""
    _refuse_unknown(_without_ignored(path.parameters, "RCPT"))
    _check_letters(path.address, utf8=utf8)


def _without_ignored(parameters: dict[str, str], verb: str) -> dict[str, str]:
    return {name: value for name, value in parameters.items() if name not in _IGNORED[verb]}


def _refuse_unknown(parameters: dict[str, str]) -> None:
    if parameters:
        raise PathError("555", "5.5.4", f"the parameter {next(iter(parameters))} is not known here")


def _check_letters(address: str, *, utf8: bool) -> None:
    if not utf8 and not address.isascii():
        raise PathError("553", "5.6.7", "an address with other letters than ASCII needs SMTPUTF8")  # RFC 6531 3.5
