"""The records that a managed domain should have, each with what it is for: made of its keys, its slots and its plan.

Values in, records out; only :func:`holdings` reads the store. RFC 6376 3.6 (keys), RFC 7208 3 (SPF), RFC 9989 4.7 (DMARC), RFC 9990 4
(consent to reports), RFC 8461 3.1 (MTA-STS), RFC 8460 3 (TLS-RPT); for a parked domain RFC 7505 3 (null MX) and RFC 6376 3.6.1 (a revoked
key under every selector). ``psd=`` is never written: it is for those who run a registry.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from zegel.grammar.domain import Domain
from zegel.grammar.taglist import format_tags
from zegel.rollout.records import Record, as_value, key_record, txt
from zegel.store import domains, keys, plans, slots
from zegel.store.keys import KeyState, StoredKey
from zegel.store.plans import Plan
from zegel.store.slots import Slot
from zegel.store.transaction import Transaction
from zegel.words import N_, Sentence

REVOKED = "v=DKIM1; p="
_MAX_NAME = 253
_MAX_SPF = 450  # RFC 7208 3.4: with more, the answer may not fit into 512 octets
_MAX_AGE = 604_800  # RFC 8461 3.2; a week


class Purpose(StrEnum):
    """What a record is for."""

    DKIM = "dkim"
    SLOT = "slot"
    SPF = "spf"
    DMARC = "dmarc"
    CONSENT = "consent"
    MTA_STS = "mta-sts"
    TLS_RPT = "tls-rpt"
    NULL_MX = "null-mx"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A record that should be there. ``former`` are texts that were ours at its place: they may be taken away. ``note`` is for people."""

    record: Record
    purpose: Purpose
    former: tuple[str, ...] = ()
    note: Sentence | None = None
    key: StoredKey | None = None


@dataclass(frozen=True, slots=True)
class Holdings:
    """What the store knows of one domain. ``former`` are the plans that it had before; ``ours`` are all domains of the store, for the
    consents that are ours to give.
    """

    domain: Domain
    plan: Plan = field(default_factory=Plan)
    former: Sequence[Plan] = ()
    keys: Sequence[StoredKey] = ()
    slots: Sequence[Slot] = ()
    ours: Collection[Domain] = ()


def holdings(tx: Transaction, domain: Domain) -> Holdings:
    """Read from the store what is needed. Raises StoreError for an unknown domain."""
    plan = plans.get(tx, domain)
    ours = [own.name for own in domains.all(tx)]
    return Holdings(domain, plan or Plan(), plans.former(tx, domain), keys.all(tx, domain), slots.all(tx, domain), ours)


def wanted(of: Holdings) -> tuple[Wanted, ...]:
    """All records that a domain should have, keys first. A revoked key's has an empty p= (RFC 6376 3.6.1), a removed key has none."""
    former: dict[tuple[str, str], list[str]] = {}
    for record in _of_former_plans(of):
        former.setdefault((record.name, record.type), []).append(as_value(record))
    planned = [
        replace(wish, former=tuple(text for text in former.get((wish.record.name, wish.record.type), ()) if text != as_value(wish.record)))
        for wish in _planned(of)
    ]
    return (*_slots(of.slots), *_keys(of.keys), *planned)


def everything(tx: Transaction) -> list[Record]:
    """The records of all domains in the store, each once: what the files of zones are written from."""
    return list(dict.fromkeys(wish.record for own in domains.all(tx) for wish in wanted(holdings(tx, own.name))))


def unwanted(of: Holdings) -> tuple[Record, ...]:
    """Records that were wanted once, of removed keys and former plans, and may be taken away where they still stand."""
    wishes = wanted(of)
    places = {(wish.record.name, wish.record.type) for wish in wishes}
    gone = [key for key in of.keys if key.withdrawn]
    records = [txt(key.record_name, text) for key in gone for text in (as_value(key_record(key)), REVOKED)]
    return tuple(record for record in dict.fromkeys([*records, *_of_former_plans(of)]) if (record.name, record.type) not in places)


def _planned(of: Holdings) -> list[Wanted]:
    return _parked(of) if of.plan.parked else [*_spf(of), *_dmarc(of), *_transport(of)]


def _of_former_plans(of: Holdings) -> list[Record]:
    return list(dict.fromkeys(wish.record for plan in of.former for wish in _planned(replace(of, plan=plan))))


def _slots(found: Iterable[Slot]) -> list[Wanted]:
    note = N_("a slot, handed out once: keys change behind it, this record stays")
    return [Wanted(Record(slot.alias, "CNAME", (slot.target,)), Purpose.SLOT, note=Sentence(note)) for slot in found]


def _keys(found: Sequence[StoredKey]) -> list[Wanted]:
    living = [key for key in found if not key.withdrawn]
    return [
        Wanted(
            txt(key.record_name, REVOKED if key.state is KeyState.REVOKED else as_value(key_record(key))),
            Purpose.DKIM,
            former=_former(key, found),
            note=_key_note(key),
            key=key,
        )
        for key in living
    ]


def _former(key: StoredKey, found: Sequence[StoredKey]) -> tuple[str, ...]:
    """The texts of ours that may still stand at a key's name: its own before it was revoked, and those of keys before it in its slot."""
    here = [other for other in found if other.record_name == key.record_name]
    texts = [REVOKED, *(as_value(key_record(other)) for other in here)]
    current = REVOKED if key.state is KeyState.REVOKED else as_value(key_record(key))
    return tuple(dict.fromkeys(text for text in texts if text != current))


def _key_note(key: StoredKey) -> Sentence | None:
    if key.state is KeyState.RETIRING:
        return Sentence(N_("it signs no more; mail that it signed is still on its way, so leave its record"))
    if key.state is KeyState.REVOKED:
        return Sentence(N_("revoked: the record says so with an empty p="))
    return None


