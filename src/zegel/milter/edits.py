"""What a milter says at the end of a message: header edits, then one action.

After milter-protocol.txt, "RESPONSE CODES" (modification actions, then one accept/reject action). A value is everything that follows the
colon of its field, so a usual one begins with a space. ``render`` is the one place that knows who puts that space there (SMFIP_HDR_LEADSPC)
and that an MTA takes LF between folded lines. It refuses whatever would end the field early or begin another one.

Indices: an insertion counts the message as delivered, so with Postfix 0 is above the Received field that Postfix itself added and 1 is
below it. A change or deletion counts from 1 among the fields of that name (any case) that the MTA showed, and Postfix counts anew after
each deletion: delete from the highest index down.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, TypeAlias

from . import codec

_BROKEN_FOLD = re.compile(rb"\r|\n(?![ \t])|\n[ \t]*(?=\n|\Z)")


@dataclass(frozen=True, slots=True)
class InsertHeader:
    """A new field at ``index``; 0 is the top."""

    index: int
    name: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class AddHeader:
    """A new field at the end of the header block."""

    name: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class ChangeHeader:
    """Another value for the ``index``-th field of that name, from 1."""

    index: int
    name: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class DeleteHeader:
    """The ``index``-th field of that name, from 1, is to go."""

    index: int
    name: bytes


@dataclass(frozen=True, slots=True)
class Quarantine:
    """The MTA is to hold the message; ``reason`` is one line of printable ASCII."""

    reason: str


@dataclass(frozen=True, slots=True)
class Accept:
    """The message may go on."""


@dataclass(frozen=True, slots=True)
class Continue:
    """The message may go on; at the end of a message the same as Accept."""


@dataclass(frozen=True, slots=True)
class Discard:
    """The message is taken and thrown away."""


@dataclass(frozen=True, slots=True)
class TempFail:
    """The sender is to try again later."""

    code: str = "451"
    enhanced: str = "4.7.0"
    text: str = "The message could not be checked now, please try again later"


@dataclass(frozen=True, slots=True)
class Reject:
    """The message is refused for good."""

    code: str = "550"
    enhanced: str = "5.7.1"
    text: str = "The message is refused by the policy of this site"


Edit: TypeAlias = InsertHeader | AddHeader | ChangeHeader | DeleteHeader | Quarantine
Action: TypeAlias = Accept | Continue | TempFail | Reject | Discard


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that is said about a message: ``edits`` in their order on the wire, then ``action``."""

    edits: tuple[Edit, ...] = ()
    action: Action = Accept()


FAULT: Final = Outcome((), TempFail())
"""The answer to a fault of our own: never a verdict about the sender."""


def required_actions(edits: tuple[Edit, ...]) -> int:
    """Tell which SMFIF_* bits must have been agreed for these edits."""
    bits = 0
    for edit in edits:
        if isinstance(edit, InsertHeader | AddHeader):
            bits |= codec.SMFIF_ADDHDRS
        elif isinstance(edit, Quarantine):
            bits |= codec.SMFIF_QUARANTINE
        else:
            bits |= codec.SMFIF_CHGHDRS
    return bits


def render(outcome: Outcome, *, leading_space: bool) -> bytes:
    """Format the edits, then the action; ``leading_space`` tells that SMFIP_HDR_LEADSPC was agreed, so that the MTA adds none itself.

    Raises ValueError for a name, a value, an index or a text that cannot be sent as it is meant.
    """
    parts = [_render_edit(edit, leading_space) for edit in outcome.edits]
    parts.append(render_action(outcome.action))
    return b"".join(parts)


def render_action(action: Action) -> bytes:
    """Format one action. Raises ValueError when its code and text are no reply of its kind."""
    if isinstance(action, Accept):
        return codec.ACCEPT
    if isinstance(action, Continue):
        return codec.CONTINUE
    if isinstance(action, Discard):
        return codec.DISCARD
    if not action.code.startswith("4" if isinstance(action, TempFail) else "5"):
        raise ValueError(f"a {type(action).__name__} with the reply code {action.code!r}")
    return codec.replycode(action.code, action.text, action.enhanced)


def _render_edit(edit: Edit, leading_space: bool) -> bytes:
    match edit:
        case InsertHeader(index, name, value):
            return codec.insheader(index, name, _wire_value(value, leading_space))
        case AddHeader(name, value):
            return codec.addheader(name, _wire_value(value, leading_space))
        case ChangeHeader(index, name, value):
            return codec.chgheader(index, name, _wire_value(value, leading_space))
        case DeleteHeader(index, name):
            return codec.chgheader(index, name, b"")
        case Quarantine(reason):
            return codec.quarantine(reason)


def _wire_value(value: bytes, leading_space: bool) -> bytes:
    value = value.replace(b"\r\n", b"\n")
    if _BROKEN_FOLD.search(value):
        # A line of white space alone is obsolete folding (RFC 5322 4.2), which some hops take for the end of the header block.
        raise ValueError("a header value with a line break that is not a fold")
    if value[:1] != b" ":
        value = b" " + value
    if not value.strip(b" \t\n"):
        raise ValueError("an empty header value (an MTA takes it for a deletion)")
    return value if leading_space else value[1:]
