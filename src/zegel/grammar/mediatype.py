"""The values of Content-Type and Content-Transfer-Encoding, as readers of mail take them. RFC 2045 5.1 and 6.1.

What cannot be read is told, not mended: a part whose type two readers see differently is for the rooms above to leave alone or refuse.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_COMMENT = re.compile(rb"\((?:[^()\\]|\\.)*+\)?")
_MAIN = re.compile(rb"[!#-'*+.0-9A-Z^-~-]{1,127}/[!#-'*+.0-9A-Z^-~-]{1,127}")
# The name, and what stands behind it: a quoted string, perhaps without its end, or all up to white space or the next parameter.
_PARAMETER = re.compile(rb'[;\s]*+([^\s=;()"]{1,64})\s*=\s*(?:"((?:[^"\\]|\\.)*+)"?|([^\s;"]*))')
_GAP = re.compile(rb"[; \t]*+")
_MOST = 50  # parameters, and what is none


class MediaType(NamedTuple):
    """A media type: ``name`` as "type/subtype" in lower case, "" when it is none; the parameters by their names in lower case.

    ``doubtful`` tells that a parameter is there twice, or that something was left over: two readers may see different types.
    """

    name: str
    parameters: dict[str, bytes]
    doubtful: bool = False

    @property
    def main(self) -> str:
        """The part before the slash."""
        return self.name.partition("/")[0]


def media_type(value: bytes) -> MediaType:
    """Read the value of a Content-Type field, folds included. It never fails."""
    text = value.replace(b"\r\n", b"")
    main, _, rest = text.partition(b";")
    main = _COMMENT.sub(b"", main).strip()
    name = main.decode("ascii").lower() if main.isascii() and _MAIN.fullmatch(main) else ""
    found: dict[str, bytes] = {}
    at, tries, doubtful = 0, 0, not name
    # Over a whole gap at once, and so many times at most: a megabyte of semicolons costs no more than one look at each.
    while (at := _gap(rest, at)) < len(rest) and tries < _MOST:
        tries += 1
        match = _PARAMETER.match(rest, at)
        if match is None:
            doubtful = True
            at = rest.find(b";", at)
            if at < 0:
                break
            continue
        key = match[1].decode("latin-1").lower()
        doubtful = doubtful or key in found
        found.setdefault(key, re.sub(rb"\\(.)", rb"\1", match[2]) if match[2] is not None else match[3])
        at = match.end()
    return MediaType(name, found, doubtful or tries == _MOST)


def _gap(text: bytes, at: int) -> int:
    """Where the gap between two parameters ends that begins there."""
    match = _GAP.match(text, at)
    return match.end() if match else at


def transfer_encoding(value: bytes) -> str:
    """Read the value of a Content-Transfer-Encoding field: its word in lower case, "" when there is none."""
    return _COMMENT.sub(b"", value.replace(b"\r\n", b"")).strip().decode("latin-1").lower()
