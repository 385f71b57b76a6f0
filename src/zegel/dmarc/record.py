"""The DMARC Policy Record: its text and its value. RFC 9989 4.7 and 4.8.

It is a tag list of DKIM's kind that is read with more patience: only a wrong ``v=`` makes the text no record. Every other fault costs the
tag that it is in, which falls to its default, and is noted for the owner. It asks nothing of DNS.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import TypeVar
from urllib.parse import quote, unquote_to_bytes

from zegel.dmarc.faults import Fault, Note
from zegel.grammar.domain import Domain
from zegel.grammar.taglist import format_tags

E = TypeVar("E", bound=StrEnum)


class Policy(StrEnum):
    """What an owner asks for mail that fails: the words of ``p=``, ``sp=`` and ``np=``."""

    NONE = "none"
    QUARANTINE = "quarantine"
    REJECT = "reject"

    @property
    def lowered(self) -> Policy:
        """One level below, as ``t=y`` asks. RFC 9989 4.7."""
        return Policy.QUARANTINE if self is Policy.REJECT else Policy.NONE


class Alignment(StrEnum):
    """The modes of ``adkim=`` and ``aspf=``."""

    RELAXED = "r"
    STRICT = "s"


class Psd(StrEnum):
    """What ``psd=`` says: a public suffix, an organisation's own domain, or (the default) neither."""

    PUBLIC_SUFFIX = "y"
    ORGANIZATION = "n"
    UNKNOWN = "u"


class _Testing(StrEnum):
    YES = "y"
    NO = "n"


_WSP = " \t"
_MAX_CACHED = 2048
_MAX_NOTES = 20
_SHOWN = 100
# *WSP around the equals sign, none before the v (RFC 9989 4.8). The tag's name is in lower case, as DKIM wants them (RFC 6376 3.2).
_VERSION = re.compile(rb"v[ \t]*=[ \t]*DMARC1[ \t]*(?:;|\Z)")
# A TAB is in no dmarc-value, but it is in the *WSP around the commas of a dmarc-urilist.
_VALUE = re.compile(r"[\t\x20-\x3A\x3C-\x7E]+")
# RFC 3986 A, without the comma and the exclamation mark, which MUST be encoded here, and the semicolon, which would end the tag.
_CHAR = r"(?:[A-Za-z0-9._~:/?@$&'()*+=-]|%[0-9A-Fa-f]{2})"
_URI = re.compile(rf"[A-Za-z][A-Za-z0-9+.-]*:(?://\[[0-9A-Fa-fvV.:]+\])?{_CHAR}*(?:#{_CHAR}*)?")
_SIZE = re.compile(r"[0-9]+[kmgt]?", re.IGNORECASE)
_POLICY_TAGS = ("p", "sp", "np")
_HISTORIC = ("pct", "rf", "ri")
_KNOWN = frozenset((*_POLICY_TAGS, *_HISTORIC, "adkim", "aspf", "psd", "t", "fo", "rua", "ruf"))
_DEFAULT_OPTIONS = ("0",)
_OPTIONS = frozenset("01ds")


