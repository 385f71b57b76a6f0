"""An offline resolver from zone text or a dict: tests, ``--zone`` on the command line, and the demo.

It answers as an authoritative server for everything would: empty non-terminals are NODATA, wildcards match (RFC 4592), CNAMEs are followed
(RFC 1034 3.6.2), and a name that is nowhere is NXDOMAIN. It never asks the network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, cast

from zegel.ask import Answer, Question, Rcode, RRType

if TYPE_CHECKING:
    import dns.name
    import dns.rdata
    import dns.rdatatype
    import dns.transaction

Record = bytes | str | tuple[bytes | str, ...]
_MAX_CNAMES = 8
_TTL = 3600
_TEXTS = (RRType.TXT, RRType.SPF)
_NXDOMAIN = Answer(Rcode.NXDOMAIN, ttl=_TTL)
_NODATA = Answer(Rcode.NOERROR, ttl=_TTL)


class Zone:
    """All names that there are, each with its records by type. Made by :meth:`parse` or :meth:`from_dict`."""

    def __init__(self, records: Mapping[tuple[str, str], Answer]) -> None:
        self._answers = dict(records)
        self._names: set[str] = set()
        for name, _ in records:
            labels = name.split(".")
            self._names.update(".".join(labels[i:]) for i in range(len(labels)))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read master-file text (RFC 1035 5). Names are relative to the root unless ``$ORIGIN`` says otherwise. Raises ValueError.

        In unquoted TXT data a semicolon starts a comment, as in every zone file: quote it.
        """
        import dns.exception  # loading dnspython costs more than verifying a message
        import dns.rdataclass
        import dns.rdatatype
        import dns.tokenizer
        import dns.zonefile

        collected = _Collected()
        transaction = cast("dns.transaction.Transaction", collected)
        tokens = dns.tokenizer.Tokenizer(text, "zone")
        # $INCLUDE reads files and $GENERATE makes records without end: both are refused.
        reader = dns.zonefile.Reader(tokens, dns.rdataclass.IN, transaction, allow_directives=("$ORIGIN", "$TTL"), default_ttl=_TTL)
        try:
            reader.read()
        except (dns.exception.DNSException, ValueError, KeyError) as error:
            raise ValueError(f"this is no zone file: {error}") from None
        answers: dict[tuple[str, str], Answer] = {}
        for (name, rdtype), (ttl, found) in collected.records.items():
            kind = dns.rdatatype.to_text(rdtype)
            records = tuple(b"".join(r.strings) if kind in _TEXTS else _spelled(kind, r.to_text()) for r in found)
            answers[_plain(name.to_text()), kind] = Answer(Rcode.NOERROR, records, ttl)
        return cls(answers)

    @classmethod
    def from_dict(cls, records: Mapping[tuple[str, str], Sequence[Record] | Rcode]) -> Self:
        """Make a zone from ``{(name, type): [record, ...] or Rcode}``.

        One list item is one record, a tuple the strings of one TXT record; type "*" holds for all types of the name.
        """
        answers: dict[tuple[str, str], Answer] = {}
        for (name, rrtype), value in records.items():
            kind = rrtype.upper()
            if isinstance(value, Rcode):
                answer = Answer(value)
            elif isinstance(value, (str, bytes)):
                raise TypeError(f"the records of {name} {rrtype} must be a list, not one {type(value).__name__}")
            else:
                answer = Answer(Rcode.NOERROR, tuple(_record(kind, item) for item in value), _TTL)
            answers[_plain(name), kind] = answer
        return cls(answers)

    def answer(self, question: Question) -> Answer:
        """Answer one question at once."""
        direct = self._answers.get(question)
        if direct is not None:
            return direct
        name = _plain(question.name)
        for _ in range(_MAX_CNAMES):
            found, target = self._look(name, question.type)
            if target is None:
                return found
            name = target
        return Answer(Rcode.SERVFAIL)

    cached = answer  # it knows everything at once: no dialogue waits for a zone

    async def resolve(self, question: Question) -> Answer:
        """Answer one question: the resolver protocol."""
        return self.answer(question)

    def _look(self, name: str, rrtype: RRType) -> tuple[Answer, str | None]:
        """The answer at one name, and the name to go on with when there is a CNAME."""
        owner = self._owner(name)
        if owner is None:
            return _NXDOMAIN, None
        for kind in (str(rrtype), "*"):
            if (owner, kind) in self._answers:
                return self._answers[owner, kind], None
        alias = self._answers.get((owner, "CNAME"))
        if alias and alias.records:
            target = alias.records[0]
            return alias, _plain(target if isinstance(target, str) else target.decode())
        return _NODATA, None

    def _owner(self, name: str) -> str | None:
        """The name itself, or the wildcard that stands for it: that of the closest encloser, and no other (RFC 4592 3.3.1)."""
        if name in self._names:
            return name
        parent = name
        while "." in parent:
            parent = parent.partition(".")[2]
            if parent in self._names:
                wildcard = f"*.{parent}"
                return wildcard if wildcard in self._names else None
        return "*" if "*" in self._names else None


class _Collected:
    """What dnspython's zone reader writes to. Its own transactions take one SOA, at their one origin; zone text here holds many zones."""

    def __init__(self) -> None:
        self.manager = self
        self.records: dict[tuple[dns.name.Name, dns.rdatatype.RdataType], tuple[int, list[Any]]] = {}

    def origin_information(self) -> tuple[dns.name.Name, bool, dns.name.Name]:
        import dns.name

        return dns.name.root, False, dns.name.root

    def check_put_rdataset(self, check: object) -> None:
        """Nothing to check: an alias with other data answers for what it has."""

    def _set_origin(self, origin: object) -> None:
        """The reader itself keeps the origin."""

    def add(self, name: dns.name.Name, ttl: int, record: dns.rdata.Rdata) -> None:
        """Take one record. A record set has no record twice, and one TTL, the least. RFC 2181 5 and 5.2."""
        least, records = self.records.setdefault((name, record.rdtype), (ttl, []))
        if record not in records:
            records.append(record)
            self.records[name, record.rdtype] = (min(least, ttl), records)


def _plain(name: str) -> str:
    """Lower case, without the final dot."""
    return name.lower().removesuffix(".")


def _spelled(kind: str, text: str) -> str:
    """A record as the resolver spells it: octets are one run of hexadecimal digits."""
    if kind in (RRType.TLSA, RRType.DS):
        first, second, third, *octets = text.lower().split()
        return " ".join((first, second, third, "".join(octets)))
    return text if kind == RRType.CAA else _plain(text)


def _record(kind: str, item: Record) -> bytes | str:
    strings = item if isinstance(item, tuple) else (item,)
    if kind in (*_TEXTS, "*"):
        return b"".join(part if isinstance(part, bytes) else part.encode() for part in strings)
    return " ".join(part if isinstance(part, str) else part.decode() for part in strings)
