"""Looks whether a key record stands in DNS as it must, and says what is wrong with what stands there instead.

A dialogue (RFC 6376 3.6.2): it asks for the key's name, and only when nothing is there for the name that a web form makes of it by adding
the domain a second time. Stricter than a verifier: what some receivers cannot read counts as different. It changes nothing in DNS.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from zegel.ask import Answer, Dialogue, Question, Rcode, RRType
from zegel.grammar import taglist
from zegel.words import N_

_MAX_RECORDS = 20
_MAX_TEXT = 8192  # more than any key record; longer ones differ anyway


class Outcome(StrEnum):
    """What DNS has."""

    VISIBLE = "visible"
    ABSENT = "absent"
    DIFFERENT = "different"
    REVOKED = "revoked"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Visibility:
    """What was seen: the outcome, a stable ``difference`` id, a sentence with its values (a face may translate it), and the records."""

    outcome: Outcome
    difference: str
    sentence: str
    values: dict[str, object] = field(default_factory=dict)
    seen: tuple[str, ...] = ()

    @property
    def explanation(self) -> str:
        """The sentence, filled in."""
        return self.sentence.format(**self.values)


def look(key_name: str, expected: str) -> Dialogue[Visibility]:
    """Ask for the record at ``key_name`` and compare it with ``expected``, the text of the key record."""
    (answer,) = yield (Question(key_name, RRType.TXT),)
    if answer.temporary:
        return _unavailable(key_name, answer)
    if answer.records:
        return compare(key_name, expected, tuple(map(_text, answer.records[:_MAX_RECORDS])))
    domain = key_name.partition("._domainkey.")[2]
    if domain:
        doubled = f"{key_name}.{domain}"
        (answer_doubled,) = yield (Question(doubled, RRType.TXT),)
        if answer_doubled.records:
            sentence = N_("there is no record at {name}, but there is one at {doubled}: the web form adds the domain by itself")
            values: dict[str, object] = {"name": key_name, "doubled": doubled}
            return Visibility(Outcome.ABSENT, "doubled_name", sentence, values, tuple(map(_text, answer_doubled.records[:_MAX_RECORDS])))
    if answer.rcode is Rcode.NXDOMAIN:
        return Visibility(Outcome.ABSENT, "no_name", N_("DNS has nothing at {name} (NXDOMAIN)"), {"name": key_name})
    return Visibility(Outcome.ABSENT, "no_record", N_("there is no TXT record at {name}"), {"name": key_name})


def compare(name: str, expected: str, seen: tuple[str, ...]) -> Visibility:
    """Compare the TXT records seen at ``name`` with the one expected. RFC 6376 3.6.2.2 allows exactly one."""
    if len(seen) > 1:
        return _several(name, expected, seen)
    difference = _difference(expected, seen[0])
    if difference is None:
        return Visibility(Outcome.VISIBLE, "", N_("the record at {name} is the one of this key"), {"name": name}, seen)
    kind, sentence, values = difference
    outcome = Outcome.REVOKED if kind == "revoked" else Outcome.DIFFERENT
    return Visibility(outcome, kind, sentence, {"name": name, **values}, seen)


_Difference = tuple[str, str, dict[str, object]]


def _several(name: str, expected: str, seen: tuple[str, ...]) -> Visibility:
    values: dict[str, object] = {"name": name, "count": len(seen)}
    # In any order: DNS gives records as it likes.
    if len("".join(seen)) == len(expected) and all(part in expected for part in seen):
        sentence = N_("the text is spread over {count} records at {name}; it must be one record, of several strings")
        return Visibility(Outcome.DIFFERENT, "spread", sentence, values, seen)
    if any(_difference(expected, text) is None for text in seen):
        sentence = N_(
            "there are {count} TXT records at {name}, of which one is right; remove the others, as receivers may take any of them"
        )
    else:
        sentence = N_("there are {count} TXT records at {name}, and none is the one of this key; there must be one")
    return Visibility(Outcome.DIFFERENT, "several", sentence, values, seen)


def _difference(expected: str, seen: str) -> _Difference | None:
    """What differs in one record, or None: the known accidents first, tag by tag afterwards."""
    found = _accident(expected, seen)
    if found is not None:
        return found
    wanted = taglist.parse(expected.encode())
    # Where only white space differs, it stands between the right letters or inside a word.
    split: _Difference | None = None
    if _letters(seen) == _letters(expected):
        split = "split", N_("the record at {name} has a space inside, where two strings meet; some receivers cannot read that"), {}
    try:
        tags = taglist.parse(seen.encode("utf-8", "replace"))
    except taglist.TagListError as error:
        return split or ("malformed", N_("the record at {name} is no key record ({error})"), {"error": error})
    if all(tags.get(name) == value for name, value in wanted.items()) and next(iter(tags)) == "v":
        return _restriction(tags)
    return split or _other(tags, wanted)


def _other(tags: dict[str, str], wanted: dict[str, str]) -> _Difference | None:
    if "p" not in tags or tags.get("v", "DKIM1") != "DKIM1" or ("v" in tags and next(iter(tags)) != "v"):
        return "other_record", N_("another record stands at {name}, which is no DKIM key record"), {}
    public = taglist.without_space(tags["p"])
    if not public:
        return "revoked", N_("the record at {name} revokes the key (p= is empty)"), {}
    kind = tags.get("k", "rsa").lower()
    if kind != wanted["k"]:
        values: dict[str, object] = {"seen": kind[:20], "wanted": wanted["k"]}
        return "other_type", N_("the record at {name} says k={seen}, and this key is k={wanted}"), values
    if public == wanted["p"]:
        if tags["p"] != wanted["p"]:
            return "split", N_("p= at {name} has a space inside, where two strings meet; some receivers cannot read that"), {}
        return _restriction(tags)
    if wanted["p"].startswith(public):
        return "cut", N_("p= at {name} is cut off after {count} of {length} characters"), _lengths(public, wanted["p"])
    return "other_key", N_("the record at {name} has another key in p="), {}


def _accident(expected: str, seen: str) -> _Difference | None:
    """What web forms and zone files do to a record: quotes and backslashes kept, cut at a semicolon, cut at 255 octets."""
    for kind, sign in (("quotes", '"'), ("backslashes", "\\")):
        if sign in seen:
            return kind, N_("the record at {name} has {sign} inside its text; enter the value without it"), {"sign": sign}
    stripped = seen.rstrip(" ;")
    if not stripped or stripped == expected or not expected.startswith(stripped) or stripped.endswith("p="):
        return None
    if expected[len(stripped)] == ";":
        sentence = N_("the record at {name} is cut at the semicolon, after {seen}; in a zone file the text must stand in quotes")
        return "cut_at_semicolon", sentence, {"seen": stripped}
    return "cut", N_("the record at {name} is cut off after {count} of {length} characters"), _lengths(stripped, expected)


def _letters(text: str) -> str:
    return "".join(text.split())


def _restriction(tags: dict[str, str]) -> _Difference | None:
    """Tags that somebody added and that forbid our signatures. RFC 6376 3.6.1: h= and s= list what is allowed."""
    for tag, allowed in (("h", {"sha256"}), ("s", {"*", "email"})):
        if tag in tags and not allowed & set(taglist.without_space(tags[tag]).lower().split(":")):
            sentence = N_("the record at {name} says {tag}={value}, which forbids these signatures; take {tag}= out")
            return "forbids", sentence, {"tag": tag, "value": tags[tag][:40]}
    return None


def is_testing(visibility: Visibility) -> bool:
    """True when the record seen says ``t=y``: receivers are told to take no notice of failures. RFC 6376 3.6.1."""
    try:
        tags = taglist.parse(visibility.seen[0].encode("utf-8", "replace")) if len(visibility.seen) == 1 else {}
    except taglist.TagListError:
        return False
    return "y" in taglist.without_space(tags.get("t", "")).lower().split(":")


def _unavailable(name: str, answer: Answer) -> Visibility:
    sentence = N_("DNS did not answer for {name} ({rcode}); nothing is known of the record")
    return Visibility(Outcome.UNAVAILABLE, "unavailable", sentence, {"name": name, "rcode": str(answer.rcode)})


def _lengths(seen: str, expected: str) -> dict[str, object]:
    return {"count": len(seen), "length": len(expected)}


def _text(record: bytes | str) -> str:
    text = record.decode("utf-8", "replace") if isinstance(record, bytes) else record
    return text[:_MAX_TEXT]
