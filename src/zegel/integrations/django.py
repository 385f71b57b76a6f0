"""Mail of a Django site: ``EMAIL_BACKEND = "zegel.integrations.django.EmailBackend"``, in one of two ways, by the setting ``ZEGEL``.

Through the daemon on this machine, which finds the site by the user that Django runs as (``zegel site add --unix-user``), corrects the
sender, signs, and keeps the message until the next hop has it::

    ZEGEL = {"handover": "/run/zegel/handover.sock", "drop_folder": "/var/spool/zegel/drop"}

Or signed in this process and sent by ``EMAIL_HOST`` and its like, without a daemon::

    ZEGEL = {"keys": [{"domain": "example.be", "selector": "s1", "file": "/etc/zegel/example.be.pem"}]}

Messages, ``fail_silently`` and connections that are used again are Django's own: this is its SMTP back end, with another last step.
"""

from __future__ import annotations

import os
import smtplib
import time
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.mail.backends.smtp import EmailBackend as SmtpBackend

from zegel.dkim.crypto import Key
from zegel.dkim.sign import Style, sign_message
from zegel.grammar.address import Mailbox, mailboxes
from zegel.grammar.message import CRLF, named, split_fields
from zegel.integrations import sendmail
from zegel.submission.handed import ID_LENGTH, Handed, HandedError
from zegel.submission.ready import make_ready
from zegel.submission.unfit import Unfit

_SERVICE_UNAVAILABLE, _NOT_STORED = 550, 451


class EmailBackend(SmtpBackend):  # type: ignore[misc]  # Django has no types
    """Sends mail through Zegel's daemon, or signed in this process. Raises ``ImproperlyConfigured`` for settings that cannot be."""

    connection: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        asked = getattr(settings, "ZEGEL", None)
        if not isinstance(asked, dict) or ("handover" in asked) == ("keys" in asked):
            raise ImproperlyConfigured('ZEGEL has either "handover", the path of the daemon\'s socket, or "keys", to sign in this process')
        self._handover = _Handover(asked["handover"], asked.get("drop_folder") or sendmail.DROP) if "handover" in asked else None
        self._keys = tuple(_key(each) for each in asked.get("keys", ()))

    def open(self) -> bool | None:
        """Open a connection where one is needed; as Django's own does, True for a new one."""
        if self._handover is None:
            return bool(super().open()) if self.connection is None else False
        if self.connection is not None:
            return False
        self.connection = self._handover
        return True

    def _send(self, email_message: Any) -> bool:
        """Send one message. What the other side refuses is an ``smtplib`` error, unless failing is to be silent."""
        if not email_message.recipients():
            return False
        try:
            sender = _one(email_message.from_email).address
            recipients = [_one(each).address for each in email_message.recipients()]
            data = sendmail.mended(email_message.message().as_bytes(), ignore_dots=True)
            self.connection.sendmail(sender, recipients, data if self._handover else self._signed(data))
        except (smtplib.SMTPException, OSError, Unfit, ValueError):
            if not self.fail_silently:
                raise
            return False
        return True

    def _signed(self, data: bytes) -> bytes:
        """The message, made ready and with a signature for its author's domain in front. RFC 6376 5.3, 5.6."""
        now = time.time()
        author = _author(data)
        keys = [key for key in self._keys if author.domain.within(key.domain)]
        if not keys:
            raise ImproperlyConfigured(f"ZEGEL has no key for {author.domain}, the domain of {author.address} in From")
        nearest = max(len(key.domain) for key in keys)
        ready = make_ready(data, now=now, unique=os.urandom(12).hex(), domain=author.domain)
        return sign_message(ready.data, [key for key in keys if len(key.domain) == nearest], Style(), now=int(now)) + ready.data


class _Handover:
    """The daemon's socket, in the clothes of ``smtplib.SMTP``; the drop folder when no daemon answers."""

    def __init__(self, socket: str, drop_folder: str) -> None:
        self._socket, self._drop_folder = socket, drop_folder

    def sendmail(self, sender: str, recipients: Sequence[str], data: bytes) -> None:
        """Returns when the message is safe. Raises ``smtplib.SMTPDataError`` with the answer."""
        handed = Handed(os.urandom(ID_LENGTH // 2).hex(), sender, list(dict.fromkeys(recipients)), len(data), "django")
        try:
            head = handed.head()
            refused = sendmail.hand_over(self._socket, self._drop_folder, handed.id, head, data)
        except HandedError as error:
            raise smtplib.SMTPDataError(_SERVICE_UNAVAILABLE, str(error)) from None
        except sendmail.Stop as stop:
            raise smtplib.SMTPDataError(_NOT_STORED, str(stop)) from None
        if refused:
            code = refused[:3]
            raise smtplib.SMTPDataError(int(code) if code.isdecimal() else _SERVICE_UNAVAILABLE, refused)

    def quit(self) -> None:
        """Nothing is open between messages."""

    def close(self) -> None:
        """Nothing is open between messages."""


@lru_cache(maxsize=100)
def _load(domain: str, selector: str, file: str) -> Key:
    """Loading a key takes as long as a hundred signatures: each once for this process."""
    return Key(domain, selector, Path(file).read_bytes())


def _key(each: Any) -> Key:
    try:
        return _load(each["domain"], each["selector"], str(each["file"]))
    except (KeyError, TypeError):
        raise ImproperlyConfigured('each of the keys in ZEGEL has "domain", "selector" and "file"') from None
    except (OSError, ValueError) as error:
        raise ImproperlyConfigured(f"a key in ZEGEL cannot be loaded: {error}") from None


def _one(text: str) -> Mailbox:
    """The one mailbox of an address as Django has it. Raises ValueError."""
    found = mailboxes(text.encode("utf-8"))
    if len(found) != 1:
        raise ValueError(f"not one address: {text!r}")
    return found[0]


def _author(data: bytes) -> Mailbox:
    fields = split_fields(data.partition(CRLF + CRLF)[0])[0]
    found = [mailbox for field in named(fields, b"from") for mailbox in mailboxes(field.value)]
    if len(found) != 1:
        raise ValueError("the message names no author, or several (From); it cannot be signed for one domain")
    return found[0]
