"""What large mailbox providers ask of those who send much mail to people: Google, Yahoo, Microsoft.

Google's and Microsoft's tests have the codes that their servers refuse with; Yahoo publishes no ids, so these are words of its page. Most
can be seen in a message only: of a domain alone the DNS half is answered, and ``zegel check --message`` answers the rest.
"""

from __future__ import annotations

from zegel.check.item import Item, Level
from zegel.check.profiles.profile import Demand, Need, Profile, not_failed
from zegel.words import N_

_MESSAGE = N_("take a test mail: zegel check --message FILE")
_VOLUME = N_("only the provider sees it: look into its own tool for senders")
_BODY = N_("the link in the text of a newsletter is not looked for")


def _signed(item: Item) -> bool | None:
    """A good key in DNS is half of it; that mail is signed with it, a message shows."""
    if item.id == "dkim.bits":
        return False if item.level is Level.FAIL else None
    return not_failed(item)


def _permitted(item: Item) -> bool | None:
    """The record is half of it; that the server is in it, a message shows."""
    if item.id == "message.spf":
        return not_failed(item)
    return False if item.level is Level.FAIL else None


GOOGLE = Profile(
    "google",
    "Google (Gmail), bulk senders",
    "support.google.com/a/answer/81126, support.google.com/a/answer/14229414",
    (
        Demand("4.7.27", N_("SPF passes"), ("message.spf|spf.record",), _permitted, clear=("spf.syntax", "spf.include"), note=_MESSAGE),
        Demand(
            "4.7.30", N_("DKIM passes, with a key of at least 1024 bits"), ("message.dkim.signature|dkim.bits",), _signed, note=_MESSAGE
        ),
        Demand("4.7.31", N_("there is a DMARC record, at least with p=none"), ("message.dmarc|dmarc.record",), clear=("dmarc.version",)),
        Demand("4.7.32", N_("the domain in From is that of SPF or DKIM (alignment)"), ("message.dmarc",), note=_MESSAGE),
        Demand("4.7.23", N_("the sending server has a name that leads back to it"), ("message.host",), note=_MESSAGE),
        Demand("4.7.29", N_("mail comes over TLS"), ("message.tls",), note=_MESSAGE),
        Demand("rfc5322", N_("the message has the form of RFC 5322"), ("message.form",), clear=("message.form.repeated",), note=_MESSAGE),
        Demand("one-click", N_("mail to subscribers has one-click unsubscribe"), ("message.unsubscribe",), note=_MESSAGE),
        Demand("unsubscribe-link", N_("a link to unsubscribe can be seen in the text"), note=_BODY),
        Demand("spam-rate", N_("fewer than 0.3 percent of people call it spam"), note=_VOLUME),
        Demand("dkim-2048", N_("keys have 2048 bits"), ("message.dkim.bits|dkim.bits",), need=Need.SHOULD),
    ),
)

YAHOO = Profile(
    "yahoo",
    "Yahoo, bulk senders",
    "senders.yahooinc.com/best-practices",
    (
        Demand("spf", N_("SPF passes"), ("message.spf|spf.record",), _permitted, clear=("spf.syntax", "spf.include"), note=_MESSAGE),
        Demand("dkim", N_("DKIM passes"), ("message.dkim.signature|dkim.bits",), _signed, note=_MESSAGE),
        Demand("dmarc", N_("there is a DMARC record, at least with p=none"), ("message.dmarc|dmarc.record",), clear=("dmarc.version",)),
        Demand("alignment", N_("the domain in From is that of SPF or DKIM (alignment)"), ("message.dmarc",), note=_MESSAGE),
        Demand("dmarc-rua", N_("reports about DMARC go somewhere"), ("reports.rua",), need=Need.SHOULD),
        Demand("reverse-dns", N_("the sending server has a name that leads back to it"), ("message.host",), note=_MESSAGE),
        Demand("rfc5322", N_("the message has the form of RFC 5322"), ("message.form",), clear=("message.form.repeated",), note=_MESSAGE),
        Demand("one-click", N_("mail to subscribers has one-click unsubscribe"), ("message.unsubscribe",), note=_MESSAGE),
        Demand("honor", N_("who unsubscribes gets nothing more after two days"), note=_VOLUME),
        Demand("spam-rate", N_("fewer than 0.3 percent of people call it spam"), note=_VOLUME),
    ),
)

_REFUSES = "550 5.7.515"
MICROSOFT = Profile(
    "microsoft",
    "Microsoft (Outlook.com, Hotmail), bulk senders",
    "techcommunity.microsoft.com, Outlook's requirements for high-volume senders (in force since 5 May 2025)",
    (
        Demand(
            f"{_REFUSES} SPF", N_("SPF passes"), ("message.spf|spf.record",), _permitted, clear=("spf.syntax", "spf.include"), note=_MESSAGE
        ),
        Demand(f"{_REFUSES} DKIM", N_("DKIM passes"), ("message.dkim.signature|dkim.bits",), _signed, note=_MESSAGE),
        Demand(
            f"{_REFUSES} DMARC",
            N_("there is a DMARC record, at least with p=none"),
            ("message.dmarc|dmarc.record",),
            clear=("dmarc.version",),
        ),
        Demand(f"{_REFUSES} alignment", N_("the domain in From is that of SPF or DKIM (alignment)"), ("message.dmarc",), note=_MESSAGE),
        Demand("sender-address", N_("the address in From can take an answer"), ("mx.record",), need=Need.SHOULD),
        Demand(
            "unsubscribe", N_("mail to subscribers can be unsubscribed from"), ("message.unsubscribe",), need=Need.SHOULD, note=_MESSAGE
        ),
        Demand("hygiene", N_("lists are kept clean of addresses that bounce"), need=Need.SHOULD, note=_VOLUME),
    ),
)
