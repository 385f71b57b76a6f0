"""The messages of the demo: what each plays, and what must come of it. All names and addresses are reserved examples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from zegel.adapters.mta import Handled, MailServer
from zegel.config import Listen
from zegel.words import N_

OURS, PARTNER, IMITATION, LETTERS = "town.example", "partner.example", "partner-invoices.example", "letters.example"
SERVER = "mx.town.example"
DESK, PORTAL = "desk", "town-portal"  # a program of ours, and our website
FORMS = f"forms@{OURS}"
# What DNS says of them, besides the keys.
RECORDS = f"""\
{OURS}. TXT "v=spf1 ip4:192.0.2.10 -all"
_dmarc.{OURS}. TXT "v=DMARC1; p=reject"
{PARTNER}. TXT "v=spf1 ip4:198.51.100.20 -all"
_dmarc.{PARTNER}. TXT "v=DMARC1; p=quarantine"
{IMITATION}. TXT "v=spf1 ip4:203.0.113.66 -all"
_dmarc.{IMITATION}. TXT "v=DMARC1; p=reject"
{LETTERS}. TXT "v=spf1 ip4:198.51.100.30 -all"
_dmarc.{LETTERS}. TXT "v=DMARC1; p=none"
"""
_ANSWER_SECONDS = 5.0


def _mail(date: str, author: str, to: str, subject: str, rest: str) -> bytes:
    head = f"Date: Sat, 21 Nov 2026 {date} +0100\r\nFrom: {author}\r\nTo: {to}\r\nSubject: {subject}\r\n"
    return (head + rest).encode()


_PLAIN = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n"
_OURS = _mail(
    "10:00:00",
    f"Town desk <desk@{OURS}>",
    "citizen@inbox.example",
    "Your appointment",
    f"Message-ID: <1@{OURS}>\r\n{_PLAIN}Your appointment is on Tuesday at 10.\r\n",
)
_FORGED = f"Authentication-Results: {SERVER}; dkim=pass header.d={OURS}\r\n".encode() + _mail(
    "10:01:00",
    f"The director <director@{OURS}>",
    f"accounts@{OURS}",
    "Urgent payment",
    f"Message-ID: <2@attacker.example>\r\n{_PLAIN}Pay 18,400 euro today.\r\n",
)
_PARTNER_MAIL = _mail(
    "10:02:00",
    f"Invoices <invoices@{PARTNER}>",
    f"accounts@{OURS}",
    "Invoice 2026-114",
    f"Message-ID: <3@{PARTNER}>\r\n{_PLAIN}Our invoice is attached.\r\n",
)
_IMITATION = _PARTNER_MAIL.replace(f"@{PARTNER}".encode(), f"@{IMITATION}".encode()).replace(b"10:02", b"10:03")
_NEWSLETTER = _mail(
    "10:04:00",
    f"News <news@{LETTERS}>",
    f"info@{OURS}",
    "News of November",
    f"Message-ID: <4@{LETTERS}>\r\nList-Id: <news.{LETTERS}>\r\n{_PLAIN}The news of the month.\r\n",
)
_FORM = _mail(
    "10:06:00",
    "Jan Peeters <jan@inbox.example>",
    f"info@{OURS}",
    "Street light",
    f"{_PLAIN}The street light before my door is broken.\r\n",
)
_TWO_AUTHORS = f"From: The director <director@{OURS}>\r\n".encode() + _mail(
    "10:05:00",
    "Somebody <somebody@attacker.example>",
    f"accounts@{OURS}",
    "Urgent payment",
    f"Message-ID: <5@attacker.example>\r\n{_PLAIN}Pay 18,400 euro today.\r\n",
)


@dataclass(frozen=True, slots=True)
class Client:
    """Who hands a message over: a name and an address."""

    name: str
    address: str


_HERE = Client("localhost", "127.0.0.1")
_OUR_SERVER = Client("mail.town.example", "192.0.2.10")
_THEIR_SERVER = Client("mail.partner.example", "198.51.100.20")
_LIST_SERVER = Client("mail.letters.example", "198.51.100.30")
_FORWARDER = Client("mail.elsewhere.example", "198.51.100.7")
_ATTACKER = Client("mail.attacker.example", "203.0.113.66")


@dataclass(frozen=True, slots=True)
class Scene:
    """One message: its title, what makes it, who hands it over for which sender, and the words that must come of it, all of them.

    Of a message of ours ``site`` is the website that sends it. The words are those of the log: the outcome, for a message from outside its
    reason and results, and the ids of its marks; and "forgery removed".
    """

    title: str
    message: Callable[[Mapping[str, bytes]], bytes]
    client: Client
    sender: str
    wanted: frozenset[str]
    keep_as: str = ""
    site: str = ""

    @property
    def outbound(self) -> bool:
        """True for mail that is ours to sign: it comes from a website or program of ours, through the relay."""
        return bool(self.site)


def scenes(sign_as_partner: Callable[[bytes], bytes]) -> list[Scene]:
    """The scenes in their order; a later one may use what an earlier one has made."""

    def altered(kept: Mapping[str, bytes]) -> bytes:
        return kept["signed"].replace(b"at 10", b"at 11")

    passes, fails = "accepted nothing_against dmarc=pass", "quarantined policy_reject dmarc=fail"
    desk, invoices = f"desk@{OURS}", f"invoices@{PARTNER}"
    return [
        _sent(N_("Our own mail, sent through the relay"), _OURS, DESK, desk, "signed would_pass=yes", keep_as="signed"),
        _sent(
            N_("The form of our website, in the name of who filled it in"),
            _FORM,
            PORTAL,
            "jan@inbox.example",
            "signed would_pass=yes corrected",
        ),
        _scene(N_("Our own mail, as a receiver gets it"), lambda kept: kept["signed"], _OUR_SERVER, desk, f"{passes} spf=pass dkim=pass"),
        _scene(N_("Our own mail, altered on the way"), altered, _FORWARDER, desk, f"{fails} spf=fail dkim=fail imitates_us"),
        _scene(
            N_("A forged invoice of our director, with a forged result"),
            lambda _: _FORGED,
            _ATTACKER,
            "x@attacker.example",
            f"{fails} spf=none dkim=none imitates_us forgery_removed",
        ),
        _scene(
            N_("A partner's invoice, signed"),
            lambda _: sign_as_partner(_PARTNER_MAIL),
            _THEIR_SERVER,
            invoices,
            f"{passes} spf=pass dkim=pass",
        ),
        _scene(
            N_("An imitation of the partner, from a domain of its own"),
            lambda _: _IMITATION,
            _ATTACKER,
            f"invoices@{IMITATION}",
            f"{passes} spf=pass dkim=none added_word",
        ),
        _scene(N_("A newsletter, unsigned"), lambda _: _NEWSLETTER, _LIST_SERVER, f"bounce@{LETTERS}", f"{passes} spf=pass dkim=none"),
        _scene(
            N_("A message with two From fields"),
            lambda _: _TWO_AUTHORS,
            _ATTACKER,
            "x@attacker.example",
            "quarantined author_untrusted dmarc=permerror spf=none dkim=none",
        ),
        _sent(N_("A program of ours, writing as somebody else"), _PARTNER_MAIL, DESK, invoices, "refused not_ours"),
    ]


def _scene(
    title: str, message: Callable[[Mapping[str, bytes]], bytes], client: Client, sender: str, wanted: str, keep_as: str = ""
) -> Scene:
    return Scene(title, message, client, sender, frozenset(wanted.split()), keep_as)


def _sent(title: str, message: bytes, site: str, sender: str, wanted: str, keep_as: str = "") -> Scene:
    return Scene(title, lambda _: message, _HERE, sender, frozenset(wanted.split()), keep_as, site)


def play(scene: Scene, address: Listen, kept: dict[str, bytes], number: int) -> Handled:
    """Hand the scene's message to the milter as a mail server does. Raises OSError when the milter is not there."""
    client = scene.client
    with MailServer(address, timeout=_ANSWER_SECONDS) as server:
        server.connect(client.name, client.address, 40_000 + number, client.name, {"j": SERVER, "{daemon_name}": SERVER})
        return server.send(scene.message(kept), scene.sender, f"someone@{OURS}", {"i": queue_id(number)})


def queue_id(number: int) -> str:
    """The name under which the mail server has the message."""
    return f"DEMO{number}"
