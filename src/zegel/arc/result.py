"""What became of a chain: a reason, and the status that the reason forces.

The status words are those of RFC 8617 4.4. There is no temporary error: RFC 8617 5.2.1 has all failures permanent, those of DNS too. One
table below decides the status of each reason, so that the two cannot disagree.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from zegel.authres.lexer import FieldSyntaxError
from zegel.authres.model import AuthenticationResults
from zegel.authres.parse import parse_payload
from zegel.grammar.domain import Domain
from zegel.reason import StatusReason
from zegel.words import N_


class ArcStatus(StrEnum):
    """The Chain Validation Status. RFC 8617 4.4."""

    NONE = "none"
    PASS = "pass"  # noqa: S105 - the header's own word, not a password
    FAIL = "fail"


_NONE, _PASS, _FAIL = ArcStatus.NONE, ArcStatus.PASS, ArcStatus.FAIL


class ArcReason(StatusReason):
    """Why a chain has its status: ``id``, ``status``, ``section`` and a sentence for people."""

    NO_CHAIN = ("no_chain", _NONE, "RFC 8617 5.2", N_("the message has no chain"))
    VERIFIED = ("verified", _PASS, "RFC 8617 5.2", N_("every seal of the chain holds, and the newest message signature"))

    TOO_MANY_SETS = ("too_many_sets", _FAIL, "RFC 8617 5.2", N_("more ARC sets than a chain may have"))
    FAILED_BEFORE = ("failed_before", _FAIL, "RFC 8617 5.2", N_("the newest seal says that the chain had failed before"))
    INSTANCE_SYNTAX = ("instance_syntax", _FAIL, "RFC 8617 4.2.1", N_("an ARC field has no instance number from 1 to 50"))
    FIELD_MISSING = ("field_missing", _FAIL, "RFC 8617 5.2", N_("an ARC set lacks one of its three fields"))
    FIELD_REPEATED = ("field_repeated", _FAIL, "RFC 8617 5.2", N_("an ARC set has a field twice"))
    INSTANCE_GAP = ("instance_gap", _FAIL, "RFC 8617 5.2", N_("an ARC set between others is missing"))
    CHAIN_VALUE = ("chain_value", _FAIL, "RFC 8617 5.2", N_("a seal has another cv= than its place in the chain demands"))

    TAG_LIST_SYNTAX = ("tag_list_syntax", _FAIL, "RFC 8617 4.1", N_("an ARC field is no valid tag list"))
    TAG_MISSING = ("tag_missing", _FAIL, "RFC 8617 4.1", N_("an ARC field lacks a required tag"))
    TAG_SYNTAX = ("tag_syntax", _FAIL, "RFC 8617 4.1", N_("an ARC field has a tag with a value that its grammar does not allow"))
    ALGORITHM_UNKNOWN = ("algorithm_unknown", _FAIL, "RFC 6376 3.3", N_("an algorithm that is not known"))
    SEAL_NAMES_FIELDS = ("seal_names_fields", _FAIL, "RFC 8617 4.1.3", N_("a seal must not have h="))
    FROM_NOT_SIGNED = ("from_not_signed", _FAIL, "RFC 6376 6.1.1", N_("a message signature does not sign From"))
    SEAL_SIGNED = ("seal_signed", _FAIL, "RFC 8617 4.1.2", N_("a message signature must not sign a seal"))
    EXPIRED = ("expired", _FAIL, "RFC 6376 6.1.1", N_("the newest message signature has expired"))

    BODY_CHANGED = ("body_changed", _FAIL, "RFC 8617 5.2", N_("the body is not the one that the newest handler signed"))
    MESSAGE_MISMATCH = (
        "message_mismatch",
        _FAIL,
        "RFC 8617 5.2",
        N_("a header field was changed after the newest handler signed it, or the key is another one"),
    )
    SEAL_MISMATCH = ("seal_mismatch", _FAIL, "RFC 8617 5.2", N_("an ARC field was changed after it was sealed, or the key is another one"))

    KEY_NOT_FOUND = ("key_not_found", _FAIL, "RFC 8617 5.2.1", N_("DNS has no such key"))
    KEY_UNAVAILABLE = ("key_unavailable", _FAIL, "RFC 8617 5.2.1", N_("DNS did not give the key now, which breaks a chain for good"))
    KEY_UNUSABLE = ("key_unusable", _FAIL, "RFC 8617 5.2.1", N_("the key record cannot be used for this"))

    HEADER_MALFORMED = ("header_malformed", _FAIL, "RFC 6376 3.8", N_("the header has lines that are no field"))
    HEADER_TOO_LARGE = ("header_too_large", _FAIL, "RFC 8617 9.1", N_("the header is larger than what is read"))

    status: ArcStatus


class ArcInstance(NamedTuple):
    """One ARC set: whose it is, and what it says. All of it is the sealer's word, and worth what the chain and the sealer are worth.

    ``domain``, ``selector`` and ``algorithm`` are of the seal, ``message_domain`` and ``message_selector`` of the message signature (None
    when that cannot be read), ``signed_fields`` its ``h=`` in lower case. ``chain`` is ``cv=`` and ``timestamp`` the seal's ``t=``.
    ``payload`` is the text of the ARC-Authentication-Results behind its instance. ``testing`` is True when a key of it says ``t=y``.
    """

    instance: int
    domain: Domain
    selector: str
    algorithm: str
    chain: ArcStatus
    timestamp: int | None
    message_domain: Domain | None
    message_selector: str | None
    signed_fields: tuple[str, ...]
    payload: str
    testing: bool = False

    @property
    def results(self) -> AuthenticationResults | None:
        """The assessment as values, None when it cannot be read: RFC 8617 3.4 wants it only encapsulated, not right.

        It is read when asked for, so that fifty long fields of a stranger whom nobody believes cost nothing.
        """
        try:
            return parse_payload(self.payload, lenient=True)
        except FieldSyntaxError:
            return None


class ArcResult(NamedTuple):
    """The result for the chain of one message.

    ``instances`` are its sets from 1 up, also those of a failed chain as far as it has a structure at all. ``oldest_pass`` is the lowest
    instance whose message signature still verifies, 0 when all do, None unless the chain passes (RFC 8617 5.2). ``open`` says what the
    newest message signature leaves open to change, "" when nothing: a chain may pass by the RFC and still not be one to rely on.
    ``detail`` names the field or value at fault; ``normalized`` is True when the message came with LF line ends.
    """

    reason: ArcReason
    instances: tuple[ArcInstance, ...] = ()
    oldest_pass: int | None = None
    open: str = ""
    detail: str = ""
    normalized: bool = False

    @property
    def status(self) -> ArcStatus:
        """The header's own word, forced by the reason."""
        return self.reason.status

    @property
    def explanation(self) -> str:
        """The reason as one line: a sentence, and what it is about."""
        return f"{self.reason.sentence} ({self.detail})" if self.detail else self.reason.sentence
