"""What happens on an SMTP connection, as the session tells it."""

from __future__ import annotations

from typing import NamedTuple

from zegel.smtp.auth import Credentials


class StartTls(NamedTuple):
    """The client is told to begin the TLS handshake; ``secured`` says that it has ended well."""


class Login(NamedTuple):
    """The client says who it is, and waits for ``finish``."""

    credentials: Credentials


class MailFrom(NamedTuple):
    """A message begins. ``sender`` is "" for ``<>``; ``size`` what the client says that it will have (0: nothing said).

    ``helo`` is the name that the client gave, ``protocol`` how the message comes, in the words of RFC 3848 and RFC 6531 4.3.
    """

    sender: str
    size: int = 0
    utf8: bool = False
    helo: str = ""
    protocol: str = "ESMTP"


class Recipient(NamedTuple):
    """It has one recipient more."""

    address: str


class Content(NamedTuple):
    """Octets of the message, unstuffed, in order; never empty."""

    data: bytes


class EndOfMessage(NamedTuple):
    """The message is whole, and the client waits for ``finish``."""


class Aborted(NamedTuple):
    """The message will have no end: the client gave it up, or (with a ``reason``, a stable id) it was refused for its form."""

    reason: str = ""


class Misuse(NamedTuple):
    """The client did what no honest one does; ``reason`` is a stable id. The connection ends with it."""

    reason: str


class Closed(NamedTuple):
    """The connection is over: what is still outgoing is to be written, and then it is closed."""


Event = StartTls | Login | MailFrom | Recipient | Content | EndOfMessage | Aborted | Misuse | Closed


class Reply(NamedTuple):
    """What the client is told: the reply code, the enhanced status code (RFC 3463) and a text."""

    code: str
    enhanced: str
    text: str
