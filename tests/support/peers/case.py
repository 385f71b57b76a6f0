"""What every peer is given: three signing domains with their keys and their zone, the messages, and what is done to them on the way.

A domain chooses its keys, as it does in a signing table: ``rsa.example.org`` has an RSA-2048 key, ``ed25519.example.org`` an Ed25519 key,
``both.example.org`` one of each and hence two signatures on each message.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

import zegel

FORMS = ("relaxed/relaxed", "simple/simple", "relaxed/simple", "simple/relaxed")
PARENT = "example.org"


@dataclass(frozen=True)
class Signer:
    """A signing domain: its name in the page, its domain, and its keys in the order of their signatures."""

    name: str
    domain: str
    keys: tuple[zegel.Key, ...]

    @property
    def selectors(self) -> tuple[str, ...]:
        """The selectors, which are the types of the keys."""
        return tuple(key.selector for key in self.keys)


def _signer(name: str, label: str, kinds: dict[str, str]) -> Signer:
    domain = f"{label}.{PARENT}"
    return Signer(name, domain, tuple(zegel.Key.generate(domain, selector, kind) for selector, kind in kinds.items()))  # type: ignore[arg-type]


@cache
def signers() -> tuple[Signer, ...]:
    """The three domains. Their keys are made once a run."""
    return (
        _signer("RSA-2048", "rsa", {"rsa": "rsa2048"}),
        _signer("Ed25519", "ed25519", {"ed25519": "ed25519"}),
        _signer("both", "both", {"rsa": "rsa2048", "ed25519": "ed25519"}),
    )


def records() -> dict[str, str]:
    """The key records: name to text."""
    return {key.name: key.record for signer in signers() for key in signer.keys}


def pem(key: zegel.Key) -> bytes:
    """The private key in PEM."""
    return key.private_key if isinstance(key.private_key, bytes) else key.private_key.encode()


def seed(key: zegel.Key, *, with_public: bool = False) -> bytes:
    """An Ed25519 private key as some want it: the base64 of its 32 octets, or of these and the 32 public ones."""
    loaded = load_pem_private_key(pem(key), None)
    assert isinstance(loaded, Ed25519PrivateKey)
    return base64.b64encode(loaded.private_bytes_raw() + (loaded.public_key().public_bytes_raw() if with_public else b""))


def zone_text() -> str:
    """The zone of ``example.org`` with the key records, as a master file. A text of RSA takes two strings (RFC 1035 3.3.14)."""
    lines = [f"{PARENT}. 3600 IN SOA ns.{PARENT}. hostmaster.{PARENT}. 1 3600 600 86400 300", f"{PARENT}. 3600 IN NS ns.{PARENT}."]
    lines += [
        f"{name}. 3600 IN TXT " + " ".join(f'"{text[at : at + 250]}"' for at in range(0, len(text), 250))
        for name, text in records().items()
    ]
    return "\n".join(lines) + "\n"


@cache
def zone() -> zegel.Zone:
    """The same zone for our own verifier."""
    return zegel.Zone.parse(zone_text())


# -- the messages --------------------------------------------------------------------------------------------------------------------

_REST = (
    "To: Suzie <suzie@example.com>\r\nSubject: the minutes of Monday\r\nDate: Sat, 21 Nov 2026 09:12:42 +0100\r\n"
    "Message-ID: <1@example.org>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
)
_TEXT = "Dear Suzie,\r\n\r\nhere they are.\r\n"
_REFERENCES = "".join(f"\r\n <{number}.0123456789abcdef@lists.example.net>" for number in range(120))

SHAPES: dict[str, tuple[str, str | bytes]] = {
    "a plain message": (_REST, _TEXT),
    "folded fields, tabs and runs of spaces": (
        _REST.replace("the minutes", "\r\n\tthe  minutes \t of\r\n   a ").replace(
            "<suzie@example.com>", "<suzie@example.com>,\r\n \tBert  <b@example.com>"
        ),
        _TEXT,
    ),
    "UTF-8 in the header": (_REST.replace("the minutes", "verslag:  één naïef 日本語"), _TEXT),
    "8-bit body, all octets above 127": (_REST, "Dag, één émigré: 日本語\r\n".encode() + bytes(range(128, 256)) + b"\r\n"),
    "no body": (_REST, ""),
    "only empty lines": (_REST, "\r\n\r\n\r\n"),
    "empty lines at the end": (_REST, "first\r\n\r\n\r\n\r\n"),
    "white space at the ends of lines": (_REST, "a  \r\nb\t\r\n \t \r\n  c \t d  \r\n \r\n"),
    "a field of 6 kB in 120 lines": (f"References:{_REFERENCES}\r\n" + _REST, _TEXT),
    "a field of one line of 900 octets": (_REST.replace("the minutes", "x" * 900), _TEXT),
    "fields that are there twice": (
        "Received: from b.example by c.example; Sat, 21 Nov 2026 09:12:44 +0100\r\n"
        "Received: from a.example by b.example; Sat, 21 Nov 2026 09:12:43 +0100\r\n"
        "Resent-From: bert@example.com\r\nResent-Date: Sat, 21 Nov 2026 10:00:00 +0100\r\n"
        "Resent-From: carl@example.com\r\nResent-Date: Sat, 21 Nov 2026 09:30:00 +0100\r\n"
        "List-Post: <mailto:one@example.org>\r\nList-Post: <mailto:two@example.org>\r\nX-Loop: 1\r\nX-Loop: 2\r\n" + _REST,
        _TEXT,
    ),
    "dots, From and long lines in the body": (_REST, ".\r\n..\r\nFrom here\r\n" + "x" * 700 + " " * 200 + "y\r\n"),
}
# What SMTP cannot carry, and only a library can be given.
UNENDED = (_REST, "first\r\nlast")


def message(shape: str, signer: Signer) -> bytes:
    """A message of that shape, from that domain."""
    return compose(*SHAPES[shape], signer)


def compose(header: str, body: str | bytes, signer: Signer) -> bytes:
    """A message of these fields and this body, from that domain."""
    return f"From: Joe <joe@{signer.domain}>\r\n{header}\r\n".encode() + (body if isinstance(body, bytes) else body.encode())


# -- what is done to them on the way -------------------------------------------------------------------------------------------------

PLAIN = "a plain message"
_FORGED = b"From: The Board <board@bank.example>\r\n"


def _other_signature(signed: bytes) -> bytes:
    """Another first octet in ``b=`` of each DKIM-Signature."""
    return re.sub(rb"(;\s+b=\s*)(.)", lambda found: found[1] + (b"A" if found[2] != b"A" else b"B"), signed)


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "a word of the body changed": lambda signed: signed.replace(b"here they are", b"here they were"),
    "a line added at the end": lambda signed: signed + b"And pay to this account.\r\n",
    "a word of the subject changed": lambda signed: signed.replace(b"minutes of Monday", b"minutes of Friday"),
    "the name in From changed": lambda signed: signed.replace(b"From: Joe <", b"From: The Board <"),
    "the signature changed": _other_signature,
}
ADDED: dict[str, Callable[[bytes], bytes]] = {
    "a From added on top": lambda signed: _FORGED + signed,
    "a From added above the signed one": lambda signed: signed.replace(b"From: Joe", _FORGED + b"From: Joe", 1),
    "a From added below the signed one": lambda signed: signed.replace(b"To: Suzie", _FORGED + b"To: Suzie", 1),
    "a Subject added on top": lambda signed: b"Subject: pay now\r\n" + signed,
}
