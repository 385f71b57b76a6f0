"""The two signature algorithms, and the keys. RFC 6376 3.3 with RFC 8301 3 (RSA), RFC 8463 5 (Ed25519).

The one room of the protocol folders that knows the cryptography library, and with :meth:`Key.generate` the one place with dice.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa, utils

from zegel.grammar.domain import Domain

KeyKind = Literal["rsa2048", "ed25519"]

MIN_RSA_BITS = 1024  # RFC 8301 3.2: verifiers MUST NOT consider shorter keys
MAX_RSA_BITS = 8192  # RFC 8301 3.2 asks for 4096; beyond this a stranger's key only costs us time
# OpenSSL's own bound above 3072 bits. One as long as the modulus makes verifying as slow as signing: the attack of RFC 6376 8.13.
_MAX_EXPONENT_BITS = 64
_PADDING = padding.PKCS1v15()
_SHA256 = hashes.SHA256()
_DIGEST = utils.Prehashed(_SHA256)
_PEM = serialization.Encoding.PEM
_PKCS8 = serialization.PrivateFormat.PKCS8


class KeySizeError(ValueError):
    """An RSA key whose size is outside the bounds; ``bits`` is its size."""

    def __init__(self, bits: int) -> None:
        super().__init__(f"an RSA key of {bits} bits")
        self.bits = bits


class PublicKey:
    """A public key that verifies. Made by :func:`load_public`."""

    __slots__ = ("_check", "bits", "type")

    def __init__(self, key: rsa.RSAPublicKey | ed25519.Ed25519PublicKey) -> None:
        self._check: Callable[[bytes, bytes], None]
        if isinstance(key, rsa.RSAPublicKey):
            self.type, self.bits = "rsa", key.key_size
            self._check = lambda signature, data: key.verify(signature, data, _PADDING, _SHA256)
        else:
            self.type, self.bits = "ed25519", 256
            self._check = lambda signature, data: key.verify(signature, hashlib.sha256(data).digest())

    def verifies(self, signature: bytes, data: bytes) -> bool:
        """Tell if ``signature`` is this key's over ``data``: RSA by RFC 6376 3.3.2; Ed25519 signs the SHA-256 of the data (RFC 8463 3)."""
        try:
            self._check(signature, data)
        except InvalidSignature:
            return False
        return True


def load_public(key_type: str, data: bytes) -> PublicKey:
    """Load the decoded ``p=`` of a key record. Raises ValueError, or :class:`KeySizeError` for RSA out of bounds.

    An RSA key may be a SubjectPublicKeyInfo, as everyone publishes, or the RSAPublicKey that RFC 6376 3.6.1 names.
    """
    if key_type == "ed25519":
        return PublicKey(ed25519.Ed25519PublicKey.from_public_bytes(data))
    try:
        key = serialization.load_der_public_key(data)
    except UnsupportedAlgorithm as error:
        raise ValueError(str(error)) from None
    if not isinstance(key, rsa.RSAPublicKey):
        raise ValueError("not an RSA key")
    if not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
        raise KeySizeError(key.key_size)
    if key.public_numbers().e.bit_length() > _MAX_EXPONENT_BITS:
        raise ValueError("an RSA key with an immoderate exponent")
    return PublicKey(key)


