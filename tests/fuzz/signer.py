"""A signer without scruples: it signs whatever header list, length and tags it is told to, with the keys that RFC 8463 prints."""

from __future__ import annotations

import base64
import hashlib
from functools import cache

import zegel
from fuzz import reference
from fuzz.dice import Dice
from fuzz.reference import Line
from support.rfc_examples import RFC8463_ED25519_PRIVATE, RFC8463_RSA_PRIVATE
from zegel.dkim.crypto import Key, load_public

DOMAIN = "football.example.com"
NOW = 1_790_000_000
_FORMS = ("", "simple", "relaxed", "simple/simple", "simple/relaxed", "relaxed/simple", "relaxed/relaxed", "Relaxed/SIMPLE")
_NAMES = (
    b"from",
    b"From",
    b"to",
    b"subject",
    b"date",
    b"dkim-signature",
    b"x-absent",
    b"received",
    b"content-type",
    b"list-id",
    b"reply-to",
)
_COLONS = (b":", b" : ", b":\r\n ", b"\t:")
_TIMES = ("", "0", str(NOW - 10), str(NOW), str(NOW + 10), "0" * 5 + str(NOW + 20), "9" * 13)
_IDENTITIES = ("", f"@{DOMAIN}", f"a=3Bb@{DOMAIN}", f"@sub.{DOMAIN}", f"joe@SUB.{DOMAIN.upper()}", "@example.com", f"@x{DOMAIN}", "@")
_QUERIES = ("", "dns/txt", "dns/txt:other", "other : dns/txt", "other", "")
_OTHERS = (b"", b"z=From:a|To:b", b"Z9_=;x_y=1", b"n= caf\xc3\xa9 ", b"b_=1", b"bh_=; xb=2")
_BEFORE = (b" ", b"", b"\r\n ", b"\t", b" \r\n\t ")


@cache
def ed25519() -> Key:
    return Key(DOMAIN, "brisbane", RFC8463_ED25519_PRIVATE)


@cache
def rsa() -> Key:
    """An RSA-1024 key: the shortest that counts, and the quickest."""
    return Key(DOMAIN, "test", RFC8463_RSA_PRIVATE)


@cache
def zone() -> zegel.Zone:
    return zegel.Zone.from_dict({(one.name, "TXT"): [one.record] for one in (ed25519(), rsa())})


@cache
def holds(algorithm: str, name: str) -> reference.Holds | None:
    """What tells if a signature of one of the two keys is over some data."""
    for key in (ed25519(), rsa()):
        if (key.algorithm, key.name) == (algorithm, name):
            return load_public(key.type, base64.b64decode(key.public)).verifies
    return None


def sign(fields: list[Line], body: bytes, dice: Dice) -> Line:
    """A signature field over a message; most of its kinds are good ones, the rest are true signatures that say something wrong."""
    key = rsa() if dice.number(8) == 7 else ed25519()
    form = dice.pick(_FORMS)
    header_form, _, body_form = (form.lower() or "simple").partition("/")
    names = _names(fields, dice)
    whole = reference.body(body_form or "simple", body)
    length = dice.number(len(whole) + 3) if dice.number(4) == 3 else None
    digest = base64.b64encode(hashlib.sha256(whole[:length]).digest())
    tags = [
        b"v=1",
        f"a={key.algorithm}".encode(),
        f"d={key.domain}".encode(),
        f"s={key.selector}".encode(),
        b"h=" + dice.pick(_COLONS).join(names),
        b"bh=" + digest,
        b"b=",
    ]
    tags += [f"c={form}".encode()] * bool(form) + [f"l={length}".encode()] * (length is not None)
    if dice.flag():
        optional = (("t", _TIMES), ("x", _TIMES), ("i", _IDENTITIES), ("q", _QUERIES))
        chosen = [(name, dice.pick(stock)) for name, stock in optional]
        tags += [f"{name}={value}".encode() for name, value in chosen if value]
        tags += [other] if (other := dice.pick(_OTHERS)) else []
    turn = dice.number(len(tags))
    before = dice.pick(_BEFORE)
    value = b";".join(before + tag for tag in tags[turn:] + tags[:turn]) + dice.pick((b"", b";", b" ;", b"; "))
    name = dice.pick((b"DKIM-Signature", b"dkim-signature", b"DKIM-Signature "))
    data = reference.signed_data(fields, None, value, names, header_form, name)
    encoded = base64.b64encode(key.sign(data))
    fold = dice.pick((b"", b"\r\n ", b" ", b"\t"))
    where = value.index(before + b"b=") + len(before) + 2
    return name, value[:where] + encoded[:40] + fold + encoded[40:] + value[where:]


def _names(fields: list[Line], dice: Dice) -> list[bytes]:
    """Mostly every field that is there, as an honest signer does; otherwise any names at all."""
    if dice.number(3) < 2:
        there = [name.rstrip(b" \t") for name, _ in fields]
        return there + [dice.pick(_NAMES) for _ in range(dice.number(3))]
    return [dice.pick(_NAMES) for _ in range(1 + dice.number(6))]
