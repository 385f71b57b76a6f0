"""The DKIM-Signature field by example: what its tags may hold, and how ours are written."""

from __future__ import annotations

import pytest

from zegel.dkim.signature import Signature, SignatureError, parse

KNOWN = {"v": "1", "a": "rsa-sha256", "d": "example.org", "s": "sel", "h": "from", "bh": "AAAA", "b": "AAAA"}


def read(**tags: str | None) -> Signature:
    text = "; ".join(f"{name}={value}" for name, value in {**KNOWN, **tags}.items() if value is not None)
    return parse(b" " + text.encode())


def reason(**tags: str | None) -> str:
    with pytest.raises(SignatureError) as caught:
        read(**tags)
    return str(caught.value.result.reason)


@pytest.mark.parametrize("name", ["a", "b", "bh", "d", "h", "s"])
def test_required_tags(name: str) -> None:
    assert reason(**{name: None}) == "tag_missing"


def test_defaults() -> None:
    made = read()
    assert (made.header_canonicalization, made.body_canonicalization) == ("simple", "simple")
    assert (made.identity, made.identity_domain) == ("@example.org", "example.org")
    assert (made.length, made.timestamp, made.expire) == (None, None, None)
    assert (made.key.name, made.key_type, made.start) == ("sel._domainkey.example.org", "rsa", "AAAA")


def test_unknown_tags_are_ignored() -> None:
    assert read(zz="1", L="5", r="y") == read()


def test_the_order_of_tags_does_not_matter() -> None:
    text = "; ".join(f"{name}={value}" for name, value in reversed(KNOWN.items()))
    assert parse(text.encode()) == read()


@pytest.mark.parametrize("value", ["2", "0.5", "", "1 1", "01", "1.0"])
def test_version(value: str) -> None:
    assert reason(v=value) == "version"


@pytest.mark.parametrize(
    ("value", "forms"),
    [
        ("simple", ("simple", "simple")),
        ("relaxed", ("relaxed", "simple")),
        ("simple/relaxed", ("simple", "relaxed")),
        ("Relaxed/Relaxed", ("relaxed", "relaxed")),
    ],
)
def test_canonicalization(value: str, forms: tuple[str, str]) -> None:
    assert read(c=value)[1:3] == forms


@pytest.mark.parametrize("value", ["", "nofws", "relaxed/", "/relaxed", "relaxed/relaxed/relaxed", "relaxed / relaxed"])
def test_unknown_canonicalization(value: str) -> None:
    assert reason(c=value) == "canonicalization_unknown"


@pytest.mark.parametrize("value", ["rsa-sha512", "ed25519", "rsa-md5", "", "dsa-sha1", "rsa_sha256"])
def test_unknown_algorithm(value: str) -> None:
    """RFC 6376 3.3.4: verifiers MUST ignore signatures of other algorithms. RFC 8463 4.1: the name is ed25519-sha256, nothing shorter."""
    assert reason(a=value) == "algorithm_unknown"


@pytest.mark.parametrize(
    ("value", "domain"), [("EXAMPLE.org", "example.org"), ("bücher.example", "xn--bcher-kva.example"), ("a.b_c.example", "a.b_c.example")]
)
def test_domain(value: str, domain: str) -> None:
    """RFC 8616 3 and 5: U-labels may stand in the field; DNS is asked for A-labels."""
    assert read(d=value).domain == domain
    assert read(d=value).key.name == f"sel._domainkey.{domain}"


@pytest.mark.parametrize(
    "value", ["", "org", "example.org.", ".example.org", "exa mple.org", "legit.com(.attacker.com", "a" * 300 + ".org"]
)
def test_no_domain(value: str) -> None:
    assert reason(d=value) == "domain_syntax"


@pytest.mark.parametrize("value", ["", ".", "a.", "a..b", "a b", "a/b", "a" * 64])
def test_no_selector(value: str) -> None:
    assert reason(s=value) == "selector_syntax"


def test_a_name_that_dns_cannot_hold() -> None:
    assert read(s="a.b").key.name == "a.b._domainkey.example.org"
    assert reason(s="a." * 100 + "a", d="b" * 60 + ".example") == "selector_syntax"


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("from", ("from",)),
        ("From:To : SUBJECT\r\n\t:Date", ("from", "to", "subject", "date")),
        ("from:from:x-;".rstrip(";"), ("from", "from", "x-")),
        ("from:none:none", ("from", "none", "none")),
    ],
)
def test_names(value: str, names: tuple[str, ...]) -> None:
    assert read(h=value).headers == names


@pytest.mark.parametrize("value", ["", "from:", ":from", "from::to", "from: :to", "from:é", "fr om:to", "from:sub\r\n ject", "from to"])
def test_no_names(value: str) -> None:
    """RFC 6376 6.1.1: "Implementers MUST meticulously validate the format": an empty item is none of the grammar's."""
    assert reason(h=value) == "tag_syntax"


def test_from_must_be_signed() -> None:
    assert reason(h="to:subject") == "from_not_signed"
    assert reason(h="x-from:fromage") == "from_not_signed"