@dataclass(frozen=True, slots=True)
class Key:
    """A signing key: whose it is, where its public half stands, and the PEM of its private half. ValueError for what is no usable key.

    Loading checks the key whole and takes some 36 ms for RSA-2048: make it once, never for each message.
    """

    domain: str
    selector: str
    private_key: bytes | str = field(repr=False)
    _loaded: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "domain", Domain.parse(self.domain))
        object.__setattr__(self, "selector", str(Domain.parse(self.selector)))
        if not isinstance(self.private_key, (bytes, str)):
            raise TypeError("private_key is a PEM, as bytes or text")
        pem = self.private_key.encode() if isinstance(self.private_key, str) else self.private_key
        object.__setattr__(self, "private_key", pem)
        object.__setattr__(self, "_loaded", _load_private(pem))

    @classmethod
    def generate(cls, domain: str, selector: str, kind: KeyKind = "rsa2048") -> Self:
        """Make a new key. ``kind`` is "rsa2048" or "ed25519"."""
        made: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
        if kind == "rsa2048":
            made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        elif kind == "ed25519":
            made = ed25519.Ed25519PrivateKey.generate()
        else:
            raise ValueError(f'a key is "rsa2048" or "ed25519", not {kind!r}')
        return cls(domain, selector, made.private_bytes(_PEM, _PKCS8, serialization.NoEncryption()))

    @classmethod
    def restore(cls, domain: str, selector: str, pem: bytes) -> Self:
        """A key that this program has made or checked before, from its own store: without the 36 ms that checking an RSA key takes."""
        key = object.__new__(cls)
        for name, value in (("domain", Domain.parse(domain)), ("selector", selector), ("private_key", pem)):
            object.__setattr__(key, name, value)
        object.__setattr__(key, "_loaded", _load_private(pem, checked_before=True))
        return key

    @property
    def pem(self) -> bytes:
        """The PEM of the private half."""
        return self.private_key.encode() if isinstance(self.private_key, str) else self.private_key

    @property
    def algorithm(self) -> str:
        """The ``a=`` of its signatures. RFC 8463 4.1."""
        return "rsa-sha256" if isinstance(self._loaded, rsa.RSAPrivateKey) else "ed25519-sha256"

    @property
    def type(self) -> str:
        """The ``k=`` of its key record."""
        return "rsa" if isinstance(self._loaded, rsa.RSAPrivateKey) else "ed25519"

    @property
    def bits(self) -> int:
        """The size of an RSA key; 256 for Ed25519."""
        return self._loaded.key_size if isinstance(self._loaded, rsa.RSAPrivateKey) else 256

    @property
    def public(self) -> str:
        """The public half as ``p=`` has it: base64 of the SubjectPublicKeyInfo, or of the 32 octets (RFC 8463 4.2)."""
        if isinstance(self._loaded, rsa.RSAPrivateKey):
            octets = self._loaded.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        else:
            octets = self._loaded.public_key().public_bytes_raw()
        return base64.b64encode(octets).decode()

    @property
    def name(self) -> str:
        """The DNS name of its key record. RFC 6376 3.6.2.1."""
        return f"{self.selector}._domainkey.{self.domain}"

    @property
    def record(self) -> str:
        """The text of its key record, on one line."""
        return f"v=DKIM1; k={self.type}; p={self.public}"

    def sign(self, data: bytes) -> bytes:
        """Sign the data; Ed25519 signs its SHA-256 (RFC 8463 3)."""
        return self.sign_digest(hashlib.sha256(data).digest())

    def sign_digest(self, digest: bytes) -> bytes:
        """Sign data by its SHA-256."""
        if isinstance(self._loaded, rsa.RSAPrivateKey):
            return self._loaded.sign(digest, _PADDING, _DIGEST)
        return self._loaded.sign(digest)


def _load_private(pem: bytes, *, checked_before: bool = False) -> rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey:
    """Load a private key: PEM (PKCS#8 or PKCS#1), or the bare base64 of an Ed25519 seed as RFC 8463 A.2 prints it."""
    try:
        if b"-----BEGIN" in pem:
            key = serialization.load_pem_private_key(pem, password=None, unsafe_skip_rsa_key_validation=checked_before)
        else:
            return ed25519.Ed25519PrivateKey.from_private_bytes(base64.b64decode(pem.strip(), validate=True))
    except (ValueError, TypeError, UnsupportedAlgorithm, binascii.Error) as error:
        raise ValueError(f"this is no private key that can be read; give an unencrypted PEM (BEGIN PRIVATE KEY): {error}") from None
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key
    if isinstance(key, rsa.RSAPrivateKey):
        if not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
            raise ValueError(f"an RSA key of {key.key_size} bits cannot sign; make one of 2048 (RFC 8301 3.2)")
        return key
    raise ValueError("DKIM signs with RSA or Ed25519 keys only")
