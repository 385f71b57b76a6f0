"""The check over what nobody wrote for it: any text in any place of DNS gives a report, and a mended record is one that can be read."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from support import checks
from zegel.check import mtasts, tlsrpt
from zegel.check.dkim import Selector
from zegel.check.item import SHOWN
from zegel.check.plain import as_plain
from zegel.dmarc import record as policy_record
from zegel.spf import record as spf_record

_TERMS = (
    "v=spf1|-all|~all|?all|+all|a|mx|ptr|exists:%{i}.x|ip4:192.0.2.0/24|ip6:::/0|include:example.com|include:b.example|redirect=b.example"
    "|exp=b.example|exp=%{l}|a:%{d}|mx//64|ip4:1|x=y|%"
)
_TAGS = (
    "v=DMARC1|p=none|p=reject|p=x|sp=none|np=none|t=y|psd=y|pct=5|rua=mailto:a@b.example|rua=x|;;|v=DKIM1|p=|p=AAAA|k=rsa|k=ed25519|h=sha1"
    "|t=y:s|v=STSv1|id=1|v=TLSRPTv1|v=BIMI1|l=https://x|\xe9"
)
_POLICY = "version: STSv1|mode: enforce|mx: *.b.example|mx: |max_age: 1|:"


def _of(words: str, between: str) -> st.SearchStrategy[str]:
    """A few of the words, in any order and as often as you like."""
    return st.lists(st.sampled_from(words.split("|")), max_size=8).map(between.join)


_TEXTS = st.lists(st.one_of(_of(_TERMS, " "), _of(_TAGS, "; "), st.binary(max_size=80)), max_size=2)
_HOSTS = st.lists(st.sampled_from(["0 .", "0 ", "10 mx.example.com", "10 192.0.2.1", "x", "", "10 b.example"]), max_size=3)


@settings(max_examples=200)
@given(st.tuples(_TEXTS, _TEXTS, _TEXTS, _TEXTS, _TEXTS), _HOSTS, st.sampled_from([None, True, False]))
def test_any_dns_gives_a_report(texts: tuple[list[str | bytes], ...], mx: list[str], parked: bool | None) -> None:
    own, other, policy, key, rest = texts
    zone = {
        ("example.com", "TXT"): own,
        ("b.example", "TXT"): other,
        ("_dmarc.example.com", "TXT"): policy,
        ("z1._domainkey.example.com", "TXT"): key,
        ("*._domainkey.example.com", "TXT"): key,
        ("_mta-sts.example.com", "TXT"): rest,
        ("_smtp._tls.example.com", "TXT"): rest,
        ("default._bimi.example.com", "TXT"): rest,
        ("example.com", "MX"): mx,
        ("mx.example.com", "A"): ["192.0.2.1"],
    }
    found = checks.report(zone, selectors=(Selector("z1"),), parked=parked)
    as_plain(found)
    for item in found.items:
        assert str(item.finding)
        assert all(len(text) <= SHOWN + 3 for text in item.seen)
        for record in item.mend:
            text = "".join(record.strings).encode("ascii")
            if record.type == "TXT" and text.startswith(b"v=spf1"):
                assert isinstance(spf_record.read(text), spf_record.Record)
            elif text.startswith(b"v=DMARC1") and record.name.startswith("_dmarc."):
                read = policy_record.parse(text)
                assert read is not None
                assert read.notes == ()


@given(st.one_of(st.binary(max_size=200), st.builds(lambda text: b"v=STSv1;" + text, st.binary(max_size=80))))
def test_records_of_any_octets_are_read(text: bytes) -> None:
    for found in (mtasts.parse_record(text), tlsrpt.parse_record(text), tlsrpt.parse_record(b"v=TLSRPTv1; " + text)):
        assert found.valid == (not any(note.fatal for note in found.notes))


@given(st.one_of(st.text(max_size=300), _of(_POLICY, "\n")))
def test_policies_of_any_text_are_read(text: str) -> None:
    policy = mtasts.parse_policy(text)
    if policy.valid:
        assert policy.mode is not None
        assert 0 <= policy.max_age <= mtasts.MAX_AGE
        assert policy.mx or policy.mode is mtasts.Mode.NONE
