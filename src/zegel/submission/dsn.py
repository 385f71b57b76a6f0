"""Delivery status notifications: what becomes of a message that could not be delivered, or not yet. RFC 3464, RFC 6522.

They go to the contact of the site, from ``<>`` and with Auto-Submitted, so that nothing answers them (RFC 5321 4.5.5, RFC 3834 5). What a
distant server has said is a stranger's text: one line of printable ASCII, bounded. The original comes as its header alone (RFC 6522 4).
When a notification is due, to whom, and that none is about a notification itself, is the courier's.
"""

from __future__ import annotations

import binascii
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime

from zegel.grammar.address import written
from zegel.grammar.encodedword import encoded, printable, shown
from zegel.grammar.message import CRLF, named, split_fields
from zegel.words import N_, Translate

_MAX_RECIPIENTS = 100
_MAX_HEADER = 65_536
_MAX_TEXT = 400
_LINE = 76
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}", re.ASCII)
_CONTROL = re.compile(r"[^ -~]+")


@dataclass(frozen=True, slots=True)
class Trouble:
    """One recipient who has not got the message.

    ``status`` is the enhanced code ("5.1.1"; RFC 3463 2), ``reply`` what the server said, if one did ("550 5.1.1 no such user"),
    ``server`` its name, and ``tried`` the time of the last attempt in seconds since the epoch.
    """

    recipient: str
    status: str
    reply: str = ""
    server: str = ""
    tried: float = 0


@dataclass(frozen=True, slots=True)
class Notice:
    """What both kinds of notification say.

    ``sender`` is our own aligned address and ``contact`` that of the site's contact; ``host`` is our own name (the reporting MTA); ``site``
    the site's name, ``queue_id`` the message's name in the outbox, ``arrived`` when it came, in seconds since the epoch; ``original`` the
    message, or its header. ``now`` and ``unique`` (a token of letters and digits that was never used before) make Date and Message-ID.
    """

    sender: str
    contact: str
    host: str
    site: str
    queue_id: str
    arrived: float
    original: bytes
    now: float
    unique: str


_FAILED = (
    N_("A message of {site} was not delivered"),
    N_("A message that {site} sent could not be delivered, and is not tried again. These people have not received it:"),
    N_(
        "What to do: look at what the other server said. A wrong address can be mended on the website; a message that was refused can be "
        "sent again once the cause is gone."
    ),
)
_DELAYED = (
    N_("A message of {site} is delayed"),
    N_("A message that {site} sent is not delivered yet. It is tried again, by itself, until {until}. These people wait for it:"),
    N_("What to do: nothing, mostly. If the message is urgent, reach these people in another way."),
)


def failed(notice: Notice, troubles: Sequence[Trouble], *, translate: Translate = N_) -> bytes:
    """The notification that a message will not reach these recipients (CRLF, 7bit). Its envelope sender is ``<>``. RFC 3464 2.3.3."""
    return _report(notice, troubles, "failed", _FAILED, None, translate)


def delayed(notice: Notice, troubles: Sequence[Trouble], *, until: float, translate: Translate = N_) -> bytes:
    """The notification that a message waits, and is tried again until then (seconds since the epoch). RFC 3464 2.3.3, 2.3.9."""
    return _report(notice, troubles, "delayed", _DELAYED, until, translate)


def _report(
    notice: Notice, troubles: Sequence[Trouble], action: str, words: tuple[str, str, str], until: float | None, translate: Translate
) -> bytes:
    """multipart/report in its three parts. RFC 6522 3."""
    if not troubles:
        raise ValueError("a notification is about one recipient at least")
    values = {"site": printable(notice.site), "until": _date(until or 0)}
    subject, first, last = (translate(text).format(**values) for text in words)
    boundary = f"zegel-{notice.unique}"
    head = [
        f"From: {written('Zegel', notice.sender)}",
        f"To: {notice.contact}",
        f"Subject: {subject if subject.isascii() else encoded(subject)}",
        f"Date: {_date(notice.now)}",
        f"Message-ID: <{notice.unique}@{notice.sender.rpartition('@')[2]}>",
        # RFC 3834 5: nothing is to answer this.
        "Auto-Submitted: auto-replied",
        *_about(notice.original),
        "MIME-Version: 1.0",
        f'Content-Type: multipart/report; report-type=delivery-status;\r\n boundary="{boundary}"',
    ]
    parts = (
        _text_part(
            "\r\n".join([*_wrapped(first), "", *_people(troubles), "", *_about_message(notice, translate), "", *_wrapped(last), ""])
        ),
        "Content-Type: message/delivery-status\r\n\r\n" + _status(notice, troubles, action, until),
        _original_part(notice.original),
    )
    lines = "".join(f"--{boundary}\r\n{part}\r\n" for part in parts)
    return ("\r\n".join(head) + "\r\n\r\n" + lines + f"--{boundary}--\r\n").encode("ascii")


# -- for people -----------------------------------------------------------------------------------------------------------------------


def _text_part(text: str) -> str:
    if text.isascii():
        return f"Content-Type: text/plain; charset=us-ascii\r\n\r\n{text}"
    data = binascii.b2a_base64(text.encode("utf-8"), newline=False).decode("ascii")
    return f"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n{_cut(data)}\r\n"


