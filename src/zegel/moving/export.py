"""Writes what signs here as the configuration of OpenDKIM or rspamd: the same domains, selectors, keys and fields.

Pure: it makes the texts, and says what the other program cannot do. opendkim.conf(5); the module dkim_signing of rspamd 3.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from zegel.config import Config
from zegel.dkim.sign import OVERSIGNED, SIGNED
from zegel.grammar.domain import Domain
from zegel.moving.pem import seed_and_public
from zegel.words import N_, Sentence

# What may be in a path there: neither what parts the fields of a table nor what starts a comment or stands for a domain.
_PATH = re.compile(r"/[A-Za-z0-9._/+@~-]*")
_KINDS = ("rsa", "ed25519")


@dataclass(frozen=True, slots=True)
class Signing:
    """One key that signs here; ``below`` when it does so for names below its domain as well."""

    domain: Domain
    selector: str
    key_type: str
    public: str
    below: bool
    pem: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Piece:
    """One file: its path within the folder, and what is in it."""

    name: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Export:
    """The files, the first of them the one to start with, and what the other program does otherwise."""

    pieces: tuple[Piece, ...]
    unequal: tuple[Sentence, ...] = ()


def can_hold(folder: str) -> bool:
    """Whether both programs can name files in that folder."""
    return _PATH.fullmatch(folder) is not None


def opendkim(keys: Sequence[Signing], config: Config, folder: str) -> Export:
    """The files for opendkim. It signs with one kind of key, so that a second kind takes a second daemon behind the first."""
    pieces: list[Piece] = []
    unequal = []
    for kind in _KINDS:
        of_kind = [key for key in keys if key.key_type == kind]
        if not of_kind:
            continue
        name = "opendkim" if not pieces else f"opendkim-{kind}"
        table = "".join(f"{_key_name(key)} {key.domain}:{key.selector}:{folder}/{_file(key)}\n" for key in of_kind)
        pieces += [
            Piece(f"{name}.conf", _conf(config, folder, name, kind).encode()),
            Piece(f"{name}.keytable", table.encode()),
            Piece(f"{name}.signingtable", "".join(f"{line}\n" for line in _signing_table(of_kind)).encode()),
        ]
        pieces += [Piece(_file(key), key.pem) for key in of_kind]
    pieces.append(Piece("hosts", "".join(f"{host}\n" for host in _hosts(config)).encode()))
    if any(piece.name == "opendkim-ed25519.conf" for piece in pieces):
        unequal.append(
            Sentence(
                N_("opendkim signs with one kind of key: run a second one with {file}, behind the first"), file="opendkim-ed25519.conf"
            )
        )
    if config.outbound.allow:
        unequal.append(
            Sentence(
                N_("opendkim lets each host in {file}, and every login, sign as all domains: [[outbound.allow]] names senders"),
                file="hosts",
            )
        )
    return Export(tuple(pieces), tuple(unequal))


def _conf(config: Config, folder: str, name: str, kind: str) -> str:
    lines = [
        "# Written by Zegel. The private keys beside it sign as their domains: keep them to yourself.",
        "Mode sv",
        "Syslog yes",
        "UMask 007",
        f"Socket local:/run/opendkim/{name}.sock",
        f"Canonicalization {config.signing.canonicalization}",
        f"SignatureAlgorithm {kind}-sha256",
        f"SignHeaders {','.join(SIGNED)}",
        f"OversignHeaders {','.join(name for name in SIGNED if name in OVERSIGNED)}",
        f"KeyTable file:{folder}/{name}.keytable",
        f"SigningTable refile:{folder}/{name}.signingtable",
        f"InternalHosts {folder}/hosts",
    ]
    lines += [f"SignatureTTL {config.signing.expire}"] if config.signing.expire else []
    return "\n".join(lines) + "\n"


def _signing_table(keys: Sequence[Signing]) -> list[str]:
    """Its lines. The first that matches counts: a domain itself, then the names below it, the nearest first."""
    exact = [f"*@{key.domain} {_key_name(key)}" for key in keys]
    wide = sorted((key for key in keys if key.below), key=lambda key: -len(key.domain.labels))
    return exact + [f"*@*.{key.domain} {_key_name(key)}" for key in wide]


def _hosts(config: Config) -> list[str]:
    hosts = ["127.0.0.1", "::1"] if any(allow.local for allow in config.outbound.allow) else []
    hosts += [str(network) for allow in config.outbound.allow for network in allow.networks]
    # Empty would mean opendkim's default.
    return list(dict.fromkeys(hosts)) or ["127.0.0.1"]


def rspamd(keys: Sequence[Signing], config: Config, folder: str) -> Export:
    """The files for rspamd: ``dkim_signing.conf`` for its local.d, and the keys."""
    domains: dict[Domain, list[Signing]] = {}
    for key in keys:
        domains.setdefault(key.domain, []).append(key)
    allowed = config.outbound.allow
    networks = list(dict.fromkeys(str(network) for allow in allowed for network in allow.networks))
    lines = [
        "# Written by Zegel, for local.d. The private keys beside it sign as their domains: keep them to yourself.",
        'use_domain = "header";',
        "use_esld = false;",
        "try_fallback = false;",
        "allow_hdrfrom_mismatch = true;",
        "allow_username_mismatch = true;",
        f"sign_authenticated = {_word(any(allow.login for allow in allowed))};",
        f"sign_local = {_word(any(allow.local for allow in allowed))};",
        *([f"sign_networks = [{', '.join(_quoted(network) for network in networks)}];"] if networks else []),
        "domain {",
    ]
    for domain, own in domains.items():
        lines += [f"  {_quoted(domain)} {{", "    selectors ["]
        lines += [f"      {{ path = {_quoted(f'{folder}/{_file(key)}')}; selector = {_quoted(key.selector)}; }}," for key in own]
        lines += ["    ]", "  }"]
    conf = "\n".join([*lines, "}", ""])
    pieces = [Piece("dkim_signing.conf", conf.encode())]
    pieces += [Piece(_file(key), _as_rspamd_reads(key)) for key in keys]
    return Export(tuple(pieces), tuple(_unequal_in_rspamd(keys, config)))


def _unequal_in_rspamd(keys: Sequence[Signing], config: Config) -> list[Sentence]:
    found = []
    below = sorted({key.domain for key in keys if key.below})
    if below:
        sentence = N_(
            "rspamd does not sign for names below a domain by this file; write a section for each name that sends, below {domains}"
        )
        found.append(Sentence(sentence, domains=", ".join(below[:5]) + (", ..." if len(below) > 5 else "")))
    if config.signing.canonicalization != "relaxed/relaxed":
        found.append(Sentence(N_("rspamd signs relaxed/relaxed only, and here it is {form}"), form=config.signing.canonicalization))
    if config.signing.expire:
        found.append(
            Sentence(
                N_("rspamd writes no end (x=) into its signatures, and here they hold {seconds} seconds"), seconds=config.signing.expire
            )
        )
    if config.outbound.allow:
        found.append(Sentence(N_("rspamd lets whoever may sign do so as all domains: [[outbound.allow]] names senders")))
    return found


def _as_rspamd_reads(key: Signing) -> bytes:
    return (seed_and_public(key.pem, key.public) or key.pem) if key.key_type == "ed25519" else key.pem


def _key_name(key: Signing) -> str:
    return f"{key.selector}._domainkey.{key.domain}"


def _file(key: Signing) -> str:
    return f"{key.domain}/{key.selector}.private"


def _word(on: bool) -> str:
    return "true" if on else "false"


def _quoted(text: str) -> str:
    return f'"{text}"'