@dataclass(frozen=True, slots=True)
class ReportUri:
    """A DMARC Reporting URI, without a size limit. Raises ValueError for what is none. RFC 9989 4.6."""

    text: str

    def __post_init__(self) -> None:
        if not _URI.fullmatch(self.text):
            raise ValueError("not a URI as DMARC wants it")

    @classmethod
    def mailto(cls, address: str) -> ReportUri:
        """The URI of a mail address, encoded as RFC 6068 2 and RFC 9989 4.8 ask."""
        return cls("mailto:" + quote(address, safe="@$'()*+:"))

    @property
    def address(self) -> str | None:
        """The mail address of a ``mailto:`` URI, decoded; None when it is none that can be written to.

        RFC 8616 6: one record is for all mail, so that it has a conventional address, no internationalised one.
        """
        scheme, _, rest = self.text.partition(":")
        if scheme.lower() != "mailto":
            return None
        try:
            address = unquote_to_bytes(re.split("[?#]", rest, maxsplit=1)[0]).decode()
            local, _, domain = address.rpartition("@")
            Domain.parse(domain)
        except ValueError:
            return None
        return address if local and address.isascii() and address.isprintable() and not set(address) & set(' ,;<>"') else None

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class PolicyRecord:
    """A DMARC Policy Record as a value.

    ``p``, ``sp`` and ``np`` are None when absent or not valid; ``invalid`` names those of the three that are not valid, and ``p`` when it
    is absent. ``fo`` has the items in the order written, ``historic`` the texts of pct, rf and ri, ``text`` the record as published, and
    ``notes`` what its owner should hear (at most 20); the last three do not count when records are compared.
    """

    p: Policy | None = None
    sp: Policy | None = None
    np: Policy | None = None
    adkim: Alignment = Alignment.RELAXED
    aspf: Alignment = Alignment.RELAXED
    psd: Psd = Psd.UNKNOWN
    testing: bool = False
    fo: tuple[str, ...] = _DEFAULT_OPTIONS
    rua: tuple[ReportUri, ...] = ()
    ruf: tuple[ReportUri, ...] = ()
    invalid: frozenset[str] = frozenset()
    historic: tuple[tuple[str, str], ...] = field(default=(), compare=False)
    text: str = field(default="", compare=False)
    notes: tuple[Note, ...] = field(default=(), compare=False)

    def policy_for(self, *, subdomain: bool, exists: bool) -> Policy | None:
        """The policy for the record's own domain, or for a name below it that exists in DNS or not. RFC 9989 4.10.1.

        None: no DMARC processing, as there is no valid policy and nobody to report it to.
        """
        if self.invalid:
            return Policy.NONE if self.rua else None
        if not subdomain:
            return self.p
        existing = self.p if self.sp is None else self.sp
        return existing if exists or self.np is None else self.np

    @property
    def depends_on_existence(self) -> bool:
        """True when names below that exist have another policy than those that do not."""
        return self.policy_for(subdomain=True, exists=True) != self.policy_for(subdomain=True, exists=False)

    @property
    def percentage(self) -> int:
        """What ``pct=`` says to readers of RFC 7489, 0 to 100; 100 when it is absent or not valid. RFC 9989 knows no such tag."""
        value = dict(self.historic).get("pct", "")
        return min(int(value), 100) if value.isdecimal() and len(value) <= 3 else 100

    def __str__(self) -> str:
        return self.text or format_record(self)


def parse(text: bytes) -> PolicyRecord | None:
    """Read the text of a TXT record (its strings joined, RFC 9989 4.5). None for what is no DMARC Policy Record and MUST be ignored.

    The last 1024 records of a usual size are remembered.
    """
    return _parse_cached(text) if len(text) <= _MAX_CACHED else _parse(text)


def is_record(text: bytes) -> bool:
    """True when the text starts with the tag that makes it a DMARC Policy Record. RFC 9989 4.10, step 2."""
    return _VERSION.match(text) is not None


def format_record(record: PolicyRecord) -> str:
    """Write a record, the inverse of :func:`parse`: ``p=`` second, where RFC 7489 wants it; defaults and historic tags are left out."""
    tags = {"v": "DMARC1"}
    tags |= {name: str(value) for name in _POLICY_TAGS if (value := getattr(record, name)) is not None}
    tags |= {name: "s" for name in ("adkim", "aspf") if getattr(record, name) is Alignment.STRICT}
    if record.psd is not Psd.UNKNOWN:
        tags["psd"] = record.psd
    if record.testing:
        tags["t"] = "y"
    tags |= {name: ",".join(map(str, uris)) for name in ("rua", "ruf") if (uris := getattr(record, name))}
    if record.fo != _DEFAULT_OPTIONS:
        tags["fo"] = ":".join(record.fo)
    return format_tags(tags)


@lru_cache(maxsize=1024)
def _parse_cached(text: bytes) -> PolicyRecord | None:
    return _parse(text)


