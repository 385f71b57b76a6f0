"""A name server that lies, on loopback over UDP and TCP: what it does with a question, the first label of its name says.

dnspython writes the octets, so that what reads them is not tested against itself. It counts what reaches it. A play is what it does with
one query; :data:`PLAYS` lists them all.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import cast

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

TRUE = '"v=DKIM1; p=true"'
FORGED = '"v=DKIM1; p=forged"'


@dataclass(frozen=True)
class Play:
    """What is done with one query: packets back, packets from another port, and octets over TCP, all after ``delay`` seconds.

    ``tcp`` None: the connection is closed at once. ``drip`` is the seconds before each octet over TCP.
    """

    udp: Sequence[bytes] = ()
    elsewhere: Sequence[bytes] = ()
    tcp: bytes | None = None
    delay: float = 0.0
    drip: float = 0.0


@dataclass
class Lying:
    """A running server: its address, and what has reached it. ``otherwise`` answers for names that no play is for."""

    port: int
    extra: dict[str, Callable[[dns.message.Message], Play]] = field(default_factory=dict)
    otherwise: Callable[[dns.message.Message], Play] | None = None
    packets: Counter[str] = field(default_factory=Counter)
    connections: Counter[str] = field(default_factory=Counter)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def play(self, wire: bytes, seen: Counter[str]) -> Play:
        """What to do with a query, which is counted."""
        query = dns.message.from_wire(wire)
        label = query.question[0].name.labels[0].decode().lower()
        seen[label] += 1
        play = (self.extra | PLAYS).get(label, self.otherwise)
        assert play is not None, label
        return play(query)


def reply(query: dns.message.Message, *records: str, authority: Sequence[str] = (), additional: Sequence[str] = ()) -> dns.message.Message:
    """A reply; each record is "name ttl type data", {q} the name asked for."""
    made = dns.message.make_response(query, recursion_available=True)
    for section, lines in ((made.answer, records), (made.authority, authority), (made.additional, additional)):
        for line in lines:
            owner, ttl, kind, data = line.replace("{q}", query.question[0].name.to_text()).split(" ", 3)
            section.append(dns.rrset.from_text(owner, int(ttl), "IN", kind, data))
    return made


def octets(message: dns.message.Message) -> bytes:
    return message.to_wire(max_size=65535)


def framed(message: dns.message.Message | bytes) -> bytes:
    """With its length in front, for TCP."""
    wire = message if isinstance(message, bytes) else octets(message)
    return struct.pack("!H", len(wire)) + wire


def _true(query: dns.message.Message) -> dns.message.Message:
    return reply(query, f"{{q}} 60 TXT {TRUE}")


def _forged(query: dns.message.Message) -> bytes:
    return octets(reply(query, f"{{q}} 60 TXT {FORGED}"))


def _renumbered(wire: bytes, by: int) -> bytes:
    """The same with another ID."""
    return bytes((wire[0] ^ by,)) + wire[1:]


def _guesses(query: dns.message.Message) -> Play:
    forged = _forged(query)
    return Play([_renumbered(forged, number) for number in range(1, 100)], tcp=framed(_true(query)))


def _cut(query: dns.message.Message) -> bytes:
    """A reply that did not fit: its record is not the true one."""
    made = reply(query, f"{{q}} 60 TXT {FORGED}")
    made.flags |= dns.flags.TC
    return octets(made)


def _says(rcode: dns.rcode.Rcode) -> Callable[[dns.message.Message], Play]:
    def play(query: dns.message.Message) -> Play:
        made = dns.message.make_response(query)
        made.set_rcode(rcode)
        return Play([octets(made)])

    return play


def _with(
    *records: str, authority: Sequence[str] = (), additional: Sequence[str] = (), rcode: int = 0
) -> Callable[[dns.message.Message], Play]:
    def play(query: dns.message.Message) -> Play:
        made = reply(query, *records, authority=authority, additional=additional)
        made.set_rcode(dns.rcode.Rcode(rcode))
        return Play([octets(made)])

    return play


def _other_question(query: dns.message.Message) -> Play:
    made = _true(query)
    made.question[0].name = dns.name.from_text("other.example.")
    other_type = _true(query)
    other_type.question[0].rdtype = dns.rdatatype.SPF
    return Play([octets(made), octets(other_type)])


def _without_edns(query: dns.message.Message) -> Play:
    if query.edns < 0:
        return Play([octets(_true(query))])
    made = dns.message.make_response(query)
    made.use_edns(False)
    made.set_rcode(dns.rcode.FORMERR)
    return Play([octets(made)])


def _bad_version(query: dns.message.Message) -> Play:
    made = dns.message.make_response(query)
    made.set_rcode(dns.rcode.BADVERS)
    return Play([octets(made)])


def _by_hand(query: dns.message.Message, kind: int, *rdata: bytes, owner: bytes = b"\xc0\x0c") -> bytes:
    """A reply whose names are written by hand."""
    wire = bytearray(octets(reply(query)))
    del wire[12 + len(query.question[0].name.to_wire() or b"") + 4 :]
    struct.pack_into("!3H", wire, 6, len(rdata), 0, 0)
    for data in rdata:
        wire += owner + struct.pack("!HHIH", kind, 1, 60, len(data)) + data
    return bytes(wire)


def _compressed(*rdata: bytes, owner: bytes = b"\xc0\x0c", kind: int = 16) -> Callable[[dns.message.Message], Play]:
    return lambda query: Play([_by_hand(query, kind, *rdata, owner=owner)])


def _many_mx(query: dns.message.Message) -> Play:
    """Two thousand hosts m0000.a.a.a..., which fit by compression: the first is whole, the others point into it."""
    question = len(query.question[0].name.to_wire() or b"") + 4
    tail = 12 + question + 12 + 2 + 6  # header, question, record, preference, first label
    first = b"\0\1\5m0000" + b"\1a" * 90 + b"\7example\0"
    others = (b"\0\1\5m%04d" % number + struct.pack("!H", 0xC000 | tail) for number in range(1, 2000))
    return Play([_cut(query)], tcp=framed(_by_hand(query, 15, first, *others)))


_LOOP = ("{q} 60 CNAME a.example.", "a.example. 60 CNAME {q}")
_CHAIN = ("{q} 60 CNAME c0.example.", *(f"c{n}.example. 60 CNAME c{n + 1}.example." for n in range(20)), f"c20.example. 60 TXT {TRUE}")
_SOA = "example. 300 SOA ns.example. host.example. 1 3600 600 86400 120"

PLAYS: dict[str, Callable[[dns.message.Message], Play]] = {
    "true": lambda query: Play([octets(_true(query))]),
    "silent": lambda query: Play(),
    "slow": lambda query: Play([octets(_true(query))], delay=0.05),
    "late": lambda query: Play([octets(_true(query))], delay=1.0),
    "wrong-id": lambda query: Play([_renumbered(octets(_true(query)), 1)]),
    "wrong-port": lambda query: Play(elsewhere=[octets(_true(query))]),
    "wrong-question": _other_question,
    "no-reply": lambda query: Play([octets(query)]),
    # A hundred guesses, and the true answer over TCP alone: RFC 5452 9.3.
    "guesses": _guesses,
    "cut": lambda query: Play([_cut(query)], tcp=framed(_true(query))),
    "cut-closed": lambda query: Play([_cut(query)]),
    "cut-silent": lambda query: Play([_cut(query)], tcp=b"", drip=60),
    "cut-drip": lambda query: Play([_cut(query)], tcp=framed(_true(query)), drip=0.05),
    "cut-short": lambda query: Play([_cut(query)], tcp=framed(_true(query))[:-5]),
    "cut-again": lambda query: Play([_cut(query)], tcp=framed(_cut(query))),
    "cut-other": lambda query: Play([_cut(query)], tcp=framed(_renumbered(octets(_true(query)), 1))),
    "big": lambda query: Play([_cut(query)], tcp=framed(_by_hand(query, 16, (b"\xff" + b"x" * 255) * 250))),
    "many": lambda query: Play([_cut(query)], tcp=framed(_by_hand(query, 16, *(b"\4%04d" % number for number in range(2000))))),
    "many-mx": _many_mx,
    "loop": _with(*_LOOP),
    "self-loop": _with("{q} 60 CNAME {q}"),
    "chain": _with(*_CHAIN),
    "alias": _with("{q} 60 CNAME a.example.", f"a.example. 30 TXT {TRUE}"),
    "negative-ttl": lambda query: Play([octets(_true(query)).replace(b"\0\0\0\x3c", b"\x80\0\0\x3c")]),
    "alias-gone": _with("{q} 60 CNAME a.example.", authority=[_SOA], rcode=3),
    "gone": _with(authority=[_SOA], rcode=3),
    "gone-with-records": _with(f"{{q}} 60 TXT {FORGED}", authority=[_SOA], rcode=3),
    "nothing": _with(authority=[_SOA]),
    "no-soa": _with(),
    "lame": _with(authority=["example. 60 NS ns.example."], additional=["ns.example. 60 A 192.0.2.1"]),
    "poison": _with(f"{{q}} 60 TXT {TRUE}", additional=[f"true.example. 9999 TXT {FORGED}", f"{{q}} 60 TXT {FORGED}"]),
    "other-name": _with(f"true.example. 60 TXT {FORGED}"),
    "other-type": _with("{q} 60 A 192.0.2.1"),
    "servfail": _says(dns.rcode.SERVFAIL),
    "refused": _says(dns.rcode.REFUSED),
    "notimp": _says(dns.rcode.NOTIMP),
    "formerr": _says(dns.rcode.FORMERR),
    "no-edns": _without_edns,
    "badvers": _bad_version,
    "garbage": lambda query: Play([b"", b"\0", b"\xff" * 12, b"\xff" * 500]),
    "garbage-inside": _compressed(b"\xff" * 9, owner=b"\xff\xff"),
    "ends-early": lambda query: Play([octets(_true(query))[:40]]),
    "pointer-loop": _compressed(b"\1x", owner=b"\xc0\x2a"),
    "pointer-forward": _compressed(b"\1x", owner=b"\xc1\xff"),
    "pointer-rdata": _compressed(b"\xc0\x0c" * 20, kind=5),
    "string-too-long": _compressed(b"\x09x"),
    "label-type": _compressed(b"\1x", owner=b"\x41x"),
    "octets": _compressed(b"\0", b"\xff" + b"\xfe" * 255, b"\2\0;\1\xff\0\1a"),
}


class _Packets(asyncio.DatagramProtocol):
    def __init__(self, lying: Lying) -> None:
        self._lying = lying

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        play = self._lying.play(data, self._lying.packets)
        asyncio.get_running_loop().call_later(play.delay, self._answer, play, address)

    def _answer(self, play: Play, address: tuple[str, int]) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            for packet in play.elsewhere:
                other.sendto(packet, address)
        for packet in play.udp:
            self._transport.sendto(packet, address)


async def _connected(lying: Lying, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        (length,) = struct.unpack("!H", await reader.readexactly(2))
        play = lying.play(await reader.readexactly(length), lying.connections)
        if play.tcp is not None and play.drip:
            for octet in play.tcp or b"\0":
                with suppress(TimeoutError):
                    await asyncio.wait_for(reader.readexactly(1), play.drip)  # ends at once when the other side has gone
                writer.write(bytes((octet,)))
        elif play.tcp is not None:
            writer.write(play.tcp)
        writer.close()
    except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
        writer.transport.abort()


async def _serve(lying: Lying, datagrams: socket.socket, streams: socket.socket, stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Packets(lying), sock=datagrams)
    writers = list[asyncio.StreamWriter]()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await _connected(lying, reader, writer)

    server = await asyncio.start_server(connected, sock=streams)
    await stop.wait()
    server.close()
    transport.close()
    for writer in writers:  # one that nobody read from is open still, though its task is over
        writer.transport.abort()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0)  # a transport closes one turn after its abort


def _sockets() -> tuple[socket.socket, socket.socket]:
    """A UDP and a TCP socket on one port."""
    for _ in range(50):
        streams = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        streams.bind(("127.0.0.1", 0))
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            datagrams.bind(streams.getsockname())
        except OSError:
            datagrams.close()
            streams.close()
            continue
        datagrams.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        return datagrams, streams
    raise OSError("no port is free for both")


@contextmanager
def lying_dns(**extra: Callable[[dns.message.Message], Play]) -> Iterator[Lying]:
    """Run the server in a thread of its own; ``extra`` are plays of the test."""
    datagrams, streams = _sockets()
    lying = Lying(streams.getsockname()[1], extra)
    loop, stop = asyncio.new_event_loop(), asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(_serve(lying, datagrams, streams, stop),))
    thread.start()
    try:
        yield lying
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
