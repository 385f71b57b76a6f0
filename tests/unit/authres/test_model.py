"""Authentication-Results as we write it: a strict reader reads back what was meant, whatever strangers put into the values."""

from __future__ import annotations

import re

import pytest

from zegel.authres.model import AuthenticationResults, MethodResult, Property
from zegel.dkim.result import DkimReason, DkimResult
from zegel.grammar.domain import Domain
from zegel.milter.edits import InsertHeader, Outcome, render
from zegel.verdict.edits import dkim_method, dkim_methods

_TOKEN = r"[A-Za-z0-9!#$&*+\-.^_`{|}~@]+"
_VALUE = rf'(?:{_TOKEN}|"[^"\\;()\x00-\x1f\x7f-\xff]*")'
_RESULT = re.compile(rf"([a-z0-9-]+)=([a-z]+)(?: reason=({_VALUE}))?((?: [a-z]+\.[a-z-]+={_VALUE})*)", re.ASCII)
_PROPERTY = re.compile(rf" ([a-z]+)\.([a-z-]+)=({_VALUE})")

HOSTILE = [
    'x"; dkim=pass header.d=bank.example; "',
    "x; dkim=pass header.d=bank.example",
    "x\r\n dkim=pass",
    "x\r\nSubject: hello",
    "x\n\nbody",
    "x\r",
    "x (comment",
    "x) ; dkim=pass (",
    "\\",
    'x\\"; dkim=pass; "\\',
    "'x'",
    "x\x00y",
    "\x1b[2J",
    "café",
    "\u202eexample\u2028",
    "💌",
    "\udcff",
    " ",
    "\t",
    "=",
    "a=b c=d",
    "x" * 100_000,
    '"' * 300,
    "@",
    "a@b@c",
    "header.d=bank.example",
]


def read(value: bytes) -> tuple[str, list[tuple[str, str, str, list[tuple[str, str, str]]]]]:
    """Read a field value strictly: only folds before a word, nothing but what this room writes, every octet used."""
    text = value.decode("ascii")
    assert text.startswith(" ")
    lines = text.split("\r\n")
    assert all(line.startswith((" ", "\t")) and line.strip() for line in lines)
    assert not re.search(r"[\x00-\x1f\x7f]", "".join(lines))
    assert all(len(line) < 998 for line in lines)
    first, *rest = "".join(lines)[1:].split("; ")
    assert re.fullmatch(_VALUE, first)
    found = []
    for part in rest:
        if part == "none":
            continue
        match = _RESULT.fullmatch(part)
        assert match, part
        properties = [(kind, name, bare(value)) for kind, name, value in _PROPERTY.findall(match[4])]
        found.append((match[1], match[2], bare(match[3] or ""), properties))
    return bare(first), found


def bare(value: str) -> str:
    return value[1:-1] if value.startswith('"') else value


def test_no_result_is_none() -> None:
    assert AuthenticationResults("mail.example.org").format() == b" mail.example.org;\r\n none"


def test_results_and_properties_are_written_and_fold() -> None:
    made = MethodResult("dkim", "fail", "it was changed", (Property("header", "d", "example.com"), Property("header", "b", "ab/+cd=")))
    field = AuthenticationResults("mail.example.org", (made, MethodResult("dkim", "pass")))
    assert field.format() == (
        b" mail.example.org;\r\n"
        b' dkim=fail reason="it was changed" header.d=example.com header.b="ab/+cd=";\r\n'
        b" dkim=pass"
    )  # fmt: skip


def test_a_property_is_found_by_both_its_names() -> None:
    made = MethodResult(
        "dmarc", "pass", "", (Property("policy", "from", "x"), Property("header", "d", "y"), Property("header", "from", "z"))
    )
    assert (made.value("header", "from"), made.value("policy", "from"), made.value("header", "b")) == ("z", "x", None)


