"""Whose name an Authentication-Results field claims. RFC 8601 5: what claims ours and is not ours must go.

It reads the authserv-id and nothing else, as leniently as the readers downstream may: a field whose id cannot be read claims what somebody
will read into it. So does one with our name in a comment before its id: not every reader knows comments, or that they nest. So does one of
a version that is not known, whoever it names: RFC 8601 5 has it removed, since nobody can say what a reader will make of it.
"""

from __future__ import annotations

from zegel.grammar.domain import Domain

_TSPECIALS = set(b'()<>@,;:\\"/[]?=')
# What some reader drops: white space and controls in a quoted string (RFC 5322 3.2.4 allows a fold there), dots at the end of a name.
_DROPPED = bytes(range(33)) + b"\x7f"
_STOPS = ".\u3002\uff0e\uff61"
# Where the id must have ended (RFC 8601 7.8). Going through comments costs 160 ns an octet, and a message may hold megabytes of them.
_MAX_READ = 2048


def claims(value: bytes, ours: str) -> bool:
    """Tell if somebody may read our name into this field value. ``ours`` is the name as :func:`normal` gives it."""
    found = authserv_id(value)
    if found is None or found == ours or (not found.isascii() and ours in (_plain(found), _closed(found))):
        return True
    before = value[: _skip_space(value[:_MAX_READ], 0)]
    return b"(" in before and ours.encode() in before.translate(None, _DROPPED + b"\\").lower()


def authserv_id(value: bytes) -> str | None:
    """The authserv-id of a field value, in lower case and A-labels, or None when there is none that can be read.

    One that does not end within the first 2,048 octets cannot be read: so a field costs the same however long it is. Nor can one of
    another version of the syntax than 1 (RFC 8601 2.6).
    """
    cut, value = len(value) > _MAX_READ, value[:_MAX_READ]
    at = _skip_space(value, 0)
    if at is None or at >= len(value):
        return None
    if value[at : at + 1] == b'"':
        raw, at = _quoted(value, at + 1)
        if raw is None:
            return None
    else:
        start = at
        while at < len(value) and value[at] > 32 and value[at] != 127 and value[at] not in _TSPECIALS:
            at += 1
        raw = value[start:at]
    following = _skip_space(value, at)
    # Behind the id stands its version or ";": anything else means that this was the first result, or half of something.
    name = raw.translate(None, _DROPPED).rstrip(b".")
    if not name or following is None:
        return None
    after = value[following : following + 1]
    if not (after == b";" or (after.isdigit() and _version(value, following) == b"1") or (not after and not cut)):
        return None
    return normal(name)


def normal(name: str | bytes) -> str:
    """An authserv-id to compare by: A-labels in lower case where it is a domain name. RFC 8601 2.5 and 5."""
    try:
        return str(Domain.parse(name))
    except ValueError:
        return (name if isinstance(name, str) else name.decode("utf-8", "replace")).casefold()


def _plain(name: str) -> str:
    """What is left for a reader that drops white space and other letters beyond ASCII, as many strip U+00A0 and U+3000."""
    return name.encode("ascii", "ignore").decode()


def _closed(name: str) -> str:
    """What is left for a reader that drops white space beyond ASCII and the final stops of any script, and maps the rest."""
    return normal("".join(name.split()).rstrip(_STOPS))


def _skip_space(value: bytes, at: int) -> int | None:
    """The position after white space and comments, which nest (RFC 5322 3.2.2); None when a comment never ends."""
    depth = 0
    while at < len(value):
        char = value[at : at + 1]
        if depth and char == b"\\":
            at += 1
        elif char == b"(":
            depth += 1
        elif char == b")" and depth:
            depth -= 1
        elif not depth and char not in (b" ", b"\t", b"\r", b"\n"):
            return at
        at += 1
    return None if depth else at


def _version(value: bytes, at: int) -> bytes:
    """The digits of a version, without zeros in front."""
    end = at
    while value[end : end + 1].isdigit():
        end += 1
    return value[at:end].lstrip(b"0")


def _quoted(value: bytes, at: int) -> tuple[bytes | None, int]:
    out = bytearray()
    while at < len(value):
        char = value[at]
        if char == 0x22:
            return bytes(out), at + 1
        if char == 0x5C:
            at += 1
            if at == len(value):
                break
            char = value[at]
        out.append(char)
        at += 1
    return None, at
