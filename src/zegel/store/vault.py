"""Secrets at rest, private keys above all (RFC 6376 8.3): AES-256-GCM under a key derived from the master key.

NIST SP 800-38D: a fresh random 96-bit nonce for each sealing, a 128-bit tag. The associated data binds a ciphertext to the row that it
belongs to, so that a sealed key copied to another row does not open. It stores nothing and knows no table; the master key itself is never
written by this room.
"""

from __future__ import annotations

import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from zegel.store.errors import StoreError
from zegel.words import N_

MASTER_BYTES = 32
_VERSION = b"\x01"
_NONCE = 12
_TAG = 16
_PROOF = b"zegel master key"


class Vault:
    """Seals and opens secrets under one master key."""

    __slots__ = ("_cipher", "_master", "fingerprint")

    def __init__(self, master: bytes) -> None:
        if len(master) != MASTER_BYTES:
            raise StoreError(N_("the master key has {n} bytes; it needs exactly 32"), n=len(master))
        self._master = master
        # One derived key for each purpose, so that neither the fingerprint nor a later use can weaken the sealing.
        self._cipher = AESGCM(_derive(master, b"zegel store sealing v1"))
        self.fingerprint = _derive(master, b"zegel store fingerprint v1")[:8].hex()

    def __repr__(self) -> str:
        return f"<Vault {self.fingerprint}>"

    @property
    def master(self) -> bytes:
        """The master key itself, for the backup only."""
        return self._master

    @property
    def address_key(self) -> bytes:
        """The key under which addresses of people are hashed."""
        return _derive(self._master, b"zegel store addresses v1")

    @property
    def audit_key(self) -> bytes:
        """The key under which the lines of the audit log are linked."""
        return _derive(self._master, b"zegel audit log v1")

    @property
    def site_key(self) -> bytes:
        """The key under which the secrets of sites are hashed."""
        return _derive(self._master, b"zegel site secrets v1")

    def seal(self, secret: bytes, binding: tuple[str, ...]) -> bytes:
        """Encrypt ``secret``, bound to the words of ``binding``; version, nonce, ciphertext and tag in one string of bytes."""
        nonce = os.urandom(_NONCE)
        return _VERSION + nonce + self._cipher.encrypt(nonce, secret, _associated(binding))

    def open(self, sealed: bytes, binding: tuple[str, ...]) -> bytes:
        """Decrypt what :meth:`seal` made with the same binding. Raises ValueError when it does not open."""
        if sealed[:1] != _VERSION or len(sealed) < 1 + _NONCE + _TAG:
            raise ValueError("not sealed by this version")
        try:
            return self._cipher.decrypt(sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :], _associated(binding))
        except InvalidTag:
            raise ValueError("sealed under another key, for another row, or altered") from None

    def prove(self) -> bytes:
        """Make the proof by which :meth:`proves` recognises this master key later."""
        return self.seal(_PROOF, ("proof",))

    def proves(self, proof: bytes) -> bool:
        """Tell whether ``proof`` was made under this master key."""
        try:
            return self.open(proof, ("proof",)) == _PROOF
        except ValueError:
            return False


def _derive(master: bytes, purpose: bytes) -> bytes:
    # One step of HKDF-Expand (RFC 5869 2.3): the master key is uniformly random already, so that no extraction is needed.
    return hmac.digest(master, purpose + b"\x01", "sha256")


def _associated(binding: tuple[str, ...]) -> bytes:
    # Each word with its length in front: ("ab", "c") and ("a", "bc") must differ.
    words = [word.encode() for word in binding]
    return _VERSION + b"".join(len(word).to_bytes(4, "big") + word for word in words)