def _spf(of: Holdings) -> list[Wanted]:
    text = spf_text(of.plan)
    return [Wanted(txt(of.domain, text), Purpose.SPF)] if text else []


def spf_text(plan: Plan) -> str:
    """The SPF record of a plan; empty when it says nothing of SPF. RFC 7208 4.6.2 and 10.1.1: what costs no look-up comes first."""
    if plan.parked:
        return "v=spf1 -all"
    if not plan.egress and not plan.include:
        return ""
    terms = sorted(map(_mechanism, plan.egress), key=lambda term: not term.startswith("ip"))
    return " ".join(("v=spf1", *terms, *(f"include:{name}" for name in plan.include), "-all" if plan.spf_all == "fail" else "~all"))


def _mechanism(egress: str) -> str:
    if egress in ("a", "mx"):
        return egress
    try:
        return f"ip{ipaddress.ip_network(egress).version}:{egress}"
    except ValueError:
        return f"a:{egress}"


def _dmarc(of: Holdings) -> list[Wanted]:
    text = dmarc_text(of.plan)
    return [Wanted(txt(f"_dmarc.{of.domain}", text), Purpose.DMARC), *_consents(of)] if text else []


def dmarc_text(plan: Plan) -> str:
    """The DMARC record of a plan; empty when it has no policy. RFC 9989 5.1.3 and 5.1.4.

    RFC 9989 4.7: v= first; p= second, for readers that follow RFC 7489 6.3.
    """
    policy = "reject" if plan.parked else plan.policy
    if policy is None:
        return ""
    tags: dict[str, str] = {"v": "DMARC1", "p": policy}
    tags |= {name: value for name, value in (("sp", plan.subdomains), ("np", plan.nonexistent)) if value}
    if plan.testing:
        tags["t"] = "y"
    if plan.rua:
        tags["rua"] = _mailto(plan.rua)
    return format_tags(tags)


def _consents(of: Holdings) -> list[Wanted]:
    """RFC 9990 4: who is sent another domain's reports says that he wants them. Only for report addresses at domains of ours."""
    hosts = dict.fromkeys(Domain(address.rpartition("@")[2]) for address in of.plan.rua)
    note = Sentence(N_("stands with the domain that receives the reports: it agrees to take those of {domain}"), domain=of.domain)
    return [
        Wanted(txt(f"{of.domain}._report._dmarc.{host}", "v=DMARC1"), Purpose.CONSENT, note=note)
        for host in hosts
        if not (host.within(of.domain) or of.domain.within(host)) and any(host.within(own) for own in of.ours)
    ]


def _mailto(addresses: Sequence[str]) -> str:
    """RFC 9989 4.7: URIs, in which "!" and "," would be encoded; "%" and "&" and the like are (RFC 6068 2)."""
    return ",".join(
        "mailto:" + "".join(f"%{ord(sign):02X}" if sign in "!%&?#/^`{|}" else sign for sign in address) for address in addresses
    )


def _transport(of: Holdings) -> list[Wanted]:
    found = []
    if of.plan.mta_sts is not None:
        host = f"mta-sts.{of.domain}"
        note = Sentence(N_("the policy itself is a file: https://{host}/.well-known/mta-sts.txt"), host=host)
        text = f"v=STSv1; id={mta_sts_id(of.plan)}"
        found.append(Wanted(txt(f"_mta-sts.{of.domain}", text), Purpose.MTA_STS, note=note))
    if of.plan.tls_rpt:
        found.append(Wanted(txt(f"_smtp._tls.{of.domain}", f"v=TLSRPTv1; rua={_mailto(of.plan.tls_rpt)}"), Purpose.TLS_RPT))
    return found


def mta_sts_policy(plan: Plan) -> str:
    """The policy file of a plan, for ``https://mta-sts.DOMAIN/.well-known/mta-sts.txt``; empty without MTA-STS. RFC 8461 3.2."""
    if plan.mta_sts is None:
        return ""
    hosts = () if plan.mta_sts == "none" else plan.mx
    lines = ("version: STSv1", f"mode: {plan.mta_sts}", *(f"mx: {host}" for host in hosts), f"max_age: {_MAX_AGE}")
    return "".join(f"{line}\r\n" for line in lines)


def mta_sts_id(plan: Plan) -> str:
    """The ``id=``: another one whenever the policy is another. RFC 8461 3.1: 1 to 32 letters and digits."""
    return hashlib.sha256(mta_sts_policy(plan).encode()).hexdigest()[:20]


def _parked(of: Holdings) -> list[Wanted]:
    """A domain without mail: nobody takes any, nobody may send any, and no selector has a key."""
    return [
        Wanted(Record(of.domain, "MX", ("0 .",)), Purpose.NULL_MX),
        Wanted(txt(of.domain, spf_text(of.plan)), Purpose.SPF),
        Wanted(txt(f"*._domainkey.{of.domain}", REVOKED), Purpose.DKIM),
        *_dmarc(of),
    ]


def faults(of: Holdings) -> tuple[Sentence, ...]:
    """What about the records themselves cannot work or is unwise: names that are too long, an SPF record that is."""
    found = []
    for wish in wanted(of):
        name = wish.record.name
        if len(name) > _MAX_NAME or any(len(label) > 63 for label in name.split(".")):
            found.append(Sentence(N_("{name} is too long for a DNS name; it cannot be published"), name=name))
        if wish.purpose is Purpose.SPF and len(as_value(wish.record)) > _MAX_SPF:
            sentence = N_("the SPF record has {length} characters; over {most}, some receivers cannot fetch it: list networks, not hosts")
            found.append(Sentence(sentence, length=len(as_value(wish.record)), most=_MAX_SPF))
    return tuple(found)
