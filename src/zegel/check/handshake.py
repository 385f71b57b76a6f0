"""How mail servers go under TLS, where they were connected to: STARTTLS, versions, the certificate, and whether TLSA fits it.

RFC 3207 4.2, RFC 8996 4, RFC 8461 4.2, RFC 7672 3.1. A certificate that is not believed stops mail only where MTA-STS is enforced, and with
DANE for the server's own key it is of no matter (RFC 7672 3.1.1); elsewhere it is worth a warning, as mail goes on.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from zegel.adapters.mailhost import Met
from zegel.check import dane
from zegel.check.item import Item, Level
from zegel.check.transportpoints import TransportPoint
from zegel.words import N_, Sentence

_OLD = ("SSLv3", "TLSv1", "TLSv1.1")  # RFC 8996 4


class Expected(NamedTuple):
    """What senders go by: the TLSA records of each server, those servers whose records DNSSEC signs,
    and those that an enforced policy of MTA-STS names.
    """

    tlsa: Mapping[str, Sequence[str]]
    signed: Collection[str]
    enforced: Collection[str]


def judge(met: Sequence[Met] | None, expected: Expected) -> Iterator[Item]:
    """Judge each server that was met; None when no connection was wanted."""
    point = TransportPoint.STARTTLS
    if met is None:
        step = Sentence(N_("Have the mail servers connected to: zegel check --connect"))
        yield point.item(Level.NOT_TESTED, N_("STARTTLS and certificates are not tested: no mail server is connected to"), step=step)
        return
    for one in met:
        yield from _judge(one, expected)


def _judge(met: Met, expected: Expected) -> Iterator[Item]:
    point, host, told = TransportPoint.STARTTLS, met.host, met.told
    if met.trouble == "unreachable":
        step = Sentence(N_("Many networks let nobody out to port 25: try it from a mail server."))
        yield point.item(Level.NOT_TESTED, N_("{host} cannot be connected to from here: {told}"), step=step, host=host, told=told)
    elif met.trouble == "refused":
        yield point.item(Level.NOT_TESTED, N_("{host} does not talk to this machine: {told}"), host=host, told=told)
    elif met.trouble == "no_starttls":
        yield point.item(Level.FAIL, N_("{host} offers no TLS (STARTTLS)"), host=host)
    elif met.trouble:
        yield point.item(Level.FAIL, N_("{host} offers TLS, and it fails: {told}"), host=host, told=told)
        yield from _versions(met)
    else:
        yield point.item(Level.PASS, N_("{host} goes under TLS ({version})"), host=host, version=met.version)
        yield from _versions(met)
        fitting = _tlsa(met, expected)
        yield from fitting
        harmless = host in expected.signed and any(item.level is Level.PASS and item.values.get("own") for item in fitting)
        bad = Level.FAIL if host in expected.enforced else Level.INFO if harmless else Level.WARN
        yield _believed(met, bad)
        yield _named(met, bad)


def _versions(met: Met) -> Iterator[Item]:
    point, host = TransportPoint.TLS_VERSION, met.host
    if met.old and met.trouble:
        yield point.item(Level.FAIL, N_("{host} takes nothing newer than TLS 1.1"), host=host)
    elif met.old or met.version in _OLD:
        yield point.item(Level.WARN, N_("{host} still takes TLS 1.1 or older"), host=host)
    elif met.old is False and not met.trouble:
        yield point.item(Level.PASS, N_("{host} takes TLS 1.2 or newer only"), host=host)


def _believed(met: Met, bad: Level) -> Item:
    """Whether an authority vouches for the certificate. RFC 8461 4.2."""
    point, host = TransportPoint.CERTIFICATE, met.host
    until = datetime.datetime.fromtimestamp(met.chain[0].ends, datetime.UTC).date().isoformat() if met.chain else ""
    if met.distrust:
        finding = N_("no authority vouches for the certificate of {host}: {detail}")
        return point.item(bad, finding, host=host, detail=met.distrust, until=until)
    return point.item(Level.PASS, N_("an authority vouches for the certificate of {host}, until {until}"), host=host, until=until)


def _named(met: Met, bad: Level) -> Item:
    """Whether the certificate names the server as the MX record does. RFC 8461 4.2."""
    point, host, names = TransportPoint.CERTIFICATE_NAME, met.host, met.chain[0].names if met.chain else ()
    if dane.named(names, host):
        return point.item(Level.PASS, N_("the certificate of {host} names it"), seen=names, host=host)
    finding = N_("the certificate of {host} names {names} only") if names else N_("the certificate of {host} names no server")
    return point.item(bad, finding, seen=names, host=host, names=", ".join(names)[:300])


def _tlsa(met: Met, expected: Expected) -> list[Item]:
    """Whether one of the TLSA records fits: one is enough. RFC 7672 3.1."""
    point, host = TransportPoint.TLSA_MATCH, met.host
    records = [text for text in expected.tlsa.get(host, ()) if dane.usable(text)]
    if not records:
        return []
    found = {text: dane.fits(text, met) for text in records}
    fitting = [text for text, fits in found.items() if fits]
    if fitting:
        own = any(map(dane.of_server, fitting))
        return [point.item(Level.PASS, N_("the certificate of {host} fits its TLSA record"), seen=fitting, host=host, own=own)]
    if None in found.values():
        finding = N_("whether the TLSA records of {host} fit cannot be told: only its own certificate was seen")
        return [point.item(Level.NOT_TESTED, finding, seen=records, host=host)]
    finding = N_("no TLSA record of {host} fits its certificate: senders that go by DANE do not deliver")
    mend = [dane.record_of(met)] if met.chain else []
    return [point.item(Level.FAIL, finding, seen=records, mend=mend, host=host)]
