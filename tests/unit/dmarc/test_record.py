"""The policy record: RFC 9989 4.7 and 4.8, tag by tag, and what its owner hears."""

from __future__ import annotations

import pytest

from zegel.dmarc.faults import Fault
from zegel.dmarc.record import Alignment, Policy, PolicyRecord, Psd, ReportUri, format_record, is_record, parse


def read(text: str | bytes) -> PolicyRecord:
    found = parse(text if isinstance(text, bytes) else text.encode())
    assert found is not None
    return found


def faults(text: str) -> list[str]:
    return [f"{note.fault} {note.tag}".strip() for note in read(text).notes]


def uris(*texts: str) -> tuple[ReportUri, ...]:
    return tuple(map(ReportUri, texts))


@pytest.mark.parametrize(
    "text",
    ["v=DMARC1", "v=DMARC1;", "v=DMARC1 ; ", "v = DMARC1;p=none", "v\t=\t DMARC1 \t;", "v=DMARC1; nonsense", "v=DMARC1;;;"],
)
def test_what_is_a_record(text: str) -> None:
    assert is_record(text.encode())
    assert read(text).psd is Psd.UNKNOWN


@pytest.mark.parametrize(
    "text",
    [
        *("", "v", "v=", "v=dmarc1; p=none", "V=DMARC1; p=none", "v=DMARC1x; p=none", "v=DMARC1 p=none", "v=DMARC2; p=none", "p=none"),
        *(
            "p=none; v=DMARC1",
            " v=DMARC1; p=none",
            ";v=DMARC1",
            "v=DMARC1\n; p=none",
            "v=DMARC 1;",
            "v=DKIM1; p=",
            "v==DMARC1",
            "v=\x00DMARC1",
        ),
    ],
)
def test_what_is_none(text: str) -> None:
    assert not is_record(text.encode())
    assert parse(text.encode()) is None


def test_all_tags() -> None:
    record = read(
        "v=DMARC1; p=reject; sp=quarantine; np=none; adkim=s; aspf=s; psd=n; t=y; fo=1:d:s; rua=mailto:a@example.com; ruf=https://x/y"
    )
    assert record == PolicyRecord(
        p=Policy.REJECT,
        sp=Policy.QUARANTINE,
        np=Policy.NONE,
        adkim=Alignment.STRICT,
        aspf=Alignment.STRICT,
        psd=Psd.ORGANIZATION,
        testing=True,
        fo=("1", "d", "s"),
        rua=uris("mailto:a@example.com"),
        ruf=uris("https://x/y"),
    )
    assert [str(note.fault) for note in record.notes] == ["uri_scheme"]


def test_defaults() -> None:
    record = read("v=DMARC1; p=none")
    assert record == PolicyRecord(p=Policy.NONE)
    assert (record.adkim, record.aspf, record.psd, record.testing, record.fo) == (
        Alignment.RELAXED,
        Alignment.RELAXED,
        Psd.UNKNOWN,
        False,
        ("0",),
    )
    assert record.notes == ()


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("v=DMARC1;p=reject;", "v=DMARC1; p=reject"),
        ("v=DMARC1; p = reject ; adkim\t=\ts", "v=DMARC1; p=reject; adkim=s"),
        (
            "v=DMARC1; p=Reject; adkim=S; t=Y; psd=N; fo=D:S; ruf=mailto:a@b",
            "v=DMARC1; p=reject; adkim=s; t=y; psd=n; fo=d:s; ruf=mailto:a@b",
        ),
        ("v=DMARC1; aspf=s; p=reject", "v=DMARC1; p=reject; aspf=s"),
        ("v=DMARC1; p=reject; adkim=bob", "v=DMARC1; p=reject"),
        ("v=DMARC1; p=reject; psd=yes; t=1; aspf=", "v=DMARC1; p=reject"),
        ("v=DMARC1; p=reject; x=y; foo; =; ;", "v=DMARC1; p=reject"),
        ("v=DMARC1; p=reject; t=y; t=n", "v=DMARC1; p=reject"),
        ("v=DMARC1; p=reject; t=y; t=y; t=y", "v=DMARC1; p=reject"),
        ("v=DMARC1; p=reject; P=none; ADKIM=s", "v=DMARC1; p=reject"),
        ("v=DMARC1; p=reject; v=DMARC1", "v=DMARC1; p=reject"),
        ("v=DMARC1; p=reject; pct=10; rf=afrf; ri=60", "v=DMARC1; p=reject"),
        ("v=DMARC1; p=reject; adkim=s\x00", "v=DMARC1; p=reject"),
        ("v=DMARC1; p=reject; adkim=s\ts", "v=DMARC1; p=reject"),
        ("v=DMARC1; p=reject; t=y\u00e9", "v=DMARC1; p=reject"),
    ],
)
def test_a_fault_costs_its_own_tag(text: str, same: str) -> None:
    assert read(text) == read(same)


