"""The name of the server that brought a message: its address must have a name, and the name must have that address. RFC 8601 3.

Google and others refuse mail from servers without (forward-confirmed reverse DNS). Names are a stranger's: few are asked for.
"""

from __future__ import annotations

import ipaddress
from typing import NamedTuple

from zegel.ask import Answer, Dialogue, Question, RRType
from zegel.check.item import Area, Item, Level
from zegel.check.message.path import is_public
from zegel.grammar.domain import Domain
from zegel.words import N_, Sentence

_MOST_NAMES = 3


class HostNames(NamedTuple):
    """``confirmed`` are the names that lead back to the address, ``other`` those that do not; ``trouble`` where DNS did not say now."""

    confirmed: tuple[str, ...] = ()
    other: tuple[str, ...] = ()
    trouble: bool = False


def look_up(ip: str) -> Dialogue[HostNames | None]:
    """Ask for the names of an address, and for the addresses of these. None for an address that is not on the public internet."""
    if not is_public(ip):
        return None
    address = ipaddress.ip_address(ip)
    answer: Answer
    (answer,) = yield (Question(address.reverse_pointer, RRType.PTR),)
    names = [name for name in map(_name, answer.records[:_MOST_NAMES]) if name is not None]
    if not names:
        return HostNames(trouble=answer.temporary)
    kind = RRType.A if address.version == 4 else RRType.AAAA
    answers: tuple[Answer, ...] = yield tuple(Question(name, kind) for name in names)
    confirmed = tuple(name for name, found in zip(names, answers, strict=True) if _holds(found, address))
    other = tuple(name for name in names if name not in confirmed)
    return HostNames(confirmed, other, trouble=not confirmed and any(found.temporary for found in answers))


def _name(record: bytes | str) -> Domain | None:
    try:
        return Domain.parse(record)
    except ValueError:
        return None


def _holds(answer: Answer, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    for record in answer.records:
        try:
            if ipaddress.ip_address(str(record)) == address:
                return True
        except ValueError:
            continue
    return False


def items(ip: str, names: HostNames | None) -> list[Item]:
    """How the server stands in DNS."""
    if names is None:
        return []
    why = Sentence(N_("Google and others refuse mail from a server without a name that leads back to its address"))
    if names.confirmed:
        shown = Sentence(N_("{ip} is {name}, and that name is {ip}"), ip=ip, name=names.confirmed[0])
        return [Item("message.host", Area.PATH, Level.PASS, shown, seen=names.confirmed)]
    if names.trouble:
        return [Item("message.host", Area.PATH, Level.NOT_TESTED, Sentence(N_("DNS did not say now what the name of {ip} is"), ip=ip))]
    if names.other:
        shown = Sentence(N_("{ip} has the name {name}, which does not lead back to it"), ip=ip, name=names.other[0])
    else:
        shown = Sentence(N_("{ip} has no name in DNS"), ip=ip)
    step = Sentence(N_("let who owns the network of {ip} set its PTR record to the server's name, and give that name this address"), ip=ip)
    return [Item("message.host", Area.PATH, Level.FAIL, shown, why, names.other, step=step)]
