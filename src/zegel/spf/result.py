"""What SPF says of one identity: a cause, and the status that its reason forces.

The status words are those of RFC 7208 2.6, which RFC 8601 2.7.2 takes over. A reason is a stable id with the section that it comes from; a
cause is a reason together with the term of the record that led to it. HELO and MAIL FROM stay two results.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from zegel.grammar.domain import Domain
from zegel.reason import StatusReason
from zegel.words import N_


class SpfStatus(StrEnum):
    """The result words. RFC 7208 2.6.1 to 2.6.7."""

    NONE = "none"
    NEUTRAL = "neutral"
    PASS = "pass"  # noqa: S105 - the header's own word, not a password
    FAIL = "fail"
    SOFTFAIL = "softfail"
    TEMPERROR = "temperror"
    PERMERROR = "permerror"


class SpfIdentity(StrEnum):
    """The identity that was checked, in the words of the Received-SPF field. RFC 7208 9.1."""

    HELO = "helo"
    MAIL_FROM = "mailfrom"


_NONE, _NEUTRAL, _PASS, _FAIL = SpfStatus.NONE, SpfStatus.NEUTRAL, SpfStatus.PASS, SpfStatus.FAIL
_SOFT, _TEMP, _PERM = SpfStatus.SOFTFAIL, SpfStatus.TEMPERROR, SpfStatus.PERMERROR


class SpfReason(StatusReason):
    """Why an identity has its status: ``id``, ``status``, ``section`` and a sentence for people."""

    PERMITTED = ("permitted", _PASS, "RFC 7208 2.6.3", N_("the domain lets this host send"))
    NOT_PERMITTED = ("not_permitted", _FAIL, "RFC 7208 2.6.4", N_("the domain does not let this host send"))
    PROBABLY_NOT = ("probably_not", _SOFT, "RFC 7208 2.6.5", N_("the domain says that this host probably may not send"))
    NOT_ASSERTED = ("not_asserted", _NEUTRAL, "RFC 7208 2.6.2", N_("the domain says neither yes nor no for this host"))
    NO_MATCH = ("no_match", _NEUTRAL, "RFC 7208 4.7", N_("no term of the record matches this host"))

    NO_ADDRESS = ("no_address", _NONE, "RFC 7208 4.1", N_("the client has no IP address"))
    NO_DOMAIN = ("no_domain", _NONE, "RFC 7208 4.3", N_("the identity has no full domain name"))
    NO_SUCH_DOMAIN = ("no_such_domain", _NONE, "RFC 7208 4.3", N_("DNS has no such domain"))
    NO_RECORD = ("no_record", _NONE, "RFC 7208 4.5", N_("the domain publishes no SPF record"))
    BEHIND_RELAY = ("behind_relay", _NONE, "RFC 7208 2.5", N_("a relay of ours brought it, and does not say clearly from which host"))

    RECORD_UNAVAILABLE = ("record_unavailable", _TEMP, "RFC 7208 4.4", N_("DNS did not give the record now"))
    TERM_UNAVAILABLE = ("term_unavailable", _TEMP, "RFC 7208 5", N_("DNS did not give now what a term asks for"))

    BUDGET_SPENT = ("budget_spent", _TEMP, "RFC 7208 4.6.4", N_("the time or the questions for one message were used up"))

    SEVERAL_RECORDS = ("several_records", _PERM, "RFC 7208 4.5", N_("the domain publishes more than one SPF record"))
    RECORD_TOO_LONG = ("record_too_long", _PERM, "RFC 7208 3.4", N_("the record is longer than what is read"))
    NOT_ASCII = ("not_ascii", _PERM, "RFC 7208 3.1", N_("the record is not plain ASCII"))
    TERM_UNKNOWN = ("term_unknown", _PERM, "RFC 7208 4.6.1", N_("a term that is no mechanism and no modifier"))
    TERM_SYNTAX = ("term_syntax", _PERM, "RFC 7208 4.6.1", N_("a term is written in a way that its grammar does not allow"))
    DOMAIN_SYNTAX = ("domain_syntax", _PERM, "RFC 7208 7.1", N_("the domain of a term is malformed"))
    MACRO_SYNTAX = ("macro_syntax", _PERM, "RFC 7208 7.1", N_("the value of a modifier is malformed"))
    NETWORK_SYNTAX = ("network_syntax", _PERM, "RFC 7208 5.6", N_("a term holds no IP network"))
    MODIFIER_TWICE = ("modifier_twice", _PERM, "RFC 7208 6", N_("a modifier that may stand once stands twice"))
    INCLUDE_NONE = ("include_none", _PERM, "RFC 7208 5.2", N_("an included domain publishes no SPF record"))
    REDIRECT_NONE = ("redirect_none", _PERM, "RFC 7208 6.1", N_("the domain that the record redirects to publishes no SPF record"))
    TOO_MANY_TERMS = ("too_many_terms", _PERM, "RFC 7208 4.6.4", N_("more than ten terms ask DNS"))
    TOO_MANY_VOID = ("too_many_void", _PERM, "RFC 7208 4.6.4", N_("more than two terms ask DNS for what is not there"))
    TOO_MANY_MX = ("too_many_mx", _PERM, "RFC 7208 4.6.4", N_("a domain has more than ten mail servers"))

    status: SpfStatus


class SpfCause(NamedTuple):
    """What led to a result: the reason, and the way to it from the first record, through includes and redirects, to the deciding term.

    ``path`` has a pair for each step: the domain whose record it is, and the term in it, "" for the record as a whole. ``detail`` says what
    was met: a name that DNS did not answer for, or what is wrong with a term.
    """

    reason: SpfReason
    path: tuple[tuple[str, str], ...] = ()
    detail: str = ""

    @property
    def mechanism(self) -> str:
        """The mechanism that matched, of the record that stands for the domain; "default" for none. RFC 7208 9.1."""
        if self.reason not in _MATCHED:
            return "default"
        return next((term for _, term in self.path if not term.startswith("redirect=")), "default")

    @property
    def place(self) -> str:
        """The way as one line: ``include:_spf.example.net at example.org, ip4:192.0.2.1 at _spf.example.net``."""
        return ", ".join(f"{term} at {domain}" if term else domain for domain, term in self.path)

    def __str__(self) -> str:
        parts = "; ".join(filter(None, (f"matched {self.place}" if self.reason in _MATCHED else self.place, self.detail)))
        return f"{self.reason.sentence} ({parts})" if parts else self.reason.sentence


_MATCHED = {SpfReason.PERMITTED, SpfReason.NOT_PERMITTED, SpfReason.PROBABLY_NOT, SpfReason.NOT_ASSERTED}


class SpfResult(NamedTuple):
    """The result for one identity.

    ``domain`` is the <domain> that was checked, None when there was none to check; ``sender`` the <sender> of check_host(), as given where
    it could not be read; ``explanation`` what to tell a sender that failed, ASCII, "" for none; the words of a stranger (RFC 7208 6.2).
    """

    cause: SpfCause
    identity: SpfIdentity
    domain: Domain | None
    sender: str
    explanation: str = ""

    @property
    def status(self) -> SpfStatus:
        """The header's own word, forced by the reason."""
        return self.cause.reason.status

    @property
    def reason(self) -> SpfReason:
        """The reason, without its way."""
        return self.cause.reason


class SpfCheck(NamedTuple):
    """The results of one message: ``helo`` and ``mail_from``. With an empty MAIL FROM the latter is of postmaster@helo. RFC 7208 2.4."""

    helo: SpfResult
    mail_from: SpfResult