@pytest.mark.parametrize(
    ("text", "invalid"),
    [
        ("v=DMARC1; p=reject", ""),
        ("v=DMARC1", "p"),
        ("v=DMARC1; p=", "p"),
        ("v=DMARC1; p=n", "p"),
        ("v=DMARC1; p=none; p=none", "p"),
        ("v=DMARC1; p=reject; sp=bob", "sp"),
        ("v=DMARC1; p=reject; np=", "np"),
        ("v=DMARC1; sp=x; np=y", "np p sp"),
        ("v=DMARC1; p=reject\x7f", "p"),
    ],
)
def test_policies_that_are_not_valid(text: str, invalid: str) -> None:
    """RFC 9989 4.10.1: with a report address the policy is none, without one the record does not apply."""
    record = read(text)
    assert " ".join(sorted(record.invalid)) == invalid
    reported = read(text + "; rua=mailto:a@example.com")
    for subdomain in (False, True):
        for exists in (False, True):
            assert record.policy_for(subdomain=subdomain, exists=exists) == (None if invalid else Policy.REJECT)
            assert reported.policy_for(subdomain=subdomain, exists=exists) == (Policy.NONE if invalid else Policy.REJECT)
    assert record.depends_on_existence is False
    # An address that is no URI is none.
    assert read(text + "; rua=a@example.com").policy_for(subdomain=False, exists=True) == (None if invalid else Policy.REJECT)


@pytest.mark.parametrize(
    ("tags", "own", "existing", "absent"),
    [
        ("p=reject", "reject", "reject", "reject"),
        ("p=none; sp=reject", "none", "reject", "reject"),
        ("p=none; np=reject", "none", "none", "reject"),
        ("p=reject; sp=none; np=quarantine", "reject", "none", "quarantine"),
        ("p=reject; sp=quarantine; np=none", "reject", "quarantine", "none"),
    ],
)
def test_whose_policy(tags: str, own: str, existing: str, absent: str) -> None:
    """RFC 9989 4.7: np falls to sp, and that to p."""
    record = read(f"v=DMARC1; {tags}")
    assert record.policy_for(subdomain=False, exists=True) == own
    assert record.policy_for(subdomain=True, exists=True) == existing
    assert record.policy_for(subdomain=True, exists=False) == absent
    assert record.depends_on_existence is (existing != absent)


def test_one_level_lower() -> None:
    assert [policy.lowered for policy in Policy] == [Policy.NONE, Policy.NONE, Policy.QUARANTINE]


@pytest.mark.parametrize("value", ["0", "1", "d", "s", "0:d", "0:d:s", "0:s:d", "d:0", "d:0:s", "d:s:0", "s:d:1", "d:s", "s:d"])
def test_options(value: str) -> None:
    assert read(f"v=DMARC1; p=none; ruf=mailto:a@b; fo={value}").fo == tuple(value.split(":"))


