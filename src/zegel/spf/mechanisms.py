"""The mechanisms that ask DNS, and the limits on what one evaluation may ask. RFC 7208 4.6.4, 5 and 7.2.

An :class:`Evaluation` is one check_host() with all that it includes and redirects to: its counters are for the whole of it. Trouble ends
the evaluation (:class:`Ended`), as temperror and permerror do at any depth (RFC 7208 5.2).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from zegel.ask import Answer, Dialogue, Question, RRType
from zegel.spf.client import address_number
from zegel.spf.macro import DomainSpec, target_name
from zegel.spf.record import Directive
from zegel.spf.result import SpfReason
from zegel.spf.session import MAX_IDENTITY, Sender, Session

_MAX_TERMS = 10
_MAX_VOID = 2
_MAX_NAMES = 10
_A, _AAAA = RRType.A, RRType.AAAA


class Ended(Exception):  # noqa: N818 - an outcome, not an error of ours
    """The evaluation has come to its end without a match; where, the path of the evaluation says."""

    def __init__(self, reason: SpfReason, detail: str = "") -> None:
        super().__init__(reason)
        self.reason, self.detail = reason, detail


class Evaluation:
    """What one evaluation has used up of its limits, and the way to the term that it is at: pairs of domain and term."""

    __slots__ = ("_names", "_no_ptr", "path", "sender", "session", "terms", "type", "voids")

    def __init__(self, session: Session, sender: Sender) -> None:
        self.session, self.sender = session, sender
        self.type = _A if session.client.bits == 32 else _AAAA
        self.terms = self.voids = 0
        self.path: list[tuple[str, str]] = []
        self._names: tuple[str, ...] | None = None  # the validated names of the client, once asked for
        self._no_ptr = False

    def count_term(self) -> None:
        """Count one term that asks DNS. RFC 7208 4.6.4: over ten of them "MUST return permerror"."""
        self.terms += 1
        if self.terms > _MAX_TERMS:
            raise Ended(SpfReason.TOO_MANY_TERMS)

    def a(self, directive: Directive, name: str) -> Dialogue[bool]:
        """Evaluate ``a``. RFC 7208 5.3."""
        (answer,) = yield (Question(name, self.type),)
        if not answer.records:
            self._nothing(name, answer)
        return self._holds(directive, answer.records)

    def exists(self, _directive: Directive, name: str) -> Dialogue[bool]:
        """Evaluate ``exists``. RFC 7208 5.7: an A record, even when the connection type is IPv6."""
        (answer,) = yield (Question(name, _A),)
        if not answer.records:
            self._nothing(name, answer)
        return bool(answer.records)

    def ptr(self, _directive: Directive, name: str) -> Dialogue[bool]:
        """Evaluate ``ptr``. RFC 7208 5.5: an error of DNS is no match.

        A name matches within the target, as the RFC's steps and example have it; its last list has the two the other way round.
        """
        yield from self.validate()
        if self._no_ptr:
            self._count_void()
        return any(found == name or found.endswith("." + name) for found in self._names or ())

    def mx(self, directive: Directive, name: str) -> Dialogue[bool]:
        """Evaluate ``mx``. RFC 7208 5.4, without implicit MX."""
        (answer,) = yield (Question(name, RRType.MX),)
        if not answer.records:
            self._nothing(name, answer)
        # RFC 7208 4.6.4: more than 10 "MUST produce a permerror"; whichever of them would have been asked first does not matter.
        if len(answer.records) > _MAX_NAMES:
            raise Ended(SpfReason.TOO_MANY_MX, f"{name}: {len(answer.records)}")
        hosts = _host_questions(answer.records, self.type)
        if not hosts:
            return False
        answers: tuple[Answer, ...] = yield hosts
        addresses = [address for found in answers for address in found.records]
        if self._holds(directive, addresses):
            return True
        for host, found in zip(hosts, answers, strict=True):
            if found.temporary:
                raise _unavailable(host.name, found)
        if not addresses:
            self._count_void()
        return False

    def target(self, spec: DomainSpec, domain: str, *, counted: bool = True) -> Dialogue[str | None]:
        """The <target-name> of a domain-spec: "" when it is malformed, None when it can match nothing.

        RFC 8616 4: terms with ``%{s}`` or ``%{l}`` do not match anything when the local part is not ASCII. ``counted`` is False for the
        explanation, which no limit is for.
        """
        if spec.name is not None:
            return spec.name
        letters = spec.string.letters
        if not self.sender.is_ascii and ("s" in letters or "l" in letters):
            return None
        if "p" in letters:
            yield from self.validate(counted=counted)
        return target_name(spec.string.expand(self.value, domain)) or ""

    def value(self, letter: str, domain: str) -> str:
        """The value of a macro letter; ``%{p}`` only after :meth:`validate`. RFC 7208 7.2."""
        session, sender = self.session, self.sender
        match letter:
            case "i":
                return session.client.dotted
            case "d":
                return domain
            case "s":
                return f"{sender.local_part}@{sender.domain}"
            case "l":
                return sender.local_part
            case "o":
                return sender.domain or ""
            case "v":
                return session.client.family
            case "h":
                return session.helo[:MAX_IDENTITY]
            case "c":
                return str(session.client)
            case "r":
                return session.receiver
            case "t":
                return str(int(session.now))
            case _:
                return self._validated_name(domain)

    def validate(self, *, counted: bool = False) -> Dialogue[None]:
        """Find the names of the client that point back to it, once. RFC 7208 5.5.

        ``counted`` counts the look-up as a term of its own, for ``%{p}``: "the number of PTR resource records queried is included in the
        overall limit of 10" (RFC 7208 4.6.4).
        """
        if self._names is not None:
            return
        if counted:
            self.count_term()
        client = self.session.client
        (answer,) = yield (Question(client.reverse_name, RRType.PTR),)
        self._no_ptr = not answer.temporary and not answer.records
        # "all records other than the first 10 MUST be ignored"; a DNS error is no name.
        names = _askable(map(str, answer.records[:_MAX_NAMES]))
        answers: tuple[Answer, ...] = (yield tuple(Question(name, self.type) for name in names)) if names else ()
        self._names = tuple(
            name
            for name, found in zip(names, answers, strict=True)
            if any(address_number(text, client.bits) == client.number for text in found.records)
        )

    def _validated_name(self, domain: str) -> str:
        """The value of ``%{p}``: the domain itself, else a name below it, else any. RFC 7208 7.3."""
        names = self._names or ("unknown",)
        if domain in names:
            return domain
        return next((name for name in names if name.endswith("." + domain)), names[0])

    def _holds(self, directive: Directive, records: Iterable[bytes | str]) -> bool:
        """True when an address of DNS and the client share the bits of the prefix. RFC 7208 5."""
        number, bits = self.session.client
        shift = bits - (directive.prefix4 if bits == 32 else directive.prefix6)
        wanted = number >> shift
        for text in records:
            found = address_number(text, bits)
            if found is not None and found >> shift == wanted:
                return True
        return False

    def _nothing(self, name: str, answer: Answer) -> None:
        """There are no records: an error of DNS ends the evaluation (RFC 7208 5), otherwise it was a void look-up."""
        if answer.temporary:
            raise _unavailable(name, answer)
        self._count_void()

    def _count_void(self) -> None:
        """Count a term for which DNS has nothing, once. RFC 7208 4.6.4 and 11.1."""
        self.voids += 1
        if self.voids > _MAX_VOID:
            raise Ended(SpfReason.TOO_MANY_VOID)


@lru_cache(maxsize=1024)
def _host_questions(records: tuple[bytes | str, ...], rrtype: RRType) -> tuple[Question, ...]:
    """The questions for the hosts of at most ten MX records. The null MX (RFC 7505) has no host."""
    hosts = _askable([str(record).strip().rpartition(" ")[2] for record in records])
    return tuple([Question(host, rrtype) for host in hosts])


def _askable(names: Iterable[str]) -> list[str]:
    """The names that can be asked for, each once, in order."""
    return list(dict.fromkeys(filter(None, map(target_name, names))))


def _unavailable(name: str, answer: Answer) -> Ended:
    return Ended(SpfReason.TERM_UNAVAILABLE, f"{name}: {answer.rcode}")
