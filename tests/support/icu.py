"""The skeletons of UTS 39 as ICU makes them, by the library that Debian's Postfix brings along; and the table that is written from them.

``python -m support.icu`` (with ``PYTHONPATH=tests:src``) writes ``zegel/verdict/confusables.py`` anew.
"""

from __future__ import annotations

import ctypes
import glob
import re
import sys
import unicodedata
from pathlib import Path

TABLE = Path(__file__).resolve().parents[2] / "src" / "zegel" / "verdict" / "confusables.py"
_WIDTH = 140


class Icu:
    """ICU's spoof checker. ``unicode_version`` is that of its data, like "15.0". Raises OSError where the library is not installed."""

    def __init__(self) -> None:
        found = sorted(glob.glob("/usr/lib/*/libicui18n.so.*[0-9]"), key=len)
        if not found:
            raise OSError("no libicui18n")
        release = re.search(r"\.so\.(\d+)", found[0])
        assert release
        library, common = ctypes.CDLL(found[0]), ctypes.CDLL(found[0].replace("icui18n", "icuuc"))
        error, version = ctypes.c_int(0), (ctypes.c_uint8 * 4)()
        getattr(common, f"u_getUnicodeVersion_{release[1]}")(version)
        self.unicode_version = f"{version[0]}.{version[1]}"
        opened = getattr(library, f"uspoof_open_{release[1]}")
        opened.restype = ctypes.c_void_p
        self._checker = ctypes.c_void_p(opened(ctypes.byref(error)))
        if error.value > 0:
            raise OSError(f"uspoof_open: {error.value}")
        self._skeleton = getattr(library, f"uspoof_getSkeletonUTF8_{release[1]}")

    def skeleton(self, text: str) -> str:
        """The skeleton of UTS 39 4."""
        octets, error, room = text.encode(), ctypes.c_int(0), ctypes.create_string_buffer(1000)
        length = self._skeleton(self._checker, 0, octets, len(octets), room, len(room), ctypes.byref(error))
        assert error.value <= 0, error.value
        return room.raw[:length].decode()


def rows(icu: Icu) -> dict[str, str]:
    """Latin letters and digits, each with the characters that look like it, of those that NFKC and case folding leave and without marks."""
    found: dict[str, str] = {}
    for point in (*range(0x80, 0xD800), *range(0xE000, 0x2FA20)):
        char = chr(point)
        if unicodedata.normalize("NFKC", char).casefold() != char or without_marks(char) != char:
            continue
        alike = without_marks(icu.skeleton(char)).casefold().replace("rn", "m")
        if alike.isascii() and alike.isalnum():
            found[alike] = found.get(alike, "") + char
    return dict(sorted(found.items()))


def without_marks(text: str) -> str:
    return "".join(char for char in unicodedata.normalize("NFD", text) if not unicodedata.combining(char))


def source(icu: Icu) -> str:
    """The table as Python, its characters as escapes: many cannot be told from the letters that they look like."""
    head, _, _ = TABLE.read_text("utf-8").partition("ALIKE = {")
    lines = [re.sub(r'^UNICODE_VERSION = ".*"$', f'UNICODE_VERSION = "{icu.unicode_version}"', head, flags=re.MULTILINE) + "ALIKE = {"]
    for alike, chars in rows(icu).items():
        escapes = [char.encode("ascii", "backslashreplace").decode() for char in chars]
        line = f'    "{alike}": "{"".join(escapes)}",'
        if len(line) <= _WIDTH:
            lines.append(line)
            continue
        parts = [""]
        for escape in escapes:
            if len(parts[-1]) + len(escape) > _WIDTH - 12:
                parts.append("")
            parts[-1] += escape
        lines += [f'    "{alike}": (', *(f'        "{part}"' for part in parts), "    ),"]
    return "\n".join([*lines, "}", ""])


if __name__ == "__main__":
    TABLE.write_text(source(Icu()), "utf-8")
    sys.stdout.write(f"{TABLE}\n")
