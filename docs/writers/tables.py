"""What the log, the counters and the reasons say, read from the journal and the tables of reasons themselves.

The journal of a daemon is made to write one line of each kind; a field that has no meaning written here is an error.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

import zegel
from zegel.adapters.journal import About, Journal, set_up_log
from zegel.adapters.postlog import PostLog
from zegel.arc.result import ArcReason, ArcResult
from zegel.check.answerable import Refused
from zegel.dkim.result import DkimReason, DkimResult
from zegel.dkim.sign import hop_may_break
from zegel.dmarc.faults import Fault
from zegel.dmarc.result import DmarcReason
from zegel.grammar.domain import Domain
from zegel.spf.result import SpfReason
from zegel.submission.sender import ForeignReason
from zegel.submission.unfit import Unfitness
from zegel.verdict.authenticate import Verdict
from zegel.verdict.author import AuthorReason
from zegel.verdict.lookalike import LookAlikeKind
from zegel.verdict.own import ImitatesUs
from zegel.verdict.policy import ActionReason
from zegel.verdict.unsigned import UnsignedReason

_GATEWAY = Path(zegel.__file__).parent / "gateway"
_OWN_ID = re.compile(r'\brefused\(about,\s*"(\w+)"')
_RELAY_IDS = {
    "gateway/relay.py": re.compile(r'reason="(\w+)"'),
    "gateway/desk.py": re.compile(r'"(login_\w+)"'),
    "smtp/session.py": re.compile(r'(?:Aborted\(|misuse\()"(\w+)"'),
    "smtp/conversation.py": re.compile(r'^    "(\w+)": ".*",$', re.MULTILINE),
}
_QUOTED = re.compile(r'"(?:\\.|[^"\\])*"')
_TRACEBACK = re.compile(rf"exception={_QUOTED.pattern}")

FIELDS = {
    "event": (
        "What became of the message: signed, verified, or a sentence that begins with not signed or refused. Other lines are of the daemon."
    ),
    "queue_id": "Postfix's queue id, to find the message in its own log; of mail of a site, that of Zegel's outbox.",
    "route": (
        "How the message came: login (with SASL), network (an address of [[outbound.allow]]), local (this machine itself), "
        "reinjected (back from a content filter) or inbound (all else). Of mail of a site, the door: smtp, sendmail, django or test."
    ),
    "client": "The client's address, local where there is none.",
    "login": "The SASL login.",
    "site": "The site whose mail it is: zegel site list.",
    "would_pass": "Whether mail of a site would pass at its receivers: yes, no or unknown, with the reason.",
    "original": "The From that the site wrote, where it was corrected.",
    "failures": "Logins from this address that have failed lately.",
    "mail_from": "The envelope sender; absent for a bounce.",
    "keys": "The keys that signed, by their names in DNS.",
    "warning": "Why a hop on the way may break the signature: 8-bit data, a line of over 998 octets, or a CR or LF alone in the body.",
    "reason": "The stable id of why a message was not signed or was refused, or why that happened to a message from outside.",
    "outcome": "What happened to a message from outside: accepted, quarantined, deferred or refused.",
    "would": "What would have happened to it in the mode reject, where that is something else.",
    "from": "The domain of its author (From), or - where From cannot be trusted.",
    "marks": "What people should see: imitates_us, or the kinds of look-alike, by their ids.",
    "dmarc": "The DMARC result, with its reason where it is not pass.",
    "spf": "The SPF result for the envelope sender, and its domain.",
    "arc": "The result for the ARC chain, where there is one.",
    "dkim": "The result for each signature, with domain, selector and reason; the first five. none: no signature.",
    "forged_results_removed": "Authentication-Results fields in your own name that were taken out.",
    "error": "A fault of Zegel's own; the message was deferred (451).",
    "exception": "Where in the program the fault happened.",
    "key": "The key that it is about, by its name in DNS.",
    "record": "The name at which its record is published: another than its own where it has a delegation slot.",
    "state": "The state of that key from now on.",
    "why": "What the authoritative servers have instead of its record.",
    "generation": "The number of the last change to domains or keys.",
    "recipients": "How many recipients a line about the outbox is about.",
    "server": "The next hop that answered.",
    "answer": "What it said, or what went wrong on the way to it.",
    "destination": "The domain whose servers could not be reached.",
    "kind": "What a notice says: failed or delayed.",
    "about": "The queue id of the message that a notice is about.",
    "level": "info, warning or error.",
}
NOT_SIGNED = {
    "checked_before": "It carries your own Authentication-Results, so it came in from outside, or somebody forged that.",
    "from_count": "It has no From field, or several.",
    "from_several": "Its From names several domains.",
    "from_syntax": "Its From cannot be read.",
    "header_malformed": "A line of its header is no field, or has a bare CR: readers may differ on what it says.",
    "header_too_large": "Its header is larger than limits.header_bytes.",
    "no_key": "There is no active key for its From domain: zegel key list.",
    "not_allowed": "No [[outbound.allow]] lets this client send as its From.",
    "reinjected": "It comes back from a content filter (outbound.reinjected), and has been signed or checked before.",
    "too_many_claims": "Refused (550): more than 500 Authentication-Results fields claim your name.",
}


RELAY = {
    "bare_line_end": "A CR or LF stands alone in it: every line of a message ends in CRLF.",
    "http": "A web browser, or a program in its place, spoke to the relay. The connection ended.",
    "login_too_often": "Too many logins from this address, or with this name, wait already (454). Nothing was looked at.",
    "login_wrong": "Name or secret are wrong, or the site may not log in from this address, or it is disabled.",
    "no_recipients": "It has no recipients.",
    "not_stored": "The outbox could not be written (451); the log says why.",
    "outbox_full": "The outbox has no room (452).",
    "pipelining": "Commands came before their turn. The connection ended.",
    "recipient_not_allowed": "The site may not write to one of its recipients: zegel site show.",
    "site_disabled": "The site is disabled: zegel site enable.",
    "site_rate": "The site has sent its messages of this hour (450).",
    "starttls_injection": "Octets stood behind STARTTLS, before the handshake. They were thrown away, and the connection ended.",
    "too_large": "It is larger than relay.max_size or outbox.max_message_bytes.",
    "too_many_recipients": "It has more recipients than relay.max_recipients.",
    "loop": "It has more than 100 Received fields: servers hand it to one another in a circle.",
    "visitor_rate": "A visitor of the site has sent his messages of this hour (450).",
    "would_fail_...": "It would not pass at its receivers, for the DKIM or DMARC reason of that id. The site's setting warns or refuses.",
}


@dataclass(frozen=True, slots=True)
class Chapter:
    """A table of causes: ``enum`` is that of the code, ``about`` the paragraphs before it; ``statuses`` is where their words come from."""

    title: str
    enum: type[Enum]
    statuses: str = ""
    about: str = ""

    @property
    def causes(self) -> list[tuple[str, tuple[str, ...], str, str]]:
        """Id, status (none where the table has none), sentence and section of each, in the order of the code."""
        members: Iterable[Any] = self.enum
        return [(cause.id, (cause.status,) if self.statuses else (), cause.sentence, cause.section) for cause in members]


CHAPTERS = (
    Chapter("DKIM: why a signature has its status", DkimReason, "RFC 8601 2.7.1"),
    Chapter("SPF: why an identity has its status", SpfReason, "RFC 8601 2.7.2", "HELO and MAIL FROM are two results."),
    Chapter("ARC: why a chain has its status", ArcReason, "RFC 8617 4.4"),
    Chapter(
        "DMARC: why an author domain has its status",
        DmarcReason,
        "RFC 9989 9.2",
        "Readers of the older RFC 7489 may come to another status (`--psl`, `psl=True`); theirs is told by the same ids.",
    ),
    Chapter(
        "DMARC: what the owner of a record hears",
        Fault,
        about="These are no verdict: what is at fault is ignored, and the rest of the record holds.",
    ),
    Chapter(
        "From: who the author is, or why nobody can be trusted to be",
        AuthorReason,
        about=(
            "Nothing is ever picked out of a From that readers could read in two ways. Most of these are fit for a refusal. Fit for"
            " quarantine, as RFC 5322 allows it or careless software writes it: "
            + ", ".join(f"`{reason.id}`" for reason in AuthorReason if not reason.refuse and reason is not AuthorReason.ONE_AUTHOR)
            + "."
        ),
    ),
    Chapter(
        "Look-alikes: senders that imitate us or a listed partner",
        LookAlikeKind,
        about=f"`{ImitatesUs.id}` ({ImitatesUs.section}) is a name of ours from outside, without an aligned pass. And these:",
    ),
    Chapter(
        "Inbound: what happens to a message, and why",
        ActionReason,
        about="The mode of the site decides how far it goes; a site that only observes accepts, and records the reason.",
    ),
    Chapter(
        "Websites: why a message cannot be made ready to be signed",
        Unfitness,
        about="Refused (554): it would not reach the next hop as it was signed, and may not be changed either.",
    ),
    Chapter(
        "Websites: why a sender is not corrected",
        ForeignReason,
        about="Refused (550): each answer says which address to use.",
    ),
    Chapter(
        "Test mail: why one gets no answer",
        Refused,
        about="They stand in the log, in the line `test mail not answered`. The mail itself is taken as any other.",
    ),
)


@dataclass(frozen=True, slots=True)
class Metric:
    """One counter or gauge: its name as Prometheus has it, its labels, and what it says."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str


