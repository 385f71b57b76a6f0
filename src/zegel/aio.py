"""The front door, async: the same names as :mod:`zegel`."""

from __future__ import annotations

import time
from functools import partial

from zegel.adapters.converse import AsyncResolver, Budget, converse
from zegel.adapters.resolver import Resolver
from zegel.dkim.crypto import Key
from zegel.dkim.result import DkimReason, DkimResult
from zegel.dkim.sign import Signing, Style
from zegel.dkim.verify import Verification, normalized
from zegel.grammar.message import Field, Message, split_message
from zegel.limits import Limits

__all__ = ["Key", "Limits", "Resolver", "sign", "verify"]

_SIGN_HEADER_BYTES = 16 * 1024 * 1024  # our own mail: only what could not be a message is refused


async def verify(
    message: bytes, *, resolver: AsyncResolver | None = None, now: float | None = None, limits: Limits | None = None
) -> list[DkimResult]:
    """Verify every DKIM signature of a message. RFC 6376 6.

    ``message`` is bytes with CRLF (or with LF only); ``now`` seconds since the epoch. Returns one result for each signature in header
    order, [] for an unsigned message. Raises TypeError for a message that is not bytes; trouble with the message or DNS is a result.
    """
    limits = limits or Limits()
    started = begin_verification(message, now, limits)
    if isinstance(started, list):
        return started
    split, verification = started
    if verification.needs_body:
        await converse(verification.look_up(), resolver or Resolver(), Budget(limits))
    return end_verification(split, verification)


async def sign(
    message: bytes,
    key: Key | list[Key],
    *,
    canonicalization: str = "relaxed/relaxed",
    headers: list[str] | None = None,
    identity: str | None = None,
    expire: int | None = None,
    now: float | None = None,
) -> bytes:
    """Sign a message: see :func:`zegel.sign`. It runs in a thread: an RSA signature takes a quarter of a millisecond."""
    import asyncio

    work = partial(
        sign_message, message, key, canonicalization=canonicalization, headers=headers, identity=identity, expire=expire, now=now
    )
    return await asyncio.to_thread(work)


def begin_verification(message: bytes, now: float | None, limits: Limits) -> tuple[Message, Verification] | list[DkimResult]:
    """Split the message and start its verification; or the results, when there is nothing to ask."""
    split = split_message(_octets(message), header_bytes=limits.header_bytes)
    if split.oversized:
        return [DkimResult(DkimReason.HEADER_TOO_LARGE, detail=f"over {limits.header_bytes} octets")]
    return split, Verification(split.fields, now=time.time() if now is None else now, limits=limits, malformed=split.malformed)


def end_verification(split: Message, verification: Verification) -> list[DkimResult]:
    """Feed the body and judge."""
    if verification.needs_body:
        verification.feed(split.body)
    results = verification.finish()
    return normalized(results) if split.normalized else results


def sign_message(
    message: bytes,
    key: Key | list[Key],
    *,
    canonicalization: str = "relaxed/relaxed",
    headers: list[str] | None = None,
    identity: str | None = None,
    expire: int | None = None,
    now: float | None = None,
) -> bytes:
    """Sign a message: see :func:`zegel.sign`."""
    octets = _octets(message)
    keys = [key] if isinstance(key, Key) else list(key)
    if not all(isinstance(item, Key) for item in keys):
        raise TypeError("key must be a zegel.Key or a list of them")
    style = Style(canonicalization, tuple(headers) if headers is not None else None, identity, expire)
    split = split_message(octets, header_bytes=_SIGN_HEADER_BYTES)
    if split.oversized or split.malformed:
        raise ValueError("the header has lines that are no field, or never ends; what is not RFC 5322 cannot be signed (RFC 6376 3.8)")
    signing = Signing(split.fields, keys, style, now=int(time.time() if now is None else now))
    signing.feed(split.body)
    return b"".join(map(_line, signing.finish()))


def _line(field: Field) -> bytes:
    return field.raw + b"\r\n"


def _octets(message: bytes | bytearray | memoryview) -> bytes:
    if isinstance(message, bytes):
        return message
    if isinstance(message, (bytearray, memoryview)):
        return bytes(message)
    raise TypeError(f"message must be bytes, not {type(message).__name__}")