def _parse(text: bytes) -> PolicyRecord | None:
    version = _VERSION.match(text)
    if version is None:
        return None
    tags = _Tags(text[version.end() :].decode("utf-8", "backslashreplace"))
    policies = {name: tags.word(name, Policy) for name in _POLICY_TAGS}
    invalid = {name for name in _POLICY_TAGS if policies[name] is None and (name == "p" or name in tags.named)}
    if "p" in invalid and "p" not in tags.named:
        tags.note(Fault.POLICY_MISSING, "p")
    elif tags.named[0] != "p":
        tags.note(Fault.POLICY_NOT_SECOND, "p")
    adkim, aspf = tags.word("adkim", Alignment), tags.word("aspf", Alignment)
    fo, rua, ruf = tags.options("fo"), tags.uris("rua"), tags.uris("ruf")
    if "fo" in tags.named and "ruf" not in tags.named:
        tags.note(Fault.OPTIONS_UNUSED, "fo")
    return PolicyRecord(
        p=policies["p"],
        sp=policies["sp"],
        np=policies["np"],
        adkim=adkim or Alignment.RELAXED,
        aspf=aspf or Alignment.RELAXED,
        psd=tags.word("psd", Psd) or Psd.UNKNOWN,
        testing=tags.word("t", _Testing) is _Testing.YES,
        fo=fo,
        rua=rua,
        ruf=ruf,
        invalid=frozenset(invalid),
        historic=tags.historic(),
        text=text.decode("utf-8", "backslashreplace"),
        notes=tuple(tags.notes),
    )


class _Tags:
    """The tags behind ``v=``. ``named`` are all that are named, in order, valid or not; ``values`` those that can be read."""

    def __init__(self, text: str) -> None:
        self.named: list[str] = []
        self.values: dict[str, str] = {}
        self.notes: list[Note] = []
        seen: dict[str, int] = {}
        parts = text.split(";")
        for number, part in enumerate(parts):
            name, equals, value = part.partition("=")
            name, value = name.strip(_WSP), value.strip(_WSP)
            if not equals or not name.isascii() or not name.isalpha():
                # One separator may come last.
                if name or equals or number + 1 < len(parts):
                    self.note(Fault.NO_TAG, "", part)
            elif name not in _KNOWN:
                self.note(Fault.TAG_TWICE if name == "v" else Fault.TAG_UNKNOWN, name, value)
            else:
                seen[name] = seen.get(name, 0) + 1
                self._take(name, value, seen[name])

    def _take(self, name: str, value: str, times: int) -> None:
        # RFC 6376 3.2 would refuse the whole list for a name that comes twice; RFC 9989 4.8 discards syntax errors "in favor of default
        # values", and a tag that says two things says nothing.
        if times > 1:
            self.values.pop(name, None)
            if times == 2:
                self.note(Fault.TAG_TWICE, name, value)
            return
        self.named.append(name)
        if _VALUE.fullmatch(value):
            self.values[name] = value
        else:
            self.note(Fault.VALUE, name, value)

    def note(self, fault: Fault, tag: str, value: str = "") -> None:
        if len(self.notes) < _MAX_NOTES:
            self.notes.append(Note(fault, tag[:_SHOWN], value[:_SHOWN]))

    def word(self, name: str, kind: type[E]) -> E | None:
        """One word. The literals of ABNF are in any case (RFC 5234 2.3)."""
        value = self.values.get(name)
        try:
            return None if value is None else kind(value.lower())
        except ValueError:
            self.note(Fault.VALUE, name, value or "")
            return None

    def options(self, name: str) -> tuple[str, ...]:
        """``fo=``: items of a colon list, each once, and not both 0 and 1; every such list is in the grammar."""
        value = self.values.get(name)
        if value is None:
            return _DEFAULT_OPTIONS
        items = tuple(value.lower().split(":"))
        if set(items) <= _OPTIONS and len(set(items)) == len(items) and not {"0", "1"} <= set(items):
            return items
        self.note(Fault.VALUE, name, value)
        return _DEFAULT_OPTIONS

    def uris(self, name: str) -> tuple[ReportUri, ...]:
        """The URIs that are valid: RFC 9989 4.10.1 counts each by itself."""
        found: list[ReportUri] = []
        for item in self.values[name].split(",") if name in self.values else ():
            text, mark, size = item.strip(_WSP).partition("!")
            try:
                if mark and not _SIZE.fullmatch(size):
                    raise ValueError("an exclamation mark that is not encoded")
                uri = ReportUri(text)
            except ValueError:
                self.note(Fault.URI, name, item)
                continue
            found.append(uri)
            if mark:
                self.note(Fault.URI_SIZE, name, item)
            if uri.address is None:
                self.note(Fault.URI_SCHEME, name, item)
        return tuple(found)

    def historic(self) -> tuple[tuple[str, str], ...]:
        """pct, rf and ri, which RFC 9989 9.3 made historic."""
        for name in _HISTORIC:
            if name in self.named:
                self.note(Fault.HISTORIC, name, self.values.get(name, ""))
        return tuple((name, self.values[name]) for name in _HISTORIC if name in self.values)
