"""The answer to a test mail: the report as plain text and as HTML in one message. RFC 3834 3.1, RFC 2046 5.1.4.

It says of itself that a program wrote it, belongs to the thread of the mail that it answers, and is written in 7 bits, so that no server
has a reason to change what is signed.
"""

from __future__ import annotations

import re
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from typing import NamedTuple

from zegel.check.language import translator
from zegel.check.letter import letter
from zegel.check.message.examine import MessageReport
from zegel.check.page import page
from zegel.check.sheet import of_message
from zegel.dkim.header import Header
from zegel.grammar.address import Mailbox
from zegel.words import N_

# RFC 5322 3.6.4, without comments and quoted forms: what is no plain msg-id is not repeated.
_MESSAGE_ID = re.compile(r"<[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,200}@[A-Za-z0-9.\[\]:_-]{1,200}>", re.ASCII)
_MOST_REFERENCES = 20
_LONGEST_SUBJECT = 120
_INTRO = N_("This is the report on the mail that you sent to {address}.")
_OUTRO = N_("A program wrote this, once for one mail.")


class Thread(NamedTuple):
    """What an answer repeats of the mail that it answers."""

    message_id: str
    references: tuple[str, ...]

    @classmethod
    def of(cls, header: Header) -> Thread:
        """Read from a header; a Message-ID that is not plain is none."""
        found = _ids(header, "message-id")
        return cls(found[0] if len(found) == 1 else "", tuple(_ids(header, "references") or _ids(header, "in-reply-to")))


def _ids(header: Header, name: str) -> list[str]:
    value = b" ".join(header.values(name)[:1])[:8192]
    return _MESSAGE_ID.findall(value.decode("ascii", "replace"))


def reply(report: MessageReport, thread: Thread, ours: Mailbox, to: Mailbox, *, language: str, token: str, version: str) -> bytes:
    """The whole message, CRLF line ends. ``token`` makes its Message-ID one of a kind: letters and digits; ``version`` is ours."""
    translate = translator(language)
    sheet = of_message(report)
    message = EmailMessage(policy=SMTP.clone(max_line_length=998, cte_type="7bit"))
    message["From"] = f"Zegel <{ours.address}>"
    message["To"] = to.address
    message["Subject"] = f"Auto: {report.subject[:_LONGEST_SUBJECT] or '-'}"  # RFC 3834 3.1.5
    message["Date"] = formatdate(report.now, usegmt=True)
    message["Message-ID"] = f"<{token}@{ours.domain}>"
    if thread.message_id:  # RFC 3834 3.1.6
        message["In-Reply-To"] = thread.message_id
        earlier = [one for one in thread.references if one != thread.message_id][-_MOST_REFERENCES:]
        message["References"] = " ".join((*earlier, thread.message_id))
    message["Auto-Submitted"] = "auto-replied"  # RFC 3834 3.1.7
    message["X-Auto-Response-Suppress"] = "All"  # what Exchange goes by
    text = "\n\n".join((translate(_INTRO).format(address=ours.address), letter(sheet, translate=translate), translate(_OUTRO)))
    message.set_content(text, cte="quoted-printable")
    html = page([sheet], language=language, translate=translate, now=report.now, version=version)
    message.add_alternative(html, subtype="html", cte="base64")
    message["Content-Language"] = language
    message.set_boundary(f"={token}=")
    return message.as_bytes()