def journal() -> tuple[list[str], list[Metric]]:
    """A line of each kind as the daemon writes it, and the metrics. Raises LookupError for a field that FIELDS does not tell."""
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        set_up_log(terminal=False)
        made = Journal()
        _one_of_each(made)
    lines = [_TRACEBACK.sub("exception=...", line) for line in shown.getvalue().splitlines()]
    used = {name for line in lines for name in re.findall(r"(\w+)=", _QUOTED.sub("x", line))}
    if used ^ set(FIELDS):
        raise LookupError(f"FIELDS in {__name__} is not that of the journal: {sorted(used ^ set(FIELDS))}")
    return lines, _metrics(made)


def own_ids() -> dict[str, str]:
    """Why an outbound message is not signed, or a message refused, by id. Raises LookupError where the gateway has others."""
    found = {name for path in _GATEWAY.glob("*.py") for name in _OWN_ID.findall(path.read_text(encoding="utf-8"))}
    found |= {reason.id for reason in UnsignedReason}
    if found != set(NOT_SIGNED):
        raise LookupError(f"NOT_SIGNED in {__name__} is not that of zegel.gateway: {sorted(found ^ set(NOT_SIGNED))}")
    return NOT_SIGNED


def relay_ids() -> dict[str, str]:
    """Why mail of a site is refused, by id. Raises LookupError where the code has others."""
    rooms = ((path, _RELAY_IDS[name]) for name in _RELAY_IDS for path in [Path(zegel.__file__).parent / name])
    found = {name for path, pattern in rooms for name in pattern.findall(path.read_text(encoding="utf-8"))}
    if found != set(RELAY) - {"would_fail_..."}:
        raise LookupError(f"RELAY in {__name__} is not that of the relay: {sorted(found ^ set(RELAY))}")
    return RELAY


