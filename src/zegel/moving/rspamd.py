"""Reads the signing part of rspamd's configuration, ``dkim_signing.conf``: who signs what, and what has no equal in Zegel.

It takes texts only, through :class:`~zegel.moving.model.Files`. What is read is what the module dkim_signing of rspamd 3 does with it: a
``domain`` section, selector and path maps, the path with ``$domain`` and ``$selector``, and OpenDKIM's two tables.
"""

from __future__ import annotations

import ipaddress
import posixpath
from collections.abc import Iterator

from zegel.dmarc.psl import organizational_domain
from zegel.grammar.domain import Domain
from zegel.moving import ucl
from zegel.moving.dataset import DataSet, Entry
from zegel.moving.maps import entries
from zegel.moving.model import NO_NAME, ONE_FOR_ALL, Files, Found, Signer, Source, UnreadableError, Weight
from zegel.moving.tables import Layout, signers, templated
from zegel.moving.ucl import Value
from zegel.words import N_

_DATA = "/var/lib/rspamd"
_USUAL = {"path": f"{_DATA}/dkim/$domain.$selector.key", "selector": "dkim", "use_domain": "header"}
_ON = {"allow_envfrom_empty": True, "sign_authenticated": True, "sign_local": True, "try_fallback": True, "use_esld": True}
# What rspamd takes for local when local_addrs says nothing else (rspamd's options.inc).
_LOCAL = ("127.0.0.0/8", "::1/128", "192.168.0.0/16", "10.0.0.0/8", "172.16.0.0/12", "fd00::/8", "169.254.0.0/16", "fe80::/10")
_MAX_INCLUDED = 20
_ENVELOPE = N_("whether the envelope's sender fits From has no part in signing here: who may sign as whom is in [[outbound.allow]]")
_ELSEWHERE = N_("the keys are in {where}, which only rspamd can ask; write them to files: zegel import pem DOMAIN SELECTOR FILE")
_OTHER_NAME = N_(
    "signatures are made there in the name of {value}. Zegel signs as From's own domain or one above it, as DMARC wants; what is read "
    "here is what From would be signed with"
)


class _Settings:
    """The settings, with rspamd's own defaults."""

    def __init__(self, given: dict[str, Value]) -> None:
        self.given = given

    def text(self, name: str) -> str:
        value = self.given.get(name, _USUAL.get(name, ""))
        return value if isinstance(value, str) else ""

    def on(self, name: str) -> bool:
        return self.given.get(name, _ON.get(name, False)) is True


def read(path: str, files: Files) -> Found:
    """Read the configuration at ``path``, which is the module's own, or one in local.d. Raises UnreadableError."""
    found = Found()
    settings = _Settings(_whole(path, files))
    if settings.given.get("enabled") is False:
        found.signs = False
        found.remark(Weight.NOTE, path, "enabled", N_("signing is off by this file; what is in it does not sign today"))
    _tell(found, path, settings)
    try:
        if "signing_table" in settings.given and "key_table" in settings.given:
            _tables(found, path, settings, files)
        else:
            _domains(found, path, settings, files)
    except UnreadableError as error:
        found.remark(Weight.BROKEN, path, "dkim_signing", "{error}", error=error)
    _hosts(found, path, settings, files)
    return found


def _whole(path: str, files: Files) -> dict[str, Value]:
    """The settings of the module: of the file, what it includes, and what override.d beside a file of local.d says."""
    folder = posixpath.dirname(path)
    base = posixpath.dirname(folder) if posixpath.basename(folder) in ("local.d", "override.d", "modules.d") else folder
    names = {"CONFDIR": base, "LOCAL_CONFDIR": base, "DBDIR": _DATA}
    left = [_MAX_INCLUDED]

    def include(named: str, parameters: dict[str, str]) -> dict[str, Value] | None:
        left[0] -= 1
        target = expanded(named, names)
        if left[0] < 0:
            raise UnreadableError(N_("{path}: more than {most} files are included"), path=path, most=_MAX_INCLUDED)
        if posixpath.basename(target) not in files.names(posixpath.dirname(target)) and parameters.get("try") == "true":
            return None
        return ucl.parse(files.read(target).decode("utf-8", "replace"), target, include)

    found = ucl.parse(files.read(path).decode("utf-8", "replace"), path, include)
    if posixpath.basename(folder) == "local.d":
        override = include(f"{base}/override.d/{posixpath.basename(path)}", {"try": "true"})
        found = found if override is None else ucl.merge(found, override)
    inner = found.get("dkim_signing")
    return {key: _with_names(value, names) for key, value in (inner if isinstance(inner, dict) else found).items()}


