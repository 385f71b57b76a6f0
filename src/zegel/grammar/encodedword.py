"""Encoded words: turned into text that people may be shown, and written. RFC 2047 2 and 6.

Mail programs decode more than RFC 2047 5 allows (inside quoted strings too), and a forger writes for those, so this reads them wherever
they stand. What comes out is for eyes alone: never part of an address, never parsed again. Nothing here fails: what cannot be decoded
stays as it is written, and characters that hide or turn text (controls, bidi overrides, zero widths) become U+FFFD.
"""

from __future__ import annotations

import binascii
import re

_WORD = re.compile(r"=\?([A-Za-z0-9_-]{1,40})(?:\*[A-Za-z0-9-]{1,40})?\?([BbQq])\?([!->@-~ ]{0,1000})\?=")
_BETWEEN = re.compile(r"(\?=)[ \t\r\n]+(?==\?[A-Za-z0-9_*-]{1,81}\?[BbQq]\?)")
_ESCAPE = re.compile(rb"=([0-9A-Fa-f]{2})")
# Those that mail is written in. Python's other codecs are no charsets, or turn a few octets into much.
_CHARSET = re.compile(
    r"us-ascii|utf-?8|iso-?8859-\d{1,2}|windows-\d{3,4}|cp\d{3,4}|koi8-[ru]|macintosh|gb2312|gbk|gb18030|big5"
    r"|shift_jis|euc-(?:jp|kr)|iso-2022-(?:jp|kr)|ks_c_5601-1987",
    re.IGNORECASE,
)
_REPLACEMENT = "\ufffd"
_LONGEST = 200
_OCTETS = 42  # of one word: 56 letters of base64 and 12 around them, within the 75 of RFC 2047 2


def shown(text: str, *, longest: int = _LONGEST) -> str:
    """The text with its encoded words decoded, safe to print in one line, cut to ``longest`` characters."""
    return printable(decoded(text), longest=longest)


def decoded(text: str) -> str:
    """The text with its encoded words decoded. White space between two of them falls away (RFC 2047 6.2)."""
    if "=?" not in text:
        return text
    # Neighbours of one charset are decoded together: some programs cut a letter in two.
    out: list[str] = []
    octets, charset, at = b"", "", 0
    text = _BETWEEN.sub(r"\1", text)
    for match in _WORD.finditer(text):
        if match.start() != at or match[1].lower() != charset:
            out.append(_text(octets, charset))
            octets, charset = b"", match[1].lower()
        out.append(text[at : match.start()])
        octets, at = octets + _octets(match), match.end()
    return "".join([*out, _text(octets, charset), text[at:]])


def printable(text: str, *, longest: int = _LONGEST) -> str:
    """The text in one line: white space as single spaces, what is not printable as U+FFFD, cut to ``longest`` characters."""
    line = " ".join(text[: 8 * longest].split())
    line = line if line.isprintable() else "".join(char if char.isprintable() else _REPLACEMENT for char in line)
    return line if len(line) <= longest else line[: longest - 1] + "…"


def encoded(text: str) -> str:
    """The text as encoded words of UTF-8, one in a line: fit for an unstructured field or for a name (RFC 2047 5). Never fails.

    No letter is cut in two; a lone surrogate becomes a question mark.
    """
    words, word = [], b""
    for octets in (char.encode("utf-8", "replace") for char in text):
        if len(word) + len(octets) > _OCTETS:
            words.append(word)
            word = b""
        word += octets
    return "\r\n ".join(f"=?utf-8?b?{binascii.b2a_base64(each, newline=False).decode()}?=" for each in [*words, word])


def _octets(word: re.Match[str]) -> bytes:
    """What one word encodes, by B or Q (RFC 2047 4)."""
    data = word[3].encode("ascii")
    if word[2] in "Qq":
        return _ESCAPE.sub(lambda match: binascii.unhexlify(match[1]), data.replace(b"_", b" "))
    try:
        return binascii.a2b_base64(data + b"==")
    except binascii.Error:
        return data


def _text(octets: bytes, charset: str) -> str:
    if not octets:
        return ""
    try:
        return octets.decode(charset if _CHARSET.fullmatch(charset) else "utf-8", "replace")
    except LookupError:
        return octets.decode("utf-8", "replace")
