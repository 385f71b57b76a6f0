"""Fetches one small text over HTTPS, as MTA-STS wants its policy fetched. RFC 8461 3.3.

The certificate is verified, redirects are not followed, and what comes is bounded in time and in octets. The name is a stranger's: only
addresses that the whole Internet has are connected to, so that nobody can point this at a machine of the local network. It speaks
HTTP/1.0, so that an answer comes in one piece and ends with its connection.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from typing import NamedTuple

from zegel.adapters.converse import AsyncResolver
from zegel.adapters.whose import Whose, whose
from zegel.ask import Question, RRType
from zegel.words import N_, SpokenError

MAX_OCTETS = 64 * 1024  # RFC 8461 3.3
_MAX_HEAD = 16 * 1024
_MAX_ADDRESSES = 4
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})\b")
_TYPE = re.compile(rb"\r\ncontent-type:[ \t]*text/plain[ \t]*(?:;[^\r]*)?\r\n", re.IGNORECASE)


class FetchError(SpokenError):
    """Why there is no text."""


class Way(NamedTuple):
    """How it is fetched: seconds for all of it, the port, what certificates are verified with (None: the system's authorities), and
    whether local addresses may be connected to.
    """

    seconds: float = 10.0
    port: int = 443
    context: ssl.SSLContext | None = None
    anywhere: bool = False


async def fetch(host: str, path: str, resolver: AsyncResolver, way: Way = Way()) -> str:  # noqa: B008 - a value
    """Fetch ``https://host/path`` and return its text. Raises :class:`FetchError`."""
    try:
        async with asyncio.timeout(way.seconds):
            addresses = await _addresses(host, resolver, anywhere=way.anywhere)
            answer = await _first(addresses, host, path, way)
    except TimeoutError:
        raise FetchError(N_("no answer in {seconds} seconds"), seconds=round(way.seconds)) from None
    return _text(answer)


async def _addresses(host: str, resolver: AsyncResolver, *, anywhere: bool) -> list[str]:
    answers = [await resolver.resolve(Question(host, kind)) for kind in (RRType.A, RRType.AAAA)]
    found = [str(record) for answer in answers for record in answer.records]
    if not found:
        raise FetchError(N_("{host} has no address"), host=host)
    wanted = [address for address in found if anywhere or whose(address) is Whose.INTERNET]
    if not wanted:
        raise FetchError(N_("{host} has no address outside local networks"), host=host)
    return wanted[:_MAX_ADDRESSES]


async def _first(addresses: list[str], host: str, path: str, way: Way) -> bytes:
    """The answer of the first address that takes a connection; a certificate that does not hold ends it."""
    context = way.context or ssl.create_default_context()
    trouble: OSError | None = None
    for address in addresses:
        try:
            reader, writer = await asyncio.open_connection(address, way.port, ssl=context, server_hostname=host, limit=_MAX_HEAD)
        except ssl.SSLCertVerificationError as error:
            raise FetchError(N_("the certificate does not hold: {detail}"), detail=error.verify_message) from None
        except OSError as error:
            trouble = error
            continue
        try:
            writer.write(f"GET {path} HTTP/1.0\r\nHost: {host}\r\nUser-Agent: zegel\r\nAccept: text/plain\r\n\r\n".encode("ascii"))
            return await _read(reader)
        except OSError as error:
            trouble = error
        finally:
            writer.transport.abort()
    raise FetchError(N_("no connection: {detail}"), detail=getattr(trouble, "strerror", None) or str(trouble))


async def _read(reader: asyncio.StreamReader) -> bytes:
    """All that comes, up to the bound."""
    answer = b""
    while chunk := await reader.read(8192):
        answer += chunk
        if len(answer) > _MAX_HEAD + MAX_OCTETS:
            raise FetchError(N_("more than {octets} octets came"), octets=MAX_OCTETS)
    return answer


def _text(answer: bytes) -> str:
    head, end, body = answer.partition(b"\r\n\r\n")
    status = _STATUS.match(head)
    if not status or not end:
        raise FetchError(N_("what came is no answer of HTTP"))
    if status[1] != b"200":
        # RFC 8461 3.3: "HTTP 3xx redirects MUST NOT be followed".
        sentence = N_("the server answers with status {status}; only 200 counts, and redirects are not followed")
        raise FetchError(sentence, status=status[1].decode())
    if not _TYPE.search(head + b"\r\n"):
        raise FetchError(N_("the file is not served as text/plain"))
    if len(body) > MAX_OCTETS:
        raise FetchError(N_("more than {octets} octets came"), octets=MAX_OCTETS)
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        raise FetchError(N_("the file is not text")) from None
