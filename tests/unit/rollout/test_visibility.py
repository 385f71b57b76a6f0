from __future__ import annotations

import pytest

import zegel
from zegel.ask import Question, rehearse
from zegel.rollout.visibility import Outcome, Visibility, is_testing, look

NAME = "sel._domainkey.example.be"
RSA = "v=DKIM1; k=rsa; p=" + "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A" * 12 + "IDAQAB"
ED = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="


def seen(*records: str | bytes, expected: str = RSA) -> Visibility:
    zone = zegel.Zone.from_dict({(NAME, "TXT"): list(records)})
    return rehearse(look(NAME, expected), zone.answer)


@pytest.mark.parametrize("expected", [RSA, ED])
def test_the_same_text_is_visible(expected: str) -> None:
    found = seen(expected, expected=expected)
    assert (found.outcome, found.difference, found.seen) == (Outcome.VISIBLE, "", (expected,))


@pytest.mark.parametrize(
    "text",
    [
        RSA + ";",
        RSA + "; ",
        RSA.replace("; ", ";"),
        RSA.replace("; ", " ;  "),
        RSA.replace("k=rsa; ", ""),
        RSA.replace("k=rsa", "h=sha1:sha256; s=email; n=made by us; k=rsa"),
        RSA.replace("k=rsa", "k=RSA"),
    ],
)
def test_other_spellings_of_the_same_record_are_visible(text: str) -> None:
    assert seen(text).outcome is Outcome.VISIBLE


PLAIN = RSA.replace("k=rsa; ", "")
BARE = RSA.replace("v=DKIM1; k=rsa; ", "")


@pytest.mark.parametrize("expected", [RSA, PLAIN, BARE, RSA.replace("k=rsa", "k=RSA")])
@pytest.mark.parametrize("text", [RSA, PLAIN, BARE, RSA.replace("k=rsa", "k=RSA"), "k=rsa; " + BARE])
def test_a_type_or_version_that_is_left_out_is_its_default_on_both_sides(expected: str, text: str) -> None:
    """RFC 6376 3.6.1: k= and v= may be left out, and are rsa and DKIM1 then."""
    assert seen(text, expected=expected).outcome is Outcome.VISIBLE


@pytest.mark.parametrize("expected", [PLAIN, BARE])
@pytest.mark.parametrize(
    ("text", "difference", "told"),
    [
        (RSA.replace("k=rsa", "k=ed25519"), "other_type", "says k=ed25519, and this key is k=rsa"),
        ("k=ed25519; " + BARE, "other_type", "says k=ed25519, and this key is k=rsa"),
        (BARE.replace("MIIB", "MIIC"), "other_key", "another key"),
        (RSA[:-4], "cut", f"after {len(BARE) - 6} of {len(BARE) - 2} characters"),
        (BARE.replace("Q8A", "Q8A ", 1), "split", "a space inside"),
        (BARE + "; h=sha1", "forbids", "h=sha1"),
        ("k=rsa; p=", "revoked", "revokes the key"),
        ("hello", "malformed", "no key record"),
        ("v=spf1 -all", "other_record", "no DKIM key record"),
    ],
)
def test_what_differs_from_a_record_without_its_type_is_named(expected: str, text: str, difference: str, told: str) -> None:
    found = seen(text, expected=expected)
    assert found.difference == difference
    assert told in found.explanation


def test_a_wanted_key_that_is_folded_is_the_key_without_its_spaces() -> None:
    folded = RSA[:100] + " " + RSA[100:]
    assert seen(BARE, expected=folded).outcome is Outcome.VISIBLE
    assert seen(BARE.replace("MIIB", "MIIC"), expected=folded).difference == "other_key"


def test_testing_is_told() -> None:
    assert is_testing(seen(RSA + "; t=y:s"))
    assert not is_testing(seen(RSA + "; t=s"))
    assert not is_testing(seen(RSA))


