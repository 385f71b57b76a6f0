"""The DNS Tree Walk and policy discovery: RFC 9989 4.10, each stop rule and each way of DNS to answer."""

from __future__ import annotations

import pytest

import zegel
from support.dmarc import NONE, Records, zone
from zegel.ask import Dialogue, Question, Rcode, RRType, rehearse
from zegel.dmarc.discover import Discovery, Lookups, Outcome, Walk, discover, walk
from zegel.grammar.domain import Domain


def walked(start: str, records: Records) -> tuple[Walk, list[str]]:
    asked: list[Question] = []
    found = rehearse(walk(Lookups(), Domain.parse(start)), zone(records).answer, asked)
    assert all(question.type is RRType.TXT for question in asked)
    return found, [question.name.removeprefix("_dmarc.") for question in asked]


def discovered(author: str, records: Records) -> tuple[Discovery, list[str]]:
    asked: list[Question] = []
    found = rehearse(discover(Lookups(), Domain.parse(author)), zone(records).answer, asked)
    return found, [question.name for question in asked]


@pytest.mark.parametrize(
    ("start", "names"),
    [
        ("com", "com"),
        ("example.com", "example.com com"),
        ("a.mail.example.com", "a.mail.example.com mail.example.com example.com com"),
        ("1.2.3.4.5.6.7.8", "1.2.3.4.5.6.7.8 2.3.4.5.6.7.8 3.4.5.6.7.8 4.5.6.7.8 5.6.7.8 6.7.8 7.8 8"),
        ("0.1.2.3.4.5.6.7.8", "0.1.2.3.4.5.6.7.8 2.3.4.5.6.7.8 3.4.5.6.7.8 4.5.6.7.8 5.6.7.8 6.7.8 7.8 8"),
        # RFC 9989 4.10 and 5.1.8
        (
            "a.b.c.d.e.f.g.h.i.j.mail.example.com",
            "a.b.c.d.e.f.g.h.i.j.mail.example.com g.h.i.j.mail.example.com h.i.j.mail.example.com i.j.mail.example.com j.mail.example.com "
            "mail.example.com example.com com",
        ),
        (
            "mail.a.b.c.d.e.f.g.example.com",
            "mail.a.b.c.d.e.f.g.example.com c.d.e.f.g.example.com d.e.f.g.example.com e.f.g.example.com f.g.example.com g.example.com "
            "example.com com",
        ),
    ],
)
def test_the_names_asked(start: str, names: str) -> None:
    found, asked = walked(start, {})
    assert " ".join(asked) == names
    assert found == Walk(Domain(start), ())
    assert found.organizational_domain == start


PSD, OWN = "v=DMARC1; p=none; psd=y", "v=DMARC1; p=none; psd=n"


@pytest.mark.parametrize(
    ("start", "records", "organization", "asked"),
    [
        # The three examples of RFC 9989 4.10.2.
        ("a.mail.example.com", {"mail.example.com": NONE, "example.com": NONE}, "example.com", 4),
        ("a.mail.example.com", {"mail.example.com": OWN}, "mail.example.com", 2),
        ("a.mail.example.com", {"com": PSD}, "example.com", 4),
        # One label below the public suffix, whatever is published between.
        ("a.b.example.com", {"a.b.example.com": NONE, "b.example.com": NONE, "com": PSD}, "example.com", 4),
        ("example.com", {"com": PSD}, "example.com", 2),
        # The public suffix itself is its own organisation: its record is where the walk started.
        ("com", {"com": PSD}, "com", 1),
        ("bank.example", {"bank.example": PSD, "example": NONE}, "bank.example", 1),
        # An explicit no ends the walk at once; an unknown does not, and counts as none (psd=u).
        ("example.com", {"example.com": OWN, "com": NONE}, "example.com", 1),
        ("example.com", {"example.com": "v=DMARC1; psd=u", "com": NONE}, "com", 2),
        ("example.com", {"example.com": "v=DMARC1; psd=maybe"}, "example.com", 2),
        # Records without a policy are records all the same; those that are none, and several, are not.
        ("mail.example.com", {"example.com": "v=DMARC1"}, "example.com", 3),
        ("mail.example.com", {"mail.example.com": NONE, "example.com": ["v=spf1 -all"]}, "mail.example.com", 3),
        ("mail.example.com", {"mail.example.com": NONE, "example.com": [NONE, NONE]}, "mail.example.com", 3),
        ("mail.example.com", {"mail.example.com": NONE, "example.com": [PSD, "v=spf1", OWN]}, "mail.example.com", 3),
        ("mail.example.com", {"example.com": ["other", NONE, "v=dmarc1"]}, "example.com", 3),
        # Below the cut nothing is found; the label below the public suffix is that of the domain itself.
        ("a.b.c.d.e.f.g.example.com", {"b.c.d.e.f.g.example.com": OWN}, "a.b.c.d.e.f.g.example.com", 8),
        ("1.2.3.4.5.6.7.8.9", {"3.4.5.6.7.8.9": PSD}, "2.3.4.5.6.7.8.9", 2),
        ("0.1.2.3.4.5.6.7.8.9", {"2.3.4.5.6.7.8.9": OWN}, "0.1.2.3.4.5.6.7.8.9", 8),
    ],
)
def test_the_organizational_domain(start: str, records: Records, organization: str, asked: int) -> None:
    found, names = walked(start, records)
    assert (found.organizational_domain, len(names)) == (organization, asked)