def _people(troubles: Sequence[Trouble]) -> list[str]:
    lines = []
    for trouble in troubles[:_MAX_RECIPIENTS]:
        lines.append(f"  {shown(trouble.recipient)}")
        said = _one_line(trouble.reply)
        by = f"{_one_line(trouble.server)}: " if trouble.server and said else ""
        lines += [f"    {line}" for line in textwrap.wrap(by + (said or trouble.status), _LINE - 4, break_long_words=False)]
    if len(troubles) > _MAX_RECIPIENTS:
        lines.append(f"  + {len(troubles) - _MAX_RECIPIENTS}")
    return lines


def _about_message(notice: Notice, translate: Translate) -> list[str]:
    fields = split_fields(_header(notice.original))[0]
    subject = next((shown(each.value.decode("utf-8", "replace")).strip() for each in named(fields, b"subject")), "")
    rows = [
        (translate(N_("The message:")), subject or "-"),
        (translate(N_("Sent at:")), _date(notice.arrived)),
        (translate(N_("In the log:")), notice.queue_id),
    ]
    width = max(len(label) for label, _ in rows)
    return [f"  {label:{width}}  {value}" for label, value in rows]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _LINE, break_long_words=False, break_on_hyphens=False)


# -- for programs ---------------------------------------------------------------------------------------------------------------------


def _status(notice: Notice, troubles: Sequence[Trouble], action: str, until: float | None) -> str:
    """message/delivery-status: the fields of the message, then those of each recipient. RFC 3464 2.1, 2.2, 2.3."""
    groups = [
        [
            f"Reporting-MTA: dns; {notice.host}",
            f"X-Zegel-Queue-ID: {notice.queue_id}",
            f"Arrival-Date: {_date(notice.arrived)}",
        ]
    ]
    for trouble in troubles[:_MAX_RECIPIENTS]:
        status = trouble.status if _STATUS.fullmatch(trouble.status) else "4.0.0" if action == "delayed" else "5.0.0"
        lines = [f"Final-Recipient: {_recipient(trouble.recipient)}", f"Action: {action}", f"Status: {status}"]
        if trouble.server:
            lines.append(f"Remote-MTA: dns; {_one_line(trouble.server)}")
        if trouble.reply:
            lines.append(_fold(f"Diagnostic-Code: smtp; {_one_line(trouble.reply)}"))
        if trouble.tried:
            lines.append(f"Last-Attempt-Date: {_date(trouble.tried)}")
        if until is not None:
            lines.append(f"Will-Retry-Until: {_date(until)}")
        groups.append(lines)
    return "\r\n".join("".join(f"{line}\r\n" for line in lines) for lines in groups)


def _recipient(address: str) -> str:
    """Final-Recipient: an address of other letters as RFC 6533 3 has it in 7bit data."""
    if address.isascii():
        return f"rfc822; {_one_line(address)}"
    return "utf-8; " + "".join(char if "!" <= char <= "~" and char not in "\\+=" else f"\\x{{{ord(char):02X}}}" for char in address)


def _about(original: bytes) -> list[str]:
    """In-Reply-To, so that the notification stands with its message. RFC 3834 3.1.5."""
    fields = split_fields(_header(original))[0]
    ids = [each.value.strip() for each in named(fields, b"message-id")]
    if len(ids) != 1 or not re.fullmatch(rb"<[!-;=?-~]{3,250}>", ids[0]):
        return []
    return [f"{name}: {ids[0].decode('ascii')}" for name in ("In-Reply-To", "References")]


def _original_part(original: bytes) -> str:
    """The header of the original. RFC 6522 4; with other letters in it RFC 6533 6.3."""
    header = _header(original)
    if header.isascii():
        return f"Content-Type: text/rfc822-headers\r\n\r\n{header.decode('ascii')}\r\n"
    data = binascii.b2a_base64(header + CRLF, newline=False).decode("ascii")
    return f"Content-Type: message/global-headers\r\nContent-Transfer-Encoding: base64\r\n\r\n{_cut(data)}\r\n"


def _header(original: bytes) -> bytes:
    """The header of the original as whole fields, within a bound, and none that could end a line or a part of the report."""
    header = original.partition(CRLF + CRLF)[0].removesuffix(CRLF)
    if len(header) > _MAX_HEADER:
        header = header[: header.rfind(CRLF, 0, _MAX_HEADER)]
    fields = [each.raw for each in split_fields(header)[0]]
    # A line of 998 octets is one that every server takes (RFC 5322 2.1.1); the message had none that was longer.
    return CRLF.join(raw for raw in fields if all(len(line) <= 998 for line in raw.split(CRLF)))


def _one_line(text: str) -> str:
    return _CONTROL.sub("?", " ".join(text.split()))[:_MAX_TEXT].strip()


def _fold(line: str) -> str:
    return "\r\n ".join(textwrap.wrap(line, _LINE, break_long_words=False, break_on_hyphens=False))


def _cut(letters: str) -> str:
    return "\r\n".join(letters[at : at + _LINE] for at in range(0, len(letters), _LINE))


def _date(seconds: float) -> str:
    return format_datetime(datetime.fromtimestamp(int(seconds), UTC))
