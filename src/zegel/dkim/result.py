"""What became of one signature: a reason, and the status that the reason forces.

The status words are those of RFC 8601 2.7.1. A reason is a stable id; it names the section that it comes from, and one table below decides
its status, so that the two cannot disagree.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from zegel.grammar.domain import Domain
from zegel.reason import StatusReason
from zegel.words import N_


class DkimStatus(StrEnum):
    """The result words of the Authentication-Results field. RFC 8601 2.7.1."""

    NONE = "none"
    PASS = "pass"  # noqa: S105 - the header's own word, not a password
    FAIL = "fail"
    POLICY = "policy"
    NEUTRAL = "neutral"
    TEMPERROR = "temperror"
    PERMERROR = "permerror"


_PASS, _FAIL, _POLICY, _TEMP, _PERM = DkimStatus.PASS, DkimStatus.FAIL, DkimStatus.POLICY, DkimStatus.TEMPERROR, DkimStatus.PERMERROR


class DkimReason(StatusReason):
    """Why a signature has its status: ``id``, ``status``, ``section`` and a sentence for people."""

    VERIFIED = ("verified", _PASS, "RFC 6376 6.1.3", N_("the signature verifies"))

    BODY_CHANGED = ("body_changed", _FAIL, "RFC 6376 6.1.3", N_("the body is not the one that was signed"))
    SIGNATURE_MISMATCH = ("signature_mismatch", _FAIL, "RFC 6376 6.1.3", N_("a signed header field was changed, or the key is another one"))

    BODY_PARTLY_SIGNED = ("body_partly_signed", _POLICY, "RFC 6376 8.2", N_("l= leaves part of the body unsigned"))
    FIELD_ADDED = (
        "field_added",
        _POLICY,
        "RFC 6376 8.15",
        N_("a field that may be there once is there more often than the signature covers"),
    )
    TOO_MANY_SIGNATURES = ("too_many_signatures", _POLICY, "RFC 6376 8.4", N_("more signatures than are checked for one message"))
    HEADER_TOO_LARGE = ("header_too_large", _POLICY, "RFC 6376 8.4", N_("the header is larger than what is read"))

    # What a signature says counts for nothing until all of it is well-formed. RFC 6376 8.9.
    TAG_LIST_SYNTAX = ("tag_list_syntax", _PERM, "RFC 6376 6.1.1", N_("the signature is no valid tag list"))
    VERSION = ("version", _PERM, "RFC 6376 6.1.1", N_("the signature is not of version 1"))
    TAG_MISSING = ("tag_missing", _PERM, "RFC 6376 6.1.1", N_("a required tag is missing"))
    TAG_SYNTAX = ("tag_syntax", _PERM, "RFC 6376 6.1.1", N_("a tag has a value that its grammar does not allow"))
    ALGORITHM_UNKNOWN = ("algorithm_unknown", _PERM, "RFC 6376 3.3.4", N_("an algorithm that is not known"))
    ALGORITHM_SHA1 = ("algorithm_sha1", _PERM, "RFC 8301 3.1", N_("rsa-sha1 must not be used"))
    CANONICALIZATION_UNKNOWN = ("canonicalization_unknown", _PERM, "RFC 6376 3.5", N_("a canonicalization that is not known"))
    QUERY_UNKNOWN = ("query_unknown", _PERM, "RFC 6376 3.5", N_("the key is not published in DNS"))
    DOMAIN_SYNTAX = ("domain_syntax", _PERM, "RFC 6376 3.5", N_("d= is no domain name"))
    SELECTOR_SYNTAX = ("selector_syntax", _PERM, "RFC 6376 3.1", N_("s= is no selector"))
    IDENTITY_MISMATCH = ("identity_mismatch", _PERM, "RFC 6376 6.1.1", N_("i= is not within d="))
    FROM_NOT_SIGNED = ("from_not_signed", _PERM, "RFC 6376 6.1.1", N_("From is not signed"))
    EXPIRED = ("expired", _PERM, "RFC 6376 6.1.1", N_("the signature has expired"))
    EXPIRES_BEFORE_SIGNED = ("expires_before_signed", _PERM, "RFC 6376 3.5", N_("x= is not after t="))
    HEADER_MALFORMED = ("header_malformed", _PERM, "RFC 6376 3.8", N_("the header has lines that are no field"))

    KEY_NOT_FOUND = ("key_not_found", _PERM, "RFC 6376 6.1.2", N_("DNS has no such key"))
    KEY_UNAVAILABLE = ("key_unavailable", _TEMP, "RFC 6376 6.1.2", N_("DNS did not give the key now"))
    KEY_SYNTAX = ("key_syntax", _PERM, "RFC 6376 6.1.2", N_("the key record is malformed"))
    KEY_REVOKED = ("key_revoked", _PERM, "RFC 6376 6.1.2", N_("the key has been revoked"))
    KEY_OTHER_HASH = ("key_other_hash", _PERM, "RFC 6376 6.1.2", N_("the key record does not allow this hash"))
    KEY_OTHER_SERVICE = ("key_other_service", _PERM, "RFC 6376 3.6.1", N_("the key is not for e-mail"))
    KEY_OTHER_TYPE = ("key_other_type", _PERM, "RFC 6376 6.1.2", N_("the key is of another type than the signature"))
    KEY_STRICT_DOMAIN = ("key_strict_domain", _PERM, "RFC 6376 3.6.1", N_("the key record does not allow i= below d="))
    KEY_TOO_SHORT = ("key_too_short", _PERM, "RFC 8301 3.2", N_("an RSA key of under 1024 bits is never valid"))
    KEY_TOO_LONG = ("key_too_long", _PERM, "RFC 8301 3.2", N_("an RSA key longer than what is checked"))

    status: DkimStatus


class DkimResult(NamedTuple):
    """The result for one DKIM-Signature field, whatever became of the others (RFC 6376 4.2). What could not be read is None.

    ``domain`` and the status are what the RFC has every verifier tell (RFC 6376 3.9), the rest explains them.

    ``detail`` names the tag or value at fault; ``signature_start`` is the beginning of ``b=``: eight characters, or more where another
    signature of the message begins with the same (RFC 6008 4); ``testing`` is True when the key record says ``t=y``; ``key_bits`` the size
    of the key; ``normalized`` True when the message came with LF line ends; ``signed_fields`` what ``h=`` names, lower case.
    """

    reason: DkimReason
    domain: Domain | None = None
    selector: str | None = None
    algorithm: str | None = None
    identity: str | None = None
    signature_start: str | None = None
    detail: str = ""
    testing: bool = False
    key_bits: int | None = None
    timestamp: int | None = None
    expire: int | None = None
    signed_fields: tuple[str, ...] = ()
    normalized: bool = False

    @property
    def status(self) -> DkimStatus:
        """The header's own word, forced by the reason."""
        return self.reason.status

    @property
    def explanation(self) -> str:
        """The reason as one line: a sentence, and what it is about, with ``?`` for what a stranger wrote and nobody can print."""
        if not self.detail:
            return self.reason.sentence
        detail = self.detail if self.detail.isprintable() else "".join(char if char.isprintable() else "?" for char in self.detail)
        return f"{self.reason.sentence} ({detail})"
