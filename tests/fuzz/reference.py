"""What the fuzzers compare with: simple and slow, step by step as the RFCs say it, sharing no line with the rooms."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable

import idna

CRLF = b"\r\n"
Line = tuple[bytes, bytes]
Holds = Callable[[bytes, bytes], bool]  # is this signature over that data?
SINGLE = {b"from", b"to", b"cc", b"subject", b"date", b"message-id", b"reply-to", b"mime-version"}
_NAME = re.compile(rb"[!-9;-~]+")
_TAG = re.compile(r"[ \t\r\n]*([A-Za-z][A-Za-z0-9_]*)[ \t\r\n]*=(.*)", re.DOTALL)


def split(message: bytes) -> tuple[list[Line], bytes, int]:
    """Fields as (name, value), the body, and how many lines are no field. RFC 5322 2.1 and 2.2; a message with LF only is normalised."""
    if CRLF not in message:
        message = message.replace(b"\n", CRLF)
    lines = message.split(CRLF)
    end = lines.index(b"") if b"" in lines else len(lines)
    header, body = lines[:end], CRLF.join(lines[end + 1 :])
    unfolded: list[bytes] = []
    for line in header:
        if line[:1] in (b" ", b"\t") and unfolded:
            unfolded[-1] += CRLF + line
        else:
            unfolded.append(line)
    fields: list[Line] = []
    bad = 0
    for line in unfolded:
        name, colon, value = line.partition(b":")
        if not colon or not _NAME.fullmatch(name.rstrip(b" \t")):
            bad += 1
            continue
        fields.append((name, value))
        stripped = line.replace(CRLF, b"")
        bad += b"\r" in stripped or b"\n" in stripped
    return fields, body, bad


def relaxed_field(name: bytes, value: bytes) -> bytes:
    """RFC 6376 3.4.2, its steps in their order."""
    text = re.sub(rb"[ \t]+", b" ", value.replace(b"\r\n ", b" ").replace(b"\r\n\t", b"\t"))
    return name.lower().rstrip(b" \t") + b":" + text.strip(b" ")


def field(form: str, name: bytes, value: bytes) -> bytes:
    """One field in a canonical form, with its CRLF. RFC 6376 3.4.1 and 3.4.2."""
    return (name + b":" + value if form == "simple" else relaxed_field(name, value)) + CRLF


def body(form: str, text: bytes) -> bytes:
    """A body in a canonical form. RFC 6376 3.4.3 and 3.4.4."""
    lines = text.split(CRLF)
    if form == "relaxed":
        lines = [re.sub(rb"[ \t]+", b" ", line.rstrip(b" \t")) for line in lines]
    while lines and not lines[-1]:
        lines.pop()
    if not lines and form == "simple":
        return CRLF
    return b"".join(line + CRLF for line in lines)


def tag_list(value: bytes) -> dict[str, str] | None:
    """RFC 6376 3.2 as far as its names and its structure; None when it is no tag list."""
    try:
        specs = value.decode("utf-8").split(";")
    except UnicodeDecodeError:
        return None
    if any(line[:1] not in (b" ", b"\t") or b"\r" in line or b"\n" in line for line in (b" " + value).split(CRLF)):
        return None  # RFC 6376 2.8: a CRLF with white space behind it, and no other CR or LF
    if not specs[-1].strip(" \t\r\n"):
        specs.pop()
    tags: dict[str, str] = {}
    for spec in specs:
        match = _TAG.fullmatch(spec)
        if match is None or match[1] in tags or re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", spec):
            return None
        tags[match[1]] = match[2].strip(" \t\r\n")
    return tags


def without_b(value: bytes) -> bytes:
    """The value of a signature field with the value of ``b=`` deleted. RFC 6376 3.5 and 3.7."""
    return re.sub(rb"(?:(?<=;)|\A)([ \t\r\n]*b[ \t\r\n]*=)[^;]*", rb"\1", value)


def signed_data(
    fields: list[Line], own: int | None, value: bytes, names: list[bytes], form: str, own_name: bytes = b"DKIM-Signature"
) -> bytes:
    """The input of the header hash: fields bottom up for each name, then the field itself without its CRLF. RFC 6376 3.7 and 5.4.2."""
    rest = [one for number, one in enumerate(fields) if number != own]
    data = b""
    for name in names:
        for place in range(len(rest) - 1, -1, -1):
            if rest[place][0].rstrip(b" \t").lower() == name.lower():
                data += field(form, *rest.pop(place))
                break
    return data + field(form, own_name, without_b(value))[:-2]


def decode(text: str) -> bytes | None:
    """Base64 with white space anywhere, and with all its padding or none; None for anything else."""
    text = re.sub("[ \t\r\n]", "", text)
    text += "=" * (-len(text) % 4) if "=" not in text else ""
    if len(text) % 4 or not re.fullmatch("[A-Za-z0-9+/]*={0,2}", text):
        return None
    try:
        return base64.b64decode(text)
    except ValueError:
        return None


def judge(message: bytes, key: Callable[[str, str], Holds | None], now: int, signatures: int = 10) -> list[str]:
    """One word for each signature: "pass", "policy", or "other".

    ``key`` is asked with an algorithm and the name of a key record. No tag is taken at its word before the signature has been found true:
    only who holds the key can say more than "other".
    """
    fields, text, bad = split(message)
    own = [number for number, (name, _) in enumerate(fields) if name.rstrip(b" \t").lower() == b"dkim-signature"]
    if bad:
        return ["other"] * min(len(own), signatures) + ["policy"] * (len(own) - signatures)
    return ["policy" if rank >= signatures else _judge(fields, number, text, key, now) for rank, number in enumerate(own)]


def _judge(fields: list[Line], own: int, text: bytes, key: Callable[[str, str], Holds | None], now: int) -> str:
    name, value = fields[own]
    tags = tag_list(value)
    if tags is None or not {"v", "a", "b", "bh", "d", "h", "s"} <= tags.keys() or tags["v"] != "1":
        return "other"
    header_form, _, body_form = tags.get("c", "simple").lower().partition("/")
    body_form = body_form or "simple"
    holds = key(tags["a"].lower(), f"{_alabels(tags['s'])}._domainkey.{_alabels(tags['d'])}")
    signature = decode(tags["b"])
    if not {header_form, body_form} <= {"simple", "relaxed"} or holds is None or not signature:
        return "other"
    names = [item.strip(" \t\r\n").encode() for item in tags["h"].split(":")]
    if not holds(signature, signed_data(fields, own, value, names, header_form, name)):
        return "other"
    whole = body(body_form, text)
    length = int(tags["l"]) if tags.get("l", "").isdecimal() else None
    if ("l" in tags and length is None) or len(whole) < (length or 0) or hashlib.sha256(whole[:length]).digest() != decode(tags["bh"]):
        return "other"
    return _words_of_the_signer(fields, tags, names, length is not None and length < len(whole), now)


def _words_of_the_signer(fields: list[Line], tags: dict[str, str], names: list[bytes], partly: bool, now: int) -> str:
    """What a true signature says of itself, by RFC 6376 6.1.1 and the rules of this house."""
    lower = [name.lower() for name in names]
    escaped = re.sub("[ \t\r\n]", "", tags.get("i", "@" + tags["d"])).encode()
    address = re.sub(rb"=([0-9A-F]{2})", lambda match: bytes.fromhex(match[1].decode()), escaped).decode("utf-8", "replace")
    identity, domain = _alabels(address.rpartition("@")[2]), _alabels(tags["d"])
    numbers = [tags[name] for name in ("t", "x") if name in tags]
    if not all(re.fullmatch("[0-9]{1,12}", number) for number in numbers) or b"from" not in lower:
        return "other"
    if "@" not in address or (identity != domain and not identity.endswith("." + domain)):
        return "other"
    if "x" in tags and (int(tags["x"]) < now or int(tags["x"]) <= int(tags.get("t", "-1"))):
        return "other"
    methods = [item.strip(" \t\r\n") for item in tags.get("q", "dns/txt").split(":")]
    if "dns/txt" not in [method.lower() for method in methods] or not all(_is_method(method) for method in methods):
        return "other"
    if "z" in tags and not _are_copies(tags["z"]):
        return "other"
    there = [name.rstrip(b" \t").lower() for name, _ in fields]
    added = any(0 < lower.count(name) < there.count(name) for name in set(there) if name in SINGLE or name.startswith(b"content-"))
    return "policy" if partly or added else "pass"


def is_word(text: str) -> bool:
    """The hyphenated-word of RFC 6376 2.10."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    lower = text.lower()
    return lower[:1] in set(letters) and lower[-1:] != "-" and set(lower) <= set(letters + "0123456789-")