def chapters() -> tuple[Chapter, ...]:
    """The tables of causes, in their order on the page. Raises LookupError when the front door has a table that is not among them."""
    exported = {name for name in zegel.__all__ if name.endswith("Reason")}
    told = {chapter.enum.__name__ for chapter in CHAPTERS}
    if not exported <= told:
        raise LookupError(f"CHAPTERS in {__name__} lacks {sorted(exported - told)}")
    return CHAPTERS


def _one_of_each(made: Journal) -> None:
    sent = About("4Wx1Yz0Jqk", "jan@example.be", "login", "192.0.2.7", "jan")
    came = About("4Wx1Z21Bcd", "shop@example.org", "inbound", "198.51.100.25")
    made.note("keys loaded", generation=7)
    made.note("key signs", key="z202611r-k7qd._domainkey.example.be", record="z202611r-k7qd._domainkey.example.be", state="active")
    made.alarm("key in trouble, and signing on", key="z1._domainkey.example.be", why="there is nothing at z1._domainkey.example.be")
    made.signed(
        sent, ["z202611r-k7qd._domainkey.example.be"], "example.be", warning=hop_may_break(b"", b"one line\nand no other\r\n") or ""
    )
    form = About("1K10CQ4ZR1T", "noreply@example.be", "smtp", "192.0.2.80", site="town-portal")
    words = {"would_pass": "yes", "original": "Jan Peeters <jan@example.net>"}
    made.signed(form, ["z202611r-k7qd._domainkey.example.be"], "example.be", words=words)
    made.login_failed("198.51.100.66", "town-portal", "login_wrong", 4)
    made.connection_refused("198.51.100.66", "", "starttls_injection")
    made.not_signed(sent, "not_allowed", "not signed: login jan is not listed for info@example.net; see [[outbound.allow]] in zegel.toml")
    passed = DkimResult(DkimReason.VERIFIED, Domain.parse("example.org"), "s1")
    changed = DkimResult(DkimReason.BODY_CHANGED, Domain.parse("list.example"), "k9")
    made.verified(came, _verdict([passed, changed]), 1)
    made.refused(came, "too_many_claims", "refused: more than 500 Authentication-Results fields claim our name")
    _post(PostLog(made))
    try:
        raise OSError(28, "No space left on device")
    except OSError as error:
        made.fault(error)


