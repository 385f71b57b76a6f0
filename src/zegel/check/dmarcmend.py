"""The DMARC record that a domain should have instead. RFC 9989 4.7 and 4.8.

A repaired record says what its owner meant, in the form that every reader takes: ``p=`` second, no historic tags. It never asks for more
than the owner did; the higher policy is a record of its own, for when the time has come.
"""

from __future__ import annotations

from dataclasses import replace

from zegel.check.item import txt
from zegel.dmarc.record import Policy, PolicyRecord, Psd, ReportUri, format_record
from zegel.grammar.domain import Domain
from zegel.rollout.records import Record

STRENGTH = {Policy.NONE: 0, Policy.QUARANTINE: 1, Policy.REJECT: 2}
_MAILBOX = "dmarc-reports"


def absent(domain: Domain, *, sends: bool) -> Record:
    """The first record of a domain that has none: watch, or refuse all where nothing is sent."""
    return _record(domain, PolicyRecord(p=Policy.NONE, rua=(_mailbox(domain),))) if sends else refusing(domain, None)


def repaired(place: Domain, record: PolicyRecord, *, testing: bool = True) -> tuple[Record, ...]:
    """The record without what is wrong with it, and without ``t=y`` when told so; policies below that are weaker follow the domain's own.

    A policy that could not be read stands for none (RFC 9989 4.10.1). Nothing when that is what is there.
    """
    policy = record.p or Policy.NONE
    below = record.sp if record.sp is not None and STRENGTH[record.sp] >= STRENGTH[policy] else None
    absent_ = record.np if record.np is not None and STRENGTH[record.np] >= STRENGTH[below or policy] else None
    mended = replace(
        record,
        p=policy,
        sp=below,
        np=absent_,
        psd=record.psd if record.psd is Psd.ORGANIZATION else Psd.UNKNOWN,
        testing=record.testing and testing,
        rua=_mail_only(record.rua) or (_mailbox(place),),
        ruf=_mail_only(record.ruf),
        fo=record.fo if record.ruf else PolicyRecord().fo,
    )
    found = _record(place, mended)
    return () if "".join(found.strings) == record.text else (found,)


def higher(place: Domain, record: PolicyRecord) -> tuple[Record, ...]:
    """The next stage of a record whose policy has no effect: quarantine, for all names."""
    return repaired(place, replace(record, p=Policy.QUARANTINE, text=""), testing=False)


def refusing(domain: Domain, record: PolicyRecord | None) -> Record:
    """The record of a domain that sends nothing: reject, for all names, with the reports that it has."""
    uris = _mail_only(record.rua) if record is not None else ()
    return _record(domain, PolicyRecord(p=Policy.REJECT, rua=uris or (_mailbox(domain),)))


def _record(domain: Domain, record: PolicyRecord) -> Record:
    return txt(f"_dmarc.{domain}", format_record(record))


def _mailbox(domain: Domain) -> ReportUri:
    """The address that reports go to when there is none; the owner has to make it."""
    return ReportUri.mailto(f"{_MAILBOX}@{domain}")


def _mail_only(uris: tuple[ReportUri, ...]) -> tuple[ReportUri, ...]:
    return tuple(uri for uri in uris if uri.address is not None)
