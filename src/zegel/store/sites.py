"""The sites: the websites and programs whose mail the relay takes, each with what it may send, and its secret as a keyed hash.

A secret has 160 bits from the system's dice and is shown once. What is kept is HMAC-SHA-256 of it under a key of the master key: a secret
that nobody chose needs no slow hash, and a copy of the database without the master key is no list to try words against. A site sends as
addresses of its own organisation's domains only, so that one customer's form never writes in the name of another.
"""

from __future__ import annotations

import base64
import hmac
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Unpack

from sqlalchemy import Row, Select, delete, insert, select, update

from zegel.store import audit, organisations, schema, siterules
from zegel.store.errors import StoreError
from zegel.store.near import near
from zegel.store.siterules import Foreign, Settings, WouldFail
from zegel.store.transaction import Transaction, count_change
from zegel.store.vault import Vault
from zegel.words import N_

_SECRET_BYTES = 20
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?", re.ASCII)


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
    if tx.connection.execute(select(schema.sites.c.id).where(schema.sites.c.name == name)).first() is not None:
        raise StoreError(
            N_("there is a site {name} already; take another name, or a new secret for it: zegel site rotate-secret"), name=name
        )
    settings: Settings = {
        "organisation": organisation,
        "address": address,
        "contact": contact,
        "senders": senders,
        "networks": networks,
        "recipients": recipients,
        "foreign_from": foreign_from,
        "would_fail": would_fail,
        "rate": rate,
        "visitor_rate": visitor_rate,
        "unix_user": unix_user,
    }
    values, secret = siterules.columns(tx, name, settings), _new_secret()
    values |= {"name": name, "created": now, "rotated": now, "secret": digest(tx.vault, name, secret)}
    tx.connection.execute(insert(schema.sites).values(values))
    count_change(tx)
    audit.note(tx, "site.add", name, now=now, after=_plain(get(tx, name)), of=values["organisation_id"])
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


def change(tx: Transaction, name: str, *, now: int, **changes: Unpack[Settings]) -> bool:
    """Give a site other settings, lists as a whole, the rest as it was; False when all was so already. Raises StoreError.

    All that it may send is looked at anew: a domain that is no longer of its organisation is refused here as it is by :func:`add`.
    """
    row = _one(tx, name)
    values = siterules.columns(tx, name, {**_settings_of(_site(row)), **changes})
    other = {column: value for column, value in values.items() if getattr(row, column) != value}
    if other:
        _change(tx, row, "site.change", now=now, **other)
    return bool(other)


def remove(tx: Transaction, name: str, *, now: int) -> Site:
    """Take out a site; what it was. Its secret, networks and user serve nobody from then on. Raises StoreError when there is none."""
    row = _one(tx, name)
    former = _site(row)
    tx.connection.execute(delete(schema.sites).where(schema.sites.c.id == row.id))
    count_change(tx)
    audit.note(tx, "site.remove", name, now=now, before=_plain(former), of=row.organisation_id)
    return former


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


def _rows() -> Select[Any]:
    table, by = schema.sites, schema.organisations
    return select(table, by.c.name.label("organisation")).join_from(table, by)


def _one(tx: Transaction, name: str) -> Row[Any]:
    row = tx.connection.execute(_rows().where(schema.sites.c.name == name)).one_or_none()
    if row is None:
        if meant := near(tx, schema.sites.c.name, name):
            raise StoreError(N_("there is no site {name}; did you mean {meant}? See: zegel site list"), name=name[:63], meant=meant)
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


def _settings_of(site: Site) -> Settings:
    return {name: getattr(site, name) for name in Settings.__annotations__}  # type: ignore[return-value]  # its own names


def _plain(site: Site) -> dict[str, Any]:
    """A site as the audit log has it: without its digest."""
    plain = {name: getattr(site, name) for name in (*Settings.__annotations__, "rotated", "disabled")}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in plain.items()}
