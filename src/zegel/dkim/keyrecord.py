"""The key record in DNS: its text and its value. RFC 6376 3.6.1, and RFC 8463 4.2 for Ed25519.

A record that does not parse wholly is no key: anybody can publish anything (RFC 6376 8.8), and RFC 6376 6.1.2 leaves no other word for it
than "key syntax error". An empty item (``t=:y``), or a line end that is no fold, is such a fault; ``n=`` and unknown tags hold what they
like. What the record allows is asked here, so that the verifier reads as the RFC's steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from zegel.dkim.crypto import MAX_RSA_BITS, KeySizeError, PublicKey, load_public
from zegel.dkim.result import DkimReason
from zegel.dkim.signature import Signature
from zegel.grammar import taglist
from zegel.words import N_

MAX_RECORDS = 5  # RFC 6376 3.6.2.2 leaves several at one name undefined; each may be tried, a stranger's hundred may not
_MAX_RECORD = 8192


class KeyRecordError(ValueError):
    """A key record that gives no key; ``reason`` says why."""

    def __init__(self, reason: DkimReason, detail: str = "", key_bits: int | None = None) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.key_bits = key_bits


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A key record as a value. ``hashes`` and ``services`` are None when the record does not restrict them."""

    type: str
    key: PublicKey
    hashes: frozenset[str] | None
    services: frozenset[str] | None
    flags: frozenset[str]

    @property
    def testing(self) -> bool:
        """True with ``t=y``: the domain only tests."""
        return "y" in self.flags

    def refuses(self, signature: Signature) -> tuple[DkimReason, str] | None:
        """Why this record cannot be used for that signature, or None. The steps are those of RFC 6376 6.1.2."""
        if self.services is not None and not self.services & {"*", "email"}:
            return DkimReason.KEY_OTHER_SERVICE, "s="
        if self.hashes is not None and "sha256" not in self.hashes:
            return DkimReason.KEY_OTHER_HASH, "h="
        if self.type != signature.key_type:
            return DkimReason.KEY_OTHER_TYPE, f"k={self.type}, a={signature.algorithm}"
        # RFC 6376 3.10: a key signs for every name below its domain, unless its record says otherwise.
        if "s" in self.flags and signature.identity_domain != signature.domain:
            return DkimReason.KEY_STRICT_DOMAIN, f"i=@{signature.identity_domain}, d={signature.domain}, t=s"
        return None


def parse(text: bytes) -> KeyRecord:
    """Read the text of a key record. Raises :class:`KeyRecordError`. Loading the key is dear: the last 1024 records are remembered."""
    outcome = _parse(text) if len(text) <= _MAX_RECORD else KeyRecordError(DkimReason.KEY_SYNTAX, N_("longer than any key record"))
    if isinstance(outcome, KeyRecordError):
        raise KeyRecordError(outcome.reason, outcome.detail, outcome.key_bits)
    return outcome


@lru_cache(maxsize=1024)
def _parse(text: bytes) -> KeyRecord | KeyRecordError:
    try:
        tags = taglist.parse(text)
    except taglist.TagListError as error:
        return KeyRecordError(DkimReason.KEY_SYNTAX, str(error))
    # RFC 6376 3.6.1: v= is RECOMMENDED; where present it MUST be first and exactly DKIM1.
    if "v" in tags and (next(iter(tags)) != "v" or tags["v"] != "DKIM1"):
        return KeyRecordError(DkimReason.KEY_SYNTAX, N_("v= is not DKIM1, or not first"))
    if "p" not in tags:
        return KeyRecordError(DkimReason.KEY_SYNTAX, N_("no p="))
    try:
        hashes, services, flags = _words(tags, "h"), _words(tags, "s"), _words(tags, "t")
    except ValueError as error:
        return KeyRecordError(DkimReason.KEY_SYNTAX, str(error))
    key_type = tags.get("k", "rsa").lower()  # a literal of ABNF knows no case (RFC 5234 2.3)
    if key_type not in ("rsa", "ed25519"):
        return KeyRecordError(DkimReason.KEY_OTHER_TYPE, f"k={key_type[:20]}")
    encoded = taglist.without_space(tags["p"])
    if not encoded:
        return KeyRecordError(DkimReason.KEY_REVOKED, N_("p= is empty"))
    try:
        key = load_public(key_type, taglist.base64(encoded))
    except KeySizeError as error:
        reason = DkimReason.KEY_TOO_LONG if error.bits > MAX_RSA_BITS else DkimReason.KEY_TOO_SHORT
        return KeyRecordError(reason, f"{error.bits} bits", error.bits)
    except ValueError:
        return KeyRecordError(DkimReason.KEY_SYNTAX, N_("p= holds no key of that type"))
    return KeyRecord(key_type, key, hashes, services, flags or frozenset())


def _words(tags: dict[str, str], name: str) -> frozenset[str] | None:
    """A colon list as a set of lower-case words; None when absent. Raises ValueError for what its grammar does not allow."""
    if name not in tags:
        return None
    found = frozenset(taglist.colon_list(tags[name]))
    if not all(map(taglist.is_word, found - {"*"} if name == "s" else found)):
        raise ValueError(f"{name}= is no list of words")
    return found
