"""Changes records of a zone by dynamic update, signed with a shared key. RFC 2136 (UPDATE), RFC 8945 (TSIG).

Only exactly what is named is taken away, and only while the record set is still what it was a moment before: a prerequisite holds the
server to that (RFC 2136 2.4.2), so that nobody else's record is lost and none gets a second one beside it. All changes of a zone are one
message, which the server takes whole or not at all. Its answer proves no publication: who wants to know reads the records back.

Secrets are read from a file that nobody else may read, and stand in no error and no log.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import os
import re
import stat
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zegel.adapters.exchange import Address
from zegel.words import N_, Sentence, SpokenError

if TYPE_CHECKING:
    import dns.message
    import dns.name
    import dns.rdata
    import dns.rrset
    import dns.update

_TIMEOUT = 10.0  # seconds
_NO_REPLY = N_("{server} answered with what is no reply ({detail})")
_MAX_FILE = 10_000
_IN_FILE = re.compile(r'secret\s*:?\s*"?([A-Za-z0-9+/=]+)"?', re.ASCII)


class UpdateError(SpokenError):
    """The server did not take the update; ``id`` is stable: it says which of the reasons it was."""

    def __init__(self, id_: str, sentence: str, /, **values: object) -> None:
        super().__init__(sentence, **values)
        self.id = id_


@dataclass(frozen=True, slots=True)
class Tsig:
    """A key of TSIG. The secret is kept out of the representation."""

    name: str
    algorithm: str
    secret: bytes

    def __repr__(self) -> str:
        return f"<Tsig {self.name} {self.algorithm}>"


@dataclass(frozen=True, slots=True)
class Edit:
    """What becomes of one record set: ``add`` is the strings of a record (of MX and CNAME one), None for none; ``remove`` holds texts
    of records, their strings joined.
    """

    name: str
    type: str
    add: tuple[str, ...] | None = None
    remove: frozenset[str] = frozenset()


def read_secret(path: Path, name: str, algorithm: str) -> Tsig:
    """Read the secret of a key: base64 alone, or a key file of BIND or Knot. Raises UpdateError that says what to do."""
    with path.open("rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if not stat.S_ISREG(mode) or mode & 0o037:
            sentence = N_("{path} has mode {mode:04o}, and holds a secret; type: chmod 600 {path}")
            raise UpdateError("secret_file", sentence, path=path, mode=stat.S_IMODE(mode))
        text = file.read(_MAX_FILE).decode("utf-8", "replace").strip()
    found = _IN_FILE.search(text)
    try:
        secret = base64.b64decode(found[1] if found else text, validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if not secret:
        raise UpdateError("secret_file", N_("{path} holds no TSIG secret; put the base64 text there that tsig-keygen writes"), path=path)
    return Tsig(name, algorithm, secret)


async def update(server: Address, zone: str, tsig: Tsig, edits: Sequence[Edit], *, ttl: int) -> int:
    """Make the edits, those that are done already left out, and return how many were sent. Raises UpdateError.

    ``ttl`` in seconds is for new record sets; those that are there keep theirs.
    """
    import dns.update

    message = dns.update.UpdateMessage(zone)
    sent = 0
    for edit in edits:
        sent += _put(message, edit, await _there(server, edit), ttl)
    if not sent:
        return 0
    _sign(message, tsig)
    reply = await _ask(server, message, zone, tsig)
    if not reply.had_tsig and reply.rcode() == 0:
        raise UpdateError("unsigned", N_("{server} answered without a signature; somebody may stand between"), server=_shown(server))
    _judge(reply, server, zone, tsig)
    return sent


async def _there(server: Address, edit: Edit) -> dns.rrset.RRset | None:
    """The record set at the server itself, with its strings as they are: only so it can be named in an update."""
    import dns.message
    import dns.rdatatype

    query = dns.message.make_query(edit.name, edit.type, flags=0)
    reply = await _ask(server, query, edit.name, None)
    return next(
        (found for found in reply.answer if found.rdtype == dns.rdatatype.from_text(edit.type) and found.name == query.question[0].name),
        None,
    )


def _put(message: dns.update.UpdateMessage, edit: Edit, there: dns.rrset.RRset | None, ttl: int) -> bool:
    """Put one edit into the message, additions first; False when there is nothing to do."""
    import dns.name

    name = dns.name.from_text(edit.name)
    records = list(there or ())
    texts = {_text(record) for record in records}
    taken = [record for record in records if _text(record) in edit.remove]
    adds = edit.add is not None and "".join(edit.add) not in texts
    if not adds and not taken:
        return False
    if records:
        message.present(name, *records)  # RFC 2136 2.4.2: the record set is exactly this
    else:
        message.absent(name, edit.type)  # RFC 2136 2.4.3
    if adds:
        message.add(name, there.ttl if there else ttl, _record(edit))
    for record in taken:
        message.delete(name, record)  # RFC 2136 2.5.4: this record, and no other of its set
    return True


def _record(edit: Edit) -> dns.rdata.Rdata:
    import dns.name
    import dns.rdata
    import dns.rdataclass
    import dns.rdatatype
    import dns.rdtypes.ANY.TXT

    strings = edit.add or ()
    if edit.type == "TXT":
        octets = [string.encode("ascii") for string in strings]
        return dns.rdtypes.ANY.TXT.TXT(dns.rdataclass.IN, dns.rdatatype.TXT, octets)
    return dns.rdata.from_text("IN", edit.type, "".join(strings), origin=dns.name.root, relativize=False)


def _text(record: dns.rdata.Rdata) -> str:
    """A record as its text: the strings of TXT joined, names without their final dot."""
    strings = getattr(record, "strings", None)
    if strings is not None:
        return b"".join(strings).decode("utf-8", "replace")
    text = record.to_text()
    return text if text.endswith(" .") else text.removesuffix(".").lower()


def _sign(message: dns.update.UpdateMessage, tsig: Tsig) -> None:
    import dns.tsig

    message.use_tsig(dns.tsig.Key(tsig.name, tsig.secret, tsig.algorithm))


async def _ask(server: Address, message: dns.message.Message, about: str, tsig: Tsig | None) -> dns.message.Message:
    """Send a message over TCP and return the reply. Raises UpdateError."""
    shown = _shown(server)
    try:
        async with asyncio.timeout(_TIMEOUT):
            packet = await _exchange(server, message.to_wire(max_size=65535))
    except TimeoutError:
        raise UpdateError("timeout", N_("{server} did not answer within {seconds:.0f} seconds"), server=shown, seconds=_TIMEOUT) from None
    except (OSError, EOFError) as error:
        detail = getattr(error, "strerror", None) or N_("the connection ended")
        raise UpdateError("unreachable", N_("{server} cannot be reached: {detail}"), server=shown, detail=Sentence(detail)) from None
    return _read(packet, message, shown, about, tsig)


async def _exchange(server: Address, packet: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(server.host, server.port)
    try:
        writer.write(struct.pack("!H", len(packet)) + packet)
        (length,) = struct.unpack("!H", await reader.readexactly(2))
        return await reader.readexactly(length)
    finally:
        writer.transport.abort()


def _read(packet: bytes, asked: dns.message.Message, shown: str, about: str, tsig: Tsig | None) -> dns.message.Message:
    """Read a reply and check its signature. Who refuses need not sign that (RFC 8945 5.3); BADKEY, BADSIG and BADTIME: RFC 8945 5.2."""
    import dns.exception
    import dns.message
    import dns.tsig

    name = tsig.name if tsig else ""
    try:
        try:
            reply = dns.message.from_wire(packet, keyring=asked.keyring, request_mac=asked.mac)
        except dns.exception.FormError:
            reply = dns.message.from_wire(packet)
    except dns.tsig.PeerBadKey:
        sentence = N_("{server} does not know the TSIG key {key}, or not for this zone; look at tsig_name and tsig_algorithm of {zone}")
        raise UpdateError("tsig_key", sentence, server=shown, key=name, zone=about) from None
    except (dns.tsig.PeerBadSignature, dns.tsig.BadSignature):
        sentence = N_("{server} has another secret for the TSIG key {key}; look at tsig_secret_file of the zone {zone}")
        raise UpdateError("tsig_secret", sentence, server=shown, key=name, zone=about) from None
    except (dns.tsig.PeerBadTime, dns.tsig.BadTime):  # RFC 8945 5.2.3
        sentence = N_("the clocks of {server} and of this machine differ too much for the TSIG key {key}; set them by NTP")
        raise UpdateError("tsig_time", sentence, server=shown, key=name) from None
    except dns.exception.DNSException as error:
        raise UpdateError("malformed", _NO_REPLY, server=shown, detail=type(error).__name__) from None
    if reply.id != asked.id or reply.opcode() != asked.opcode():
        raise UpdateError("malformed", _NO_REPLY, server=shown, detail="ID")
    return reply


def _judge(reply: dns.message.Message, server: Address, zone: str, tsig: Tsig) -> None:
    """Raise UpdateError for a reply that says no. RFC 2136 2.2."""
    import dns.rcode

    code = dns.rcode.to_text(reply.rcode())
    refusals = {
        "REFUSED": ("refused", N_("{server} refuses the update: the key {key} may not change the zone {zone}; look at its access rules")),
        "NOTAUTH": ("not_zone", N_("{server} is not a primary server of the zone {zone}; name the one that is as its server")),
        "NOTZONE": ("not_zone", N_("{server} says that a name is not in the zone {zone}: name the zone that holds it")),
        "NOTIMP": ("not_implemented", N_('{server} takes no updates; choose way = "file" or "hand" for the zone {zone}')),
    }
    changed = ("changed", N_("somebody else changed the same records of {zone} at the same moment; nothing was changed. Do it again"))
    refusals |= dict.fromkeys(("YXDOMAIN", "YXRRSET", "NXDOMAIN", "NXRRSET"), changed)
    if code != "NOERROR":
        id_, sentence = refusals.get(code, ("failed", N_("{server} did not make the update of {zone}: {code}; look into its log")))
        raise UpdateError(id_, sentence, server=_shown(server), zone=zone, key=tsig.name, code=code)


def _shown(server: Address) -> str:
    return server.host if server.port == 53 else f"{server.host}:{server.port}"