def _post(log: PostLog) -> None:
    """What the courier says of a message of a site."""
    server = "smtp.example.net[192.0.2.25]:25"
    log.delivered("1K10D5ZA6FJ", "form", 2, server, "250 2.0.0 Ok: queued as 4Wx1Z3GhkL")
    log.put_off("1K10D5ZA7G2", "form", 1, server, "451 4.7.1 try again later")
    log.failed("1K10D5ZA8QK", "form", 1, server, "550 5.1.1 no such user")
    log.notice("failed", "1K10D5ZA8QK", "1K10D60FC9B")
    log.untold("1K10D60FC9B", "form")
    log.held("example.net", "[192.0.2.25]:25: no connection: Connection refused")
    log.down("[192.0.2.25]:25: no connection: Connection refused")
    log.up()


def _verdict(signatures: list[DkimResult]) -> Verdict:
    """A verdict with all that a line can tell: a forged invoice in our own name, by way of a list."""
    zone = zegel.Zone.from_dict({("_dmarc.example.be", "TXT"): ["v=DMARC1; p=reject"], ("example.org", "TXT"): ["v=spf1 -all"]})
    message = b"From: Invoices <invoices@example.be>\r\n\r\nPay here.\r\n"
    found = zegel.authenticate(
        message,
        ip="198.51.100.25",
        helo="mx.example.org",
        mail_from="shop@example.org",
        resolver=zone,
        own_domains=["example.be"],
        mode="quarantine",
    )
    return replace(found, findings=found.findings._replace(dkim=signatures, arc=ArcResult(ArcReason.INSTANCE_GAP)))


def _metrics(made: Journal) -> list[Metric]:
    found = []
    for family in made.registry.collect():
        kind = str(family.type)
        labels = family.samples[0].labels if family.samples else {}
        name = f"{family.name}_total" if kind == "counter" else family.name
        found.append(Metric(name, kind, tuple(labels), family.documentation))
    return found
