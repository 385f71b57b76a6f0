"""The answer of RFC 7489 3.2 and 6.6.3 beside that of RFC 9989, and where the two differ."""

from __future__ import annotations

import subprocess
import sys

import pytest

import zegel
from support.dmarc import NONE, REJECT, Records, asked, check, passing, zone
from zegel.ask import Rcode


def older(author: str, records: Records, *dkim: str) -> tuple[str, ...]:
    """Status, organisation, record and policy as a reader of RFC 7489 has them; - for none."""
    psl = check(author, records, dkim=passing(*dkim), psl=True).psl
    assert psl is not None
    return psl.status, psl.organizational_domain, psl.policy_domain or "-", psl.policy or "-"


@pytest.mark.parametrize(
    ("author", "records", "dkim", "expected"),
    [
        ("example.com", {"example.com": REJECT}, "example.com", ("pass", "example.com", "example.com", "reject")),
        ("a.example.co.uk", {"example.co.uk": REJECT}, "b.example.co.uk", ("pass", "example.co.uk", "example.co.uk", "reject")),
        ("a.example.com", {"example.com": REJECT + "; sp=none"}, "example.net", ("fail", "example.com", "example.com", "none")),
        ("a.example.com", {"a.example.com": REJECT + "; sp=none"}, "", ("fail", "example.com", "a.example.com", "reject")),
        # Step 5: several records at the author's domain end it there; what is no DMARC record does not.
        ("a.example.com", {"a.example.com": [NONE, REJECT], "example.com": REJECT}, "", ("none", "example.com", "-", "-")),
        ("a.example.com", {"a.example.com": "other", "example.com": REJECT}, "", ("fail", "example.com", "example.com", "reject")),
        # It knows neither np=, psd= nor t=.
        ("a.example.com", {"example.com": REJECT + "; np=none; t=y"}, "", ("fail", "example.com", "example.com", "reject")),
        ("a.example.com", {"example.com": "v=DMARC1; p=reject; np=bob"}, "", ("fail", "example.com", "example.com", "reject")),
        ("a.b.example.com", {"b.example.com": REJECT + "; psd=n"}, "", ("none", "example.com", "-", "-")),
        ("example.com", {"example.com": "v=DMARC1; p=x"}, "", ("none", "example.com", "example.com", "-")),
        ("example.com", {"example.com": "v=DMARC1; p=x; rua=mailto:a@b"}, "", ("fail", "example.com", "example.com", "none")),
        ("com", {"com": REJECT}, "", ("fail", "com", "com", "reject")),
        ("com", {}, "", ("none", "com", "-", "-")),
        ("a.github.io", {"io": REJECT, "github.io": REJECT}, "github.io", ("none", "a.github.io", "-", "-")),
        # Who has a name below a public suffix does not speak for the suffix.
        ("github.io", {"github.io": REJECT}, "tenant.github.io", ("fail", "github.io", "github.io", "reject")),
        ("example.com", {"example.com": REJECT + "; adkim=s"}, "a.example.com", ("fail", "example.com", "example.com", "reject")),
        ("a.example.com", {"a.example.com": Rcode.TIMEOUT}, "", ("temperror", "example.com", "-", "-")),
        ("a.example.com", {"example.com": Rcode.SERVFAIL}, "", ("temperror", "example.com", "-", "-")),
    ],
)
def test_the_older_answer(author: str, records: Records, dkim: str, expected: tuple[str, ...]) -> None:
    assert older(author, records, *filter(None, [dkim])) == expected


def test_where_the_two_differ() -> None:
    records: Records = {"b.example.com": REJECT + "; psd=n", "example.com": NONE}
    result = check("a.b.example.com", records, spf=("pass", "example.com"), dkim=passing("c.b.example.com"), psl=True)
    assert result.differences == ("organizational_domain", "policy_domain", "policy", "applied", "aligned_spf")
    assert result.psl is not None
    assert (result.psl.organizational_domain, result.psl.policy) == ("example.com", "none")
    assert check("example.com", {"example.com": REJECT}, psl=True).differences == ()
    assert check("example.com", {"example.com": REJECT + "; t=y"}, psl=True).differences == ("applied",)
    plain = check("a.b.example.com", records)
    assert (plain.psl, plain.differences) == (None, ())


@pytest.mark.parametrize(
    ("pct", "applied", "share"), [("100", "reject", 100), ("50", "reject", 50), ("0", "quarantine", 0), ("x", "reject", 100)]
)
def test_percentage(pct: str, applied: str, share: int) -> None:
    # RFC 7489 6.6.4
    result = check("example.com", {"example.com": f"{REJECT}; pct={pct}"}, psl=True)
    assert result.psl is not None
    assert (result.psl.applied, result.psl.percentage) == (applied, share)
    assert result.applied == "reject"


def test_spf_and_dkim_are_told_apart() -> None:
    for spf, dkim, reason in (
        (("pass", "a.example.com"), (), "spf_aligned"),
        (None, passing("x.org", "a.example.com"), "dkim_aligned"),
        (("pass", "example.com"), passing("example.com"), "spf_and_dkim_aligned"),
        (("pass", "x.org"), (), "not_aligned"),
        (("fail", "example.com"), (("fail", "example.com"),), "not_authenticated"),
    ):
        psl = check("example.com", {"example.com": REJECT}, spf=spf, dkim=dkim, psl=True).psl
        assert psl is not None
        assert str(psl.reason) == reason
        assert len(psl.aligned_dkim) == len(dkim)


def test_it_asks_only_what_the_walk_has_not_asked() -> None:
    assert asked(check("a.b.example.com", {"example.com": REJECT}, psl=True)) == ["a.b.example.com", "b.example.com", "example.com", "com"]
    long = ".".join("abcdefghij") + ".x.y.kobe.jp"
    assert asked(check(long, {}, psl=True))[-1] == "jp"
    assert asked(check("a.example.com", {"a.example.com": REJECT}, dkim=passing("a.example.com"), psl=True)) == ["a.example.com"]


def test_the_list_is_loaded_when_it_is_asked_for() -> None:
    code = (
        "import sys, zegel; zone = zegel.Zone.from_dict({}); zegel.check_dmarc('example.com', resolver=zone);"
        "assert 'publicsuffixlist' not in sys.modules; zegel.check_dmarc('example.com', resolver=zone, psl=True);"
        "assert 'publicsuffixlist' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_name_that_is_none_has_no_older_answer() -> None:
    assert zegel.check_dmarc("a..b", resolver=zone({}), psl=True).psl is None
