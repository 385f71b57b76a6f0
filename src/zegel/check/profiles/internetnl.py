"""The mail test of internet.nl, by the names of its interface for batches (``mail_auth_...``).

It asks DNS as we do for DMARC, DKIM and SPF, and so these agree; STARTTLS, certificates and DANE are told where servers were connected to
(``--connect``); of ciphers and routes nothing can be said from here. Whether it takes a domain for one without mail hangs on the order of
the tags: its pattern wants ``p=`` right behind ``v=``.
"""

from __future__ import annotations

import re

from zegel.check.item import Item, Level
from zegel.check.profiles.profile import Demand, Judge, Need, Profile, flawless, value_in
from zegel.words import N_

NO_MAIL = "internet.nl: no mail"  # the state in which it leaves DKIM out
NO_MX = "no mail servers"
_CERTIFICATE = "transport.certificate"
_REFUSES = re.compile(rb"^v=DMARC1;\ *p=reject;?")

_CONNECT = N_("it takes a connection to the mail server: zegel check --connect")
_CIPHERS = N_("what a server can be talked into, cipher by cipher, is not tried from here")
_ROLLOVER = N_("whether a second record is of the next key cannot be seen from here")
_ROUTES = N_("routes and their signatures (RPKI) are not looked at from here")
_REACH = N_("this machine may have no way over IPv6 itself")
_NAMES = N_("the addresses of the name servers are not looked at from here")
_CHAIN = N_("whether the domains of the mail servers are signed is not looked at from here")


def takes_for_no_mail(dmarc: bytes, *, spf_refuses_all: bool) -> bool:
    """Tell if internet.nl takes a domain with this DMARC record for one without mail: ``v=spf1 -all``, and ``p=reject`` second."""
    return spf_refuses_all and _REFUSES.match(dmarc) is not None


def _signed(item: Item) -> bool | None:
    """DNSSEC is there, or is not; what cannot be told stays so."""
    return {Level.PASS: True, Level.WARN: False, Level.FAIL: False}.get(item.level)


def _dane(item: Item) -> bool | None:
    """A record is there for each server: the item that says that there is none is a note."""
    return False if item.level is Level.INFO else None if item.level is Level.NOT_TESTED and not item.seen else True


def _valid(item: Item) -> bool | None:
    """What is wrong was seen; that all is right was not, as versions below TLS 1.0 are offered by nobody's library."""
    return False if item.level in (Level.WARN, Level.FAIL) else None


def _over_ipv6(item: Item) -> bool | None:
    return None if item.level is Level.NOT_TESTED else any(":" in address for address in item.seen)


def _there(item: Item) -> bool | None:
    """A record is there, and is right; that there is none may be a mere note of ours."""
    return None if item.level is Level.NOT_TESTED else item.level is Level.PASS


def _server(id: str, title: str, need: Need = Need.MUST, note: str = _CIPHERS) -> Demand:
    return Demand(id, title, need=need, note=note, unless=NO_MX)


def _seen(id: str, title: str, item: str, judge: Judge, note: str = "", need: Need = Need.MUST) -> Demand:
    return Demand(id, title, (item,), judge, note=note, need=need, unless=NO_MX)


