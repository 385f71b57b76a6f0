"""Rules of RFC 6376 and of what has changed it, one by one in the RFCs' words, through the front door."""

from __future__ import annotations

import re
from itertools import permutations

import pytest

import zegel
from support import samples
from zegel.ask import Answer, Question, Rcode
from zegel.authres.model import AuthenticationResults
from zegel.dkim.signature import parse
from zegel.dkim.signature import starts as starts_of
from zegel.grammar.message import split_fields
from zegel.verdict.edits import dkim_method, dkim_methods

RSA, ED = samples.rsa(), samples.ed25519()
FIELD = zegel.sign(samples.MESSAGE, RSA, now=samples.NOW)


class Asked(zegel.Zone):
    """A zone that remembers the questions."""

    def __init__(self, zone: zegel.Zone) -> None:
        self.zone, self.questions = zone, []  # type: ignore[var-annotated]

    def answer(self, question: Question) -> Answer:
        self.questions.append(question)
        return self.zone.answer(question)


def judge(message: bytes, zone: zegel.Zone | None = None, now: float = samples.NOW) -> list[zegel.DkimResult]:
    return zegel.verify(message, resolver=zone or samples.zone(), now=now)


def words(results: list[zegel.DkimResult]) -> list[str]:
    return [str(result.reason) for result in results]


def test_where_the_key_is_asked_for() -> None:
    """RFC 6376 3.6.2.1: for d=example.com and s=foo.bar the query is for foo.bar._domainkey.example.com; for TXT, RFC 6376 3.6.2.2."""
    key = zegel.Key("example.com", "foo.bar", ED.private_key)
    zone = Asked(zegel.Zone.from_dict({("foo.bar._domainkey.example.com", "TXT"): [key.record]}))
    message = zegel.sign(samples.MESSAGE, key, identity="joe@mail.example.com", now=samples.NOW) + samples.MESSAGE
    assert words(judge(message, zone)) == ["verified"]
    assert [str(question.name) for question in zone.questions] == ["foo.bar._domainkey.example.com"]
    assert [question.type for question in zone.questions] == [zegel.RRType.TXT]


@pytest.mark.parametrize("size", [1, 3, 100, 255])
def test_the_strings_of_a_record_are_joined_without_a_space(size: int) -> None:
    """RFC 6376 3.6.2.2: strings in a TXT RR MUST be concatenated together before use with no intervening whitespace."""
    strings = tuple(RSA.record[at : at + size] for at in range(0, len(RSA.record), size))
    quoted = " ".join(f'"{string}"' for string in strings)
    for zone in (zegel.Zone.from_dict({(RSA.name, "TXT"): [strings]}), zegel.Zone.parse(f"{RSA.name}. TXT {quoted}\n")):
        assert words(judge(FIELD + samples.MESSAGE, zone)) == ["verified"]


@pytest.mark.parametrize(("record", "status"), [([RSA.record], "pass"), (Rcode.SERVFAIL, "temperror"), (Rcode.TIMEOUT, "temperror")])
def test_what_a_verifier_must_tell(record: list[str] | Rcode, status: str) -> None:
    """RFC 6376 3.9: for a success and for a TEMPFAIL the output MUST include the domain name of d= and the result."""
    (result,) = judge(FIELD + samples.MESSAGE, zegel.Zone.from_dict({(RSA.name, "TXT"): record}))
    assert (str(result.status), result.domain) == (status, "example.org")
    assert ("header", "d", "example.org") in [(item.ptype, item.property, item.value) for item in dkim_method(result).properties]


@pytest.mark.parametrize(("identity", "told"), [(None, None), ("@example.org", None), ("joe@mail.example.org", "joe@mail.example.org")])
def test_the_signing_domain_is_told_and_the_user_only_where_it_says_more(identity: str | None, told: str | None) -> None:
    """RFC 6376 3.11: MUST communicate the Signing Domain Identifier (d=) and MAY communicate the Agent or User Identifier (i=)."""
    (result,) = judge(zegel.sign(samples.MESSAGE, RSA, identity=identity, now=samples.NOW) + samples.MESSAGE)
    properties = {item.property: item.value for item in dkim_method(result).properties}
    assert (properties["d"], properties.get("i")) == ("example.org", told)


def test_signatures_are_judged_on_their_own_merits() -> None:
    """RFC 6376 4.2: SHOULD evaluate signatures independently; RFC 6376 6.1: MUST NOT attribute ultimate meaning to their order."""
    late = zegel.Key("example.org", "late", ED.private_key)
    zone = zegel.Zone.from_dict({(RSA.name, "TXT"): [RSA.record], (ED.name, "TXT"): [ED.record], (late.name, "TXT"): Rcode.TIMEOUT})
    good, bad = FIELD, zegel.sign(samples.MESSAGE, ED, now=samples.NOW).replace(b"t=1", b"t=2")
    unknown = zegel.sign(samples.MESSAGE, late, now=samples.NOW)
    alone = {field: words(judge(field + samples.MESSAGE, zone)) for field in (good, bad, unknown, b"DKIM-Signature: v=1\r\n")}
    assert [reasons[0] for reasons in alone.values()] == ["verified", "signature_mismatch", "key_unavailable", "tag_missing"]
    for fields in permutations(alone):
        assert words(judge(b"".join(fields) + samples.MESSAGE, zone)) == [alone[field][0] for field in fields]


