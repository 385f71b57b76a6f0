"""Reads OpenDKIM's configuration, opendkim.conf(5): who signs what, and what has no equal in Zegel.

It takes texts only, through :class:`~zegel.moving.model.Files`. A table that cannot be read, or a line in it that is wrong, is a remark;
the rest is read on.
"""

from __future__ import annotations

import ipaddress

from zegel.grammar.domain import Domain
from zegel.moving import unequal
from zegel.moving.dataset import DataSet, Option, absolute, data_set, options
from zegel.moving.model import NO_NAME, Files, Found, Signer, Source, UnreadableError, Weight
from zegel.moving.tables import Layout, signers
from zegel.words import N_

_FORMS = ("relaxed/relaxed", "relaxed/simple", "simple/relaxed", "simple/simple")
_LEAST_TTL = 3600  # seconds; what signing.expire takes
_EMPTY = DataSet(())


def read(path: str, files: Files) -> Found:
    """Read the configuration at ``path``. Raises UnreadableError when it cannot be read at all."""
    found = Found()
    given: dict[str, Option] = {}
    for option in options(path, files):
        former = given.get(option.name.lower())
        if former is not None and former.value != option.value:
            found.remark(
                Weight.NOTE, option.at, option.name, N_("it is there twice, first at {first}; opendkim takes the last"), first=former.at
            )
        given[option.name.lower()] = option
    for name, option in given.items():
        _tell(found, name, option)
    _mode(found, given)
    _form(found, given)
    if "keytable" in given or "signingtable" in given:
        _tables(found, given, files)
    elif "domain" in given or "keyfile" in given:
        _single(found, given, files)
    else:
        found.remark(Weight.NOTE, path, "Domain", N_("it names no key, so that opendkim signs nothing by it"))
    _hosts(found, given, files)
    return found


def _tell(found: Found, name: str, option: Option) -> None:
    if name in unequal.READ or name in unequal.QUIET:
        return
    if name in unequal.TOLD:
        weight, sentence = unequal.TOLD[name]
        if name not in unequal.BOOLEAN or option.says_yes:
            found.remark(weight, option.at, option.name, sentence, value=option.value)
    else:
        found.remark(Weight.UNEQUAL, option.at, option.name, unequal.UNKNOWN, name=option.name)


def _mode(found: Found, given: dict[str, Option]) -> None:
    mode = given.get("mode")
    if mode is not None and "s" not in mode.value.lower():
        found.signs = False
        found.remark(Weight.NOTE, mode.at, mode.name, N_("opendkim only verifies by this file; what is in its tables does not sign today"))
    algorithm = given.get("signaturealgorithm")
    found.key_type = "rsa" if algorithm is None else algorithm.value.lower().partition("-")[0]
    if algorithm is not None and algorithm.value.lower() == "rsa-sha1":
        sentence = N_("signatures are rsa-sha1 there, which receivers do not count any more (RFC 8301 3.1); here they are rsa-sha256")
        found.remark(Weight.UNEQUAL, algorithm.at, algorithm.name, sentence)


def _form(found: Found, given: dict[str, Option]) -> None:
    """How signatures look: canonicalization and x=."""
    # opendkim.conf(5): simple for both where nothing is said, and for the body where one word is.
    form = given.get("canonicalization")
    if form is not None:
        header, _, body = form.value.lower().partition("/")
        said = f"{header}/{body or 'simple'}"
        if said in _FORMS and said != "relaxed/relaxed":
            sentence = N_(
                'here it is relaxed/relaxed, which bears more on the way; for the same write under [signing]: canonicalization = "{said}"'
            )
            found.remark(Weight.NOTE, form.at, form.name, sentence, said=said)
    ttl = given.get("signaturettl")
    if ttl is not None and ttl.value.isdecimal() and int(ttl.value):
        seconds = max(int(ttl.value[:12]), _LEAST_TTL)
        found.remark(Weight.NOTE, ttl.at, ttl.name, N_("write under [signing] in zegel.toml: expire = {seconds}"), seconds=seconds)
    ignored = given.get("externalignorelist")
    if ignored is not None:
        sentence = N_("it only keeps a line out of opendkim's log; a client that is not listed is never signed for, so nothing to do")
        found.remark(Weight.NOTE, ignored.at, ignored.name, sentence)


