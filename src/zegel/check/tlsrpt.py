"""TLS-RPT: the record that says where senders report how TLS went. RFC 8460 3."""

from __future__ import annotations

from typing import NamedTuple

from zegel.check.mtasts import Note
from zegel.dmarc.record import ReportUri
from zegel.words import N_

_MAX_NOTES = 20
_MAX_URIS = 10


class TlsRptRecord(NamedTuple):
    """The record: where reports go, and what is wrong with it."""

    rua: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()

    @property
    def valid(self) -> bool:
        """True when senders go by it."""
        return not any(note.fatal for note in self.notes)


def is_record(text: bytes) -> bool:
    """True for a TXT record that counts as one of TLS-RPT. RFC 8460 3: it begins with ``v=TLSRPTv1;``."""
    return text[:10] == b"v=TLSRPTv1" and text[10:].lstrip(b" \t")[:1] in (b";", b"")


def parse_record(text: bytes) -> TlsRptRecord:
    """Read the text of a TXT record at ``_smtp._tls``."""
    if not is_record(text):
        return TlsRptRecord(notes=(Note(N_("it does not begin with v=TLSRPTv1")),))
    notes: list[Note] = []
    found: dict[str, str] = {}
    for part in text.decode("ascii", "replace").split(";")[1:]:
        name, equals, value = part.strip(" \t").partition("=")
        name, value = name.strip(" \t"), value.strip(" \t")
        if not name and not equals:
            continue
        if not equals or not name or not value:
            notes.append(Note(N_("a part is no field=value"), part[:100]))
        elif name in found:
            notes.append(Note(N_("a field is there more than once"), name[:100]))
        else:
            found[name] = value
            if name != "rua":
                notes.append(Note(N_("a field that TLS-RPT does not know"), name[:100], fatal=False))
    good: list[str] = []
    for item in found.get("rua", "").split(",")[:_MAX_URIS] if "rua" in found else ():
        if _is_destination(item.strip(" \t")):
            good.append(item.strip(" \t"))
        else:
            notes.append(Note(N_("an address for reports is neither mailto: nor https:"), item[:100]))
    if "rua" not in found:
        notes.append(Note(N_("there is no rua=, so nobody gets a report")))
    return TlsRptRecord(tuple(good), tuple(notes[:_MAX_NOTES]))


def _is_destination(text: str) -> bool:
    """RFC 8460 3: a mailto: or https: URI."""
    try:
        uri = ReportUri(text)
    except ValueError:
        return False
    return uri.address is not None or (text.lower().startswith("https://") and len(text) > len("https://"))