@pytest.mark.parametrize("rcode", [Rcode.SERVFAIL, Rcode.TIMEOUT])
def test_trouble_ends_the_walk_and_says_nothing(rcode: Rcode) -> None:
    found, asked = walked("a.b.example.com", {"b.example.com": NONE, "example.com": rcode})
    assert asked == ["a.b.example.com", "b.example.com", "example.com"]
    assert found.organizational_domain is None
    assert found.applicable is None
    assert found.trouble is not None
    assert found.trouble.rcode is rcode
    # What is settled below is not touched by it.
    assert walked("a.b.example.com", {"b.example.com": OWN, "example.com": rcode})[0].organizational_domain == "b.example.com"


def test_a_name_that_is_too_long_is_not_asked() -> None:
    label = "a" * 61
    start = ".".join([label] * 4 + ["b"])
    assert len(start) + len("_dmarc.") > 253
    found, asked = walked(start, {"b": NONE})
    assert asked == [".".join([label] * 3 + ["b"]), ".".join([label] * 2 + ["b"]), f"{label}.b", "b"]
    assert found.organizational_domain == "b"


def test_no_name_is_asked_twice() -> None:
    lookups, asked = Lookups(), list[Question]()

    def both() -> Dialogue[None]:
        yield from walk(lookups, Domain("a.example.com"))
        yield from walk(lookups, Domain("b.example.com"))
        yield from walk(lookups, Domain("a.example.com"))

    rehearse(both(), zone({}).answer, asked)
    assert [question.name for question in asked] == ["_dmarc.a.example.com", "_dmarc.example.com", "_dmarc.com", "_dmarc.b.example.com"]
    assert [lookup.question for lookup in lookups.made] == asked


REJECT = "v=DMARC1; p=reject; sp=quarantine; np=none"


@pytest.mark.parametrize(
    ("author", "records", "domain", "policy"),
    [
        ("example.com", {}, None, None),
        # The author's own record holds, organisation or not, and of it only p=.
        ("mail.example.com", {"mail.example.com": REJECT, "example.com": NONE}, "mail.example.com", "reject"),
        ("com", {"com": "v=DMARC1; p=reject; sp=none; psd=y"}, "com", "reject"),
        # Otherwise the organisation's, not the next one up.
        ("a.b.example.com", {"b.example.com": NONE, "example.com": "v=DMARC1; p=reject"}, "example.com", "reject"),
        ("a.b.example.com", {"b.example.com": "v=DMARC1; p=none; sp=reject; psd=n", "example.com": NONE}, "b.example.com", "reject"),
        # Otherwise that of the public suffix, and not what lies between; never when the organisation has one.
        ("a.b.bank.example", {"a.bank.example": NONE, "bank.example": "v=DMARC1; p=reject; psd=y"}, "bank.example", "reject"),
        ("a.b.c.example", {"b.c.example": NONE, "example": "v=DMARC1; p=reject; psd=y"}, "example", "reject"),
        ("a.b.example", {"b.example": NONE, "example": "v=DMARC1; p=reject; psd=y"}, "b.example", "none"),
        ("foo.example", {"example": "v=DMARC1; p=none; sp=reject; psd=y"}, "example", "reject"),
        # Several at the author's domain are discarded, and the walk goes on.
        ("mail.example.com", {"mail.example.com": [NONE, NONE], "example.com": "v=DMARC1; p=reject"}, "example.com", "reject"),
        # No policy and nobody to tell: no processing.
        ("example.com", {"example.com": "v=DMARC1"}, "example.com", None),
        ("example.com", {"example.com": "v=DMARC1; rua=mailto:a@b"}, "example.com", "none"),
        ("a.example.com", {"example.com": "v=DMARC1; p=reject; sp=x; rua=mailto:a@b"}, "example.com", "none"),
    ],
)
def test_policy_discovery(author: str, records: Records, domain: str | None, policy: str | None) -> None:
    found, _ = discovered(author, records)
    assert (found.domain, found.policy) == (domain, policy)
    assert found.trouble is None


