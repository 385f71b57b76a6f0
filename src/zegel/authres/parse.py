"""The text of an Authentication-Results field, read into values. RFC 8601 2.2.

Two readers: the strict one takes what the ABNF allows and nothing else; the lenient one also takes what large providers write, each
leniency with who forced it. Both refuse a field of another version (RFC 8601 2.6) and a comment or quoted string that does not end, and
neither decides whether the field may be believed: that is a matter of who wrote it (RFC 8601 4.1 and 5).
"""

from __future__ import annotations

import re

from zegel.authres.lexer import DIGITS, TOKEN, Cursor, FieldSyntaxError, unfold
from zegel.authres.model import KEYWORD, VERSION, AuthenticationResults, MethodResult, Property

MAX_LENGTH = 65_536  # characters; the longest honest field seen has some 4,000
MAX_RESULTS = 200
MAX_PROPERTIES = 1000  # of all results together
_MAX_DIGITS = 9
_FIELD_NAME = re.compile(r"authentication-results:", re.IGNORECASE)
_LOOSE_FIELD_NAME = re.compile(r"[ \t]*authentication-results[ \t]*:", re.IGNORECASE)
# RFC 5322 3.2.3 dot-atom and RFC 6376 3.5 domain-name, with UTF-8 (RFC 6531 3.3). A final "." or "-" is looked for afterwards.
_LOCAL = re.compile(r"[!#$%&'*+\-./0-9=?A-Z^_`a-z{|}~\x80-\U0010ffff]+")
_DOMAIN = re.compile(r"[0-9A-Za-z\x80-\U0010ffff.-]+")
_LOOSE_ID = re.compile(r'[^ \t;()"=]+')
_LOOSE_VALUE = re.compile(r'[^ \t;("]*')
# RFC 8601 2.7, 2.7.7 and 6.7, RFC 8617 10.1, RFC 9989 9.1. Of other methods every keyword is a result.
_RESULTS = {
    "arc": {"none", "pass", "fail"},
    "auth": {"none", "pass", "fail", "temperror", "permerror"},
    "dkim": {"none", "pass", "fail", "policy", "neutral", "temperror", "permerror"},
    "dmarc": {"none", "pass", "fail", "temperror", "permerror"},
    "iprev": {"pass", "fail", "temperror", "permerror"},
    "spf": {"none", "pass", "fail", "hardfail", "softfail", "policy", "neutral", "temperror", "permerror"},
}


def parse(field: str | bytes, *, lenient: bool = False) -> AuthenticationResults:
    """Read a field, with its name or its value alone. Raises ValueError when it is not one, TypeError for what is no text.

    Methods, results and property names come in lower case; ids and values as they are written, quotes and comments taken away. Bytes are
    UTF-8 (RFC 8601 1.5.2). ``lenient`` also takes what large providers write against the ABNF; what it passes over is not in the value.
    """
    return parse_payload(_text(field, lenient), lenient=lenient)


def parse_payload(text: str, *, lenient: bool) -> AuthenticationResults:
    """Read an ``authres-payload``, unfolded: what an ARC-Authentication-Results field has behind its instance. RFC 8601 2.2."""
    if len(text) > MAX_LENGTH:
        raise FieldSyntaxError(f"longer than {MAX_LENGTH} characters")
    return _Reader(text, lenient).payload()


def _text(field: str | bytes, lenient: bool) -> str:
    if not isinstance(field, (str, bytes)):
        raise TypeError(f"field must be str or bytes, not {type(field).__name__}")
    if len(field) > MAX_LENGTH:
        raise FieldSyntaxError(f"longer than {MAX_LENGTH} octets")
    # Forwarders make mojibake of names: a lenient reader still wants the results.
    text = field.decode("utf-8", "replace" if lenient else "strict") if isinstance(field, bytes) else field
    name = (_LOOSE_FIELD_NAME if lenient else _FIELD_NAME).match(text)
    return unfold(text[name.end() :] if name else text)


