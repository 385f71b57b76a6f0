"""The messages of the demo: what each plays, and what must come of it. All names are reserved examples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from zegel.adapters.mta import Handled, MailServer
from zegel.config import Listen
from zegel.grammar import taglist
from zegel.words import N_

OURS, PARTNER, SERVER = "town.example", "partner.example", "mx.town.example"
LOGIN = "desk"
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
_NEWSLETTER = _mail(
    "10:03:00",
    "News <news@letters.example>",
    f"info@{OURS}",
    "News of November",
    f"Message-ID: <4@letters.example>\r\nList-Id: <news.letters.example>\r\n{_PLAIN}The news of the month.\r\n",
)


@dataclass(frozen=True, slots=True)
class Scene:
    """One message: its title, what makes it, who hands it over, and the words that the outcome must hold."""

    title: str
    message: Callable[[Mapping[str, bytes]], bytes]
    sender: str
    outbound: bool
    wanted: str
    deleted: int = 0
    keep_as: str = ""


def scenes(sign_as_partner: Callable[[bytes], bytes]) -> list[Scene]:
    """The scenes in their order; a later one may use what an earlier one has made."""
    return [
        Scene(N_("Our own mail, sent with a login"), lambda _: _OURS, f"desk@{OURS}", True, "signed", keep_as="signed"),
        Scene(N_("The same mail, as a receiver gets it"), lambda kept: kept["signed"], f"desk@{OURS}", False, "dkim=pass"),
        Scene(
            N_("The same mail, altered on the way"),
            lambda kept: kept["signed"].replace(b"at 10", b"at 11"),
            f"desk@{OURS}",
            False,
            "dkim=fail",
        ),
        Scene(
            N_("A forgery of our director, with a forged result"), lambda _: _FORGED, "x@attacker.example", False, "dkim=none", deleted=1
        ),
        Scene(N_("A partner's invoice, signed"), lambda _: sign_as_partner(_PARTNER_MAIL), f"invoices@{PARTNER}", False, "dkim=pass"),
        Scene(N_("A newsletter, unsigned"), lambda _: _NEWSLETTER, "bounce@letters.example", False, "dkim=none"),
        Scene(N_("Our login, writing as somebody else"), lambda _: _PARTNER_MAIL, f"invoices@{PARTNER}", True, "not signed"),
    ]


def play(scene: Scene, address: Listen, kept: dict[str, bytes], number: int) -> Handled:
    """Hand the scene's message to the milter as a mail server does. Raises OSError when the milter is not there."""
    with MailServer(address, timeout=_ANSWER_SECONDS) as server:
        if scene.outbound:
            server.connect("desk.town.example", "192.0.2.10", 40_001, "desk", {"j": SERVER, "{daemon_name}": "submission"})
            macros = {"i": f"DEMO{number}", "{auth_type}": "PLAIN", "{auth_authen}": LOGIN}
        else:
            server.connect(
                "mail.elsewhere.example", "198.51.100.7", 40_002, "mail.elsewhere.example", {"j": SERVER, "{daemon_name}": SERVER}
            )
            macros = {"i": f"DEMO{number}"}
        handled = server.send(scene.message(kept), scene.sender, f"someone@{OURS}", macros)
    if scene.keep_as:
        kept[scene.keep_as] = handled.message
    return handled


def outcome(handled: Handled) -> str:
    """What the milter did, in the words that a scene wants: "signed", "not signed" or the result that was written."""
    if handled.action != "accept":
        return f"{handled.action} {handled.text}".strip()
    for field in handled.inserted:
        if field.key == b"dkim-signature":
            return "signed"
        if field.key == b"authentication-results":
            return " ".join(field.value.decode("ascii", "replace").split())
    return "not signed"


def signatures(handled: Handled) -> list[dict[str, str]]:
    """The tags of the DKIM-Signature fields that were put in front."""
    return [taglist.parse(field.value) for field in handled.inserted if field.key == b"dkim-signature"]