@pytest.mark.parametrize("value", ["", "x", "0:1", "d:d", "0:0", "0:", ":0", "0,d", "0 :d", "0:d:s:1", "ds", "0d"])
def test_no_options(value: str) -> None:
    assert read(f"v=DMARC1; p=none; ruf=mailto:a@b; fo={value}").fo == ("0",)
    assert faults(f"v=DMARC1; p=none; ruf=mailto:a@b; fo={value}") == ["value fo"]


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("mailto:a@b", ["mailto:a@b"]),
        ("mailto:a@b,mailto:c@d", ["mailto:a@b", "mailto:c@d"]),
        ("mailto:a@b \t, \tmailto:c@d", ["mailto:a@b", "mailto:c@d"]),
        ("mailto:a@b!10m", ["mailto:a@b"]),
        ("mailto:a@b!10M , mailto:c@d!1", ["mailto:a@b", "mailto:c@d"]),
        ("mailto:a%21b%2Cc@d", ["mailto:a%21b%2Cc@d"]),
        ("MAILTO:A@B", ["MAILTO:A@B"]),
        ("https://example.com/r?x=1#y", ["https://example.com/r?x=1#y"]),
        ("https://[2001:db8::1]:8080/", ["https://[2001:db8::1]:8080/"]),
        ("a@b", []),
        ("a@b, mailto:c@d", ["mailto:c@d"]),
        ("mailto:a!b@c", []),
        ("mailto:a@b!10x", []),
        ("mailto:a@b!", []),
        ("mailto:a@b!1!2", []),
        ("mailto:a b@c", []),
        ("mailto:a@b,,", ["mailto:a@b"]),
        ("mailto:a%zz@b", []),
        ("mailto:<a@b>", []),
        ("https://[x]/", []),
        ("https://a#b#c", []),
        ("1a:b", []),
        (":b", []),
        ("x[]:y", []),
    ],
)
def test_addresses(value: str, found: list[str]) -> None:
    # RFC 9989 4.6, with the characters of RFC 3986 A
    record = read(f"v=DMARC1; p=none; rua={value}")
    assert list(map(str, record.rua)) == found
    dropped = sum(1 for item in value.split(",") if not any(item.strip().startswith(uri) for uri in found) or not item.strip())
    assert [note.fault for note in record.notes].count(Fault.URI) == dropped


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("mailto:a@example.com", "a@example.com"),
        ("mailto:a%21b@example.com", "a!b@example.com"),
        ("mailto:a%2Cc@example.com", None),
        ("MailTo:a@example.com?subject=x", "a@example.com"),
        ("mailto:a@example.com#x", "a@example.com"),
        ("mailto:%C3%A9@example.com", None),  # RFC 8616 6: a report address is a conventional one
        ("mailto:a@b%C3%BCcher.example", None),
        ("mailto:a@xn--bcher-kva.example", "a@xn--bcher-kva.example"),
        ("mailto:a%0D%0ABcc:x@example.com", None),
        ("mailto:a%20b@example.com", None),
        ("mailto:%3Ca@example.com", None),
        ("mailto:%FF@example.com", None),
        ("mailto:a@b..c", None),
        ("mailto:@example.com", None),
        ("mailto:example.com", None),
        ("mailto:", None),
        ("mailto://example.com", None),
        ("https://example.com", None),
    ],
)
def test_the_mail_address_of_a_uri(text: str, address: str | None) -> None:
    assert ReportUri(text).address == address


def test_a_uri_from_an_address() -> None:
    # RFC 6068 2
    uri = ReportUri.mailto("a!b%c@example.com")
    assert uri.text == "mailto:a%21b%25c@example.com"
    assert uri.address == "a!b%c@example.com"
    assert "," not in ReportUri.mailto("x,y@example.com").text
    for bad in ("no uri", "mailto:a,b@c", "mailto:a!b@c", "mailto:a;b@c", ""):
        with pytest.raises(ValueError, match="not a URI"):
            ReportUri(bad)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("v=DMARC1; p=none", []),
        ("v=DMARC1; p=none; rua=mailto:a@example.com; ", []),
        ("v=DMARC1; rua=mailto:a@b", ["policy_missing p"]),
        ("v=DMARC1; sp=none; p=none", ["policy_not_second p"]),  # RFC 7489 6.3
        ("v=DMARC1; p=bob", ["value p"]),
        ("v=DMARC1; p=none; x=y", ["tag_unknown x"]),
        ("v=DMARC1; p=none; x", ["no_tag"]),
        ("v=DMARC1; p=none;; t=y", ["no_tag"]),
        ("v=DMARC1; p=none; t=y; t=y; t=y", ["tag_twice t"]),
        ("v=DMARC1; v=DMARC1; p=none", ["tag_twice v"]),
        ("v=DMARC1; p=none; fo=1", ["options_unused fo"]),
        ("v=DMARC1; p=none; pct=50; rf=x; ri=y", ["historic pct", "historic rf", "historic ri"]),
        ("v=DMARC1; p=none; rua=mailto:a@b!1m", ["uri_size rua"]),
        ("v=DMARC1; p=none; rua=ftp://b", ["uri_scheme rua"]),
    ],
)
def test_what_the_owner_hears(text: str, told: list[str]) -> None:
    assert faults(text) == told