@pytest.mark.parametrize(("name", "most"), [("d", 255), ("b", 684)])
def test_a_value_is_cut_and_a_signature_later(name: str, most: int) -> None:
    """RFC 6008 4: of ``header.b`` as much as tells one signature from another."""
    made = MethodResult("dkim", "pass", "", (Property("header", name, "a" * 1000),))
    _, found = read(AuthenticationResults("mail.example.org", (made,)).format())
    assert found[0][3] == [("header", name, "a" * most)]


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda value: ascii(value[:30]))
def test_no_value_becomes_a_result(hostile: str) -> None:
    """RFC 8601 2.2, its values tokens (RFC 2045 5.1) or quoted strings (RFC 5322 3.2.4), whatever was to be said."""
    evil = MethodResult("dkim", "fail", hostile, tuple(Property("header", name, hostile) for name in ("d", "i", "s", "b")))
    value = AuthenticationResults("mail.example.org", (evil, MethodResult("spf", "fail"))).format()
    ours, found = read(value)
    assert ours == "mail.example.org"
    assert [(method, result) for method, result, _, _ in found] == [("dkim", "fail"), ("spf", "fail")]
    assert [name for _, name, _ in found[0][3]] == ["d", "i", "s", "b"]
    # What splits at semicolons or drops comments before it looks at quotes finds no more than that.
    assert value.count(b";") == 2
    assert b"(" not in value
    assert render(Outcome((InsertHeader(0, b"Authentication-Results", value),)), leading_space=True)


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda value: ascii(value[:30]))
def test_no_authserv_id_breaks_the_field(hostile: str) -> None:
    _, found = read(AuthenticationResults(hostile, (MethodResult("dkim", "none"),)).format())
    assert found == [("dkim", "none", "", [])]


def test_a_long_name_stays_on_the_first_line() -> None:
    name = ".".join(["label" * 10] * 5)
    value = AuthenticationResults(name, (MethodResult("dkim", "none"),)).format()
    assert value == f" {name};\r\n dkim=none".encode()


@pytest.mark.parametrize("word", ["", "a b", "a;b", "dkim=", "-", "dkim\r\n", "é"])
def test_a_method_or_result_that_is_no_keyword_is_our_own_mistake(word: str) -> None:
    with pytest.raises(ValueError):
        AuthenticationResults("mail.example.org", (MethodResult(word, "pass"),)).format()
    with pytest.raises(ValueError):
        AuthenticationResults("mail.example.org", (MethodResult("dkim", word),)).format()


@pytest.mark.parametrize("reason", list(DkimReason), ids=lambda reason: reason.id)
@pytest.mark.parametrize("hostile", ["", 'x"; dkim=pass (', "\r\n\r\n", "é"])
def test_every_dkim_result_is_one_result(reason: DkimReason, hostile: str) -> None:
    """RFC 8601 2.7.1: the words; RFC 6376 6.3: every failure with its reason."""
    result = DkimResult(
        reason, Domain.parse("example.com"), hostile or "s1", "rsa-sha256", f"{hostile}@example.com", hostile or "abc", detail=hostile
    )
    value = AuthenticationResults("mail.example.org", tuple(dkim_methods([result, result]))).format()
    _, found = read(value)
    assert [(method, status) for method, status, _, _ in found] == [("dkim", reason.status)] * 2
    assert (found[0][2] == "") == (reason is DkimReason.VERIFIED)


def test_a_result_by_local_policy_names_the_rule() -> None:
    """RFC 8601 2.4: "The property and value in this case identify the local policy that was applied"."""
    made = dkim_method(DkimResult(DkimReason.BODY_PARTLY_SIGNED, Domain.parse("example.com"), detail="l=7"))
    assert (made.result, made.value("policy", "dkim-rules")) == ("policy", "body_partly_signed")
    assert dkim_method(DkimResult(DkimReason.VERIFIED, Domain.parse("example.com"))).value("policy", "dkim-rules") is None


def test_a_test_key_is_told() -> None:
    made = dkim_method(DkimResult(DkimReason.VERIFIED, Domain.parse("example.com"), testing=True))
    assert made.reason == "the key says that the domain only tests (t=y)"


def test_the_number_of_results_is_bounded() -> None:
    value = AuthenticationResults("mail.example.org", tuple(dkim_methods([DkimResult(DkimReason.TAG_MISSING)] * 1000))).format()
    assert len(read(value)[1]) == 20
