"""``zegel.toml`` as plain values: names, defaults and sentences from the template of ``zegel init``, kinds from the Config itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, get_args, get_origin, get_type_hints

from zegel.cli import template
from zegel.config import Allow, Config, Exemption

ALLOW = {
    "login": 'A SASL login as the mail server reports it; "*" is every login.',
    "network": "Addresses of clients, such as 192.0.2.0/24 or 2001:db8::/48; no wider than /8 (IPv6: /7).",
    "local": "true: mail that this machine itself hands to Postfix, by the sendmail command.",
    "sign": (
        "The senders (From) that this entry gives the right to: a domain (example.be), all names below one (.example.be), an address "
        '(info@example.be), or "*" for all.'
    ),
}
RULE = {
    "kind": "network (trusted as ours), sender (an exempted author), forwarder, or list.",
    "who": "Who made the rule; told wherever it decides.",
    "why": "Why; told wherever it decides.",
    "networks": "Addresses of clients that the rule is about; no wider than /8 (IPv6: /7).",
    "domains": "Authenticated domains that the rule is about: one that SPF or DKIM proves, itself and none below it.",
    "senders": "With kind sender: the authors, as addresses or domains. They count only together with a network or a proven domain.",
    "since": "The first day, such as 2026-11-01 (UTC); without it, from the beginning.",
    "until": "The day on which it no longer holds; without it, it holds for good.",
}
TABLES = {
    "milter": "Where the mail server finds Zegel.",
    "outbound": "Which mail is yours to sign, and who may sign as whom.",
    "inbound": "What is written on mail that comes in, and what may happen to it. A new installation observes.",
    "signing": "How signatures look.",
    "check": "The address that answers test mail with a report, and how often.",
    "dns": "Who is asked for records.",
    "messages": "What is written down of each message, and for how long.",
    "metrics": "Counters for Prometheus.",
    "outbox": "Where mail of the relay goes next, and how long it is tried: [The outbox](../outbox.md).",
    "limits": "Bounds on what one message from a stranger can make Zegel do.",
}
_KINDS = {str: "text", int: "whole number", float: "number", bool: "true or false", date | None: "date"}


@dataclass(frozen=True, slots=True)
class Option:
    """One option: its table, name, kind in words, default as TOML, and what it is for."""

    table: str
    name: str
    kind: str
    default: str
    help: str


def read() -> tuple[Option, ...]:
    """Every option in the order of the template, but for [[tables]]. Raises LookupError where template and Config differ."""
    found: list[Option] = []
    table, prose, example = "", [""], False
    for line in template.text().splitlines():
        if head := re.fullmatch(r"\[(\w+)\]", line):
            table, prose = head[1], []
        elif line.startswith("# "):
            prose.append(line[2:])
        elif line.startswith("#[["):
            example = True
        elif not line:
            prose, example = [], False
        elif not example and (option := re.fullmatch(r"#(\w+) = (.*)", line)):
            found.append(Option(table, option[1], _kind(table, option[1]), option[2], " ".join(prose)))
            prose = []
    _check(found)
    return tuple(found)


def allow() -> tuple[Option, ...]:
    """What an [[outbound.allow]] entry holds."""
    return tuple(Option("outbound.allow", name, _words(get_type_hints(Allow)[name]), "", text) for name, text in ALLOW.items())


def rule() -> tuple[Option, ...]:
    """What an [[inbound.rule]] entry holds."""
    return tuple(Option("inbound.rule", name, _words(get_type_hints(Exemption)[name]), "", text) for name, text in RULE.items())


def _check(found: list[Option]) -> None:
    config = Config()
    known = {(table, name) for table in config.__struct_fields__ for name in get_type_hints(type(getattr(config, table)))}
    differ = known ^ {(option.table, option.name) for option in found} ^ {("outbound", "allow"), ("inbound", "rule")}
    differ |= {("outbound.allow", name) for name in set(ALLOW) ^ set(get_type_hints(Allow))}
    differ |= {("inbound.rule", name) for name in set(RULE) ^ set(get_type_hints(Exemption))}
    differ |= {(table, "") for table in set(TABLES) ^ set(config.__struct_fields__)}
    if differ:
        raise LookupError(f"the template, the Config and {__name__} differ in {sorted(differ)}")


def _kind(table: str, name: str) -> str:
    return _words(get_type_hints(type(getattr(Config(), table)))[name])


def _words(kind: Any) -> str:
    if get_origin(kind) is tuple:
        return "list of texts"
    if get_origin(kind) is dict:
        return f"table of names, each {_words(get_args(kind)[1])}"
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(get_args(kind))
    return _KINDS[kind]
