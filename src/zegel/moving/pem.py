"""Private keys as other programs keep them: PEM, the bare base64 of a table or of an Ed25519 seed, each loaded once and checked whole.

RFC 6376 3.3, RFC 8463 4, RFC 8410 7. What comes out is an unencrypted PEM, which every program reads back.
"""

from __future__ import annotations

import base64
import binascii
import textwrap
from dataclasses import dataclass, field

from zegel.dkim.crypto import Key
from zegel.moving.model import UnreadableError
from zegel.words import N_

# The DER of a private key of RFC 8410 7, before the 32 octets of the seed.
_ED25519 = bytes.fromhex("302e020100300506032b657004220420")
_SEED, _SEED_AND_PUBLIC = 32, 64


@dataclass(frozen=True, slots=True)
class Loaded:
    """A key that can sign: ``algorithm`` is the store's word ("rsa2048"), ``key_type`` and ``public`` are k= and p= of its record."""

    algorithm: str
    key_type: str
    public: str
    pem: bytes = field(repr=False)


def load(data: bytes, where: str) -> Loaded:
    """Load a private key that was read from ``where``. Raises UnreadableError that says what is wrong with it."""
    if b"ENCRYPTED" in data:
        sentence = N_("the key in {where} is encrypted with a passphrase, and a daemon has none; write it unencrypted: openssl pkey")
        raise UnreadableError(sentence, where=where)
    trouble: ValueError | None = None
    for pem in _spellings(data):
        try:
            # The name plays no part in loading.
            key = Key("example.com", "s", pem)
        except ValueError as error:
            trouble = trouble or error
            continue
        algorithm = f"rsa{key.bits}" if key.type == "rsa" else "ed25519"
        return Loaded(algorithm, key.type, key.public, pem)
    raise UnreadableError(N_("the key in {where} is of no use: {detail}"), where=where, detail=trouble)


def _spellings(data: bytes) -> list[bytes]:
    """The PEM texts that the data may stand for."""
    if b"-----BEGIN" in data:
        return [data]
    try:
        octets = base64.b64decode(b"".join(data.split()), validate=True)
    except binascii.Error:
        return [data]
    if len(octets) in (_SEED, _SEED_AND_PUBLIC):
        # rspamd's own form of Ed25519: the seed, or the seed and the public half after it.
        return [armoured(_ED25519 + octets[:_SEED], "PRIVATE KEY")]
    return [armoured(octets, label) for label in ("PRIVATE KEY", "RSA PRIVATE KEY")]


def armoured(octets: bytes, label: str) -> bytes:
    """The PEM of some DER. RFC 7468 2."""
    lines = textwrap.wrap(base64.b64encode(octets).decode(), 64)
    return "\n".join((f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", "")).encode()


def seed_and_public(pem: bytes, public: str) -> bytes | None:
    """An Ed25519 key as rspamd reads it: base64 of the seed and the public half. None when the PEM is not the plain one of RFC 8410 7."""
    body = b"".join(line for line in pem.splitlines() if not line.startswith(b"-"))
    try:
        octets = base64.b64decode(body, validate=True)
    except binascii.Error:
        return None
    if len(octets) != len(_ED25519) + _SEED or not octets.startswith(_ED25519):
        return None
    return base64.b64encode(octets[len(_ED25519) :] + base64.b64decode(public)) + b"\n"
