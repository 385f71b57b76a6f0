"""An SPF record with all that it leads to, as a tree: what each term asks, what it finds, and which addresses it lets in. RFC 7208 4 and 5.

A receiver stops at the first match and after ten terms that ask; here every term is followed, so that the owner sees the whole. What is
followed is bounded all the same: terms, records above one another, questions and addresses. Nobody is judged here: macros that depend on
a message are not guessed at, and what is behind them is not counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from zegel.ask import Answer, Dialogue, Rcode, RRType, ask, side_by_side
from zegel.check.networks import Claim, Range, permitted
from zegel.grammar.domain import Domain
from zegel.spf import record as spf_record
from zegel.spf.client import address_number
from zegel.spf.macro import DomainSpec, target_name
from zegel.spf.record import Directive, Mechanism, Record, SpfRecordError
from zegel.spf.result import SpfReason

MAX_TERMS = 60  # terms that ask and are followed; RFC 7208 4.6.4 lets a receiver follow ten
MAX_QUESTIONS = 240
_MAX_DEPTH = 12
_MAX_HOSTS = 10  # RFC 7208 4.6.4
_MAX_CLAIMS = 20_000
_V4, _V6 = 32, 128
_FAMILIES = ((RRType.A, _V4), (RRType.AAAA, _V6))
_KNOWN_LETTERS = frozenset("do")


class Trouble(StrEnum):
    """What is wrong with what a term asks for."""

    GONE = "gone"  # the name does not exist
    EMPTY = "empty"  # it has nothing of what is asked for
    UNREADABLE = "unreadable"  # the domain has no SPF record, several, or one that cannot be read
    LOOP = "loop"
    TOO_MANY_HOSTS = "too_many_hosts"
    MALFORMED = "malformed"
    UNANSWERED = "unanswered"  # DNS does not say now
    PER_MESSAGE = "per_message"  # what is asked for depends on the message
    NOT_FOLLOWED = "not_followed"  # past our own bounds


UNCOUNTED = frozenset((Trouble.UNANSWERED, Trouble.PER_MESSAGE, Trouble.NOT_FOLLOWED))


@dataclass(slots=True)
class Node:
    """The SPF record of one domain. ``reason`` says why there is no ``record``; ``records`` are the texts that were found."""

    domain: str
    records: tuple[bytes, ...] = ()
    record: Record | None = None
    reason: SpfReason | None = None
    detail: str = ""
    terms: list[Term] = field(default_factory=list)

    @property
    def lookups(self) -> int:
        """The terms that ask, here and below. RFC 7208 4.6.4."""
        return sum(term.lookups for term in self.terms)

    def voids(self, bits: int) -> int:
        """The terms for which DNS has nothing for a client with so many bits, here and below. RFC 7208 4.6.4."""
        return sum((bits in term.void) + (term.node.voids(bits) if term.node else 0) for term in self.terms)

    def walk(self, depth: int = 0) -> Iterator[tuple[int, Node, Term]]:
        """Every term, in the order of evaluation, with the record that it stands in and how deep that is."""
        for term in self.terms:
            yield depth, self, term
            if term.node is not None:
                yield from term.node.walk(depth + 1)


@dataclass(slots=True)
class Term:
    """One term. ``directive`` is None for a redirect; ``name`` is what it asks for, "" when that is not known.

    ``void`` are the address families (32, 128) of clients for which DNS has nothing; ``found`` the addresses by family; ``hosts`` the mail
    servers of ``mx`` without any address. ``node`` is the record that ``include`` or ``redirect`` leads to.
    """

    text: str
    directive: Directive | None
    name: str = ""
    node: Node | None = None
    trouble: Trouble | None = None
    void: frozenset[int] = frozenset()
    found: dict[int, tuple[int, ...]] = field(default_factory=dict)
    hosts: tuple[str, ...] = ()

    @property
    def asks(self) -> bool:
        """True for a term that counts as a look-up. RFC 7208 4.6.4."""
        return self.directive is None or self.directive.mechanism not in (Mechanism.ALL, Mechanism.IP4, Mechanism.IP6)

    @property
    def lookups(self) -> int:
        """What it costs: itself, and all that it leads to."""
        return self.asks + (self.node.lookups if self.node else 0)

    @property
    def leads(self) -> bool:
        """True for ``include`` and ``redirect``, which lead to another record."""
        return self.directive is None or self.directive.mechanism is Mechanism.INCLUDE

    @property
    def breaks(self) -> bool:
        """True when a receiver that comes here ends in a permerror. RFC 7208 4.6.4, 5.2 and 6.1."""
        if self.trouble in (Trouble.LOOP, Trouble.TOO_MANY_HOSTS, Trouble.UNREADABLE):
            return True
        return self.leads and self.trouble in (Trouble.GONE, Trouble.MALFORMED)

    @property
    def permits(self) -> bool:
        """True when who matches it may send."""
        return self.directive is None or self.directive.reason is SpfReason.PERMITTED


class TooManyError(Exception):
    """More networks than are counted here."""


def addresses(node: Node, bits: int) -> list[Range]:
    """The addresses of one family that a record lets in, as ranges; what :data:`UNCOUNTED` terms let in is not among them.

    Raises :class:`TooManyError` past 20,000 networks in one record.
    """
    claims: list[Claim] = []
    for term in node.terms:
        directive, below = term.directive, addresses(term.node, bits) if term.node else []
        if below:
            claims += [Claim(first, last, term.permits) for first, last in below]
        elif directive is None:
            continue
        elif directive.mechanism is Mechanism.ALL or (directive.mechanism is Mechanism.EXISTS and term.found):
            claims.append(Claim(0, (1 << bits) - 1, term.permits))
        elif directive.mechanism is (Mechanism.IP4 if bits == _V4 else Mechanism.IP6):
            claims.append(_claim(directive.network, directive.shift, term.permits))
        else:
            shift = bits - (directive.prefix4 if bits == _V4 else directive.prefix6)
            claims += [_claim(number >> shift, shift, term.permits) for number in term.found.get(bits, ())]
        if len(claims) > _MAX_CLAIMS:
            raise TooManyError
    return permitted(claims)


def _claim(network: int, shift: int, permits: bool) -> Claim:
    return Claim(network << shift, ((network + 1) << shift) - 1, permits)


def grow(domain: Domain) -> Dialogue[Node]:
    """Look up the record of a domain and all that it leads to."""
    node: Node = yield from _Walk(domain).node(domain, ())
    return node


class _Walk:
    """What one tree has asked so far."""

    def __init__(self, origin: Domain) -> None:
        self._origin = origin
        self._terms = self._questions = 0

    def node(self, domain: str, above: tuple[str, ...]) -> Dialogue[Node]:
        """The record of a domain, and below it what its terms lead to; ``above`` are the domains on the way here."""
        answer = yield from self._ask(domain, RRType.TXT)
        node = Node(domain, tuple(spf_record.select(answer.records)))
        node.reason = _no_record(answer, node.records)
        if node.reason is not None:
            return node
        read = spf_record.read(node.records[0])
        if isinstance(read, SpfRecordError):
            node.reason, node.detail = read.reason, read.term or read.detail
            return node
        node.record = read
        for directive in read.directives:
            node.terms.append(Term(directive.text, directive))
            if directive.mechanism is Mechanism.ALL:
                break  # RFC 7208 5.1: nothing behind it is tested, and redirect is ignored
        else:
            if read.redirect is not None:
                node.terms.append(Term(f"redirect={read.redirect.string}", None))
        yield from side_by_side([self._follow(term, node, (*above, domain)) for term in node.terms if term.asks])
        return node

    def _follow(self, term: Term, node: Node, way: tuple[str, ...]) -> Dialogue[None]:
        self._terms += 1
        if self._terms > MAX_TERMS or len(way) > _MAX_DEPTH:
            term.trouble = Trouble.NOT_FOLLOWED
            return
        spec = term.directive.domain if term.directive else node.record.redirect if node.record else None
        name = self._name(spec, node.domain)
        mechanism = Mechanism.INCLUDE if term.directive is None else term.directive.mechanism
        if name is None or mechanism is Mechanism.PTR:
            term.trouble, term.name = Trouble.PER_MESSAGE, name or ""
            return
        term.name = name
        if not name:
            term.trouble = Trouble.MALFORMED
        elif mechanism is Mechanism.INCLUDE:
            yield from self._include(term, way)
        elif mechanism is Mechanism.MX:
            yield from self._mx(term)
        elif mechanism is Mechanism.A:
            yield from self._addresses(term, (name,))
        else:
            yield from self._exists(term)

    def _name(self, spec: DomainSpec | None, domain: str) -> str | None:
        """The target of a term: None when it depends on the message, "" when it is no name. RFC 7208 4.8 and 7.2."""
        if spec is None:
            return domain
        if spec.name is not None:
            return spec.name
        if not spec.string.letters <= _KNOWN_LETTERS:
            return None
        return target_name(spec.string.expand(lambda letter, at: at if letter == "d" else self._origin, domain)) or ""

    def _include(self, term: Term, way: tuple[str, ...]) -> Dialogue[None]:
        """``include`` and ``redirect``. RFC 7208 5.2 and 6.1."""
        if term.name in way:
            term.trouble = Trouble.LOOP
            return
        node = term.node = yield from self.node(term.name, way)
        if node.reason is SpfReason.NO_SUCH_DOMAIN:
            term.trouble = Trouble.GONE
        elif node.reason is SpfReason.BUDGET_SPENT:
            term.trouble = Trouble.NOT_FOLLOWED
        elif node.reason is SpfReason.RECORD_UNAVAILABLE:
            term.trouble = Trouble.UNANSWERED
        elif node.reason is not None:
            term.trouble = Trouble.UNREADABLE

    def _mx(self, term: Term) -> Dialogue[None]:
        """``mx``. RFC 7208 5.4, without implicit MX."""
        answer = yield from self._ask(term.name, RRType.MX)
        if not answer.records:
            term.trouble, term.void = _nothing(answer), frozenset((_V4, _V6))
            return
        if len(answer.records) > _MAX_HOSTS:
            term.trouble = Trouble.TOO_MANY_HOSTS
            return
        hosts = (target_name(str(record).rpartition(" ")[2]) for record in answer.records)
        yield from self._addresses(term, tuple(dict.fromkeys(filter(None, hosts))))

    def _addresses(self, term: Term, hosts: tuple[str, ...]) -> Dialogue[None]:
        """The addresses of the hosts of a term, of both families. RFC 7208 5.3."""
        answers = yield from side_by_side([self._ask(host, kind) for kind, _ in _FAMILIES for host in hosts])
        for place, (_, bits) in enumerate(_FAMILIES):
            own = answers[place * len(hosts) : (place + 1) * len(hosts)]
            numbers = (address_number(text, bits) for answer in own for text in answer.records)
            term.found[bits] = tuple(number for number in numbers if number is not None)
        silent = [answer for answer in answers if answer.temporary]
        term.hosts = tuple(host for place, host in enumerate(hosts) if not any(answers[at].records for at in (place, place + len(hosts))))
        if silent:
            term.trouble = _nothing(silent[0])
            return
        term.void = frozenset(bits for bits in (_V4, _V6) if not term.found[bits])
        if len(term.void) == len(_FAMILIES):
            gone = all(answer.rcode is Rcode.NXDOMAIN for answer in answers) and term.directive is not None
            term.trouble = Trouble.GONE if gone and hosts else Trouble.EMPTY

    def _exists(self, term: Term) -> Dialogue[None]:
        """``exists`` with a name that is the same for every message. RFC 7208 5.7."""
        answer = yield from self._ask(term.name, RRType.A)
        if answer.records:
            term.found = {_V4: (), _V6: ()}  # it matches every client
        else:
            term.trouble, term.void = _nothing(answer), frozenset((_V4, _V6))

    def _ask(self, name: str, kind: RRType) -> Dialogue[Answer]:
        self._questions += 1
        if self._questions > MAX_QUESTIONS:
            return Answer(Rcode.TIMEOUT, asked=False)
        answer = yield from ask(name, kind)
        return answer


def _nothing(answer: Answer) -> Trouble:
    if not answer.asked:
        return Trouble.NOT_FOLLOWED
    if answer.temporary:
        return Trouble.UNANSWERED
    return Trouble.GONE if answer.rcode is Rcode.NXDOMAIN else Trouble.EMPTY


def _no_record(answer: Answer, records: tuple[bytes, ...]) -> SpfReason | None:
    """Why there is no record to read. RFC 7208 4.3 to 4.5."""
    if not answer.asked:
        return SpfReason.BUDGET_SPENT
    if answer.temporary:
        return SpfReason.RECORD_UNAVAILABLE
    if answer.rcode is Rcode.NXDOMAIN:
        return SpfReason.NO_SUCH_DOMAIN
    if len(records) == 1:
        return None
    return SpfReason.SEVERAL_RECORDS if records else SpfReason.NO_RECORD