def expanded(text: str, names: dict[str, str]) -> str:
    """The text with rspamd's variables filled in: ``$NAME`` and ``${NAME}``."""
    for name, value in names.items():
        text = text.replace(f"${{{name}}}", value).replace(f"${name}", value)
    return text


def _with_names(value: Value, names: dict[str, str]) -> Value:
    if isinstance(value, dict):
        return {key: _with_names(inner, names) for key, inner in value.items()}
    if isinstance(value, list):
        return [_with_names(inner, names) for inner in value]
    return expanded(value, names) if isinstance(value, str) else value


def _tell(found: Found, path: str, settings: _Settings) -> None:
    """What has no equal, or another one."""
    if settings.text("use_domain") != "header":
        found.remark(Weight.UNEQUAL, path, "use_domain", _OTHER_NAME, value=settings.text("use_domain"))
    for name in ("use_domain_sign_networks", "use_domain_sign_local", "use_domain_custom", "use_domain_sign_inbound"):
        if settings.given.get(name) not in (None, "header"):
            found.remark(Weight.UNEQUAL, path, name, _OTHER_NAME, value=name)
    for name, where in (("use_redis", "Redis"), ("use_vault", "Vault"), ("use_http_headers", N_("the headers of a request"))):
        if settings.on(name):
            found.remark(Weight.UNEQUAL, path, name, _ELSEWHERE, where=where)
    if "sign_condition" in settings.given:
        found.remark(Weight.UNEQUAL, path, "sign_condition", N_("there are no Lua scripts; write [[outbound.allow]] for whom it lets sign"))
    if settings.on("sign_inbound"):
        found.remark(Weight.UNEQUAL, path, "sign_inbound", N_("mail from outside is never signed; a forwarder seals with ARC instead"))
    if not settings.on("allow_hdrfrom_mismatch"):
        found.remark(Weight.UNEQUAL, path, "allow_hdrfrom_mismatch", _ENVELOPE)
    if "sign_headers" in settings.given:
        sentence = N_("which fields are signed is not for setting: those of RFC 6376 5.4.1 and List-*; nothing to do")
        found.remark(Weight.UNEQUAL, path, "sign_headers", sentence)
    if settings.on("allow_hdrfrom_multiple"):
        found.remark(Weight.UNEQUAL, path, "allow_hdrfrom_multiple", N_("a From with addresses of several domains is never signed"))


def _tables(found: Found, path: str, settings: _Settings, files: Files) -> None:
    signing = DataSet(tuple(entries(settings.given["signing_table"], path, files)), patterns=True)
    keys = DataSet(tuple(entries(settings.given["key_table"], path, files)))
    signers(found, signing, keys, files, Layout(selector=settings.text("selector")))


def _domains(found: Found, path: str, settings: _Settings, files: Files) -> None:
    """The domain section first, then the maps, then the files that the path leads to: as rspamd looks for a key."""
    selectors = _map(found, settings, "selector_map", path, files)
    paths = _map(found, settings, "path_map", path, files)
    section = settings.given.get("domain", {})
    if isinstance(section, list):
        found.remark(Weight.BROKEN, path, "domain", N_("the section domain is there twice, and then rspamd uses neither; make it one"))
    section = section if isinstance(section, dict) else {}
    for name in dict.fromkeys((*section, *selectors, *paths)):
        at = next((entries_[name].at for entries_ in (selectors, paths) if name in entries_), path)
        try:
            domain = Domain.parse(name)
        except ValueError:
            found.remark(Weight.UNEQUAL, at, name, N_("'{name}' is no domain name; name the domains that it stands for"), name=name)
            continue
        pairs = list(_pairs(section.get(name), selectors.get(name), paths.get(name), settings))
        for selector, key in pairs:
            _signer(found, settings, domain, selector, key, at)
    if settings.on("try_fallback") and not settings.on("use_redis"):
        _fallback(found, path, settings, files)


