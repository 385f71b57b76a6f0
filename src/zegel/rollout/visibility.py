"""Judges what DNS has at a name against the record that should be there, and names what is wrong.

:func:`compare` is pure, and serves who asked all name servers (:mod:`zegel.rollout.readback`) as well as :func:`look`, the dialogue of a
single look through the resolver (RFC 6376 3.6.2): it asks for the key's name, and only when nothing is there for the name that a web form
makes of it by adding the domain a second time. It changes nothing in DNS.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from zegel.ask import Answer, Dialogue, Question, Rcode, RRType
from zegel.grammar import taglist
from zegel.rollout import differences
from zegel.words import N_

_MAX_RECORDS = 20
_MAX_TEXT = 8192  # more than any record of ours; longer ones differ anyway
_MAX_SHOWN = 200


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
        return compare(key_name, expected, answer.records)
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


def compare(name: str, expected: str, seen: Sequence[bytes | str], rrtype: RRType = RRType.TXT) -> Visibility:
    """Compare the records seen at ``name`` with the text of the one expected: its strings joined, a name without its final dot."""
    texts = tuple(map(_text, seen[:_MAX_RECORDS]))
    return _txt(name, expected, texts) if rrtype is RRType.TXT else _names(name, expected, texts)


def _txt(name: str, expected: str, seen: tuple[str, ...]) -> Visibility:
    """RFC 6376 3.6.2.2: one key record at its name. Elsewhere other records may stand beside: RFC 7208 4.5, RFC 9989 4.10, RFC 8461 3.1."""
    is_key = "_domainkey" in name.split(".")
    ours = seen if is_key else tuple(text for text in seen if differences.claims(text, expected))
    if count := differences.spread(expected, seen):
        sentence = N_("the text is spread over {count} records at {name}; it must be one record, of several strings")
        return Visibility(Outcome.DIFFERENT, "spread", sentence, {"name": name, "count": count}, seen)
    if not ours:
        values: dict[str, object] = {"name": name, "version": differences.version(expected)}
        return Visibility(Outcome.ABSENT, "no_record", N_("no TXT record at {name} begins with {version}"), values, seen)
    if len(ours) > 1:
        return _several(name, expected, ours, is_key=is_key)
    difference = differences.of(expected, ours[0])
    if difference is None:
        sentence = N_("the record at {name} is the one of this key") if is_key else N_("the record at {name} is as it should be")
        return Visibility(Outcome.VISIBLE, "", sentence, {"name": name}, ours)
    kind, sentence, details = difference
    outcome = Outcome.REVOKED if kind == "revoked" else Outcome.DIFFERENT
    return Visibility(outcome, kind, sentence, {"name": name, **details}, ours)


def _several(name: str, expected: str, seen: tuple[str, ...], *, is_key: bool) -> Visibility:
    values: dict[str, object] = {"name": name, "count": len(seen), "version": differences.version(expected)}
    if any(differences.of(expected, text) is None for text in seen):
        sentence = N_(
            "there are {count} TXT records at {name}, of which one is right; remove the others, as receivers may take any of them"
        )
    elif is_key:
        sentence = N_("there are {count} TXT records at {name}, and none is the one of this key; there must be one")
    else:
        sentence = N_("there are {count} records at {name} that begin with {version}; there must be one, and receivers take none of them")
    return Visibility(Outcome.DIFFERENT, "several", sentence, values, seen)


def _names(name: str, expected: str, seen: tuple[str, ...]) -> Visibility:
    """Records that hold a name (MX, CNAME): the letter case and the final dot do not matter. RFC 4343 3."""
    wanted, found = _plain(expected), tuple(map(_plain, seen))
    values: dict[str, object] = {"name": name, "seen": ", ".join(found)[:_MAX_SHOWN], "wanted": wanted}
    if found == (wanted,):
        return Visibility(Outcome.VISIBLE, "", N_("the record at {name} is as it should be"), values, seen)
    if wanted in found:
        sentence = N_("there are {count} records at {name}, of which one is right; remove the others")
        return Visibility(Outcome.DIFFERENT, "several", sentence, values | {"count": len(seen)}, seen)
    if any(text.startswith(f"{wanted}.") for text in found):
        sentence = N_("the record at {name} points to {seen}: the domain was added to {wanted}; write a dot at its end")
        return Visibility(Outcome.DIFFERENT, "doubled_target", sentence, values, seen)
    sentence = N_("the record at {name} is {seen}, and should be {wanted}")
    return Visibility(Outcome.DIFFERENT, "other_value", sentence, values, seen)


def _plain(text: str) -> str:
    return text.lower().removesuffix(".") or "."


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


def _text(record: bytes | str) -> str:
    text = record.decode("utf-8", "replace") if isinstance(record, bytes) else record
    return text[:_MAX_TEXT]
