"""Address lists as From has them, read strictly: all of it, or a reason. RFC 5322 3.4, with UTF-8 by RFC 6532.

Readers disagree about odd addresses, and forgers live on that ("Composition Kills", USENIX Security 2020; VU#517845). So group syntax,
source routes, encoded words inside an address, white space or comments within a domain (RFC 5322 4.4), control characters and anything
that is left over are refused; nothing is picked from what remains.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from zegel.grammar.domain import Domain
from zegel.grammar.encodedword import encoded, printable
from zegel.reason import Reason
from zegel.words import N_

_SPECIALS = set('()<>[]:;@\\,."')
_ATEXT = re.compile(r"[^\s()<>\[\]:;@\\,.\"]+(?:\.[^\s()<>\[\]:;@\\,.\"]+)*")
# With the C1 controls and the line separators of Unicode, which some readers take for line ends.
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
_ENCODED_WORD = re.compile(r"=\?[^?]*\?[BbQq]\?")
_MAX_OCTETS = 16_384
_MAX_ADDRESSES = 100
_MAX_COMMENT_DEPTH = 20


class AddressFault(Reason):
    """What keeps a value from being a list of plain mailboxes: ``id``, ``section`` and a sentence for people."""

    TOO_LONG = ("too_long", "RFC 5322 3.4", N_("it is too long"))
    NOT_UTF8 = ("not_utf8", "RFC 6532 3.1", N_("it is not UTF-8"))
    CONTROL = ("control", "RFC 5322 3.4", N_("it has a control character"))
    TOO_MANY = ("too_many", "RFC 5322 3.4", N_("it has too many addresses"))
    QUOTE_OPEN = ("quote_open", "RFC 5322 3.2.4", N_("a quote is not closed"))
    COMMENT_OPEN = ("comment_open", "RFC 5322 3.2.2", N_("a comment is not closed"))
    COMMENT_DEPTH = ("comment_depth", "RFC 5322 3.2.2", N_("comments are nested too deeply"))
    MISSING = ("missing", "RFC 5322 3.4", N_("an address is missing"))
    ROUTE = ("source_route", "RFC 5322 4.4", N_("it has a source route"))
    GROUP = ("group_syntax", "RFC 6854 2", N_("it has group syntax"))
    BRACKETS = ("brackets", "RFC 5322 3.4", N_("angle brackets do not match"))
    NAME_NOT_QUOTED = ("name_not_quoted", "RFC 5322 3.4", N_("the name before the address is not quoted"))
    NOT_SINGLE = ("not_single", "RFC 5322 3.4", N_("it is no single address"))
    NO_ADDRESS = ("no_address", "RFC 5322 3.4.1", N_("it is no address"))
    # RFC 2047 5 (3): none in an address. Some readers decode them even in a quoted string.
    ENCODED_WORD = ("encoded_word", "RFC 2047 5", N_("it has an encoded word inside an address"))
    INVISIBLE = ("invisible", "RFC 6532 3.2", N_("it has invisible characters inside an address"))
    LITERAL = ("address_literal", "RFC 5322 3.4.1", N_("it has the number of a machine in place of a domain"))
    DOMAIN = ("domain_syntax", "RFC 5322 3.4.1", N_("its domain is no domain name"))


class AddressError(ValueError):
    """The value is no list of plain mailboxes: ``fault`` says what was met, the text says it in English."""

    def __init__(self, fault: AddressFault) -> None:
        super().__init__(fault.sentence)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One mailbox: the name shown to people, the local part as written, and the domain."""

    display_name: str
    local_part: str
    domain: Domain

    @property
    def address(self) -> str:
        """The address in one line, its local part quoted where it must be."""
        local = self.local_part
        if not _ATEXT.fullmatch(local):
            local = '"' + local.replace("\\", "\\\\").replace('"', '\\"') + '"'
        return f"{local}@{self.domain}"


def written(name: str, address: str) -> str:
    """A mailbox as a field has it: the name (text, not yet encoded) in quotes or in encoded words, and the address. RFC 5322 3.4.

    What would end a line or cannot be printed becomes U+FFFD or a space first: no name can bring a field along.
    """
    name = printable(name)
    if not name:
        return address
    if not name.isascii():
        return f"{encoded(name)} <{address}>"
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    # A quoted string that looks like an encoded word is decoded by many readers, into another address than was checked.
    return f"{encoded(name)} <{address}>" if "=?" in name else f'"{escaped}" <{address}>'


def mailboxes(value: bytes) -> list[Mailbox]:
    """Read the value of a From field: one or more mailboxes. Raises :class:`AddressError`."""
    if len(value) > _MAX_OCTETS:
        raise AddressError(AddressFault.TOO_LONG)
    try:
        text = value.decode("utf-8").replace("\r\n", "")
    except UnicodeDecodeError:
        raise AddressError(AddressFault.NOT_UTF8) from None
    if _CONTROL.search(text):
        raise AddressError(AddressFault.CONTROL)
    tokens = _tokens(text)
    found: list[Mailbox] = []
    part: list[_Token] = []
    # Before it is cut at the commas, of which a route and a group may have their own.
    if any(token.kind in (":", ";") for token in tokens):
        route = any((one.kind, next_one.kind) == ("<", "@") for one, next_one in pairwise(tokens))
        raise AddressError(AddressFault.ROUTE if route else AddressFault.GROUP)
    for token in [*tokens, _Token(",", ",")]:
        if token.kind != ",":
            part.append(token)
            continue
        found.append(_mailbox(part))
        part = []
        if len(found) > _MAX_ADDRESSES:
            raise AddressError(AddressFault.TOO_MANY)
    return found


