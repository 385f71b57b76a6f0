"""The macros that an MTA sends before its commands, and how long each of them lives.

After milter-protocol.txt, SMFIC_MACRO. Those of CONNECT and HELO live for the connection, all others for one message. They are kept as they
came and split only when one is asked for, as Postfix repeats them often and few are read. Refuses more than a number and a size.
"""

from __future__ import annotations

from typing import Final

from . import codec
from .codec import ProtocolError

MACRO_BYTES: Final = 64 * 1024
MACRO_COUNT: Final = 256

_CONNECTION: Final = (codec.SMFIC_HELO, codec.SMFIC_CONNECT)
# The latest stage first: its value is the one that holds.
_STAGES: Final = (
    codec.SMFIC_BODYEOB,
    codec.SMFIC_BODY,
    codec.SMFIC_EOH,
    codec.SMFIC_HEADER,
    codec.SMFIC_DATA,
    codec.SMFIC_RCPT,
    codec.SMFIC_MAIL,
    *_CONNECTION,
)
_HEADER: Final = bytes((codec.SMFIC_HEADER,))


class Macros:
    """The macros of one connection, by stage."""

    __slots__ = ("_mail_is_fresh", "_raw", "_split")

    def __init__(self) -> None:
        self._raw: dict[int, bytes] = {}
        self._split: dict[int, dict[bytes, bytes]] = {}
        self._mail_is_fresh = False

    def keep(self, payload: bytes) -> None:
        """Store the macros of one stage, in place of that stage's earlier ones. Raises ProtocolError for a wrong form or beyond the caps.

        Those of stages that this milter does not know are left alone.
        """
        stage, words = payload[:1], payload[1:]
        if not stage or (words and words[-1:] != b"\0"):
            raise ProtocolError("macros that are not pairs of strings")
        code = stage[0]
        if code not in _STAGES:
            return
        if code == codec.SMFIC_MAIL:
            self._mail_is_fresh = True
        if self._raw.get(code) == words:
            return
        if words.count(b"\0") > 2 * MACRO_COUNT:
            raise ProtocolError(f"more than {MACRO_COUNT} macros for one stage")
        self._raw[code] = words
        self._split.pop(code, None)
        if sum(map(len, self._raw.values())) > MACRO_BYTES:
            raise ProtocolError(f"macros of more than {MACRO_BYTES} octets")

    @property
    def of_headers(self) -> bytes:
        """The payload of SMFIC_MACRO that would change nothing before a header."""
        return _HEADER + self._raw.get(codec.SMFIC_HEADER, b"")

    def get(self, name: bytes) -> bytes | None:
        """Look a macro up, the latest stage first; ``i`` and ``{i}`` are one name. None when it was not sent."""
        name = _bare(name)
        for stage in _STAGES:
            if stage not in self._raw or name not in self._raw[stage]:
                continue
            pairs = self._split.get(stage)
            if pairs is None:
                words = self._raw[stage][:-1].split(b"\0")
                pairs = self._split[stage] = {_bare(key): value for key, value in zip(words[::2], words[1::2], strict=False)}
            if name in pairs:
                return pairs[name]
        return None

    def begin_message(self) -> None:
        """Drop what an earlier message left, but not the macros of MAIL that came just before the MAIL of this one."""
        self._drop((codec.SMFIC_MAIL, *_CONNECTION) if self._mail_is_fresh else _CONNECTION)
        self._mail_is_fresh = False

    def end_message(self) -> None:
        """Drop the macros of a message."""
        self._drop(_CONNECTION)
        self._mail_is_fresh = False

    def clear(self) -> None:
        """Drop all macros: another connection follows."""
        self._drop(())
        self._mail_is_fresh = False

    def _drop(self, kept: tuple[int, ...]) -> None:
        for stage in [stage for stage in self._raw if stage not in kept]:
            del self._raw[stage]
            self._split.pop(stage, None)


def _bare(name: bytes) -> bytes:
    return name[1:-1] if name[:1] == b"{" else name
