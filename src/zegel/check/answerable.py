"""Whether a test mail may be answered: never a robot, never a list, and nobody who did not prove to be the sender. RFC 3834 2.

An answer goes to the address of MAIL FROM (RFC 3834 4). Anybody can write any there, and a report is large: RFC 3834 2 wants none of those
"without specific knowledge that the request was actually authorized". So its domain must be proven, by SPF or by a DKIM signature of that
domain, and belong to the author's.
"""

from __future__ import annotations

from zegel.dkim.header import Header
from zegel.dmarc.psl import organizational_domain
from zegel.grammar.address import AddressError, Mailbox, mailboxes
from zegel.reason import Reason
from zegel.spf.result import SpfStatus
from zegel.verdict.authenticate import Verdict
from zegel.verdict.evidence import counts
from zegel.words import N_


class Refused(Reason):
    """Why a test mail gets no answer: ``id``, ``section`` and a sentence for people."""

    BOUNCE = ("bounce", "RFC 3834 2", N_("it has the empty sender of a bounce"))
    SENDER_SYNTAX = ("sender_syntax", "RFC 5321 4.1.2", N_("its sender is no address"))
    OWN_ADDRESS = ("own_address", "RFC 3834 2", N_("it comes from the address that answers"))
    ROBOT = ("robot", "RFC 3834 2", N_("its sender is one that people do not write from"))
    AUTOMATIC = ("automatic", "RFC 3834 5", N_("a program wrote it (Auto-Submitted)"))
    LIST = ("list", "RFC 3834 2", N_("it came over a mailing list"))
    BULK = ("bulk", "RFC 3834 2", N_("it says that it is bulk mail (Precedence)"))
    NOT_PROVEN = ("not_proven", "RFC 3834 2", N_("neither SPF nor DKIM proves the domain of its sender"))
    NOT_ALIGNED = ("not_aligned", "RFC 9989 4.4", N_("its sender's domain is not that of the author"))
    SENDER_PAUSE = ("sender_pause", "RFC 3834 2", N_("this sender got an answer a short time ago"))
    DOMAIN_LIMIT = ("domain_limit", "RFC 3834 2", N_("its domain got as many answers as one may have in an hour"))
    LIMIT = ("limit", "RFC 3834 2", N_("there were as many answers as there may be in an hour"))
    BUSY = ("busy", "RFC 3834 2", N_("too many answers are being written now"))
    NO_KEY = ("no_key", "RFC 6376 5.2", N_("there is no key to sign the answer with"))


_LISTS = frozenset(
    ("list-id", "list-post", "list-help", "list-unsubscribe", "list-subscribe", "list-owner", "list-archive", "mailing-list")
)
_BULK = frozenset(("bulk", "list", "junk", "auto_reply", "auto-reply"))
_ROBOTS = ("mailer-daemon", "postmaster", "no-reply", "noreply", "no_reply", "donotreply", "do-not-reply", "bounce", "bounces")


def whom(header: Header, verdict: Verdict, ours: Mailbox) -> Mailbox | Refused:
    """Whom to answer, or why nobody. ``ours`` is the address that answers."""
    if verdict.evidence.is_bounce:
        return Refused.BOUNCE
    sender = _sender(verdict.evidence.mail_from)
    if sender is None:
        return Refused.SENDER_SYNTAX
    if sender.address.lower() == ours.address.lower():
        return Refused.OWN_ADDRESS
    return _automatic(header, sender) or _proven(verdict, sender) or sender


def _sender(mail_from: str) -> Mailbox | None:
    """The sender as a plain mailbox of ASCII: an answer to another may need what the next server does not have (RFC 6531)."""
    text = mail_from.removeprefix("<").removesuffix(">")
    try:
        (found,) = mailboxes(text.encode("ascii"))
    except (AddressError, UnicodeEncodeError, ValueError):
        return None
    return found if not found.display_name else None


def _automatic(header: Header, sender: Mailbox) -> Refused | None:
    """Mail that no person waits behind. RFC 3834 2: none to -request and owner- addresses either."""
    local = sender.local_part.lower()
    if local in _ROBOTS or local.startswith("owner-") or local.endswith(("-request", "-owner", "-bounces")):
        return Refused.ROBOT
    words = [value.strip().lower().partition(b";")[0].strip() for value in header.values("auto-submitted")]
    if any(word != b"no" for word in words):
        return Refused.AUTOMATIC
    if not _LISTS.isdisjoint(header.layout.keys):
        return Refused.LIST
    precedence = {value.strip().lower().decode("ascii", "replace") for value in header.values("precedence")}
    return Refused.BULK if precedence & _BULK else None


def _proven(verdict: Verdict, sender: Mailbox) -> Refused | None:
    """Whether who gets the answer has proven to be there, and is the author's."""
    checked = verdict.spf.mail_from
    proven = checked.status is SpfStatus.PASS and checked.domain == sender.domain
    proven = proven or any(counts(result) and result.domain is not None and sender.domain.within(result.domain) for result in verdict.dkim)
    if not proven:
        return Refused.NOT_PROVEN
    author = verdict.author.domain
    if author is None or organizational_domain(author) != organizational_domain(sender.domain):
        return Refused.NOT_ALIGNED
    return None
