"""Certificates: that of our TLS listeners, read from its files and again after a renewal, or made for the demo; and those of others.

The files are looked at when a connection comes, at most once a minute. What cannot be loaded is said once, and the certificate that is in
use stays in use: a renewal that went wrong stops no mail. Each change makes a new context, so that no handshake meets half of one.
"""

from __future__ import annotations

import datetime
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

MAX_CHAIN = 10
_LOOK_SECONDS = 60.0
_Stamp = tuple[tuple[int, int, int], ...]  # (modified, size, inode) of each file


class Certificate:
    """The certificate in two files (PEM): the chain, and the key, which may be the same file."""

    def __init__(self, chain: Path, key: Path, note: Callable[..., None]) -> None:
        """Load it. Raises OSError (ssl.SSLError among them) when it cannot be; ``note`` is told of a later one that cannot."""
        self._chain, self._key, self._note = chain, key, note
        self._stamp = self._look()
        self._context = _load(chain, key)
        self._next = 0.0

    def context(self, now: float) -> ssl.SSLContext:
        """The context for a handshake at ``now`` (seconds of any one clock)."""
        if now >= self._next:
            self._next = now + _LOOK_SECONDS
            self._renew()
        return self._context

    def _renew(self) -> None:
        try:
            stamp = self._look()
            if stamp == self._stamp:
                return
            # Before it is tried: what is broken is tried once, and again when it changes.
            self._stamp = stamp
            self._context = _load(self._chain, self._key)
        except OSError as error:
            self._note("the new certificate cannot be used; the one before stays", file=str(self._chain), error=str(error))
        else:
            self._note("the certificate was renewed", file=str(self._chain))

    def _look(self) -> _Stamp:
        found = (path.stat() for path in (self._chain, self._key))
        return tuple((status.st_mtime_ns, status.st_size, status.st_ino) for status in found)


def _load(chain: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 8996 4
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.load_cert_chain(chain, key, password=_nothing)
    return context


def _nothing() -> bytes:
    """The passphrase of a key that has one: without this the library asks for it at the terminal, and all mail waits for the answer."""
    return b""


def self_signed(hostname: str, now: datetime.datetime, days: int = 30) -> bytes:
    """Make a certificate that nobody else vouches for, with its key (PEM, one text): for the demo and for tests."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hostname[:64])])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(hostname)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return made.public_bytes(serialization.Encoding.PEM) + private


@dataclass(frozen=True, slots=True)
class Link:
    """One certificate of a chain that a server showed: itself and its public key (both DER), the DNS names in it, and from when to when it
    is good, in seconds since the epoch. ``issued_by_next``: the one behind it in the chain signed it.
    """

    der: bytes
    key: bytes
    names: tuple[str, ...]
    begins: int
    ends: int
    issued_by_next: bool = False


def read_chain(shown: Sequence[bytes]) -> tuple[Link, ...]:
    """Read the certificates of a chain, the server's own first, at most :data:`MAX_CHAIN`. Raises ValueError for what is none."""
    found = [x509.load_der_x509_certificate(der) for der in shown[:MAX_CHAIN]]
    return tuple(_link(one, behind) for one, behind in zip(found, [*found[1:], None], strict=True))


def _link(one: x509.Certificate, behind: x509.Certificate | None) -> Link:
    names: list[str] = []
    with suppress(x509.ExtensionNotFound):
        names = one.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)
    key = b""
    with suppress(UnsupportedAlgorithm):
        key = one.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    issued = False
    if behind is not None:
        with suppress(ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            one.verify_directly_issued_by(behind)
            issued = True
    begins, ends = (int(when.timestamp()) for when in (one.not_valid_before_utc, one.not_valid_after_utc))
    return Link(one.public_bytes(serialization.Encoding.DER), key, tuple(name.lower() for name in names), begins, ends, issued)