@pytest.mark.parametrize(
    ("text", "difference"),
    [
        ("v=DKIM1", "cut_at_semicolon"),
        ("v=DKIM1;", "cut_at_semicolon"),
        ("v=DKIM1; k=rsa", "cut_at_semicolon"),
        (RSA[:255], "cut"),
        (RSA[:-1], "cut"),
        (RSA.replace("k=rsa; ", "")[:-4], "cut"),
        (RSA[:255] + " " + RSA[255:], "split"),
        (RSA.replace("v=DKIM1", "v=DK IM1"), "split"),
        (f'"{RSA}"', "quotes"),
        (f'{RSA[:255]}" "{RSA[255:]}', "quotes"),
        (RSA.replace(";", "\\;"), "backslashes"),
        (ED, "other_type"),
        (RSA.replace("MIIB", "MIIC"), "other_key"),
        ("v=spf1 -all", "other_record"),
        ("k=rsa; v=DKIM1; " + RSA.rpartition(" ")[2], "other_record"),
        ("v=DKIM2; " + RSA.partition(" ")[2], "other_record"),
        ("hello", "malformed"),
        (RSA + "; p=x", "malformed"),
        ("", "other_record"),
        (RSA + "; h=sha1", "forbids"),
        (RSA + "; s=tlsrpt", "forbids"),
    ],
)
def test_what_differs_is_named(text: str, difference: str) -> None:
    found = seen(text)
    assert (found.outcome, found.difference) == (Outcome.DIFFERENT, difference)
    assert NAME in found.explanation
    assert found.seen == (text,)


@pytest.mark.parametrize("text", ["v=DKIM1; p=", "v=DKIM1; k=rsa; p=", "p=;"])
def test_an_empty_key_is_a_revoked_one(text: str) -> None:
    assert seen(text).outcome is Outcome.REVOKED


def test_bytes_that_are_no_text_are_malformed() -> None:
    assert seen(b"v=DKIM1; k=rsa; p=\xff\x00").outcome is Outcome.DIFFERENT


def test_several_records() -> None:
    assert seen(RSA, "v=spf1 -all").difference == "several"
    assert "one is right" in seen(RSA, "v=spf1 -all").explanation
    assert "none is" in seen(ED, "v=spf1 -all").explanation
    assert seen(RSA[255:], RSA[:255]).difference == "spread"


def test_nothing_there_asks_for_the_doubled_name() -> None:
    asked: list[Question] = []
    found = rehearse(look(NAME, RSA), zegel.Zone.from_dict({("example.be", "TXT"): ["x"]}).answer, asked)
    assert (found.outcome, found.difference) == (Outcome.ABSENT, "no_name")
    assert [question.name for question in asked] == [NAME, f"{NAME}.example.be"]
    doubled = rehearse(look(NAME, RSA), zegel.Zone.from_dict({(f"{NAME}.example.be", "TXT"): [RSA]}).answer)
    assert (doubled.outcome, doubled.difference) == (Outcome.ABSENT, "doubled_name")
    assert "the web form adds the domain" in doubled.explanation


def test_a_name_without_the_record() -> None:
    found = rehearse(look(NAME, RSA), zegel.Zone.from_dict({(NAME, "CNAME"): ["elsewhere.example"], ("elsewhere.example", "A"): []}).answer)
    assert (found.outcome, found.difference) == (Outcome.ABSENT, "no_record")


@pytest.mark.parametrize("trouble", [zegel.Rcode.SERVFAIL, zegel.Rcode.TIMEOUT])
def test_trouble_is_not_absence(trouble: zegel.Rcode) -> None:
    asked: list[Question] = []
    found = rehearse(look(NAME, RSA), zegel.Zone.from_dict({(NAME, "TXT"): trouble}).answer, asked)
    assert found.outcome is Outcome.UNAVAILABLE
    assert len(asked) == 1
    assert str(trouble) in found.explanation
