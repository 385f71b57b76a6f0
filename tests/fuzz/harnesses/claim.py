"""Authentication-Results: whose name a field claims in any disguise; no stranger's word becomes a result of ours. RFC 8601 2.2 and 5."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fuzz import seeds
from fuzz.dice import Dice
from zegel.authres.claim import authserv_id, claims, normal
from zegel.authres.model import AuthenticationResults, MethodResult, Property

WORDS = (
    b"mx.example.org",
    b"(",
    b")",
    b'"',
    b"\\",
    b";",
    b" 1;",
    b"; dkim=pass",
    b"\r\n ",
    b"reason=",
    b"header.d=",
    b"\xc2\xa0",
    b"=",
    b".",
)
OURS = normal("mx.example.org")
OTHERS = ("mx.example.net", "example.org", "amx.example.org", "mx.example.org.example.com", "other")
_GAPS = (b"", b" ", b"\t", b"\r\n ", b"(c)", b" (a (b) \\) c) ", b"\r\n\t(\\\\)\r\n ")
_ENDS = (b";", b" ;", b"; none", b" 1; dkim=pass header.d=example.com", b"\r\n 1;", b"", b" (x); none", b"\t01 (y) ; none")
_KEYWORD = re.compile("[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?")  # RFC 5321 4.1.2, as RFC 8601 2.2 has it
_FIRST = re.compile(rb"[ \t\r\n]*+([A-Za-z0-9-][A-Za-z0-9.-]*+)[ \t\r\n]*+(?:;|[0-9]|\Z)")


def starts() -> Iterator[bytes]:
    for text in seeds.strings("authres/lieser.json"):
        if "=" in text:
            yield b"\x00" + text.removeprefix("Authentication-Results:").encode("utf-8", "surrogateescape")
    yield b"\x00 mx.example.org 1; dkim=pass"
    yield from (b"\x01" + bytes(range(start, start + 24)) for start in range(0, 200, 20))
    for value in (b"example.org", b'a; dkim=pass (x) "', b"a\r\nX: y\\", b"=?" * 140):
        reason = bytes((min(255, len(value)),)) + value[:255]
        yield b"\x02\x01\x04dkim\x04pass" + reason + b"\x01\x00" + len(value).to_bytes(2, "big") + value + b"\x01"


def fuzz(data: bytes) -> None:
    dice = Dice(data[1:])
    if data[:1] == b"\x01":
        disguised(dice)
    elif data[:1] == b"\x02":
        written(dice)
    else:
        anything(data[1:])


def anything(value: bytes) -> None:
    found = authserv_id(value)
    if found is not None:
        assert found
        assert claims(value, normal(found)), "who is named is claimed"
    match = _FIRST.match(value)
    if match and len(value) < 2048:
        assert claims(value, normal(match[1].rstrip(b"."))), "what the simplest reader reads is claimed"
    assert claims(value, OURS) or found is not None, "what cannot be read claims us"


def disguised(dice: Dice) -> None:
    """Our name in any spelling that a reader undoes is ours; another's in the same dress is not."""
    gaps, end = [dice.pick(_GAPS), dice.pick(_GAPS)], dice.pick(_ENDS)
    dress = [dice.number(4) for _ in range(40)]
    quoted, dot = dice.flag(), dice.flag()
    for name in (OURS, *OTHERS):
        text = b""
        for char, how in zip(name + "." * dot, dress, strict=False):
            octet = char.upper().encode() if how == 1 else char.encode()
            text += b"\\" + octet if quoted and how == 2 else b"\r\n " + octet if quoted and how == 3 else octet
        value = gaps[0] + (b'"' + text + b'"' if quoted else text) + gaps[1] + end
        assert authserv_id(value) == name, value
        assert claims(value, OURS) == (name == OURS), value


def written(dice: Dice) -> None:
    """Hostile values in, one result out for each that was put in."""
    results = []
    for _ in range(dice.number(4)):
        method, status, reason = _text(dice, 6), _text(dice, 6), _text(dice)
        properties = [Property("header", dice.pick("disab"), _text(dice, 300)) for _ in range(dice.number(3))]
        results.append(MethodResult(method, status, reason, tuple(properties)))
    ours = OURS if dice.flag() else _text(dice, 40)
    try:
        field = AuthenticationResults(ours, tuple(results)).format()
    except ValueError:
        assert not all(_KEYWORD.fullmatch(word) for result in results for word in (result.method, result.result))
        return
    assert re.fullmatch(rb"(?:[ -~]|\r\n [!-~])+", field), field
    outer = field.split(b";")  # as a reader that knows no quotes does
    assert len(outer) == (len(results) or 1) + 1
    for part, result in zip(outer[1:], results, strict=False):
        assert part.split()[0] == f"{result.method}={result.result}".encode()
        assert part.count(b'"') % 2 == 0
    assert b"(" not in field
    assert b"\\" not in field
    if ours == OURS:
        assert claims(field, OURS)
        assert authserv_id(field) == OURS


def _text(dice: Dice, most: int = 255) -> str:
    return dice.octets(most).decode("utf-8", "replace")
