"""What the settings of a site may be, and how the table has them. Each refusal says what to write instead.

A site sends as addresses of its own organisation's domains only, and a user of the system is of one site only: both are looked up here.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, Literal, TypedDict

from sqlalchemy import select

from zegel.grammar.address import AddressError, mailboxes
from zegel.grammar.domain import Domain
from zegel.store import organisations, schema
from zegel.store.errors import StoreError
from zegel.store.near import near
from zegel.store.transaction import Transaction
from zegel.words import N_

Foreign = Literal["correct", "refuse"]
WouldFail = Literal["warn", "refuse"]
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}", re.ASCII)
_MAX_ADDRESS = 254  # RFC 5321 4.5.3.1.3: 256 with the angle brackets
_MAX_LOCAL = 64  # RFC 5321 4.5.3.1.1
_MAX_LIST, _MAX_RATE = 100, 1_000_000


class Settings(TypedDict, total=False):
    """What whoever runs a site may set of it: see :class:`zegel.store.sites.Site`."""

    organisation: str
    address: str
    contact: str
    senders: Sequence[str]
    networks: Sequence[str]
    recipients: Sequence[str]
    foreign_from: Foreign
    would_fail: WouldFail
    rate: int
    visitor_rate: int
    unix_user: str | None


def columns(tx: Transaction, name: str, settings: Settings) -> dict[str, Any]:
    """All settings of the site of that name, in their one spelling, as columns of its row. Raises StoreError for what cannot be."""
    organisation, unix_user = settings["organisation"], settings["unix_user"]
    owner = organisations.row_id(tx, organisation)
    _check_user(tx, name, unix_user)
    for rate in (settings["rate"], settings["visitor_rate"]):
        if not 0 <= rate <= _MAX_RATE:
            raise StoreError(N_("a rate is a number of messages an hour, from 1 to 1000000, or 0 for no bound"))
    return {
        "organisation_id": owner,
        "address": _own(tx, _address(settings["address"]), owner, organisation),
        "senders": _list(_own(tx, _sender(text), owner, organisation) for text in settings["senders"]),
        "networks": _list(map(_network, settings["networks"])),
        "recipients": _list(map(_sender, settings["recipients"])),
        "foreign_from": settings["foreign_from"],
        "would_fail": settings["would_fail"],
        "rate": settings["rate"],
        "visitor_rate": settings["visitor_rate"],
        "contact": _address(settings["contact"]),
        "unix_user": unix_user,
    }


def _check_user(tx: Transaction, name: str, unix_user: str | None) -> None:
    if unix_user is None:
        return
    if not _USER.fullmatch(unix_user):
        raise StoreError(N_("{name!r} is no user of this system; write one such as www-data"), name=unix_user[:64])
    table = schema.sites
    taken = tx.connection.execute(select(table.c.name).where(table.c.unix_user == unix_user, table.c.name != name)).scalar()
    if taken is not None:
        sentence = N_("the user {user} belongs to the site {name} already; a user can be of one site only")
        raise StoreError(sentence, user=unix_user, name=taken)


def _own(tx: Transaction, sender: str, owner: int, organisation: str) -> str:
    """A sender whose domain is of this organisation: itself, or below one that signs for names below it. Raises StoreError."""
    domain = Domain.parse(sender.rpartition("@")[2])
    table = schema.domains
    names = [domain, *domain.parents]
    query = select(table.c.name, table.c.organisation_id, table.c.sign_subdomains).where(table.c.name.in_(names))
    known = {row.name: row for row in tx.connection.execute(query)}
    nearest = next((known[name] for name in names if name in known), None)
    if nearest is None or not (nearest.name == domain or nearest.sign_subdomains):
        if meant := near(tx, table.c.name, domain):
            sentence = N_(
                "{domain} is not in the store, and nothing would be signed; did you mean {meant}? If not: zegel domain add {domain}"
            )
            raise StoreError(sentence, domain=domain, meant=meant)
        raise StoreError(
            N_("{domain} is not in the store, and nothing would be signed; add it first: zegel domain add {domain}"), domain=domain
        )
    if nearest.organisation_id != owner:
        sentence = N_("{domain} is not a domain of the organisation {organisation}; a site writes in its own organisation's name only")
        raise StoreError(sentence, domain=domain, organisation=organisation)
    return sender


def _address(text: str) -> str:
    """An address in its one spelling. Raises StoreError."""
    try:
        found = mailboxes(text.encode())
    except (AddressError, UnicodeError):
        found = []
    # ASCII: the next hop may lack SMTPUTF8, and this address must work everywhere.
    sound = len(found) == 1 and not found[0].display_name and found[0].address.isascii()
    if not sound or len(found[0].address) > _MAX_ADDRESS or len(found[0].local_part) > _MAX_LOCAL:
        raise StoreError(N_("{text!r} is no address; write one such as noreply@example.be"), text=text[:_MAX_ADDRESS])
    return found[0].address


def _sender(text: str) -> str:
    """An address, or a domain in its one spelling. Raises StoreError."""
    if "@" in text:
        return _address(text)
    try:
        return str(Domain.parse(text))
    except ValueError:
        raise StoreError(N_("{text!r} is neither an address nor a domain; write info@example.be or example.be"), text=text[:253]) from None


def _network(text: str) -> str:
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        raise StoreError(N_("{text!r} is no network; write one such as 192.0.2.0/24"), text=text[:50]) from None
    if not network.prefixlen:
        raise StoreError(N_("{text} is every address there is; leave the network out to let the site log in from anywhere"), text=text)
    return str(network)


def _list(texts: Iterable[str]) -> str:
    listed = list(dict.fromkeys(texts))
    if len(listed) > _MAX_LIST:
        raise StoreError(N_("a site has at most {most} senders, networks or recipients; list domains instead of addresses"), most=_MAX_LIST)
    return json.dumps(listed)
