"""The header of one message, read once for all its signatures: names to look up by, and every field in its canonical forms. RFC 6376 3.4.

A block goes through a few passes as a whole. What follows from its names alone (which are there twice, what an ``h=`` picks) is kept with
the sequence of names: mail of one kind has the same. Where something is unusual (names not seen before, a fold before a colon, a bare CR)
the fields are read one by one, and the outcome is the same. Lines that are no field are counted; what to do about them is the caller's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from zegel.dkim.canonical import one_space, relaxed_field
from zegel.grammar.message import CRLF, split_fields, split_lines

# RFC 5322 3.6 lets these stand once; readers differ in which of two they show. With all Content-* fields.
SINGLE = frozenset(("from", "to", "cc", "subject", "date", "message-id", "reply-to", "mime-version"))
_MAX_LAYOUTS = 512
_MAX_REMEMBERED = 4096  # octets of names: a header with more is read anew each time
_MAX_PICKS = 8


class Layout:
    """The names of a header's fields, and what follows from them.

    ``keys`` are the names in lower case, top to bottom; ``chosen`` is what a signer would name in ``h=``, once one has chosen.
    """

    __slots__ = ("_last", "_picks", "_repeated", "chosen", "heads", "keys")

    def __init__(self, keys: Sequence[str]) -> None:
        self.keys = keys
        self.chosen: tuple[str, ...] | None = None
        self.heads = [f"{key}:".encode("latin-1") for key in keys]  # as the relaxed form writes them
        self._last = {key: place for place, key in enumerate(keys)}
        self._repeated: dict[str, list[int]] = {}
        self._picks: dict[tuple[tuple[str, ...], int | None], list[int]] = {}
        if len(self._last) < len(keys):
            for place, key in enumerate(keys):
                if self._last[key] != place:
                    self._repeated.setdefault(key, []).append(place)
            for key, places in self._repeated.items():
                places.append(self._last[key])

    def places(self, key: str) -> Sequence[int]:
        """Where the fields of that name stand, top to bottom."""
        return self._repeated.get(key) or ((self._last[key],) if key in self._last else ())

    def picked(self, names: tuple[str, ...], *, own: int | None = None) -> list[int]:
        """Where the fields stand that ``h=`` names: for each name the next instance from the bottom up. RFC 6376 5.4.2.

        ``own`` is the place of the field that is being verified: it never signs itself (RFC 6376 3.5, ``h=``). A name without an instance
        left is the null input.
        """
        picked = self._picks.get((names, own))
        if picked is None:
            picked = self._pick(names, own)
            if len(self._picks) < _MAX_PICKS and len(names) < 100:
                self._picks[names, own] = picked
        return picked

    def _pick(self, names: Sequence[str], own: int | None) -> list[int]:
        left: dict[str, list[int]] = {}
        picked = []
        for name in names:
            if name not in left:
                left[name] = [place for place in self.places(name) if place != own]
            if left[name]:
                picked.append(left[name].pop())
        return picked

    def added(self, names: Sequence[str]) -> str | None:
        """The name of a single-instance field that is signed and there more often than ``h=`` names it, or None."""
        signed: Counter[str] | None = None
        for name, places in self._repeated.items():
            if name in SINGLE or name.startswith("content-"):
                signed = signed or Counter(names)  # once: h= may hold thousands of names, the header thousands of fields
                if 0 < signed[name] < len(places):
                    return name
        return None


# By the names as they are written, each with its colon. It is emptied when it is full, so that a stranger's junk stays for no one's life.
_layouts: dict[tuple[bytes, ...], Layout] = {}


class Header:
    """A header ``block`` as its fields: their ``layout``, and their text. ``malformed`` counts the lines that are no field."""

    __slots__ = ("_lines", "_relaxed", "_simple", "block", "layout", "malformed")

    def __init__(self, block: bytes) -> None:
        """Read a block of fields, each but perhaps the last with its CRLF."""
        self.block = block
        self._simple: list[bytes] | None = None
        self._relaxed: list[bytes] | None = None
        self.malformed = 0
        self._lines = _reduced(block).split(CRLF)
        # A field begins with its name, a colon and mostly a space. One that does not is told by this token: it is no name and a colon.
        tokens = tuple([line.partition(b" ")[0] for line in self._lines])
        layout = _layouts.get(tokens)
        self.layout = self._read_one_by_one(tokens) if layout is None or _bare(self._lines) else layout

    def _read_one_by_one(self, tokens: tuple[bytes, ...]) -> Layout:
        fields, self.malformed = split_fields(self.block)
        layout = Layout([field.key.decode("latin-1") for field in fields])
        if self.malformed or tuple([field.name + b":" for field in fields]) != tokens:
            self._relaxed = [relaxed_field(field) for field in fields]
        elif sum(map(len, tokens)) <= _MAX_REMEMBERED:
            if len(_layouts) >= _MAX_LAYOUTS:
                _layouts.clear()
            _layouts[tokens] = layout
        return layout

    def values(self, key: str) -> list[bytes]:
        """What stands behind the colon of the fields of that name, as it is, folds included."""
        return [line.partition(b":")[2] for line in self.lines("simple", self.layout.places(key))]

    def lines(self, form: str, places: Sequence[int]) -> list[bytes]:
        """The fields at these places in the canonical form "relaxed" or "simple", each without its final CRLF. RFC 6376 3.4.1, 3.4.2."""
        if form == "relaxed":
            if self._relaxed is not None:
                return [self._relaxed[place] for place in places]
            heads, lines = self.layout.heads, self._lines
            return [(head := heads[place]) + lines[place][len(head) + 1 :] for place in places]
        if self._simple is None:
            self._simple = [field.raw for field in split_fields(self.block)[0]] if self.malformed else split_lines(self.block)
        return [self._simple[place] for place in places]


def _reduced(block: bytes) -> bytes:
    """The block with all fields unfolded, white space reduced, and none at the end of a field. RFC 6376 3.4.2."""
    text = block.removesuffix(CRLF).replace(b"\r\n\t", b"\r\n ").replace(b"\r\n ", b" ")  # in one pass: what is left is no fold
    if b"\t" in text:
        text = text.replace(b"\t", b" ")
    if text.rfind(b"  ") >= 0:
        text = one_space(text)
    if text.rfind(b" \r\n") >= 0:
        text = text.replace(b" \r\n", CRLF)
    return text.removesuffix(b" ")


def _bare(lines: Sequence[bytes]) -> bool:
    """Tell if a CR or LF is left that is no line end."""
    text = b"".join(lines)
    return b"\r" in text or b"\n" in text
