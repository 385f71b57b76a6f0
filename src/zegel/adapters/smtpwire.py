"""The wire of an SMTP client: a connection that sends octets as they are and gathers whole replies, each with its time.

The library aiosmtplib was looked at first (docs/decisions/0022): it rewrites line ends, and takes one reply at a time, so that commands
cannot be sent in a group (RFC 2920). Replies that nobody waits for are kept for who asks next, but never over the start of TLS: what came
before it may be anyone's (RFC 3207 6).
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from typing import Any, cast

from zegel.smtp.answer import Answer, Answers, MalformedError

_MAX_PENDING = 1000  # replies that came and that nobody has asked for


class WireError(Exception):
    """The connection is of no use any more: lost, silent for too long, or what came is no SMTP. The text says which."""


class Wire(asyncio.Protocol):
    """One connection. Made by :func:`connect`."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answers = Answers()
        self._ready: deque[Answer] = deque()
        self._fault: WireError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()

    # -- what the loop calls ---------------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; TLS comes here once more."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Gather replies."""
        if self._fault is not None:
            return
        try:
            self._ready.extend(self._answers.feed(data))
            if len(self._ready) > _MAX_PENDING:
                raise MalformedError("the server says more than it was asked")
        except MalformedError as error:
            self._fail(str(error))
        if self._ready:
            self._wake()

    def eof_received(self) -> bool:
        """The server says no more."""
        self._fail("the server closed the connection")
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """It is over."""
        self._fail(f"the connection was lost: {error}" if error else "the server closed the connection")

    def pause_writing(self) -> None:
        """The server reads more slowly than we write."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """It has caught up."""
        self._writable.set()

    # -- what the client calls -------------------------------------------------------------------------------------------------------

    @property
    def alive(self) -> bool:
        """Whether nothing is wrong that is known of; a server that has said something unasked (421) is about to leave."""
        return self._fault is None and not self._ready and self._transport is not None and not self._transport.is_closing()

    @property
    def unasked(self) -> bool:
        """Whether the server has said more than it was asked."""
        return bool(self._ready) or self._answers.pending

    def write(self, data: bytes) -> None:
        """Send octets as they are. Raises WireError."""
        if self._fault is not None:
            raise self._fault
        assert self._transport is not None
        self._transport.write(data)

    async def drain(self, seconds: float) -> None:
        """Wait until the server has taken most of what was written. Raises WireError."""
        if not self._writable.is_set():
            try:
                async with asyncio.timeout(seconds):
                    await self._writable.wait()
            except TimeoutError:
                raise self._fail(f"the server took nothing for {seconds:g} seconds") from None
        if self._fault is not None:
            raise self._fault

    async def answer(self, seconds: float) -> Answer:
        """The next reply. Raises WireError."""
        if not self._ready:
            if self._fault is not None:
                raise self._fault
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(seconds):
                    await self._waiter
            except TimeoutError:
                raise self._fail(f"the server said nothing for {seconds:g} seconds") from None
            finally:
                self._waiter = None
            if not self._ready:
                raise self._fail("the server said nothing")
        return self._ready.popleft()

    async def start_tls(self, context: ssl.SSLContext, host: str, seconds: float) -> None:
        """Go on under TLS. Raises WireError; its cause is the trouble with the certificate, where that is it."""
        assert self._transport is not None
        if self._ready or self._answers.pending:
            raise self._fail("the server spoke on before TLS")
        loop = asyncio.get_running_loop()
        try:
            made = await loop.start_tls(self._transport, self, context, server_hostname=host, ssl_handshake_timeout=seconds)
        except (OSError, ssl.SSLError) as error:
            raise self._fail(f"TLS failed: {_told(error)}") from error
        if made is None:  # the connection went meanwhile
            raise self._fail("the connection was lost before TLS")
        self._transport = made

    def known(self, name: str) -> Any:
        """What the loop knows of the connection: ``sockname``, and under TLS ``ssl_object``. See ``asyncio.BaseTransport``."""
        return None if self._transport is None else self._transport.get_extra_info(name)

    def abort(self) -> None:
        """Leave at once: of what is still to be sent nothing goes out."""
        self._fail("the connection was closed")
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """Leave once all is sent."""
        if self._transport is not None:
            self._transport.close()

    def _fail(self, said: str) -> WireError:
        if self._fault is None:
            self._fault = WireError(said)
        self._wake()
        self._writable.set()
        return self._fault

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


async def connect(host: str, port: int, seconds: float, context: ssl.SSLContext | None = None, name: str | None = None) -> Wire:
    """Open a connection; with ``context`` under TLS from its first octet, to a server of that ``name``. Raises WireError."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(seconds):
            _, wire = await loop.create_connection(Wire, host, port, ssl=context, server_hostname=(name or host) if context else None)
    except TimeoutError:
        raise WireError(f"no connection within {seconds:g} seconds") from None
    except (OSError, ssl.SSLError) as error:
        raise WireError(f"no connection: {_told(error)}") from error
    return wire


def _told(error: Exception) -> str:
    said: str = getattr(error, "verify_message", "")  # why a certificate is not trusted
    return said or (getattr(error, "strerror", None) or str(error) or type(error).__name__)