def test_notes_are_cut() -> None:
    record = read("v=DMARC1; p=none" + "; x" * 1000 + "; " + "y" * 1000)
    assert len(record.notes) == 20
    (note,) = read("v=DMARC1; p=none; adkim=" + "y" * 1000).notes
    assert len(note.value) == 100


def test_the_table_of_faults() -> None:
    assert len({fault.id for fault in Fault}) == len(Fault)
    for fault in Fault:
        assert Fault(fault.id) is fault  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("value", "percentage"),
    [("50", 50), ("0", 0), ("100", 100), ("500", 100), ("-1", 100), ("5%", 100), ("", 100), ("0000", 100), ("\u0665", 100)],
)
def test_percentage_for_older_readers(value: str, percentage: int) -> None:
    assert read(f"v=DMARC1; p=none; pct={value}").percentage == percentage


def test_format() -> None:
    text = "v=DMARC1; p=none; sp=reject; np=quarantine; adkim=s; aspf=s; psd=y; t=y; rua=mailto:a@b,mailto:c@d; ruf=mailto:e@f; fo=1:d"
    assert format_record(read(text)) == text
    assert format_record(read("v=DMARC1; rua=mailto:a@b!5m; p=none; pct=1; ri=2; rf=afrf; x=y")) == "v=DMARC1; p=none; rua=mailto:a@b"
    assert format_record(PolicyRecord()) == "v=DMARC1"
    assert str(PolicyRecord(p=Policy.NONE)) == "v=DMARC1; p=none"
    assert str(read("v=DMARC1;p=none;pct=1")) == "v=DMARC1;p=none;pct=1"
    assert read(b"v=DMARC1; p=none; x=\xff").text == "v=DMARC1; p=none; x=\\xff"


# RFC 9989 B.2.1 to B.2.5, and B.3.1, written from the text.
@pytest.mark.parametrize(
    "text",
    [
        "v=DMARC1; p=none; rua=mailto:dmarc-feedback@example.com",
        "v=DMARC1; p=none; rua=mailto:dmarc-feedback@example.com; ruf=mailto:auth-reports@example.com",
        "v=DMARC1; p=none; rua=mailto:dmarc-feedback@example.com; ruf=mailto:auth-reports@thirdparty.example.net",
        "v=DMARC1; rua=mailto:aggregate-reports@thirdparty.example.net; ruf=mailto:failure-reports@thirdparty.example.net",
        "v=DMARC1; p=quarantine; t=y; rua=mailto:dmarc-feedback@example.com,mailto:tld-test@thirdparty.example.net",
        "v=DMARC1; p=reject; rua=mailto:dmarc-feedback@example.com,mailto:tld-test@thirdparty.example.net",
    ],
)
def test_the_records_of_the_rfc(text: str) -> None:
    record = read(text)
    assert format_record(record) == text
    assert {str(note.fault) for note in record.notes} <= {"policy_missing"}


def test_the_other_records_of_the_rfc() -> None:
    assert read("v=DMARC1;") == PolicyRecord(invalid=frozenset("p"))
    assert read("v=DMARC1; p=reject; aspf=r; rua=mailto:dmarc-feedback@example.com").aspf is Alignment.RELAXED