class _Token(NamedTuple):
    """``kind`` is "atom", "quoted", "literal" or the special character itself; ``apart`` tells that white space or a comment precedes."""

    kind: str
    text: str
    apart: bool = False


def _tokens(text: str) -> list[_Token]:
    """Split into tokens; comments and white space fall away. RFC 5322 3.2."""
    tokens: list[_Token] = []
    at, end, apart = 0, len(text), False
    while at < end:
        char = text[at]
        if char in " \t":
            at, apart = at + 1, True
            continue
        if char == "(":
            at, apart = _after_comment(text, at), True
            continue
        if char == '"':
            word, at = _delimited(text, at, '"')
            tokens.append(_Token("quoted", word, apart))
        elif char == "[":
            word, at = _delimited(text, at, "]")
            tokens.append(_Token("literal", word, apart))
        elif char in _SPECIALS:
            tokens.append(_Token(char, char, apart))
            at += 1
        else:
            start = at
            while at < end and text[at] not in _SPECIALS and text[at] not in " \t":
                at += 1
            tokens.append(_Token("atom", text[start:at], apart))
        apart = False
    return tokens


def _delimited(text: str, start: int, close: str) -> tuple[str, int]:
    """The content of a quoted string or domain literal, quoted pairs resolved, and where it ends."""
    out: list[str] = []
    at = start + 1
    while at < len(text):
        char = text[at]
        if char == close:
            return "".join(out), at + 1
        if char == "\\":
            at += 1
            if at == len(text):
                break
            char = text[at]
        out.append(char)
        at += 1
    raise AddressError(AddressFault.QUOTE_OPEN)


def _after_comment(text: str, start: int) -> int:
    depth, at = 0, start
    while at < len(text):
        char = text[at]
        if char == "\\":
            at += 1
        elif char == "(":
            depth += 1
            if depth > _MAX_COMMENT_DEPTH:
                raise AddressError(AddressFault.COMMENT_DEPTH)
        elif char == ")":
            depth -= 1
            if not depth:
                return at + 1
        at += 1
    raise AddressError(AddressFault.COMMENT_OPEN)


def _mailbox(tokens: list[_Token]) -> Mailbox:
    """``[display-name] <addr-spec>`` or ``addr-spec``; every token must be used."""
    kinds = [token.kind for token in tokens]
    if "<" not in kinds:
        return _addr_spec("", tokens)
    start = kinds.index("<")
    if kinds[-1] != ">" or kinds.count("<") != 1 or kinds.count(">") != 1:
        raise AddressError(AddressFault.BRACKETS)
    name = tokens[:start]
    # RFC 5322 4.1 allows a dot in a phrase, and people write "J. Peeters"; an @ there is how a second address is shown.
    if any(token.kind not in ("atom", "quoted", ".") for token in name):
        raise AddressError(AddressFault.NAME_NOT_QUOTED)
    shown = "".join(token.text if token.kind == "." else f" {token.text}" for token in name).strip()
    return _addr_spec(shown, tokens[start + 1 : -1])


def _addr_spec(display_name: str, tokens: list[_Token]) -> Mailbox:
    kinds = [token.kind for token in tokens]
    if not tokens:
        raise AddressError(AddressFault.MISSING)
    if any(token.kind == "atom" and _ENCODED_WORD.search(token.text) for token in tokens):
        raise AddressError(AddressFault.ENCODED_WORD)
    if kinds.count("@") != 1:
        raise AddressError(AddressFault.NOT_SINGLE)
    at = kinds.index("@")
    local, host = tokens[:at], tokens[at + 1 :]
    if not (_is_dot_atom(local) or [token.kind for token in local] == ["quoted"]):
        raise AddressError(AddressFault.NO_ADDRESS)
    local_part = "".join(token.text for token in local)
    if _ENCODED_WORD.search(local_part):
        raise AddressError(AddressFault.ENCODED_WORD)
    if not local_part.isprintable():
        raise AddressError(AddressFault.INVISIBLE)
    return Mailbox(display_name, local_part, _domain(host))


def _domain(tokens: list[_Token]) -> Domain:
    """The domain of an address, U-labels turned into A-labels (RFC 9989 5.3.1, RFC 8616 6), and nothing into what it is not."""
    if [token.kind for token in tokens] == ["literal"]:
        raise AddressError(AddressFault.LITERAL)
    if not _is_dot_atom(tokens):
        raise AddressError(AddressFault.NO_ADDRESS)
    text = "".join(token.text for token in tokens)
    if not text.isprintable():
        raise AddressError(AddressFault.INVISIBLE)
    try:
        domain = Domain.parse(text)
    except ValueError:
        raise AddressError(AddressFault.DOMAIN) from None
    # A U-label is in lower case and in NFC (RFC 5890 2.3.2.1). What takes more than that is another name to a reader that maps less.
    written = unicodedata.normalize("NFC", text.lower()).split(".")
    if any(not label.isascii() and Domain(ours).unicode != label for label, ours in zip(written, domain.labels, strict=False)):
        raise AddressError(AddressFault.DOMAIN)
    # And it keeps a letter beyond ASCII: the sign of Kelvin is a "k" to some readers only.
    if not text.isascii() and not any(label.startswith("xn--") for label in domain.labels):
        raise AddressError(AddressFault.DOMAIN)
    return domain


def _is_dot_atom(tokens: list[_Token]) -> bool:
    """Atoms with single dots between them, and nothing else between them. RFC 5322 3.2.3."""
    return (
        len(tokens) % 2 == 1
        and all(token.kind == (".", "atom")[place % 2 == 0] for place, token in enumerate(tokens))
        and not any(token.apart for token in tokens[1:])
    )