@pytest.mark.parametrize(
    ("value", "identity"),
    [
        ("joe@example.org", "joe@example.org"),
        ("@Sub.Example.Org", "@sub.example.org"),
        ("=6Aoe@example.org", "joe@example.org"),
        ("joe@example=2Eorg", "joe@example.org"),
        ("joe=40example.org", "joe@example.org"),
        ("j=C3=B6rg@example.org", "jörg@example.org"),
        ("jörg@example.org", "jörg@example.org"),
        ("a=3Bb@example.org", "a;b@example.org"),
        ("jo\r\n e@example.org", "joe@example.org"),
        ("joe=6a@example.org", "joe=6a@example.org"),  # lower-case digits are no escape (RFC 6376 2.11)
        # Addresses of VERP as mox and others write them, though an "=" is to be encoded. What looks like an escape is one.
        ("bounce+joe=example.net@example.org", "bounce+joe=example.net@example.org"),
        ("bounce=3Djoe=@example.org", "bounce=joe=@example.org"),
        ("bounce=17@example.org", "bounce\x17@example.org"),
    ],
)
def test_identity(value: str, identity: str) -> None:
    assert read(i=value).identity == identity


def test_identity_with_a_u_label() -> None:
    made = read(d="bücher.example", i="leser@lesen.bücher.example")
    assert made.identity_domain == "lesen.xn--bcher-kva.example"


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("joe", "tag_syntax"),
        ("", "tag_syntax"),
        ("joe@", "tag_syntax"),
        ("joe@exa mple.org@", "tag_syntax"),
        ("joe@example.org.", "tag_syntax"),
        ("j=FFoe@example.org", "tag_syntax"),
        ("joe@example.com", "identity_mismatch"),
        ("joe@badexample.org", "identity_mismatch"),
        ("joe@org", "identity_mismatch"),
        ("joe@example.org@example.com", "identity_mismatch"),
    ],
)
def test_no_identity(value: str, why: str) -> None:
    assert reason(i=value) == why


@pytest.mark.parametrize("name", ["t", "x", "l"])
@pytest.mark.parametrize("value", ["", "-1", "+1", "1.5", "1e3", "0x10", "1 2", "٣", "9" * 77])
def test_no_number(name: str, value: str) -> None:
    assert reason(**{name: value}) == "tag_syntax"


def test_numbers() -> None:
    made = read(t="999999999998", x="999999999999", l="9" * 76)
    assert (made.timestamp, made.expire, made.length) == (999999999998, 999999999999, int("9" * 76))
    assert reason(t="1234567890123") == "tag_syntax"
    assert read(t="0", l="0").length == 0


def test_queries() -> None:
    assert read(q="dns/txt") == read(q="http : DNS/TXT") == read(q="dns/txt:other/x")
    assert [reason(q=value) for value in ("dns", "http", "dns/txt2", "dns/", "dns/txt x", "x-y/=3A")] == ["query_unknown"] * 6
    assert read(q="dns/txt:x/a=\r\n 7Cb, c") == read(q="dns/txt\r\n : a-9 : b/") == read()


@pytest.mark.parametrize(
    "value",
    [
        *("", ":", "dns/txt:", ":dns/txt", "dns/txt::x", "dns/txt:!!", "dns/txt:x-", "dns/txt:-x", "dns/txt:9", "dns/txt:x_y", "dns / txt"),
        *("dns/txt:x/=", "dns/txt:x/=3", "dns/txt:x/=7c", "dns/txt:x/a|b", "dns/txt:x y"),
    ],
)
def test_no_queries(value: str) -> None:
    """RFC 6376 3.5 and 6.1.1: a method that is not known is passed over, what is no method is not."""
    assert reason(q=value) == "tag_syntax"


@pytest.mark.parametrize(
    "value",
    [
        *(
            "From:joe@example.org",
            "From:",
            "From :joe",
            "from:a|to:b",
            "from:a|\r\n\t to\r\n :b",
            "a:b:c<d>",
            "From:j=C3=B6rg=20=3Cx=3E=7C=3B",
        ),
        *(
            "From:=\r\n 3\r\n\tC",
            "From:jörg",
            "X-!#$%=^:x",
            "Subject:=3D?utf-8?Q?=3DE2?=3D",
            "a:|b:",
            "|From:a",
            "From:jo e",
        ),  # a field name may hold a bar
        "From:foo@eng.example.net|To:joe@example.com|\r\n Subject:demo=20run|Date:July=205,=202005=203:44:08=20PM=20-0700",
    ],
)
def test_copies(value: str) -> None:
    """RFC 6376 3.5, with its own example, and 8616 5 for what is not ASCII. They change nothing."""
    assert read(z=value) == read()


@pytest.mark.parametrize(
    "value",
    [
        *("", "no colon here", "|||", ":", ":x", "From:a|", "From:a||To", "Fr om:a", "Frömage:a", "From:a|To"),
        *("From:=", "From:a=3", "From:a=3d", "From:=?utf-8?Q?x?=", "From:=3|D:x", "From:a=3\u00e9"),
    ],
)
def test_no_copies(value: str) -> None:
    assert reason(z=value) == "tag_syntax"
    assert reason(z=value, x="1", t="0", i="@example.com") == "identity_mismatch", "what decides comes first"


@pytest.mark.parametrize("name", ["b", "bh"])
def test_base64(name: str) -> None:
    assert reason(**{name: ""}) == "tag_syntax"
    assert reason(**{name: "AA=A"}) == "tag_syntax"
    assert reason(**{name: "AA-A"}) == "tag_syntax"
    assert read(**{name: "QUJD\r\n\tQQ"}) == read(**{name: "QUJDQQ=="})