# RFC 9989 3.2.13
EXISTENCE = "v=DMARC1; p=reject; sp=quarantine; np=none"


@pytest.mark.parametrize(
    ("records", "policy", "asked"),
    [
        ({"example.com": EXISTENCE}, "none", True),
        ({"example.com": EXISTENCE, "=mail.example.com": "v=spf1 -all"}, "quarantine", True),
        # There is a name below it, so that it exists (RFC 8020 2): NODATA counts as existing (RFC 9989 A.4).
        ({"example.com": EXISTENCE, "=x.mail.example.com": "x"}, "quarantine", True),
        # Its _dmarc exists: nothing is asked.
        ({"example.com": EXISTENCE, "mail.example.com": "no record"}, "quarantine", False),
        ({"example.com": EXISTENCE, "=x._dmarc.mail.example.com": "x"}, "quarantine", False),
        ({"example.com": EXISTENCE, "=*.example.com": "x"}, "quarantine", False),
        # The policy is the same either way: nothing is asked.
        ({"example.com": "v=DMARC1; p=reject; sp=none; np=none"}, "none", False),
        ({"example.com": "v=DMARC1; p=reject; np=reject"}, "reject", False),
        ({"example.com": "v=DMARC1; p=reject; sp=none"}, "none", False),
        ({"example.com": EXISTENCE, "=mail.example.com": Rcode.SERVFAIL}, None, True),
        ({"example.com": EXISTENCE, "=mail.example.com": Rcode.TIMEOUT}, None, True),
    ],
)
def test_whether_the_author_domain_exists(records: Records, policy: str | None, asked: bool) -> None:
    found, names = discovered("mail.example.com", records)
    assert found.policy == policy
    assert ("mail.example.com" in names) is asked
    assert found.existence_unknown is (policy is None)


def test_the_domain_of_the_record_always_exists() -> None:
    found, names = discovered("example.com", {"example.com": "v=DMARC1; p=none; sp=reject; np=quarantine"})
    assert (found.policy, names) == ("none", ["_dmarc.example.com"])


@pytest.mark.parametrize("where", ["mail.example.com", "example.com", "com"])
def test_trouble_is_no_absence(where: str) -> None:
    records: Records = {"example.com": NONE, where: Rcode.SERVFAIL}
    found, names = discovered("mail.example.com", records)
    assert found.record is None
    assert found.trouble is not None
    assert found.trouble.question.name == names[-1] == f"_dmarc.{where}"


def test_the_author_s_own_record_needs_nothing_above() -> None:
    found, names = discovered("example.com", {"example.com": NONE, "com": Rcode.TIMEOUT})
    assert (found.policy, found.trouble, len(names)) == ("none", None, 1)


def test_what_each_look_up_gave() -> None:
    lookups = Lookups()
    records: Records = {"a.b.example": [NONE, NONE], "b.example": "other", "example": EXISTENCE}
    rehearse(discover(lookups, Domain("c.a.b.example")), zone(records).answer)
    assert [(str(lookup.outcome), lookup.record is not None) for lookup in lookups.made] == [
        ("no_record", False),
        ("several", False),
        ("no_record", False),
        ("record", True),
        ("absent", False),
    ]
    assert {lookup.rcode for lookup in lookups.made} == {Rcode.NOERROR, Rcode.NXDOMAIN}
    assert lookups.made[-1].outcome is Outcome.ABSENT


def test_a_record_of_several_strings() -> None:
    # RFC 9989 4.5: they are put together without a space.
    records = zegel.Zone.parse('_dmarc.example.com. 60 IN TXT "v=DMARC1; p=rej" "ect; sp=quarantine"')
    assert zegel.check_dmarc("example.com", resolver=records).policy == "reject"
