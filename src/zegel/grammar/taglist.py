"""The tag=value list that DKIM signatures, key records and DMARC records share. RFC 6376 3.2, with UTF-8 by RFC 8616 3.

It knows the grammar, not the tags: duplicates and broken syntax are refused whole, as the RFC asks; unknown tags are kept for the caller
to ignore.
"""

from __future__ import annotations

import binascii
import re

from zegel.words import N_

_FWS = " \t\r\n"
_BYTES_FWS = b" \t\r\n"
# Everything below a space but TAB, CR and LF, and DEL: no tag value may hold it. NUL ends a name in careless C, so that another domain is
# asked than was read.
_CONTROLS = bytes(set(range(32)) - set(_BYTES_FWS)) + b"\x7f"
# What CR and LF may not be: FWS has them together, with white space behind (RFC 6376 2.8).
_NO_FOLD = re.compile(rb"\r(?!\n[ \t])|(?<!\r)\n")
# The hyphenated-word of RFC 6376 2.10, as a regular expression.
WORD = r"[A-Za-z](?:-*+[A-Za-z0-9])*+"
_WORD = re.compile(WORD)
# Names as they mostly are written, to the names: no other look at them is needed.
_USUAL = {space + name: name for name in ("bh", *"vabcdhilqstxzknp") for space in ("", " ")}


class TagListError(ValueError):
    """The text is no tag list."""


def parse(text: bytes) -> dict[str, str]:
    """Read a tag list: name to value, in order, outer white space removed. Raises :class:`TagListError`.

    A final semicolon is allowed. Names are case-sensitive; a name that comes twice makes the whole list invalid (RFC 6376 3.2).
    """
    if len(text.translate(None, _CONTROLS)) != len(text):
        raise TagListError(N_("a control character"))
    if (b"\n" in text or b"\r" in text) and _NO_FOLD.search(text):
        raise TagListError(N_("a line end that is no fold"))
    try:
        specs = text.decode("utf-8").split(";")
    except UnicodeDecodeError:
        raise TagListError(N_("not UTF-8")) from None
    if not specs[-1].strip(_FWS):
        specs.pop()
    tags: dict[str, str] = {}
    for spec in specs:
        written, equals, value = spec.partition("=")
        name = _USUAL.get(written) or _tag_name(written)
        if not equals or not name:
            raise TagListError(f"no tag name: {written.strip(_FWS)[:20]!r}")
        if name in tags:
            raise TagListError(f"tag {name[:20]}= twice")
        tags[name] = value.strip(_FWS)
    return tags


def _tag_name(written: str) -> str:
    """The name without the white space around it, or "" when it is none. RFC 6376 3.2."""
    name = written.strip(_FWS)
    return name if name.isidentifier() and name.isascii() and name[0] != "_" else ""


def emptied(text: bytes, name: bytes) -> bytes:
    """The same text with the value of one tag deleted, white space around it included. RFC 6376 3.7 asks that for ``b=``."""
    specs = text.split(b";")
    for index in range(len(specs) - 1, -1, -1):  # b= mostly comes last
        head, equals, _ = specs[index].partition(b"=")
        if equals and head.strip(_BYTES_FWS) == name:
            specs[index] = head + b"="
            break
    return b";".join(specs)


def without_space(value: str) -> str:
    """The value with all folding white space removed: base64 may be folded anywhere."""
    return value.replace(" ", "").replace("\t", "").replace("\r\n", "")


def colon_list(value: str) -> list[str]:
    """The items of a colon list in lower case. White space may stand around a colon, and nowhere else (RFC 6376 3.5, ``q=``)."""
    return [item.strip(_FWS) for item in value.lower().split(":")]


def is_word(item: str) -> bool:
    """True for a hyphenated-word. RFC 6376 2.10."""
    return _WORD.fullmatch(item) is not None


def base64(value: str) -> bytes:
    """Decode a base64 value. Raises ValueError.

    The padding may be missing: RFC 6376 2.10 writes it as optional, and some who publish keys cut it off. All else is strict.
    """
    text = without_space(value)
    if not text.endswith("="):
        text += "=" * (-len(text) % 4)
    elif len(text) % 4 or text.endswith("==="):
        raise ValueError("wrong base64 padding")
    return binascii.a2b_base64(text, strict_mode=True)


def format_tags(tags: dict[str, str]) -> str:
    """Write a tag list on one line, the inverse of :func:`parse`."""
    return "; ".join(f"{name}={value}" for name, value in tags.items())