def _is_method(text: str) -> bool:
    """One ``sig-q-tag-method``. RFC 6376 3.5."""
    kind, slash, arguments = text.partition("/")
    return is_word(kind) and (not slash or _is_header_value(arguments))


def _are_copies(text: str) -> bool:
    """``z=``. RFC 6376 3.5; a field name may hold a "|", a value may not."""
    while True:
        name, colon, rest = text.partition(":")
        name = name.strip(" \t\r\n")
        if not colon or not name or not all("!" <= char <= "~" for char in name):
            return False
        value, bar, text = rest.partition("|")
        if not _is_header_value(value):
            return False
        if not bar:
            return True


def _is_header_value(text: str) -> bool:
    """The ``qp-hdr-value`` of RFC 6376 2.10, its white space removed first, as RFC 6376 2.11 asks; UTF-8 by RFC 8616 5."""
    for number, piece in enumerate(re.sub("[ \t\r\n]", "", text).split("=")):
        safe = piece[2:] if number else piece
        if (number and not re.fullmatch("[0-9A-F]{2}", piece[:2])) or any(char < "!" or char in ";|\x7f" for char in safe):
            return False
    return True


def _alabels(name: str) -> str:
    """A domain name in lower case, as DNS has it. RFC 8616 5."""
    try:
        return name.lower() if name.isascii() else idna.encode(name, uts46=True).decode()
    except UnicodeError:
        return name