def _base(given: dict[str, Option]) -> str:
    return given["basedirectory"].value if "basedirectory" in given else "/"


def _set(found: Found, given: dict[str, Option], name: str, files: Files) -> DataSet:
    """A data set; what is wrong with it is a remark."""
    option = given.get(name)
    if option is None:
        return _EMPTY
    try:
        return data_set(option, files, base=_base(given))
    except UnreadableError as error:
        found.remark(Weight.BROKEN, option.at, option.name, "{error}", error=error)
        return _EMPTY


def _tables(found: Found, given: dict[str, Option], files: Files) -> None:
    for needed, other in (("keytable", "SigningTable"), ("signingtable", "KeyTable")):
        if needed not in given:
            option = given[other.lower()]
            sentence = N_("{name} says nothing without the other table; name both")
            found.remark(Weight.BROKEN, option.at, option.name, sentence, name=option.name)
            return
    for name in ("domain", "keyfile", "selector"):
        if name in given:
            found.remark(Weight.NOTE, given[name].at, given[name].name, N_("opendkim takes no notice of it beside a KeyTable"))
    multiple = "multiplesignatures" in given and given["multiplesignatures"].says_yes
    signing, keys = _set(found, given, "signingtable", files), _set(found, given, "keytable", files)
    if keys.patterns:
        found.remark(Weight.NOTE, given["keytable"].at, "KeyTable", N_("it is read as a plain file: its names are no patterns to Zegel"))
    try:
        signers(found, signing, keys, files, Layout(multiple, _base(given)))
    except UnreadableError as error:
        found.remark(Weight.BROKEN, given["keytable"].at, "KeyTable", "{error}", error=error)


def _single(found: Found, given: dict[str, Option], files: Files) -> None:
    """One key for all domains of Domain."""
    missing = [name for name in ("Domain", "Selector", "KeyFile") if name.lower() not in given]
    if missing:
        option = next(given[name] for name in ("domain", "keyfile") if name in given)
        sentence = N_("to sign, opendkim needs Domain, Selector and KeyFile; missing: {missing}")
        found.remark(Weight.BROKEN, option.at, option.name, sentence, missing=", ".join(missing))
        return
    below = "subdomains" in given and given["subdomains"].says_yes
    key, selector = given["keyfile"], given["selector"]
    seen = set()
    for entry in _set(found, given, "domain", files).entries:
        try:
            domain, name = Domain.parse(entry.key), str(Domain.parse(selector.value))
        except ValueError:
            found.remark(Weight.BROKEN, entry.at, entry.key, NO_NAME, domain=entry.key, selector=selector.value)
            continue
        if domain in seen:
            found.remark(Weight.NOTE, entry.at, entry.key, N_("{domain} is there twice"), domain=domain)
            continue
        seen.add(domain)
        senders = (str(domain), f".{domain}") if below else (str(domain),)
        found.signers.append(Signer(senders, domain, name, Source(absolute(key.value, _base(given))), entry.at))


def _hosts(found: Found, given: dict[str, Option], files: Files) -> None:
    """Whose mail is signed: InternalHosts, by default this machine, and always who logged in. opendkim(8), OPERATION."""
    found.logins = True
    if "internalhosts" not in given:
        found.local = True
        found.networks.append(ipaddress.ip_network("127.0.0.1"))
        return
    for entry in _set(found, given, "internalhosts", files).entries:
        text = entry.key.replace("[", "").replace("]", "")
        try:
            network = ipaddress.ip_network(text, strict=False)
        except ValueError:
            if text.lower() == "localhost":
                found.local = True
                continue
            found.remark(Weight.UNEQUAL, entry.at, entry.key, _no_network(text))
            continue
        found.networks.append(network)
        found.local = found.local or network.network_address.is_loopback or network.prefixlen == 0


def _no_network(text: str) -> str:
    if text.startswith("!"):
        return N_("Zegel knows no exceptions from a network; write the networks that remain in [[outbound.allow]]")
    return N_("hosts are known by their network, as a name in reverse DNS is its owner's word; write its addresses in [[outbound.allow]]")
