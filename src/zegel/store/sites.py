"""The sites: the websites and programs whose mail the relay takes, each with what it may send, and its secret as a keyed hash.

A secret has 160 bits from the system's dice and is shown once. What is kept is HMAC-SHA-256 of it under a key of the master key: a secret
that nobody chose needs no slow hash, and a copy of the database without the master key is no list to try words against. A site sends as
addresses of its own organisation's domains only, so that one customer's form never writes in the name of another.
"""

from __future__ import annotations

import base64
import hmac
import ipaddress
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import Row, Select, insert, select, update

from zegel.grammar.address import AddressError, mailboxes
from zegel.grammar.domain import Domain
from zegel.store import audit, organisations, schema
from zegel.store.errors import StoreError
from zegel.store.transaction import Transaction, count_change
from zegel.store.vault import Vault
from zegel.words import N_

Foreign = Literal["correct", "refuse"]
WouldFail = Literal["warn", "refuse"]
_SECRET_BYTES = 20
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?", re.ASCII)
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}", re.ASCII)
_MAX_ADDRESS = 254  # RFC 5321 4.5.3.1.3: 256 with the angle brackets
_MAX_LOCAL = 64  # RFC 5321 4.5.3.1.1
_MAX_LIST, _MAX_RATE = 100, 1_000_000


@dataclass(frozen=True, slots=True)
class Site:
    """One site. Times are in seconds since the epoch, rates in messages an hour (0: no bound).

    ``address`` is what a foreign From becomes; ``senders`` (addresses and domains) may stand there besides. ``networks`` are where it may
    log in from (empty: from anywhere), and those of this machine let it in without a login; ``recipients`` (addresses and domains) are all
    that it may write to (empty: anybody). ``contact`` hears of what could not be delivered. ``digest`` is the keyed hash of its secret.
    """

    name: str
    organisation: str
    address: str
    contact: str
    senders: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    recipients: tuple[str, ...] = ()
    foreign_from: Foreign = "correct"
    would_fail: WouldFail = "warn"
    rate: int = 1000
    visitor_rate: int = 20
    unix_user: str | None = None
    created: int = 0
    rotated: int = 0
    disabled: int | None = None
    digest: bytes = field(default=b"", repr=False)

    @property
    def enabled(self) -> bool:
        """True while its mail is taken."""
        return self.disabled is None


def add(
    tx: Transaction,
    name: str,
    *,
    address: str,
    contact: str,
    now: int,
    organisation: str = organisations.DEFAULT,
    senders: Sequence[str] = (),
    networks: Sequence[str] = (),
    recipients: Sequence[str] = (),
    foreign_from: Foreign = "correct",
    would_fail: WouldFail = "warn",
    rate: int = 1000,
    visitor_rate: int = 20,
    unix_user: str | None = None,
) -> tuple[Site, str]:
    """Add a site; returns it and its secret, which is nowhere afterwards. Raises StoreError for what cannot be, with what to do."""
    if not _NAME.fullmatch(name):
        raise StoreError(N_("{name!r} cannot be the name of a site; take a-z, 0-9, dots and hyphens, as in town-portal"), name=name[:63])
    if unix_user is not None and not _USER.fullmatch(unix_user):
        raise StoreError(N_("{name!r} is no user of this system; write one such as www-data"), name=unix_user[:64])
    owner = organisations.row_id(tx, organisation)
    _refuse_taken(tx, name, unix_user)
    _check_rate(rate)
    _check_rate(visitor_rate)
    values: dict[str, Any] = {
        "organisation_id": owner,
        "name": name,
        "address": _own(tx, _address(address), owner, organisation),
        "senders": _list(_own(tx, _sender(text), owner, organisation) for text in senders),
        "networks": _list(map(_network, networks)),
        "recipients": _list(map(_sender, recipients)),
        "foreign_from": foreign_from,
        "would_fail": would_fail,
        "rate": rate,
        "visitor_rate": visitor_rate,
        "contact": _address(contact),
        "unix_user": unix_user,
        "created": now,
        "rotated": now,
    }
    secret = _new_secret()
    tx.connection.execute(insert(schema.sites).values(values | {"secret": digest(tx.vault, name, secret)}))
    count_change(tx)
    audit.note(tx, "site.add", name, now=now, after=_plain(get(tx, name)), of=owner)
    return get(tx, name), secret


