"""The key record and the key within it, hostile ones too: what loads can be asked, and never raises. RFC 6376 3.6.1, RFC 8301, RFC 8463."""

from __future__ import annotations

import base64
from collections.abc import Iterator

from fuzz import reference, seeds
from fuzz.dice import Dice
from zegel.dkim import keyrecord, signature
from zegel.dkim.crypto import MAX_RSA_BITS, MIN_RSA_BITS
from zegel.dkim.result import DkimReason, DkimStatus

WORDS = (
    *(b"v=DKIM1", b"; ", b"k=rsa", b"k=ed25519", b"p=", b"h=sha256", b"h=sha1:sha256", b"s=email", b"s=*", b"t=y:s", b"n=note", b"\r\n "),
    *(b"MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQ", b"MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A", b"MCowBQYDK2VwAyEA", b"AQAB", b"=="),
)
_RSA = bytes.fromhex("300d06092a864886f70d0101010500")  # AlgorithmIdentifier rsaEncryption. RFC 3279 2.3.1
_SIGNATURES = tuple(
    signature.parse(f"v=1; a={algorithm}; d=example.org; s=s; h=from; bh=AA==; b=AA==; i=@{host}".encode())
    for algorithm in ("rsa-sha256", "ed25519-sha256")
    for host in ("example.org", "sub.example.org")
)


def starts() -> Iterator[bytes]:
    yield from (b"\x00" + record for record in seeds.key_records())
    for width in (128, 192, 96, 255):
        for end in range(8):
            modulus = b"\xf1" * (width - 1) + b"\x83"
            yield b"\x01" + bytes((width,)) + modulus + b"\x00\x03\x01\x00\x01" + bytes((end & 1, end >> 1))
    yield b"\x02" + bytes((32,)) + bytes(32) + b"t=s"


def fuzz(data: bytes) -> None:
    dice = Dice(data[1:])
    kind = data[:1]
    if kind == b"\x01":
        judge(_rsa(dice))
    elif kind == b"\x02":
        judge(b"k=ed25519; p=" + base64.b64encode(dice.octets(40)) + b"; " + dice.octets())
    else:
        judge(data[1:])


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    length = bytes((size,)) if size < 128 else bytes((0x82,)) + size.to_bytes(2, "big")
    return bytes((tag,)) + length + content


def _rsa(dice: Dice) -> bytes:
    """A record with an RSA key of any modulus and exponent, as a SubjectPublicKeyInfo or bare."""
    modulus = dice.octets(255) * dice.pick((1, 1, 2, 4, 8))
    exponent = dice.octets(20)
    numbers = _der(0x30, _der(0x02, b"\0" * (modulus[:1] > b"\x7f") + modulus) + _der(0x02, exponent))
    der = numbers if dice.flag() else _der(0x30, _RSA + _der(0x03, b"\0" + numbers))
    return b"v=DKIM1; p=" + base64.b64encode(der) + dice.pick((b"", b"; t=y", b"; s=email", b"; h=sha1"))


def judge(text: bytes) -> None:
    tags = reference.tag_list(text)
    try:
        record = keyrecord.parse(text)
    except keyrecord.KeyRecordError as error:
        assert error.reason.status is DkimStatus.PERMERROR
        assert error.reason.name.startswith("KEY_")
        assert (error.reason is DkimReason.KEY_REVOKED) <= (tags is not None and not tags.get("p", "?"))
        return
    assert tags is not None
    assert tags.get("v", "DKIM1") == "DKIM1"
    assert "v" not in tags or next(iter(tags)) == "v"
    assert record.type == record.key.type == tags.get("k", "rsa").lower()
    assert MIN_RSA_BITS <= record.key.bits <= MAX_RSA_BITS or (record.type, record.key.bits) == ("ed25519", 256)
    assert record.testing == ("y" in words(tags, "t"))
    for name in tags.keys() & {"h", "s", "t"}:
        assert all(reference.is_word(item) or (name, item) == ("s", "*") for item in words(tags, name))
    for one in _SIGNATURES:
        allows = record.refuses(one) is None
        assert allows == (
            one.key_type == record.type
            and ("h" not in tags or "sha256" in words(tags, "h"))
            and ("s" not in tags or bool({"*", "email"} & set(words(tags, "s"))))
            and ("s" not in words(tags, "t") or one.domain == one.identity_domain)
        )
    size = record.key.bits // 8 if record.type == "rsa" else 64
    for octets in (b"", b"\0", bytes(size), b"\xff" * size, b"\x01" * size, b"\0" * (size - 1) + b"\x01", b"\x02" * (size + 1)):
        assert record.key.verifies(octets, text) in (True, False)
    assert keyrecord.parse(text) is record, "the same text is loaded once"


def words(tags: dict[str, str], name: str) -> list[str]:
    return [item.strip(" \t\r\n") for item in tags.get(name, "").lower().split(":")]
