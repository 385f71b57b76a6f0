"""What differs between the text that a TXT record must have and the one seen: a stable id, a sentence and its values.

The known accidents of web forms and zone files come first (quotes kept, cut at a semicolon, split with a space), what the record says
afterwards: tag by tag (RFC 6376 3.2, RFC 9989 4.7, RFC 8461 3.1, RFC 8460 3), or term by term for SPF (RFC 7208 4.5). Stricter than
receivers: what some of them cannot read is a difference; another spelling that all read alike is none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from zegel.grammar import taglist
from zegel.words import N_

Difference = tuple[str, str, dict[str, object]]
_MAX_SHOWN = 80
_LIST = re.compile(r"[ \t]*,[ \t]*")  # RFC 9989 4.8: white space around the commas of a list of URIs


def of(expected: str, seen: str) -> Difference | None:
    """What differs in one record, or None where the two say the same: the accidents first, the content afterwards."""
    found = _accident(expected, seen)
    if found is not None or seen == expected:
        return found
    split: Difference | None = None
    if _letters(seen) == _letters(expected):
        # Where only white space differs, it stands between the right letters or inside a word.
        split = "split", N_("the record at {name} has a space inside, where two strings meet; some receivers cannot read that"), {}
    if version(expected) == "v=spf1":
        return _terms(expected, seen, split)
    wanted = taglist.parse(expected.encode())
    try:
        tags = taglist.parse(seen.encode("utf-8", "replace"))
    except taglist.TagListError as error:
        return split or _malformed(wanted.get("v", "DKIM1"), error)
    if wanted.get("v", "DKIM1") != "DKIM1":
        return _tags(wanted, tags, split)
    same = all(tags.get(name) == value for name, value in wanted.items()) and _key_type(tags) == _key_type(wanted)
    if same and next(iter(tags)) == "v":
        return _restriction(tags)
    return split or _other_key(tags, wanted)


def version(text: str) -> str:
    """The words that a record begins with: ``v=spf1``, ``v=DMARC1``."""
    return text.partition(";")[0].partition(" ")[0]


def claims(text: str, expected: str) -> bool:
    """Whether a text means to be the record that is expected: it begins with the same version, whatever became of it on the way."""
    return _letters(text).lstrip("\"'\\").lower().startswith(version(expected).lower())


def spread(expected: str, seen: Sequence[str]) -> int:
    """In how many records of their own the strings of the expected one stand; 0 when they do not."""
    # In any order: DNS gives records as it likes.
    parts = [text for text in seen if text and text in expected]
    return len(parts) if len(parts) > 1 and len("".join(parts)) == len(expected) else 0


def _malformed(kind: str, error: Exception) -> Difference:
    if kind == "DKIM1":
        return "malformed", N_("the record at {name} is no key record ({error})"), {"error": error}
    return "malformed", N_("the record at {name} cannot be read ({error})"), {"error": error}


def _tags(wanted: dict[str, str], tags: dict[str, str], split: Difference | None) -> Difference | None:
    """The first tag that differs. RFC 9989 4.7: v= comes first; the order of the others does not matter."""
    seen, plain = ({name: _LIST.sub(",", value) for name, value in of_.items()} for of_ in (tags, wanted))
    if seen == plain and next(iter(tags)) == "v":
        return None
    if split is not None:
        return split
    for name, value in plain.items():
        values: dict[str, object] = {"tag": name, "wanted": value[:_MAX_SHOWN]}
        if name not in seen:
            return "other_value", N_("the record at {name} lacks {tag}={wanted}"), values
        if seen[name] != value:
            values["seen"] = seen[name][:_MAX_SHOWN]
            return "other_value", N_("the record at {name} says {tag}={seen} where it should say {tag}={wanted}"), values
    more = next((name for name in seen if name not in plain), None)
    if more is not None:
        return "other_value", N_("the record at {name} says {tag}={seen} besides"), {"tag": more, "seen": seen[more][:_MAX_SHOWN]}
    return "other_value", N_("the record at {name} must begin with {version}"), {"version": f"v={wanted['v']}"}


def _terms(expected: str, seen: str, split: Difference | None) -> Difference | None:
    """The terms of an SPF record that are missing, too many, or in another order. RFC 7208 4.6.2: the first that matches decides."""
    wanted, found = expected.lower().split(), seen.lower().split()
    if wanted == found:
        return None
    if split is not None:
        return split
    missing = [term for term in wanted if term not in found]
    more = [term for term in found if term not in wanted]
    values: dict[str, object] = {"missing": " ".join(missing)[:_MAX_SHOWN], "more": " ".join(more)[:_MAX_SHOWN]}
    if missing and more:
        return "other_value", N_("the record at {name} lacks {missing}, and has {more} in its place"), values
    if missing:
        return "other_value", N_("the record at {name} lacks {missing}"), values
    if more:
        return "other_value", N_("the record at {name} has {more} besides"), values
    return "other_value", N_("the record at {name} has its terms in another order, and the first that matches decides"), {}


def _other_key(tags: dict[str, str], wanted: dict[str, str]) -> Difference | None:
    if "p" not in tags or tags.get("v", "DKIM1") != "DKIM1" or ("v" in tags and next(iter(tags)) != "v"):
        return "other_record", N_("another record stands at {name}, which is no DKIM key record"), {}
    public, own = taglist.without_space(tags["p"]), taglist.without_space(wanted["p"])
    if not own:
        return ("not_revoked", N_("the record at {name} still has a key in p="), {}) if public else None
    if not public:
        return "revoked", N_("the record at {name} revokes the key (p= is empty)"), {}
    if _key_type(tags) != _key_type(wanted):
        values: dict[str, object] = {"seen": _key_type(tags)[:20], "wanted": _key_type(wanted)}
        return "other_type", N_("the record at {name} says k={seen}, and this key is k={wanted}"), values
    if public == own:
        if tags["p"] != public:
            return "split", N_("p= at {name} has a space inside, where two strings meet; some receivers cannot read that"), {}
        return _restriction(tags)
    if own.startswith(public):
        return "cut", N_("p= at {name} is cut off after {count} of {length} characters"), _lengths(public, own)
    return "other_key", N_("the record at {name} has another key in p="), {}


def _key_type(tags: dict[str, str]) -> str:
    """RFC 6376 3.6.1: k= is optional, and rsa without it; a literal of ABNF knows no case (RFC 5234 2.3)."""
    return tags.get("k", "rsa").lower()


def _accident(expected: str, seen: str) -> Difference | None:
    """What web forms and zone files do to a record: quotes and backslashes kept, cut at a semicolon, cut at 255 octets."""
    for kind, sign in (("quotes", '"'), ("backslashes", "\\")):
        if sign in seen and sign not in expected:
            return kind, N_("the record at {name} has {sign} inside its text; enter the value without it"), {"sign": sign}
    stripped = seen.rstrip(" ;")
    if not stripped or stripped == expected.rstrip(" ;") or not expected.startswith(stripped) or stripped.endswith("p="):
        return None
    if expected[len(stripped)] == ";":
        sentence = N_("the record at {name} is cut at the semicolon, after {seen}; in a zone file the text must stand in quotes")
        return "cut_at_semicolon", sentence, {"seen": stripped[:_MAX_SHOWN]}
    if version(expected) == "v=spf1" and expected[len(stripped)] == " " and len(stripped) != 255:
        return None  # whole terms are missing: they are named
    return "cut", N_("the record at {name} is cut off after {count} of {length} characters"), _lengths(stripped, expected)


def _letters(text: str) -> str:
    return "".join(text.split())


def _restriction(tags: dict[str, str]) -> Difference | None:
    """Tags that somebody added and that forbid our signatures. RFC 6376 3.6.1: h= and s= list what is allowed."""
    for tag, allowed in (("h", {"sha256"}), ("s", {"*", "email"})):
        if tag in tags and not allowed & set(taglist.without_space(tags[tag]).lower().split(":")):
            sentence = N_("the record at {name} says {tag}={value}, which forbids these signatures; take {tag}= out")
            return "forbids", sentence, {"tag": tag, "value": tags[tag][:40]}
    return None


def _lengths(seen: str, expected: str) -> dict[str, object]:
    return {"count": len(seen), "length": len(expected)}
