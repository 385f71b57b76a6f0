"""The exchange of AUTH: PLAIN (RFC 4616) and LOGIN, the two that every program knows. RFC 4954 4.

Both hand over the password itself, so that they are offered below TLS only (RFC 4954 4); the session sees to that. What is read here is
never part of a text: an error says what form was wrong, not what stood there.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final, NamedTuple

MECHANISMS: Final = ("PLAIN", "LOGIN")
_MAX_FIELD: Final = 255  # octets; RFC 4616 2
# "Username:" and "Password:", as every client of LOGIN waits for them.
_USERNAME, _PASSWORD = b"VXNlcm5hbWU6", b"UGFzc3dvcmQ6"


class AuthError(Exception):
    """The exchange cannot go on: reply code, enhanced code and text."""

    def __init__(self, code: str, enhanced: str, text: str) -> None:
        super().__init__(text)
        self.code, self.enhanced, self.text = code, enhanced, text


class Credentials(NamedTuple):
    """What the client said that it is, and its secret, which stays out of every representation."""

    mechanism: str
    name: str
    secret: str

    def __repr__(self) -> str:
        return f"<Credentials {self.mechanism} {self.name!r}>"


class Exchange:
    """One AUTH command. ``begin`` and ``respond`` give a challenge to send (base64), or the credentials. Both raise :class:`AuthError`."""

    __slots__ = ("_mechanism", "_name")

    def __init__(self, mechanism: str) -> None:
        self._mechanism = mechanism.upper()
        if self._mechanism not in MECHANISMS:
            raise AuthError("504", "5.5.4", f"write AUTH and one of {' '.join(MECHANISMS)}")
        self._name: str | None = None

    def begin(self, initial: bytes | None) -> bytes | Credentials:
        """Begin, with what the client sent along, if anything. RFC 4954 4: "=" is an empty response."""
        if initial is None:
            return b"" if self._mechanism == "PLAIN" else _USERNAME
        return self.respond(b"" if initial == b"=" else initial)

    def respond(self, response: bytes) -> bytes | Credentials:
        """Take one response."""
        if response == b"*":
            raise AuthError("501", "5.7.0", "AUTH is given up")
        try:
            octets = base64.b64decode(response, validate=True)
        except binascii.Error:
            raise AuthError("501", "5.5.2", "this is not base64") from None
        if self._mechanism == "PLAIN":
            return self._plain(octets)
        text = _text(octets)
        if self._name is None:
            self._name = text
            return _PASSWORD
        return Credentials(self._mechanism, self._name, text)

    def _plain(self, octets: bytes) -> Credentials:
        """``[authzid] NUL authcid NUL passwd``. RFC 4616 2: nobody acts for somebody else here."""
        parts = octets.split(b"\0")
        if len(parts) != 3:
            raise AuthError("501", "5.5.2", "PLAIN has a NUL before the name and one behind it")
        for_whom, name, secret = map(_text, parts)
        if for_whom not in ("", name):
            raise AuthError("535", "5.7.8", "nobody can act for somebody else here")
        return Credentials(self._mechanism, name, secret)


def _text(octets: bytes) -> str:
    if len(octets) > _MAX_FIELD:
        raise AuthError("501", "5.5.2", "this is too long")
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        raise AuthError("501", "5.5.2", "this is not UTF-8") from None