def all(tx: Transaction) -> list[Site]:
    """Return all sites, by name."""
    return [_site(row) for row in tx.connection.execute(_rows().order_by(schema.sites.c.name))]


def get(tx: Transaction, name: str) -> Site:
    """Return one site. Raises StoreError when there is none."""
    return _site(_one(tx, name))


def rotate(tx: Transaction, name: str, *, now: int) -> str:
    """Give a site a new secret, which is returned and is nowhere afterwards; the old one no longer serves. Raises StoreError."""
    row, secret = _one(tx, name), _new_secret()
    _change(tx, row, "site.rotate", now=now, secret=digest(tx.vault, row.name, secret), rotated=now)
    return secret


def disable(tx: Transaction, name: str, *, now: int) -> bool:
    """Take no more mail of a site; False when it was so already. Raises StoreError when there is none."""
    row = _one(tx, name)
    if row.disabled is not None:
        return False
    _change(tx, row, "site.disable", now=now, disabled=now)
    return True


def enable(tx: Transaction, name: str, *, now: int) -> bool:
    """Take mail of a site again; False when it was so already. Raises StoreError when there is none."""
    row = _one(tx, name)
    if row.disabled is None:
        return False
    _change(tx, row, "site.enable", now=now, disabled=None)
    return True


def digest(vault: Vault, name: str, secret: str) -> bytes:
    """The keyed hash by which a secret is recognised, bound to the site: copied to another row it serves nobody."""
    return hmac.digest(vault.site_key, name.encode() + b"\0" + secret.encode(), "sha256")


def _new_secret() -> str:
    """32 characters that survive any form: no case, no sign that a shell or a URL knows."""
    return base64.b32encode(os.urandom(_SECRET_BYTES)).decode().lower()


def _change(tx: Transaction, row: Row[Any], action: str, *, now: int, **values: Any) -> None:
    before = _plain(_site(row))
    tx.connection.execute(update(schema.sites).where(schema.sites.c.id == row.id).values(**values))
    count_change(tx)
    audit.note(tx, action, row.name, now=now, before=before, after=_plain(get(tx, row.name)), of=row.organisation_id)


def _refuse_taken(tx: Transaction, name: str, unix_user: str | None) -> None:
    table = schema.sites
    if tx.connection.execute(select(table.c.id).where(table.c.name == name)).first() is not None:
        raise StoreError(
            N_("there is a site {name} already; take another name, or a new secret for it: zegel site rotate-secret"), name=name
        )
    if unix_user is not None:
        taken = tx.connection.execute(select(table.c.name).where(table.c.unix_user == unix_user)).scalar()
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


def _check_rate(rate: int) -> None:
    if not 0 <= rate <= _MAX_RATE:
        raise StoreError(N_("a rate is a number of messages an hour, from 1 to 1000000, or 0 for no bound"))


def _list(texts: Any) -> str:
    listed = list(dict.fromkeys(texts))
    if len(listed) > _MAX_LIST:
        raise StoreError(N_("a site has at most {most} senders, networks or recipients; list domains instead of addresses"), most=_MAX_LIST)
    return json.dumps(listed)


def _rows() -> Select[Any]:
    table, by = schema.sites, schema.organisations
    return select(table, by.c.name.label("organisation")).join_from(table, by)


def _one(tx: Transaction, name: str) -> Row[Any]:
    row = tx.connection.execute(_rows().where(schema.sites.c.name == name)).one_or_none()
    if row is None:
        raise StoreError(N_("there is no site {name}; see: zegel site list"), name=name[:63])
    return row


def _site(row: Row[Any]) -> Site:
    return Site(
        row.name,
        row.organisation,
        row.address,
        row.contact,
        tuple(json.loads(row.senders)),
        tuple(json.loads(row.networks)),
        tuple(json.loads(row.recipients)),
        row.foreign_from,
        row.would_fail,
        row.rate,
        row.visitor_rate,
        row.unix_user,
        row.created,
        row.rotated,
        row.disabled,
        row.secret,
    )


def _plain(site: Site) -> dict[str, Any]:
    """A site as the audit log has it: without its digest."""
    names = ("organisation", "address", "contact", "foreign_from", "would_fail", "rate", "visitor_rate", "unix_user", "rotated", "disabled")
    lists = {name: list(getattr(site, name)) for name in ("senders", "networks", "recipients")}
    return {name: getattr(site, name) for name in names} | lists