INTERNET_NL = Profile(
    "internet.nl",
    "internet.nl, mail test",
    "internet.nl; github.com/internetstandards/Internet.nl, checks/tasks/mail.py",
    (
        Demand("mail_ipv6_ns_address", N_("name servers have IPv6 addresses"), note=_NAMES),
        Demand("mail_ipv6_ns_reach", N_("name servers are reached over IPv6"), note=_NAMES),
        _seen("mail_ipv6_mx_address", N_("mail servers have IPv6 addresses"), "mx.host", _over_ipv6),
        _server("mail_ipv6_mx_reach", N_("mail servers are reached over IPv6"), note=_REACH),
        Demand("mail_dnssec_mailto_exist", N_("the domain is signed with DNSSEC"), ("transport.dnssec",), _signed),
        Demand("mail_dnssec_mailto_valid", N_("its DNSSEC signatures hold"), ("transport.dnssec",), flawless),
        _server("mail_dnssec_mx_exist", N_("the domains of the mail servers are signed with DNSSEC"), note=_CHAIN),
        _server("mail_dnssec_mx_valid", N_("their DNSSEC signatures hold"), note=_CHAIN),
        Demand("mail_auth_dmarc_exist", N_("there is one DMARC record"), ("dmarc.record",), clear=("dmarc.version",)),
        Demand(
            "mail_auth_dmarc_policy",
            N_("the DMARC policy is quarantine or reject, written correctly, and destinations outside agree"),
            ("dmarc.policy",),
            value_in("applied", "quarantine", "reject"),
            clear=("dmarc.syntax", "reports.consent"),
        ),
        Demand(
            "mail_auth_dmarc_policy_only",
            N_("the DMARC policy alone is quarantine or reject"),
            ("dmarc.policy",),
            value_in("applied", "quarantine", "reject"),
        ),
        Demand(
            "mail_auth_dmarc_ext_destination", N_("destinations of reports outside agree"), ("dmarc.record",), clear=("reports.consent",)
        ),
        Demand("mail_auth_dkim_exist", N_("_domainkey exists in DNS"), ("dkim.domainkey|parked.dkim",), flawless, unless=NO_MAIL),
        Demand("mail_auth_spf_exist", N_("there is one SPF record"), ("spf.record",), clear=("spf.version",)),
        Demand(
            "mail_auth_spf_policy",
            N_("SPF ends in ~all or -all, is written correctly, and needs at most ten look-ups"),
            ("spf.all", "spf.lookups"),
            flawless,
            clear=("spf.syntax", "spf.include"),
        ),
        _seen("mail_starttls_tls_available", N_("mail servers offer STARTTLS"), "transport.starttls", _there, _CONNECT),
        _seen("mail_starttls_tls_version", N_("TLS versions are good"), "transport.tls_version", _valid, _CONNECT),
        _server("mail_starttls_tls_ciphers", N_("ciphers are good")),
        _server("mail_starttls_tls_cipherorder", N_("the server chooses the cipher")),
        _server("mail_starttls_tls_keyexchange", N_("the key exchange is good")),
        _server("mail_starttls_tls_keyexchangehash", N_("the hash of the key exchange is good")),
        _server("mail_starttls_tls_compress", N_("TLS does not compress")),
        _server("mail_starttls_tls_secreneg", N_("renegotiation is secure")),
        _server("mail_starttls_tls_clientreneg", N_("clients cannot renegotiate"), Need.SHOULD),
        _server("mail_starttls_tls_0rtt", N_("0-RTT is off")),
        _seen(
            "mail_starttls_cert_chain", N_("the certificate has a trusted chain"), "transport.certificate", _there, _CONNECT, Need.SHOULD
        ),
        _server("mail_starttls_cert_pubkey", N_("the certificate's key is good")),
        _server("mail_starttls_cert_sig", N_("the certificate's signature is good")),
        _seen(
            "mail_starttls_cert_domain", N_("the certificate names the server"), "transport.certificate_name", _there, _CONNECT, Need.SHOULD
        ),
        _seen("caa", N_("CAA says who may make certificates"), "transport.caa", _there, need=Need.SHOULD),
        _seen("mail_starttls_dane_exist", N_("mail servers have TLSA records (DANE)"), "transport.tlsa", _dane),
        Demand(
            "mail_starttls_dane_valid",
            N_("TLSA records fit the certificates"),
            ("transport.tlsa", "transport.tlsa_match"),
            _signed,
            note=_CONNECT,
            unless=NO_MX,
        ),
        _server("mail_starttls_dane_rollover", N_("there is a second TLSA record for the next key"), Need.SHOULD, _ROLLOVER),
        Demand("tlsrpt", N_("there is a TLS-RPT record"), ("transport.tls_rpt",), _there, need=Need.SHOULD, unless=NO_MX),
        _server("mail_rpki_exists", N_("the routes to the mail servers are signed (RPKI)"), note=_ROUTES),
        _server("mail_rpki_valid", N_("those routes are valid"), note=_ROUTES),
        Demand("mail_ns_rpki_exists", N_("the routes to the name servers are signed (RPKI)"), note=_ROUTES),
        Demand("mail_ns_rpki_valid", N_("those routes are valid"), note=_ROUTES),
        _server("mail_mx_ns_rpki_exists", N_("the routes to the mail servers' name servers are signed (RPKI)"), note=_ROUTES),
        _server("mail_mx_ns_rpki_valid", N_("those routes are valid"), note=_ROUTES),
    ),
)
