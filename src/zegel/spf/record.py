"""The SPF record: its text and its value. RFC 7208 4.5, 4.6.1, 5 and 6.

The whole record is read before anything of it is evaluated, and one that does not parse wholly is no record (RFC 7208 4.6). Records come
back with every message of their domain, so the last ones are remembered.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache

from zegel.spf.client import ipv4, ipv6, quad
from zegel.spf.macro import DomainSpec, MacroError, MacroString, parse_domain_spec, parse_macro_string
from zegel.spf.result import SpfReason
from zegel.words import N_

_VERSION = "v=spf1"
_MAX_RECORD = 8192  # octets; RFC 7208 3.4 wants them under 450
_REMEMBERED = 2048
_NAME = re.compile(r"[a-z][a-z0-9\-_.]*", re.IGNORECASE | re.ASCII)
_END_OF_NAME = re.compile(r"[:/=]")
_DUAL_CIDR = re.compile(r"(?:/(0|[1-9][0-9]?))?(?://(0|[1-9][0-9]{0,2}))?", re.ASCII)
_DUAL_CIDR_AT_END = re.compile(r"(?:/(?:0|[1-9][0-9]?))?(?://(?:0|[1-9][0-9]{0,2}))?\Z", re.ASCII)
_CIDR = re.compile(r"0|[1-9][0-9]{0,2}", re.ASCII)


class Mechanism(StrEnum):
    """The mechanisms. RFC 7208 4.6.1."""

    ALL = "all"
    INCLUDE = "include"
    A = "a"
    MX = "mx"
    PTR = "ptr"
    IP4 = "ip4"
    IP6 = "ip6"
    EXISTS = "exists"


QUALIFIERS = {
    "+": SpfReason.PERMITTED,
    "-": SpfReason.NOT_PERMITTED,
    "~": SpfReason.PROBABLY_NOT,
    "?": SpfReason.NOT_ASSERTED,
}  # RFC 7208 4.6.2
_MECHANISMS = {str(mechanism): mechanism for mechanism in Mechanism}


class SpfRecordError(ValueError):
    """A record that cannot be evaluated; ``term`` is where, "" for the record as a whole."""

    def __init__(self, reason: SpfReason, term: str = "", detail: str = "") -> None:
        super().__init__(detail or reason.sentence)
        self.reason, self.term, self.detail = reason, term, detail


@dataclass(frozen=True, slots=True)
class Directive:
    """One mechanism with its qualifier; ``text`` is how it was written.

    ``prefix4`` and ``prefix6`` are the CIDR lengths of ``a`` and ``mx``. ``network`` is the network of ``ip4`` and ``ip6``, already shifted
    right by ``shift``: an address within it is equal when shifted likewise.
    """

    reason: SpfReason
    mechanism: Mechanism
    domain: DomainSpec | None = None
    prefix4: int = 32
    prefix6: int = 128
    network: int = 0
    shift: int = 0
    text: str = field(default="", compare=False)

    def __str__(self) -> str:
        sign = next(sign for sign, reason in QUALIFIERS.items() if reason is self.reason)
        words = [sign.replace("+", ""), self.mechanism]
        if self.mechanism is Mechanism.IP4:
            words += [":", quad(self.network << self.shift), f"/{32 - self.shift}" if self.shift else ""]
        elif self.mechanism is Mechanism.IP6:
            digits = f"{self.network << self.shift:032x}"
            words += [":", ":".join(digits[at : at + 4] for at in range(0, 32, 4)), f"/{128 - self.shift}" if self.shift else ""]
        else:
            words += [f":{self.domain.string}"] if self.domain else []
            words += [f"/{self.prefix4}"] if self.prefix4 != 32 else []
            words += [f"//{self.prefix6}"] if self.prefix6 != 128 else []
        return "".join(words)


class Networks:
    """Directives of ``ip4`` or ``ip6`` that stand together, to find the first that holds an address.

    They are grouped by the length of their prefix: a record of hundreds of networks has few lengths, and costs a look-up for each.
    """

    __slots__ = ("_tables",)

    def __init__(self, directives: Sequence[Directive]) -> None:
        tables: dict[int, dict[int, tuple[int, Directive]]] = {}
        for place, directive in enumerate(directives):
            tables.setdefault(directive.shift, {}).setdefault(directive.network, (place, directive))
        self._tables = tuple(tables.items())

    def find(self, number: int) -> Directive | None:
        """The first directive whose network holds the address."""
        best: tuple[int, Directive] | None = None
        for shift, table in self._tables:
            found = table.get(number >> shift)
            if found is not None and (best is None or found[0] < best[0]):
                best = found
        return best and best[1]


@dataclass(frozen=True, slots=True)
class Record:
    """An SPF record as a value: the directives in order, the modifiers, and what is not known, name and value.

    ``steps4`` and ``steps6`` are what an IPv4 and an IPv6 client have to go through: the directives without networks of the other family.
    """

    directives: tuple[Directive, ...] = ()
    redirect: DomainSpec | None = None
    explanation: DomainSpec | None = None
    unknown: tuple[tuple[str, MacroString], ...] = ()
    steps4: tuple[Directive | Networks, ...] = field(init=False, repr=False, compare=False)
    steps6: tuple[Directive | Networks, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps4", _steps(self.directives, Mechanism.IP4, Mechanism.IP6))
        object.__setattr__(self, "steps6", _steps(self.directives, Mechanism.IP6, Mechanism.IP4))

    def __str__(self) -> str:
        """The text of the record. RFC 7208 6: modifiers at the end."""
        words = [_VERSION, *map(str, self.directives)]
        words += [f"redirect={self.redirect.string}"] if self.redirect else []
        words += [f"exp={self.explanation.string}"] if self.explanation else []
        return " ".join([*words, *(f"{name}={value}" for name, value in self.unknown)])


def _steps(directives: Iterable[Directive], own: Mechanism, other: Mechanism) -> tuple[Directive | Networks, ...]:
    """RFC 7208 5.6: a network holds no address of the other family. Nothing is tested behind "all" (RFC 7208 5.1)."""
    steps: list[Directive | Networks] = []
    together: list[Directive] = []
    for directive in directives:
        if directive.mechanism is own:
            together.append(directive)
        elif directive.mechanism is not other:
            steps += [Networks(together), directive] if together else [directive]
            together = []
            if directive.mechanism is Mechanism.ALL:
                break
    return (*steps, Networks(together)) if together else tuple(steps)


def select(records: Iterable[bytes | str]) -> list[bytes]:
    """The SPF records among the TXT records of a name. RFC 7208 4.5: the version ends at a space, or with the record."""
    return [text for text in records if isinstance(text, bytes) and text[:6].lower() == b"v=spf1" and (len(text) == 6 or text[6] == 32)]


def read(text: bytes) -> Record | SpfRecordError:
    """Read the text of a record that begins with its version: the record, or what is wrong with it."""
    return _parse(text) if len(text) <= _MAX_RECORD else SpfRecordError(SpfReason.RECORD_TOO_LONG, detail=f"{len(text)} octets")


def parse(text: bytes) -> Record:
    """Read the text of a record that begins with its version. Raises :class:`SpfRecordError`."""
    outcome = read(text)
    if isinstance(outcome, SpfRecordError):
        raise SpfRecordError(outcome.reason, outcome.term, outcome.detail)
    return outcome


@lru_cache(maxsize=_REMEMBERED)
def _parse(text: bytes) -> Record | SpfRecordError:
    try:
        version, *terms = text.decode("ascii").split(" ")
    except UnicodeDecodeError:
        return SpfRecordError(SpfReason.NOT_ASCII)
    if version.lower() != _VERSION:
        return SpfRecordError(SpfReason.TERM_SYNTAX, version[:20])
    directives: list[Directive] = []
    known: dict[str, DomainSpec] = {}
    unknown: list[tuple[str, MacroString]] = []
    for term in terms:
        if not term:
            continue  # RFC 7208 4.6.1: one or more spaces
        try:
            name, value = _modifier(term)
            if name in ("redirect", "exp"):
                if name in known:
                    return SpfRecordError(SpfReason.MODIFIER_TWICE, term)
                known[name] = parse_domain_spec(value)
            elif name:
                unknown.append((name, parse_macro_string(value)))
            else:
                directives.append(_directive(term))
        except MacroError as error:
            known_term = not name or name in ("redirect", "exp")
            return SpfRecordError(SpfReason.DOMAIN_SYNTAX if known_term else SpfReason.MACRO_SYNTAX, term, str(error))
        except SpfRecordError as error:
            return error
    return Record(tuple(directives), known.get("redirect"), known.get("exp"), tuple(unknown))


def _modifier(term: str) -> tuple[str, str]:
    """The name (lower case) and the value of a modifier; "" for the name of what is none.

    RFC 7208 4.6.1: an "=" stands immediately after the name, and before any ":" or "/". What is known is never an unknown-modifier.
    """
    mark = _END_OF_NAME.search(term)
    if not mark or mark[0] != "=" or not _NAME.fullmatch(term, 0, mark.start()):
        return "", ""
    return term[: mark.start()].lower(), term[mark.end() :]


def _directive(term: str) -> Directive:
    """Read a mechanism and its qualifier. RFC 7208 4.6.1 and 5."""
    reason = QUALIFIERS.get(term[0])
    rest = term if reason is None else term[1:]
    mark = _END_OF_NAME.search(rest)
    name, arguments = (rest, "") if not mark else (rest[: mark.start()], rest[mark.start() :])
    mechanism = _MECHANISMS.get(name.lower())
    if mechanism is None:
        raise SpfRecordError(SpfReason.TERM_UNKNOWN, term)
    reason = reason or SpfReason.PERMITTED
    match mechanism:
        case Mechanism.ALL:
            if arguments:
                raise SpfRecordError(SpfReason.TERM_SYNTAX, term)
            return Directive(reason, mechanism, text=term)
        case Mechanism.IP4:
            return _network(reason, mechanism, term, arguments, 32)
        case Mechanism.IP6:
            return _network(reason, mechanism, term, arguments, 128)
        case Mechanism.A | Mechanism.MX:
            return _addresses(reason, mechanism, term, arguments)
        case _:
            # Only ptr can stand alone: RFC 7208 5.2, 5.5, 5.7.
            if not arguments and mechanism is Mechanism.PTR:
                return Directive(reason, mechanism, text=term)
            if arguments[:1] != ":":
                raise SpfRecordError(SpfReason.TERM_SYNTAX, term)
            return Directive(reason, mechanism, parse_domain_spec(arguments[1:]), text=term)


def _addresses(reason: SpfReason, mechanism: Mechanism, term: str, arguments: str) -> Directive:
    """Read what follows ``a`` and ``mx``: [ ":" domain-spec ] [ dual-cidr-length ]. RFC 7208 5.3, 5.4, 5.6."""
    domain, cidr = None, arguments
    if arguments[:1] == ":":
        # A top label has no "/": a length at the end is never part of the domain-spec.
        found = _DUAL_CIDR_AT_END.search(arguments, 1)
        at = found.start() if found else len(arguments)
        domain, cidr = parse_domain_spec(arguments[1:at]), arguments[at:]
    found = _DUAL_CIDR.fullmatch(cidr)
    if not found:
        raise SpfRecordError(SpfReason.TERM_SYNTAX, term)
    prefix4, prefix6 = int(found[1] or 32), int(found[2] or 128)
    if prefix4 > 32 or prefix6 > 128:
        raise SpfRecordError(SpfReason.NETWORK_SYNTAX, term, N_("the length of the prefix"))
    return Directive(reason, mechanism, domain, prefix4, prefix6, text=term)


def _network(reason: SpfReason, mechanism: Mechanism, term: str, arguments: str, bits: int) -> Directive:
    """Read what follows ``ip4`` and ``ip6``: ":" network [ cidr-length ]. RFC 7208 5.6."""
    if arguments[:1] != ":":
        raise SpfRecordError(SpfReason.TERM_SYNTAX, term)
    address, slash, length = arguments[1:].partition("/")
    number = ipv4(address) if bits == 32 else ipv6(address)
    if number is None:
        raise SpfRecordError(SpfReason.NETWORK_SYNTAX, term, N_("the address"))
    prefix = bits
    if slash:
        if not _CIDR.fullmatch(length) or int(length) > bits:
            raise SpfRecordError(SpfReason.NETWORK_SYNTAX, term, N_("the length of the prefix"))
        prefix = int(length)
    shift = bits - prefix
    return Directive(reason, mechanism, network=number >> shift, shift=shift, text=term)
