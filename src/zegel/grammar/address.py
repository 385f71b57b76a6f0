"""Address lists as From has them, read strictly: all of it, or a reason. RFC 5322 3.4, with UTF-8 by RFC 6532.

Readers disagree about odd addresses, and forgers live on that (STANDARDS 3.2, A6 to A13; VU#517845). So group syntax, source routes,
encoded words inside an address, white space or comments within a domain (RFC 5322 4.4), control characters and anything that is left over
are refused; nothing is picked from what remains.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from zegel.grammar.domain import Domain

_SPECIALS = set('()<>[]:;@\\,."')
_ATEXT = re.compile(r"[^\s()<>\[\]:;@\\,.\"]+(?:\.[^\s()<>\[\]:;@\\,.\"]+)*")
# With the C1 controls and the line separators of Unicode, which some readers take for line ends.
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
_ENCODED_WORD = re.compile(r"=\?[^?]*\?[BbQq]\?")
_MAX_OCTETS = 16_384
_MAX_ADDRESSES = 100
_MAX_COMMENT_DEPTH = 20


class AddressError(ValueError):
    """The value is no list of plain mailboxes; the text says what was met."""


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


def mailboxes(value: bytes) -> list[Mailbox]:
    """Read the value of a From field: one or more mailboxes. Raises :class:`AddressError`."""
    if len(value) > _MAX_OCTETS:
        raise AddressError("it is too long")
    try:
        text = value.decode("utf-8").replace("\r\n", "")
    except UnicodeDecodeError:
        raise AddressError("it is not UTF-8") from None
    if _CONTROL.search(text):
        raise AddressError("it has a control character")
    tokens = _tokens(text)
    found: list[Mailbox] = []
    part: list[_Token] = []
    for token in [*tokens, _Token(",", ",")]:
        if token.kind != ",":
            part.append(token)
            continue
        found.append(_mailbox(part))
        part = []
        if len(found) > _MAX_ADDRESSES:
            raise AddressError("it has too many addresses")
    return found


@dataclass(frozen=True, slots=True)
class _Token:
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
    raise AddressError("a quote is not closed")


def _after_comment(text: str, start: int) -> int:
    depth, at = 0, start
    while at < len(text):
        char = text[at]
        if char == "\\":
            at += 1
        elif char == "(":
            depth += 1
            if depth > _MAX_COMMENT_DEPTH:
                raise AddressError("comments are nested too deeply")
        elif char == ")":
            depth -= 1
            if not depth:
                return at + 1
        at += 1
    raise AddressError("a comment is not closed")


def _mailbox(tokens: list[_Token]) -> Mailbox:
    """``[display-name] <addr-spec>`` or ``addr-spec``; every token must be used."""
    kinds = [token.kind for token in tokens]
    if not tokens:
        raise AddressError("an address is missing")
    if ":" in kinds or ";" in kinds:
        raise AddressError("it has group syntax or a source route")
    if "<" not in kinds:
        return _addr_spec("", tokens)
    start = kinds.index("<")
    if kinds[-1] != ">" or kinds.count("<") != 1 or kinds.count(">") != 1:
        raise AddressError("angle brackets do not match")
    name = tokens[:start]
    # RFC 5322 4.1 allows a dot in a phrase, and people write "J. Peeters"; an @ there is how a second address is shown.
    if any(token.kind not in ("atom", "quoted", ".") for token in name):
        raise AddressError("the name before the address is not quoted")
    shown = "".join(token.text if token.kind == "." else f" {token.text}" for token in name).strip()
    return _addr_spec(shown, tokens[start + 1 : -1])


def _addr_spec(display_name: str, tokens: list[_Token]) -> Mailbox:
    kinds = [token.kind for token in tokens]
    if kinds.count("@") != 1:
        raise AddressError("it is no single address")
    at = kinds.index("@")
    local, host = tokens[:at], tokens[at + 1 :]
    if not (_is_dot_atom(local) or [token.kind for token in local] == ["quoted"]) or not _is_dot_atom(host):
        raise AddressError("it is no address")
    local_part = "".join(token.text for token in local)
    # RFC 2047 5 (3): none in an address. Some readers decode them even in a quoted string.
    if _ENCODED_WORD.search(local_part):
        raise AddressError("it has an encoded word inside an address")
    if not local_part.isprintable():
        raise AddressError("it has invisible characters inside an address")
    try:
        domain = Domain.parse("".join(token.text for token in host))
    except ValueError:
        raise AddressError("its domain is no domain name") from None
    return Mailbox(display_name, local_part, domain)


def _is_dot_atom(tokens: list[_Token]) -> bool:
    """Atoms with single dots between them, and nothing else between them. RFC 5322 3.2.3."""
    return (
        len(tokens) % 2 == 1
        and all(token.kind == (".", "atom")[place % 2 == 0] for place, token in enumerate(tokens))
        and not any(token.apart for token in tokens[1:])
    )
