"""One-click unsubscribe: what large receivers ask of mail to subscribers. RFC 8058, RFC 2369 3.2."""

from __future__ import annotations

import re

from zegel.check.item import Area, Item, Level
from zegel.dkim.header import Header
from zegel.dkim.result import DkimStatus
from zegel.grammar.encodedword import printable
from zegel.verdict.authenticate import Verdict
from zegel.words import N_, Sentence

_FIELD, _POST = "list-unsubscribe", "list-unsubscribe-post"
_URI = re.compile(rb"<([^<>]{1,2000})>")
_MAX_FIELD = 8192
_SHOWN = 200
_WHY = N_("Google and Yahoo want one-click unsubscribe for mail to subscribers (RFC 8058)")


def items(header: Header, verdict: Verdict) -> list[Item]:
    """What becomes of a click on "unsubscribe"."""
    fields, posts = header.values(_FIELD), header.values(_POST)
    why = Sentence(_WHY)
    seen = tuple(printable(value[:_MAX_FIELD].decode("utf-8", "replace"), longest=_SHOWN) for value in (*fields[:2], *posts[:2]))
    if not fields and not posts:
        shown = Sentence(N_("no List-Unsubscribe: right for mail between people, not for newsletters"))
        return [Item("message.unsubscribe", Area.MESSAGE, Level.INFO, shown, why)]
    fault = _fault(fields, posts) or _unsigned(verdict)
    if fault is None:
        shown = Sentence(N_("one-click unsubscribe is complete: an https address, its Post field, and a signature over both"))
        return [Item("message.unsubscribe", Area.MESSAGE, Level.PASS, shown, why, seen)]
    step = Sentence(
        N_("send {first} and {second}, and let DKIM sign both"),
        first="List-Unsubscribe: <https://...>",
        second="List-Unsubscribe-Post: List-Unsubscribe=One-Click",
    )
    return [Item("message.unsubscribe", Area.MESSAGE, Level.FAIL, fault, why, seen, step=step)]


def _fault(fields: list[bytes], posts: list[bytes]) -> Sentence | None:
    """What is wrong with the two fields. RFC 8058 3.1: each once, and this one value.

    "The List-Unsubscribe header field MUST contain one HTTPS URI. It MAY contain other non-HTTP/S URIs".
    """
    if len(fields) != 1:
        return Sentence(N_("List-Unsubscribe stands {count} times, it must stand once"), count=len(fields))
    if len(posts) != 1:
        return Sentence(N_("List-Unsubscribe-Post stands {count} times, it must stand once"), count=len(posts))
    found = [uri.strip().lower() for uri in _URI.findall(fields[0][:_MAX_FIELD])]
    secure = [uri for uri in found if uri.startswith(b"https://")]
    if any(uri.startswith(b"http://") for uri in found):
        return Sentence(N_("List-Unsubscribe has an address with http, it must be https"))
    if len(secure) != 1:
        return Sentence(N_("List-Unsubscribe has {count} https addresses, it must have one"), count=len(secure))
    if b"".join(posts[0].split()).lower() != b"list-unsubscribe=one-click":
        return Sentence(N_("List-Unsubscribe-Post has another value than List-Unsubscribe=One-Click"))
    return None


def _unsigned(verdict: Verdict) -> Sentence | None:
    """RFC 8058 4: a valid signature covers both fields."""
    passing = [result for result in verdict.dkim if result.status is DkimStatus.PASS]
    if any(_FIELD in result.signed_fields and _POST in result.signed_fields for result in passing):
        return None
    if not passing:
        return Sentence(N_("no valid DKIM signature covers List-Unsubscribe and List-Unsubscribe-Post"))
    domains = ", ".join(sorted({str(result.domain) for result in passing}))
    return Sentence(N_("the signature of {domains} does not cover both List-Unsubscribe and List-Unsubscribe-Post"), domains=domains)