def _pairs(section: Value, selector: Entry | None, path: Entry | None, settings: _Settings) -> Iterator[tuple[str, str]]:
    """The selectors and paths of one domain; what one of them lacks comes from the maps, then from the defaults."""
    written = [section, *_listed(section.get("selectors"))] if isinstance(section, dict) else []
    pairs = [(one.get("selector"), one.get("path")) for one in written if isinstance(one, dict) and ("selector" in one or "path" in one)]
    for name, key in pairs or [(None, None)]:
        chosen = name or (selector.value if selector else None) or settings.text("selector")
        yield str(chosen), str(key or (path.value if path else None) or settings.text("path"))


def _listed(value: Value) -> list[Value]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _signer(found: Found, settings: _Settings, domain: Domain, selector: str, key: str, at: str) -> None:
    senders: tuple[str, ...] = (str(domain),)
    if settings.on("use_esld"):
        if organizational_domain(domain) != domain:
            sentence = N_("rspamd never signs as {domain}, as use_esld is on: it signs as {other}; its key is not taken along")
            found.remark(Weight.NOTE, at, domain, sentence, domain=domain, other=organizational_domain(domain))
            return
        senders = (str(domain), f".{domain}")
    try:
        name = str(Domain.parse(selector))
    except ValueError:
        found.remark(Weight.BROKEN, at, domain, NO_NAME, domain=domain, selector=selector)
        return
    where = key.replace("$domain", domain).replace("$selector", name)
    found.signers.append(Signer(senders, domain, name, Source(where), at))


def _fallback(found: Found, path: str, settings: _Settings, files: Files) -> None:
    """Every domain that has a file where the default path leads, beside those that are named."""
    selector, key = settings.text("selector"), settings.text("path")
    named = {signer.domain for signer in found.signers}
    if "$domain" not in key:
        if key and not named:
            found.remark(Weight.UNEQUAL, path, "path", ONE_FOR_ALL)
        return
    for domain, where in templated(key.replace("$selector", selector), "$domain", files):
        if domain not in named:
            _signer(found, settings, domain, selector, where, path)


def _map(found: Found, settings: _Settings, name: str, path: str, files: Files) -> dict[str, Entry]:
    value = settings.given.get(name)
    if value is None:
        return {}
    listed = isinstance(value, list) and not str((value or [""])[0]).startswith(("/", "file:", "fallback+file:"))
    if listed or (isinstance(value, dict) and not value.keys() & {"url", "urls"}):
        # lua_maps takes each element of such a list for a name without a value.
        sentence = N_("rspamd finds nothing in a map that is written within the configuration; nothing is read of it")
        found.remark(Weight.NOTE, path, name, sentence)
        return {}
    return {entry.key.lower(): entry for entry in entries(value, path, files)}


def _hosts(found: Found, path: str, settings: _Settings, files: Files) -> None:
    """Whose mail is signed."""
    if settings.on("sign_authenticated"):
        if settings.on("allow_username_mismatch"):
            found.logins = True
        else:
            sentence = N_(
                "a login signs there only as the domain in its own name. Here each is written: [[outbound.allow]] with "
                'login = "jan@example.be" and sign = ["example.be"]'
            )
            found.remark(Weight.UNEQUAL, path, "allow_username_mismatch", sentence)
    if settings.on("sign_local"):
        found.local = True
        found.networks += map(ipaddress.ip_network, _LOCAL)
        sentence = N_("local are rspamd's usual networks; take out what is not yours, or where local_addrs says otherwise")
        found.remark(Weight.NOTE, path, "sign_local", sentence)
    try:
        networks = list(entries(settings.given["sign_networks"], path, files)) if "sign_networks" in settings.given else []
    except UnreadableError as error:
        found.remark(Weight.BROKEN, path, "sign_networks", "{error}", error=error)
        return
    for entry in networks:
        try:
            found.networks.append(ipaddress.ip_network(entry.key, strict=False))
        except ValueError:
            sentence = N_("'{network}' is no network; write what it stands for in [[outbound.allow]]")
            found.remark(Weight.UNEQUAL, entry.at, entry.key, sentence, network=entry.key)
