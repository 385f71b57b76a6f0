"""The form of a message: what RFC 5322 asks of a header, and what the next server would have to change. RFC 5322 3.6, RFC 6376 5.3."""

from __future__ import annotations

from zegel.check.item import Area, Item, Level
from zegel.dkim.header import SINGLE, Header
from zegel.dkim.sign import hop_may_break
from zegel.words import N_, Sentence

_REQUIRED = ("from", "date", "message-id")  # RFC 5322 3.6 has Message-ID as SHOULD; large receivers want it
_BREAKS = {
    "8-bit data in the body": N_("8-bit text in the body: a server that takes 7 bits re-encodes it, and breaks the signature"),
    "8-bit data in the header": N_("8-bit text in the header: only servers with SMTPUTF8 take it"),
    "a CR or LF alone in the body": N_("a CR or LF alone in the body: servers change it, and break the signature"),
    "a line of over 998 octets": N_("a line of over 998 octets: servers cut it, and break the signature"),
}


def items(header: Header, body: bytes) -> list[Item]:
    """What is wrong with the form, or that nothing is."""
    faults = list(_faults(header, body))
    if not faults:
        return [Item("message.form", Area.MESSAGE, Level.PASS, Sentence(N_("the form of the message is in order (RFC 5322)")))]
    return faults


def _faults(header: Header, body: bytes) -> list[Item]:
    found = []
    places = header.layout.places
    for name in _REQUIRED:
        if not places(name):
            shown = Sentence(N_("the message has no {field} field"), field=_title(name))
            found.append(_fault("message.form.missing", Level.FAIL if name != "message-id" else Level.WARN, shown))
    for name in sorted(SINGLE):
        if len(places(name)) > 1:
            shown = Sentence(N_("{field} stands {count} times; it may stand once"), field=_title(name), count=len(places(name)))
            found.append(_fault("message.form.repeated", Level.FAIL, shown))
    if header.malformed:
        shown = Sentence(N_("lines of the header that are no field: {count}"), count=header.malformed)
        found.append(_fault("message.form.malformed", Level.FAIL, shown))
    breaks = hop_may_break(b"", body) or hop_may_break(header.block, b"")
    if breaks is not None:
        step = Sentence(N_("let the program that writes it encode it as quoted-printable or base64"))
        found.append(Item("message.form.fragile", Area.MESSAGE, Level.WARN, Sentence(_BREAKS[breaks]), step=step))
    return found


def _fault(id: str, level: Level, shown: Sentence) -> Item:
    why = Sentence(N_("receivers refuse or mend what is not in the form of RFC 5322"))
    return Item(id, Area.MESSAGE, level, shown, why, step=Sentence(N_("mend the program that writes the message")))


def _title(name: str) -> str:
    return {"message-id": "Message-ID", "mime-version": "MIME-Version"}.get(name, "-".join(part.capitalize() for part in name.split("-")))
