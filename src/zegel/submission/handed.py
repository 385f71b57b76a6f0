"""A message as a program on this machine hands it in: over the local socket, or as a file in the drop folder. One form for both.

    zegel-handover 1
    id 3f9a0c...
    via sendmail
    from www-data@web01
    to info@example.be
    size 1234
    (that many octets)

The size comes before the data, so that what was cut off is known for it. Who hands it in is not said here: that is told by the system (the
peer of the socket, the owner of the file). Standard library only, and little of it: the sendmail command starts with each mail.
"""

from __future__ import annotations

MAGIC = b"zegel-handover 1"
MAX_HEAD = 65_536  # octets before the data
MAX_RECIPIENTS = 500
MAX_ADDRESS = 320  # octets: RFC 5321 4.5.3.1, with room for U-labels
MAX_SIZE = 104_857_600
ID_LENGTH = 32
# How the names of files in the drop folder begin: while they are written, from then on, and the ledger of a user.
PART, WHOLE, LEDGER = "part.", "new.", "use."
MOST_LEFT, MOST_LEFT_OCTETS = 2000, 268_435_456  # of one user, in the drop folder
DOORS = ("sendmail", "django", "test")


class HandedError(ValueError):
    """This is no handed-in message; the text says why."""


class Handed:
    """One message: its ``id``, the envelope (``sender`` "" for ``<>``), how many octets its data has, and by which program it came."""

    __slots__ = ("id", "recipients", "sender", "size", "via")

    def __init__(self, id: str, sender: str, recipients: list[str], size: int, via: str = DOORS[0]) -> None:
        self.id, self.sender, self.recipients, self.size, self.via = id, sender, recipients, size, via

    def head(self) -> bytes:
        """The lines before the data. Raises :class:`HandedError` for an address that cannot be written."""
        lines = [
            f"id {self.id}",
            f"via {self.via}",
            f"from {_address(self.sender, empty=True)}",
            *(f"to {_address(each)}" for each in self.recipients),
        ]
        if not 0 < len(self.recipients) <= MAX_RECIPIENTS:
            raise HandedError(f"a message has 1 to {MAX_RECIPIENTS} recipients, not {len(self.recipients)}")
        return b"\n".join([MAGIC, *(line.encode("utf-8", "surrogateescape") for line in lines), b"size %d\n" % self.size])


def read_head(head: bytes) -> Handed:
    """Read the lines before the data, up to and with the one that says its size. Raises :class:`HandedError`."""
    try:
        magic, *lines = head.removesuffix(b"\n").decode("utf-8").split("\n")
    except UnicodeDecodeError:
        raise HandedError("the envelope is not UTF-8") from None
    words = [line.partition(" ") for line in lines]
    keys = [key for key, _, _ in words]
    count = len(words) - 4
    if magic.encode() != MAGIC or not 0 < count <= MAX_RECIPIENTS or keys != ["id", "via", "from", *["to"] * count, "size"]:
        raise HandedError("these are not the lines of a message that is handed in")
    (_, _, id), (_, _, via), (_, _, sender), *to, (_, _, size) = words
    if via not in DOORS:
        raise HandedError("it came by no program that is known")
    if not (len(id) == ID_LENGTH and all(char in "0123456789abcdef" for char in id)):
        raise HandedError("this is no id")
    if not (size.isascii() and size.isdecimal() and len(size) < 12) or int(size) > MAX_SIZE:
        raise HandedError(f"the size is a number of octets, at most {MAX_SIZE}")
    return Handed(id, _address(sender, empty=True), [_address(each) for _, _, each in to], int(size), via)


def _address(text: str, *, empty: bool = False) -> str:
    """An address that stays within its line; whether it is one is for who takes the message."""
    if not text and empty:
        return text
    if not text or len(text.encode("utf-8", "surrogateescape")) > MAX_ADDRESS or not text.isprintable() or " " in text:
        raise HandedError(f"not an address: {text[:100]!r}")
    return text