class _Reader(Cursor):
    """The ABNF of RFC 8601 2.2, a method for each of its larger rules."""

    __slots__ = ("lenient", "properties")

    def __init__(self, text: str, lenient: bool) -> None:
        super().__init__(text)
        self.lenient = lenient
        self.properties = 0

    def payload(self) -> AuthenticationResults:
        """``[CFWS] authserv-id [ CFWS authres-version ] ( no-result / 1*resinfo ) [CFWS]``."""
        self.cfws()
        authserv_id = self.authserv_id()
        if authserv_id is not None:
            self.cfws()
            if self.next or not self.lenient:
                self.expect(";")
            self.cfws()
            if self.no_result():
                return AuthenticationResults(authserv_id)
        results: list[MethodResult] = []
        count = 0
        while self.next or not (self.lenient or results):
            count += 1
            if count > MAX_RESULTS:
                raise FieldSyntaxError(f"more than {MAX_RESULTS} results")
            if not (self.lenient and self.next == ";"):  # many end the field with ";"
                results.append(self.result())
            self.cfws()
            if self.accept(";"):
                self.cfws()
                if not (self.next or self.lenient):
                    raise self.fault("no result")
        return AuthenticationResults(authserv_id or "", tuple(results))

    def authserv_id(self) -> str | None:
        """``value [ CFWS authres-version ]``; the version must be one that is known. None where the first result comes at once."""
        start = self.at
        found = self.quoted()
        if found is None:
            found = self.take(_LOOSE_ID if self.lenient else TOKEN)
        if found is None:
            raise self.fault("no authserv-id")
        apart = self.cfws()
        if self.lenient and self.next == "=":  # Outlook writes no authserv-id
            self.at = start
            return None
        version = self.take(DIGITS) if apart else None
        # RFC 8601 2.6: of a version that it does not know, a parser "can immediately discontinue trying to parse".
        if version is not None and version.lstrip("0") != str(VERSION):
            raise FieldSyntaxError(f"of version {version[:_MAX_DIGITS]}, which is not known")
        return found

    def no_result(self) -> bool:
        """``none`` and nothing behind it."""
        start = self.at
        word = self.take(KEYWORD)
        if word is not None and word.lower() == "none":
            self.cfws()
            if not self.next:
                return True
        self.at = start
        return False

    def result(self) -> MethodResult:
        """``methodspec [ CFWS reasonspec ] [ CFWS 1*propspec ]``."""
        method, version, result = self.method()
        reason: str | None = None
        properties: list[Property] = []
        apart = self.cfws()
        while self.next not in ("", ";"):
            if not apart:
                raise self.fault("white space is missing")
            word = self.keyword()
            self.cfws()
            if self.accept("."):
                self.cfws()
                name = self.keyword()
                self.cfws()
                self.expect("=")
                properties.append(Property(word, name, self.pvalue()))
            elif word == "reason" and reason is None and not properties:
                self.expect("=")
                self.cfws()
                reason = self.value()
                apart = self.cfws()
                continue
            elif self.lenient:  # Outlook writes action=none, which has no ptype: passed over, and so is a reason in another place
                self.expect("=")
                self.pvalue()
            else:
                raise self.fault('"." is missing')
            self.properties += 1
            if self.properties > MAX_PROPERTIES:
                raise FieldSyntaxError(f"more than {MAX_PROPERTIES} properties")
            # RFC 8601 2.2: 1*propspec, whose pvalue may end in a quote without white space behind it.
            apart = self.cfws() or self.text[self.at - 1] in ' \t)"'
        return MethodResult(method, result, reason or "", tuple(properties), version)

    def method(self) -> tuple[str, int, str]:
        """``Keyword [ [CFWS] "/" [CFWS] method-version ] [CFWS] "=" [CFWS] result``."""
        method, version = self.keyword(), VERSION
        self.cfws()
        if self.accept("/"):
            self.cfws()
            digits = self.take(DIGITS)
            if digits is None or len(digits) > _MAX_DIGITS:
                raise self.fault("no method version")
            version = int(digits)
            self.cfws()
        self.expect("=")
        self.cfws()
        result = self.keyword()
        # RFC 8601 2.2: "further constrained by the necessity of being registered". Outlook writes dkim=timeout and dmarc=bestguesspass.
        if not self.lenient and result not in _RESULTS.get(method, {result}):
            raise FieldSyntaxError(f"{method}={result[:40]} is not registered")
        return method, version, result

    def keyword(self) -> str:
        word = self.take(KEYWORD)
        if word is None:
            raise self.fault("no keyword")
        return word.lower()

    def value(self) -> str:
        """``token / quoted-string``. RFC 2045 5.1."""
        found = self.quoted()
        if found is None:
            found = self.take(_LOOSE_VALUE if self.lenient else TOKEN)
        if found is None:
            raise self.fault("no value")
        return found

    def pvalue(self) -> str:
        """``[CFWS] ( value / [ [ local-part ] "@" ] domain-name ) [CFWS]``."""
        self.cfws()
        start = self.at
        quoted = self.quoted()
        if quoted is not None:
            end = self.at
            self.cfws()
            if self.next != "@":
                return quoted
            return self.text[start:end] + self.address()
        if self.lenient:  # OpenDKIM and Fastmail leave "/" and ":" in values unquoted
            return self.take(_LOOSE_VALUE) or ""
        local = self.take(_LOCAL) or ""
        end = self.at
        self.cfws()
        if self.next == "@":
            if local and "" in local.split("."):
                raise self.fault("no local part")
            return local + self.address()
        self.at = end
        if TOKEN.fullmatch(local) or _is_domain(local):
            return local
        raise FieldSyntaxError(f"a value that must be quoted: {local[:20]!r}")

    def address(self) -> str:
        """``"@" domain-name``, behind a local part or none."""
        self.expect("@")
        domain = self.take(_DOMAIN) or ""
        if not (self.lenient or _is_domain(domain)):
            raise self.fault("no domain name")
        return f"@{domain}"


def _is_domain(text: str) -> bool:
    """``sub-domain 1*("." sub-domain)``, U-labels too. RFC 6376 3.5 and RFC 6531 3.3."""
    labels = text.split(".")
    return bool(_DOMAIN.fullmatch(text)) and len(labels) > 1 and all(label and label[0] != "-" != label[-1] for label in labels)
