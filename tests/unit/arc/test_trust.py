"""Who is believed: nobody, but listed sealers under a chain that passes, with no stranger behind them."""

from __future__ import annotations

import pytest

import zegel
from support import arc, samples
from zegel.arc.seal import SealStyle
from zegel.arc.trust import believed, comment, override
from zegel.authres.model import AuthenticationResults, MethodResult, Property
from zegel.grammar.domain import Domain

A, B, C = Domain.parse("a.example"), Domain.parse("b.example"), Domain.parse("c.example")
ZONE = arc.zone(A, B, C)


def chain(*sealers: Domain, results: dict[int, AuthenticationResults] | None = None) -> zegel.ArcResult:
    return arc.verify(arc.sealed(samples.MESSAGE, *sealers, results=results), ZONE)


def instances(result: zegel.ArcResult, *sealers: Domain) -> list[int]:
    return [item.instance for item in believed(result, sealers)]


def test_the_newest_sealers_are_believed_as_far_as_they_are_listed() -> None:
    """RFC 8617 9.4: "treat every Sealer of the ARC Chain with suspicion"."""
    result = chain(A, B, C)
    assert instances(result) == []
    assert instances(result, A, B, C) == [3, 2, 1]
    assert instances(result, B, C) == [3, 2]
    assert instances(result, C) == [3]
    assert instances(result, A, C) == [3]  # what lies before a stranger is hearsay
    assert instances(result, A, B) == []  # a stranger had the message last, and may have changed all of it


def test_a_listed_domain_is_listed_for_itself_only() -> None:
    result = arc.verify(arc.sealed(samples.MESSAGE, "sub.a.example", resolver=arc.zone("sub.a.example")), arc.zone("sub.a.example"))
    assert result.status == "pass"
    assert instances(result, A) == []
    assert instances(chain(A), Domain.parse("example")) == []


def test_an_override_names_whose_word_it_is() -> None:
    """RFC 8617 7.2.2: the status, "the domain and selector for each AS", and the first address, for a report."""
    made = override(chain(A, B), {A, B}, arc.AUTHOR, remote_ip="192.0.2.1")
    assert made is not None
    assert (made.sealer, made.instance, made.reason) == (A, 1, "trusted_forwarder")
    assert (made.result.method, made.result.result) == ("dmarc", "pass")
    assert made.comment == "arc=pass as[2].d=b.example as[2].s=arc as[1].d=a.example as[1].s=arc remote-ip[1]=192.0.2.1"


def test_the_first_who_was_there_decides() -> None:
    """A message that failed at the first listed hop is not made good by a later one."""
    failed, passed, silent = arc.said("fail"), arc.said("pass"), AuthenticationResults("x.example")
    assert override(chain(A, B, results={1: failed, 2: passed}), {A, B}, arc.AUTHOR) is None
    assert override(chain(A, B, results={1: passed, 2: failed}), {A, B}, arc.AUTHOR) is not None
    later = override(chain(A, B, results={1: silent, 2: passed}), {A, B}, arc.AUTHOR)
    assert later is not None
    assert later.instance == 2
    # The first is a stranger here: its word is worth nothing, either way.
    assert override(chain(A, B, results={1: passed, 2: failed}), {B}, arc.AUTHOR) is None
    assert override(chain(A, B, results={1: failed, 2: passed}), {B}, arc.AUTHOR) is not None


def word(result: str, domain: str | None, *, version: int = 1, method: str = "dmarc", ptype: str = "header") -> MethodResult:
    return MethodResult(method, result, properties=(Property(ptype, "from", domain),) if domain else (), version=version)


@pytest.mark.parametrize(
    "words",
    [
        [],
        [word("pass", "other.example")],
        [word("pass", None)],
        [word("pass", "example.org", version=2)],
        # RFC 8601 2.3: "Results reported using unknown ptypes MUST NOT be used in making handling decisions".
        [word("pass", "example.org", ptype="envelope")],
        [MethodResult("dmarc", "pass", properties=(Property("header", "from", "example.org"), Property("x-site", "trust", "high")))],
        [word("pass", "example.org", method="dkim")],
        [word("pass", "sub.example.org")],
        [word("pass", "example..org")],
        [word("pass", "example.org"), word("fail", "example.org")],
        [word("none", "example.org")],
        [word("temperror", "example.org")],
    ],
)
def test_what_is_no_plain_pass_for_the_author_domain(words: list[MethodResult]) -> None:
    results = AuthenticationResults("x.example", tuple(words))
    assert override(chain(A, results={1: results}), {A}, arc.AUTHOR) is None


def test_results_of_other_methods_are_passed_over() -> None:
    """RFC 8601 2.7.6: of methods that are not known nothing is taken; those that are stay what they were."""
    results = AuthenticationResults("x.example", (word("pass", "other.example", method="x-tls"), word("pass", "example.org")))
    assert override(chain(A, results={1: results}), {A}, arc.AUTHOR) is not None


def test_names_are_compared_as_domains() -> None:
    results = AuthenticationResults("x.example", (word("pass", "EXAMPLE.org"),))
    assert override(chain(A, results={1: results}), {A}, arc.AUTHOR) is not None


@pytest.mark.parametrize(
    "change", [(b"hello", b"hallo"), (b"this is", b"that is"), (b"dmarc=pass", b"dmarc=none"), (b"cv=none", b"cv=pass")]
)
def test_a_chain_that_does_not_hold_is_worth_nothing(change: tuple[bytes, bytes]) -> None:
    result = arc.verify(arc.sealed(samples.MESSAGE, A).replace(*change), ZONE)
    assert result.status == "fail"
    assert result.instances
    assert believed(result, {A}) == ()
    assert override(result, {A}, arc.AUTHOR) is None


def test_what_may_have_been_added_is_not_believed() -> None:
    """A second Subject above a signature that names it once: the chain passes, and what people see is not what was sealed."""
    message = arc.sealed(samples.MESSAGE, A, style=SealStyle(headers=("from", "subject")))
    assert instances(arc.verify(message, ZONE), A) == [1]
    spoofed = arc.verify(b"Subject: pay this\r\n" + message, ZONE)
    assert spoofed.status == "pass"
    assert instances(spoofed, A) == []


def test_a_domain_that_only_tests_is_trusted_with_nothing() -> None:
    """RFC 6376 3.6.1, t=y: "MUST NOT treat messages from Signers in testing mode differently from unsigned email"."""
    result = arc.verify(arc.sealed(samples.MESSAGE, A), arc.zone(A, flags="; t=y"))
    assert (str(result.status), result.instances[0].testing) == ("pass", True)
    assert instances(result, A) == []


def test_an_assessment_that_cannot_be_read_is_none() -> None:
    """RFC 8617 3.4: its syntax "does not affect the validity of the ARC Chain itself"."""
    result = chain(A)
    mute = result._replace(instances=tuple(item._replace(payload='x; "') for item in result.instances))
    assert instances(mute, A) == [1]
    assert override(mute, {A}, arc.AUTHOR) is None
    assert comment(mute) == "arc=pass as[1].d=a.example as[1].s=arc"


@pytest.mark.parametrize(("said", "told"), [("2001:db8::1a", "2001:db8::1a"), ("192.0.2.7", "192.0.2.7"), ("x; y", ""), ("1" * 46, "")])
def test_the_first_address_is_the_chains_own_word(said: str, told: str) -> None:
    results = AuthenticationResults("x.example", (MethodResult("arc", "none", properties=(Property("smtp", "remote-ip", said),)),))
    assert comment(chain(A, results={1: results})).partition("remote-ip[1]=")[2] == told