@pytest.mark.parametrize("canonicalization", ["simple/simple", "relaxed/relaxed"])
@pytest.mark.parametrize("key", [RSA, ED], ids=["rsa", "ed25519"])
def test_the_whole_body_is_signed(key: zegel.Key, canonicalization: str) -> None:
    """RFC 6376 5.3.1: if the body length count is not specified, the entire message body is signed. RFC 6376 8.2: we specify none."""
    field = zegel.sign(samples.MESSAGE, key, canonicalization=canonicalization, now=samples.NOW)
    assert parse(split_fields(field)[0][0].value).length is None
    assert words(judge(field + samples.MESSAGE + b"one line more\r\n")) == ["body_changed"]


def test_a_signature_is_put_before_all_others() -> None:
    """RFC 6376 5.6: it MUST be inserted before any other DKIM-Signature fields. RFC 6376 4.2: those that are there stay, and verify."""
    once = FIELD + samples.MESSAGE
    twice = zegel.sign(once, ED, now=samples.NOW) + once
    assert twice.startswith(b"DKIM-Signature:")
    assert [(result.selector, str(result.reason)) for result in judge(twice)] == [("ed", "verified"), ("rsa", "verified")]
    for signed in (FIELD, zegel.sign(once, ED, now=samples.NOW)):
        (field,), malformed = split_fields(signed)
        assert (field.key, malformed, signed.endswith(b"\r\n")) == (b"dkim-signature", 0, True)


def test_a_receiver_that_knows_one_algorithm_takes_its_own() -> None:
    """RFC 8463 6: two signatures, so that those who know Ed25519 and those who do not each have one. RFC 6376 3.3: two algorithms."""
    both = zegel.sign(samples.MESSAGE, [RSA, ED], now=samples.NOW) + samples.MESSAGE
    assert [(result.algorithm, str(result.status)) for result in judge(both)] == [("rsa-sha256", "pass"), ("ed25519-sha256", "pass")]
    for old in (RSA, ED):
        zone = zegel.Zone.from_dict({(old.name, "TXT"): [old.record]})
        assert {result.algorithm: str(result.status) for result in judge(both, zone)}[old.algorithm] == "pass"
    other = both.replace(b"a=ed25519-sha256", b"a=ed448-shake256")
    assert words(judge(other)) == ["verified", "algorithm_unknown"]


# The steps of RFC 6376 6.1.1, 6.1.2 and 6.1.3 in their order. Each spoils a message, by its signature, its record or its body.
STEPS: list[tuple[str, dict[str, str], str | Rcode | None]] = [
    ("tag_list_syntax", {"z z": "x"}, None),
    ("version", {"v": "2"}, None),
    ("identity_mismatch", {"i": "joe@example.com"}, None),
    ("from_not_signed", {"h": "to:subject"}, None),
    ("expired", {"t": "1000000000", "x": "1000000001"}, None),
    ("key_unavailable", {}, Rcode.SERVFAIL),
    ("key_not_found", {}, Rcode.NXDOMAIN),
    ("key_syntax", {}, "v=DKIM1; p=#"),
    ("key_other_hash", {}, f"v=DKIM1; h=sha1; k=ed25519; p={ED.public}"),
    ("key_other_type", {}, f"v=DKIM1; k=ed25519; p={ED.public}"),
    ("body_changed", {}, f"v=DKIM1; p={RSA.public}"),
]


@pytest.mark.parametrize("step", range(len(STEPS)), ids=[reason for reason, _, _ in STEPS])
def test_the_first_step_that_fails_is_the_reason(step: int) -> None:
    """RFC 6376 6: a result semantically equivalent to applying the steps of RFC 6376 6.1.1, 6.1.2 and 6.1.3 in order.

    The message has the fault of this step and of every later one; a step that is taken too early would give its own reason.
    """
    tags = {"v": "1", "a": "rsa-sha256", "d": "example.org", "s": "rsa", "h": "from", "bh": "AAAA", "b": "AAAA"}
    for _, spoiled, _ in reversed(STEPS[step:]):
        tags |= spoiled
    record = next(record for _, _, record in STEPS[step:] if record is not None)
    zone = Asked(zegel.Zone.from_dict({(RSA.name, "TXT"): record if isinstance(record, Rcode) else [record]}))
    text = "; ".join(f"{name}={value}" for name, value in tags.items())
    assert words(judge(b"DKIM-Signature: " + text.encode() + b"\r\n" + samples.MESSAGE, zone)) == [STEPS[step][0]]
    assert len(zone.questions) == (STEPS[step][2] is not None), "no question about a signature that has failed already"


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"From: Joe", b"FROM: Joe", "verified"),  # step 1: comparisons MUST be case-insensitive
        (b"h=from:from", b"h=From:FROM", "signature_mismatch"),  # and yet the octets of h= are signed
        (b"From: Joe", b"From:  Joe ", "verified"),
        (b"From: Joe", b"From: Jon", "signature_mismatch"),  # step 4
        (b"the body.\r\n", b"the  body. \r\n\r\n\r\n", "verified"),
        (b"the body.", b"that body.", "body_changed"),  # step 3
        (b"t=1790000000", b"t=1790000001", "signature_mismatch"),  # the signature's own field is signed too
        (b"\r\n b=", b"\r\n b= \t", "verified"),
        (b"Received: ", b"Received: by another hop; ", "verified"),  # not named in h=
    ],
)
def test_what_is_compared(old: bytes, new: bytes, reason: str) -> None:
    """RFC 6376 6.1.3, of a signature with c=relaxed/relaxed."""
    message = FIELD + b"Received: x\r\n" + samples.MESSAGE
    assert message.count(old) == 1
    assert words(judge(message.replace(old, new))) == [reason]


