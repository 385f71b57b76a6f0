"""The 17 signing cases of the sealers' own suite, and the 7 that it left out of use.

The suite writes its tags in alphabetical order and keeps comments; RFC 8617 4.1.2 has ``i=`` in front, and we write no stranger's comments.
So the set that we make is compared value by value, and held against the RFC by our validator and by dkimpy; and the suite's own set proves
that what we hash is, octet by octet, what it hashed: RSA with PKCS #1 v1.5 has one signature for one input.
"""

from __future__ import annotations

import re

import pytest

import zegel
from support import arc, cases
from support.arc import Case, seal_message
from zegel.arc.chain import NAMES
from zegel.arc.seal import SealStyle
from zegel.arc.signature import read_instance
from zegel.authres.model import AuthenticationResults
from zegel.authres.parse import parse, parse_payload
from zegel.dkim import keyrecord
from zegel.grammar import taglist
from zegel.grammar.message import Field, named, split_fields

FOLDER = cases.suite("arc")
SIGNING = arc.suite(FOLDER / "arc-draft-sign-tests.yml")
UNUSED = arc.suite(FOLDER / "unused_tests.yml")
NOW = 20_000
# Its results say dmarc=pass where the chain fails: the results are what was found on receipt, and the chain is another matter.
FAILING = {"i1_base_fail", "i2_base_fail"}
STOPPED = {"no_additional_sig"}
_FOLDED_B = re.compile(r"(?<=b=)[^;]+")


def received(case: Case) -> AuthenticationResults:
    """What the forwarder found on receipt: all its own fields taken together. RFC 8617 4.1.1."""
    srv_id = str(case.content["srv-id"])
    fields, _ = split_fields(case.message.partition(b"\r\n\r\n")[0])
    own = [parse(field.value, lenient=True) for field in named(fields, b"authentication-results")]
    return AuthenticationResults(srv_id, tuple(word for item in own if item.authserv_id == srv_id for word in item.results))


def key(case: Case) -> zegel.Key:
    return zegel.Key(case.document["domain"], case.document["sel"], case.document["privatekey"])


def sealed(case: Case) -> tuple[bytes, zegel.ArcResult]:
    chain = zegel.verify_arc(case.message, resolver=case.zone, now=NOW)
    style = SealStyle(headers=tuple(str(case.content["sig-headers"]).split(":")))
    return seal_message(case.message, key(case), received(case), chain, style=style, now=int(case.content["t"])), chain


def theirs(case: Case) -> list[Field]:
    """The suite's own set: AS, AMS and AAR. It was sealed before its file folded the ``b=``, so the folds in there are taken out."""
    texts = [_FOLDED_B.sub(lambda match: match[0].replace("\n", ""), str(case.content[name])) for name in ("AS", "AMS", "AAR")]
    values = [text.rstrip("\n ").replace("\n", "\r\n ") for text in texts]
    names = (b"ARC-Seal", b"ARC-Message-Signature", b"ARC-Authentication-Results")
    return [Field(name, f" {value}".encode()) for name, value in zip(names, values, strict=True)]


def tags(field: Field) -> dict[str, str]:
    """The tags of a field, white space taken out; its ``b=`` is another matter."""
    found = {name: taglist.without_space(value) for name, value in taglist.parse(field.value).items()}
    return {name: value for name, value in found.items() if name != "b"}


def results(field: Field) -> AuthenticationResults:
    prefix = read_instance(field.value)
    assert prefix is not None
    return parse_payload(prefix[1], lenient=True)


def before(case: Case) -> list[tuple[Field, Field, Field]]:
    """The sets that the message came with, from 1 up, each in the order of a seal."""
    fields, _ = split_fields(case.message.partition(b"\r\n\r\n")[0])
    columns = [named(fields, name.encode())[::-1] for name in NAMES]  # the newest stands on top
    return [(a, m, s) for a, m, s in zip(*columns, strict=True)]


@pytest.mark.parametrize("case", [case for case in SIGNING if case.name not in STOPPED], ids=lambda case: case.name)
def test_the_set_has_the_values_of_theirs(case: Case) -> None:
    made, chain = sealed(case)
    ours, _ = split_fields(made)
    assert [field.name for field in ours] == [field.name for field in theirs(case)]
    for place in (0, 1):
        assert tags(ours[place]) == tags(theirs(case)[place])
    assert results(ours[2]) == results(theirs(case)[2])
    assert read_instance(ours[2].value) is not None
    assert chain.status == tags(ours[0])["cv"]
    assert (chain.status == "fail") is (case.name in FAILING)


@pytest.mark.parametrize("case", [case for case in SIGNING if case.name not in STOPPED], ids=lambda case: case.name)
def test_what_is_hashed_is_what_they_hashed(case: Case) -> None:
    seal, message, said = theirs(case)
    sets = [] if case.name in FAILING else before(case)  # RFC 8617 5.1.2
    data = arc.seal_data(*sets, (said, message, seal))
    assert key(case).sign(data) == taglist.base64(taglist.parse(seal.value)["b"])
    whole = b"".join(field.raw + b"\r\n" for field in theirs(case)) + case.message
    verdict = zegel.verify_arc(whole, resolver=case.zone, now=NOW)
    assert str(verdict.reason) == ("failed_before" if case.name in FAILING else "verified"), verdict


@pytest.mark.parametrize("case", SIGNING, ids=lambda case: case.name)
def test_both_validators_take_our_set(case: Case) -> None:
    made, chain = sealed(case)
    assert (made == b"") is (case.name in STOPPED)
    verdict = zegel.verify_arc(made + case.message, resolver=case.zone, now=NOW)
    if chain.status == "fail":
        assert str(verdict.reason) == "failed_before"
        if made:  # the seal itself is sound: it covers its own set as if that were the only one (RFC 8617 5.1.2)
            seal, message, said = split_fields(made)[0]
            public = keyrecord.parse(key(case).record.encode()).key
            data = arc.seal_data((said, message, seal))
            assert public.verifies(taglist.base64(taglist.parse(seal.value)["b"]), data)
        return
    assert (verdict.status, len(verdict.instances)) == ("pass", len(chain.instances) + 1), verdict
    assert arc.theirs(made + case.message, case.zone) == "pass"


@pytest.mark.parametrize("case", UNUSED, ids=lambda case: case.name)
def test_the_unused(case: Case) -> None:
    """They check details of a signature that RFC 8617 leaves as RFC 6376 has them, or results without "arc=", which we add."""
    made, _ = sealed(case)
    ours, _ = split_fields(made)
    assert zegel.verify_arc(made + case.message, resolver=case.zone, now=NOW).status == "pass"
    assert arc.theirs(made + case.message, case.zone) == "pass"
    assert tags(ours[1])["bh"] == tags(theirs(case)[1])["bh"]
    assert tags(ours[1])["h"] == str(case.content["sig-headers"])
    assert {word.method for word in results(ours[2]).results} == {"arc", "spf", "dkim", "dmarc"}


def test_the_list_is_whole() -> None:
    assert len(SIGNING) == 17
    assert len(UNUSED) == 7
    assert {case.name for case in SIGNING} >= FAILING | STOPPED
