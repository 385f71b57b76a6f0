"""A connection of a server that takes in no more than it can answer, as asyncio's protocol.

Reading rests while something is decided, and while the peer does not read our replies. What was said and what becomes of it are for those
that are made of it: ``connection`` (milter) and ``smtpconnection``.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Final, cast

# Linux: else a peer with Nagle (Postfix has it) waits 40 ms for the ACK of each piece that gets no reply.
_QUICKACK: Final = getattr(socket, "TCP_QUICKACK", 0)


class Paced(asyncio.Protocol):
    """The transport of one connection, whether it is read, and the task that decides something meanwhile."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._tcp: socket.socket | None = None  # where ACKs are to be hurried
        self._task: asyncio.Task[None] | None = None
        self._write_blocked = False
        self._read_paused = False

    def pause_writing(self) -> None:
        """The peer does not read our replies: take no more from it."""
        self._write_blocked = True
        self._pause()

    def resume_writing(self) -> None:
        """The peer reads again."""
        self._write_blocked = False
        self._resume()

    def abort(self) -> None:
        """Cut the connection."""
        if self._transport is not None:
            self._transport.abort()

    def _take(self, transport: asyncio.BaseTransport) -> asyncio.Transport:
        # uvloop's transports are none of asyncio's classes, but have the same calls.
        self._transport = cast(asyncio.Transport, transport)
        return self._transport

    def _wait_for_no_more(self, transport: asyncio.Transport) -> None:
        """Over TCP, send what is written at once; see also :meth:`_acknowledge`."""
        peer = transport.get_extra_info("socket")
        if peer is not None and peer.family in (socket.AF_INET, socket.AF_INET6):
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._tcp = peer if _QUICKACK else None

    def _acknowledge(self) -> None:
        """Have the ACK of the next read go out at once; it holds for one."""
        if self._tcp is not None:
            self._tcp.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)

    def _pause(self) -> None:
        if self._transport is not None and not self._read_paused:
            self._read_paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._read_paused and self._transport is not None and self._task is None and not self._write_blocked:
            self._read_paused = False
            self._transport.resume_reading()