def test_a_signature_cut_anywhere_never_passes() -> None:
    """RFC 6376 8.9: prepared to receive malformed fields, and none of their contents is depended on before all is checked."""
    text = FIELD.removesuffix(b"\r\n").rstrip(b"=")  # the padding may be missing (RFC 6376 2.10)
    start = len(b"DKIM-Signature:")
    for at in range(start, len(text)):
        (result,) = judge(text[:at].rstrip(b"\r\n \t") + b"\r\n" + samples.MESSAGE)
        assert str(result.status) != "pass", text[:at]
    assert words(judge(text + b"\r\n" + samples.MESSAGE)) == ["verified"]


def test_results_are_told_apart_by_the_beginning_of_the_signature() -> None:
    """RFC 6008 4: at least the first eight characters of b=, case kept; the two signatures are those of RFC 6008 A.1."""
    fields = [
        b"DKIM-Signature: v=1; a=rsa-sha256; s=rashani;\r\n d=newyork.example.com;\r\n t=1188964191; c=%s/simple;\r\n"
        b" h=From:Date:To:Message-Id:Subject;\r\n bh=sEu28nfs9fuZGD/pSr7ANysbY3jtdaQ3Xv9xPQtS0m7=;\r\n b=%s\r\n" % form_and_signature
        for form_and_signature in ((b"relaxed", b"oINEO8hgn/gnunsg"), (b"simple", b"EToRSuvUfQVP3Bkz"))
    ]
    results = judge(b"".join(fields) + samples.MESSAGE)
    value = AuthenticationResults("mail-router.example.net", tuple(dkim_methods(results))).format()
    one, other = value.split(b";\r\n")[1:]
    assert b"header.b=oINEO8hg" in one
    assert b"header.b=EToRSuvU" in other


def test_signatures_that_begin_alike_are_told_apart_by_more_of_them() -> None:
    """RFC 6008 4: "long enough to be unique among the results being reported". A copy with another end is what RFC 6008 6.2 warns of."""
    value = FIELD.removesuffix(b"\r\n").rpartition(b" b=")[2].replace(b"\r\n ", b"")
    changed = {at: value[:at] + (b"A" if value[at : at + 1] != b"A" else b"B") + value[at + 1 :] for at in (8, 20, 300, len(value) - 4)}
    copies = [FIELD.rpartition(b" b=")[0] + b" b=" + text + b"\r\n" for text in (value, *changed.values(), value)]
    other = zegel.sign(samples.MESSAGE, ED, now=samples.NOW)
    results = judge(b"".join([*copies, other, b"DKIM-Signature: v=1\r\n"]) + samples.MESSAGE)
    assert [str(result.status) for result in results] == ["pass", *["fail"] * 4, "pass", "pass", "permerror"]
    starts = [result.signature_start for result in results]
    whole, far = value.decode(), len(value) - 3
    assert starts[0] == starts[5] == whole[:far]
    assert starts[1:5] == [text[: at + 1].decode() for at, text in changed.items()]
    assert starts[6:] == [other.rpartition(b" b=")[2][:8].decode(), None]
    value = AuthenticationResults("mx.example.net", tuple(dkim_methods(results))).format()
    told = re.findall(r'header\.b="?([^"\s;]+)', value.decode())
    assert told == [start for start in starts if start]
    assert max(map(len, value.split(b"\r\n"))) < 998


@pytest.mark.parametrize("size", [0, 1, 5, 6, 64, 512])
def test_beginnings(size: int) -> None:
    octets = bytes(range(256)) * 3
    found = starts_of({octets[:size], octets[:size] + b"x", octets[:size] + b"y", b"\xff" * 700})
    assert len(set(found.values())) == 4 - 2 * (size == 512)
    assert found[b"\xff" * 700] == "////////"
    assert all(len(start) >= min(8, -(-len(text) // 3) * 4) and len(start) <= 684 for text, start in found.items())
