"""Whether TLSA records fit what a mail server showed: pure matching, on records as the resolver spells them. RFC 6698 2.1, RFC 7672 3.1."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from zegel.adapters.certificate import Link
from zegel.adapters.mailhost import Met
from zegel.rollout.records import Record

_TA, _EE = "2", "3"  # RFC 7672 3.1: an authority that must stand in the chain, or the server's own key or certificate


def usable(record: str) -> bool:
    """Whether SMTP knows the record's usage, selector and matching type. RFC 7672 3.1.3: PKIX usages are not for SMTP."""
    usage, selector, matching, data = (*record.split(" "), "", "", "", "")[:4]
    return usage in (_TA, _EE) and selector in ("0", "1") and matching in ("0", "1", "2") and bool(data)


def of_server(record: str) -> bool:
    """Whether the record is of the server's own key or certificate: then its names and dates do not matter. RFC 7672 3.1.1."""
    return record.startswith(f"{_EE} ")


def fits(record: str, met: Met) -> bool | None:
    """Whether one usable record fits; None where that cannot be told, as only the server's own certificate was seen.

    An authority must have made the chain up to the server's own certificate, which must name the server (RFC 7672 3.1.2 and 3.2.2) and,
    with all of the chain, be good on the day (RFC 7672 3.1.2).
    """
    if of_server(record):
        return bool(met.chain) and _is(record, met.chain[0])
    if not met.whole:
        return None
    for place, link in enumerate(met.chain[1:], 1):
        if _is(record, link):
            dated = all(one.begins <= met.at <= one.ends for one in met.chain[: place + 1])
            return dated and all(one.issued_by_next for one in met.chain[:place]) and named(met.chain[0].names, met.host)
    return False


def record_of(met: Met) -> Record:
    """The record that fits what was met, in the form that lasts over renewals with the same key: ``3 1 1``. RFC 7671 5.1."""
    return Record(f"_25._tcp.{met.host}", "TLSA", (f"3 1 1 {hashlib.sha256(met.chain[0].key).hexdigest()}",))


def named(names: Sequence[str], host: str) -> bool:
    """Whether a certificate with these names is one of the host: a star stands for the whole leftmost label. RFC 9525 6.3."""
    above = host.partition(".")[2]
    return any(name == host or (name.startswith("*.") and bool(above) and name[2:] == above) for name in names)


def _is(record: str, link: Link) -> bool:
    _usage, selector, matching, data = record.split(" ")
    octets = link.der if selector == "0" else link.key
    found = octets.hex() if matching == "0" else hashlib.new({"1": "sha256", "2": "sha512"}[matching], octets).hexdigest()
    return bool(octets) and found == data.lower()
