"""What a domain is to publish beside its keys: SPF, DMARC, reports, MTA-STS, or that it sends and receives no mail at all.

A plan says what the owner decided, not what DNS has. It is one value, read and written whole; what in it could not be published is refused
here, with the reason. The records are made of it in ``rollout``. RFC 7208 3, RFC 9989 4.7, RFC 8460 3, RFC 8461 3.1, RFC 7505 3.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Literal

import msgspec
from sqlalchemy import delete, insert, select

from zegel.grammar.domain import Domain
from zegel.store import audit, domains, schema
from zegel.store.errors import StoreError
from zegel.store.transaction import Transaction
from zegel.words import N_

Policy = Literal["none", "quarantine", "reject"]
_ACTION = "domain.plan"
_MOST_TEXT = 15_000  # characters in JSON; the audit log takes no more
_MOST = 50  # entries of one list; a record of more could not be looked after
_WIDEST = {4: 8, 6: 16}
# RFC 9989 4.7: a comma and an exclamation mark would have to be encoded, and RFC 8460 3 takes https too.
_ADDRESS = re.compile(r"[A-Za-z0-9.#$%&'*+/=?^_`{|}~-]{1,64}@([A-Za-z0-9._-]+)", re.ASCII)


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a domain publishes.

    ``egress`` is from where its mail leaves: addresses, networks, host names, or the words ``a`` and ``mx``; ``include`` are the domains of
    services that send for it; ``spf_all`` is what SPF says of all others. ``subdomains`` (sp), ``nonexistent`` (np) and ``testing`` (t=y)
    go with ``policy``. ``rua`` and ``tls_rpt`` are addresses for reports. ``mx`` are the mail servers that MTA-STS names.
    """

    egress: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    spf_all: Literal["softfail", "fail"] = "softfail"
    policy: Policy | None = None
    subdomains: Policy | None = None
    nonexistent: Policy | None = None
    testing: bool = False
    rua: tuple[str, ...] = ()
    tls_rpt: tuple[str, ...] = ()
    mta_sts: Literal["testing", "enforce", "none"] | None = None
    mx: tuple[str, ...] = ()
    parked: bool = False


def put(tx: Transaction, domain: Domain, plan: Plan, *, now: int) -> Plan:
    """Keep the plan of a domain in place of the former, and return it in its one spelling. Raises StoreError for what cannot be so."""
    domain_id, organisation_id = domains.row_ids(tx, domain)
    plan = checked(plan)
    before = get(tx, domain)
    table = schema.plans
    tx.connection.execute(delete(table).where(table.c.domain_id == domain_id))
    text = msgspec.json.encode(plan).decode()
    if len(text) > _MOST_TEXT:
        raise StoreError(N_("this plan is too long; a record of it could not be published"))
    tx.connection.execute(insert(table).values({"domain_id": domain_id, "organisation_id": organisation_id, "text": text}))
    if before != plan:
        values = None if before is None else msgspec.to_builtins(before)
        audit.note(tx, _ACTION, domain, now=now, before=values, after=msgspec.to_builtins(plan), of=organisation_id)
    return plan


def get(tx: Transaction, domain: Domain) -> Plan | None:
    """Return the plan of a domain; None when it has none. Raises StoreError for an unknown domain."""
    domain_id, _organisation_id = domains.row_ids(tx, domain)
    text = tx.connection.execute(select(schema.plans.c.text).where(schema.plans.c.domain_id == domain_id)).scalar()
    return None if text is None else msgspec.json.decode(text, type=Plan)


def former(tx: Transaction, domain: Domain) -> list[Plan]:
    """Return the plans that a domain had before the one of now, as the audit log has them: what was published of them is ours."""
    found = (change.before for change in audit.all(tx, subject=domain) if change.action == _ACTION and change.before is not None)
    return list(dict.fromkeys(msgspec.convert(values, Plan) for values in found))


def checked(plan: Plan) -> Plan:
    """The plan in its one spelling. Raises StoreError that says what cannot be so, and why."""
    for entries in (plan.egress, plan.include, plan.rua, plan.tls_rpt, plan.mx):
        if len(entries) > _MOST:
            raise StoreError(N_("a plan has at most {most} entries of a kind"), most=_MOST)
    if plan.parked and (plan.egress or plan.include or plan.mta_sts or plan.policy not in (None, "reject")):
        raise StoreError(
            N_("a parked domain sends and receives nothing: it has no egress, no include, no MTA-STS, and its policy is reject")
        )
    if plan.policy is None and not plan.parked and (plan.subdomains or plan.nonexistent or plan.testing or plan.rua):
        raise StoreError(N_("name the policy too (none to begin with): without it there is no DMARC record that could say the rest"))
    if plan.testing and plan.policy == "none":
        raise StoreError(N_("testing (t=y) takes a policy one step down, and below none there is no step; leave it out"))
    if plan.mta_sts in ("testing", "enforce") and not plan.mx:
        raise StoreError(N_("MTA-STS needs the names of the mail servers; add --mx mail.example.be for each"))
    return msgspec.structs.replace(
        plan,
        egress=tuple(dict.fromkeys(map(_egress, plan.egress))),
        include=tuple(dict.fromkeys(_name(text) for text in plan.include)),
        rua=tuple(dict.fromkeys(map(_address, plan.rua))),
        tls_rpt=tuple(dict.fromkeys(map(_address, plan.tls_rpt))),
        mx=tuple(dict.fromkeys(_name(text, wildcard=True) for text in plan.mx)),
    )


def _egress(text: str) -> str:
    """An address, a network, a host name, or a word of SPF."""
    if text.lower() in ("a", "mx"):
        return text.lower()
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        if re.fullmatch(r"[0-9./]+|.*[:/].*", text):
            raise StoreError(
                N_("{text} is no address and no network; write 192.0.2.25, 192.0.2.0/24 or 2001:db8::/48"), text=text
            ) from None
        return _name(text)
    if network.prefixlen < _WIDEST[network.version]:
        raise StoreError(N_("{text}: so wide a network would let anybody send in the name of this domain"), text=text)
    return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)


def _name(text: str, *, wildcard: bool = False) -> str:
    """A domain name of two labels at least; RFC 8461 3.2 lets a pattern begin with ``*.``."""
    star = "*." if wildcard and text.startswith("*.") else ""
    try:
        name = Domain.parse(text.removeprefix(star))
    except ValueError:
        raise StoreError(N_("'{text}' is no domain name; write it as in example.be"), text=text[:253]) from None
    if len(name.labels) < 2:
        raise StoreError(N_("'{text}' is no domain name; write it as in example.be"), text=text[:253])
    return star + name


def _address(text: str) -> str:
    """An e-mail address that reports are sent to."""
    address = text.removeprefix("mailto:")
    found = _ADDRESS.fullmatch(address)
    if not found:
        raise StoreError(N_("'{text}' is no address for reports; write it as in dmarc@example.be"), text=text[:320])
    return f"{address[: -len(found[1])]}{_name(found[1])}"
