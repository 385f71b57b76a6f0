"""What the process that signs does: it is given keys and digests by the process that started it, and answers with signatures.

It reads what :mod:`zegel.adapters.signer` writes, one request after another, from a socket that only these two have, and ends when that
is closed, however the other one ended. Keys come over the socket: they are in no argument, no environment and no file. It answers in the
order of the questions; what it cannot sign is an empty answer, and the other process finds out why.
"""

from __future__ import annotations

import contextlib
import resource
import signal
import socket
import struct
import sys
from typing import BinaryIO, Final

from zegel.dkim.crypto import Key

KEY: Final = b"K"  # the number of a key, and its domain, selector and PEM, each behind its length
SIGN: Final = b"S"  # the number of a key, and the SHA-256 of what it is to sign
FORGET: Final = b"F"  # all keys
READY: Final = b"1"  # before all answers: which requests it knows. Another letter when these change
NUMBER: Final = struct.Struct("!I")
LENGTH: Final = struct.Struct("!H")
_DIGEST: Final = 32


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Say that it is ready, then answer until the requests end."""
    keys: dict[int, Key] = {}
    answers.write(READY)
    answers.flush()
    while kind := requests.read(1):
        if kind == SIGN:
            number, digest = _number(requests), _exactly(requests, _DIGEST)
            answers.write(_answer(keys, number, digest))
            answers.flush()
        elif kind == KEY:
            number, texts = _number(requests), [_text(requests) for _ in range(3)]
            keys.pop(number, None)
            with contextlib.suppress(ValueError):  # then all that is asked of it has an empty answer
                keys[number] = Key.restore(texts[0].decode(), texts[1].decode(), texts[2])
        elif kind == FORGET:
            keys.clear()
        else:
            raise ValueError(f"no request begins with {kind!r}")


def _answer(keys: dict[int, Key], number: int, digest: bytes) -> bytes:
    try:
        signature = keys[number].sign_digest(digest)
    except (KeyError, ValueError):  # a number that was never said, or a key that cannot sign this
        signature = b""
    return LENGTH.pack(len(signature)) + signature


def _number(requests: BinaryIO) -> int:
    (number,) = NUMBER.unpack(_exactly(requests, NUMBER.size))
    return int(number)


def _text(requests: BinaryIO) -> bytes:
    (length,) = LENGTH.unpack(_exactly(requests, LENGTH.size))
    return _exactly(requests, length)


def _exactly(requests: BinaryIO, count: int) -> bytes:
    data = requests.read(count)
    if len(data) < count:
        raise EOFError("the requests end within one")
    return data


def main() -> None:
    """Serve the socket whose descriptor is the first argument."""
    # It ends with its socket, when all is signed, and not with a signal that is sent to everything at once.
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # keys are all that it has
    # The other process may be killed at any moment.
    with (
        contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError),
        socket.socket(fileno=int(sys.argv[1])) as wire,
        wire.makefile("rb") as requests,
        wire.makefile("wb") as answers,
    ):
        serve(requests, answers)
