"""Reading OpenDKIM's configuration: who is signed for with what, what has no equal, what is wrong. opendkim.conf(5), opendkim(8)."""

from __future__ import annotations

import ipaddress

import pytest

from support.texts import Texts
from zegel.moving import unequal
from zegel.moving.model import Found, Source, UnreadableError, Weight
from zegel.moving.opendkim import read

CONF = "/etc/opendkim.conf"


def found(conf: str, **files: str) -> Found:
    return read(CONF, Texts({CONF: conf, **{f"/t/{name}": text for name, text in files.items()}}))


def tables(signing: str, keys: str, *, kind: str = "refile", more: str = "") -> Found:
    return found(f"SigningTable {kind}:/t/signing\nKeyTable file:/t/keys\n{more}", signing=signing, keys=keys)


def signed(what: Found) -> list[tuple[tuple[str, ...], str, str, str]]:
    return [(one.senders, str(one.domain), one.selector, one.source.path) for one in what.signers]


def said(what: Found, weight: Weight) -> list[tuple[str, str]]:
    return [(remark.at, str(remark.sentence)) for remark in what.remarks if remark.weight is weight]


def test_one_key_for_the_domains_that_are_named() -> None:
    what = found("Domain a.example, b.example # two\nselector  m2020\nKeyFile\t/k/one.private\n")
    assert signed(what) == [
        (("a.example",), "a.example", "m2020", "/k/one.private"),
        (("b.example",), "b.example", "m2020", "/k/one.private"),
    ]
    assert (what.key_type, what.signs, what.local, what.logins) == ("rsa", True, True, True)
    assert not said(what, Weight.BROKEN)


@pytest.mark.parametrize(
    ("word", "senders"), [("yes", ("a.example", ".a.example")), ("no", ("a.example",)), ("True", ("a.example", ".a.example"))]
)
def test_names_below(word: str, senders: tuple[str, ...]) -> None:
    what = found(f"Domain a.example\nSelector s\nKeyFile /k\nSubDomains {word}\n")
    assert what.signers[0].senders == senders
    assert what.signers[0].below is (len(senders) == 2)


def test_the_two_tables() -> None:
    what = tables("*@a.example ka\n*@*.a.example ka\ninfo@b.example kb\n", "ka a.example:s1:/k/a\nkb b.example:s2:/k/b\n")
    assert signed(what) == [
        (("a.example",), "a.example", "s1", "/k/a"),
        ((".a.example",), "a.example", "s1", "/k/a"),
        (("info@b.example",), "b.example", "s2", "/k/b"),
    ]


def test_a_flat_table_has_its_own_spelling_of_patterns() -> None:
    what = tables("a.example k\n.a.example k\njo@a.example k\n*@a.example k\n", "k a.example:s:/k/a\n", kind="file")
    assert [one.senders for one in what.signers] == [("a.example",), (".a.example",), ("jo@a.example",)]
    assert [at for at, _ in said(what, Weight.NOTE)] == ["/t/signing:4"]


def test_lists_within_the_configuration() -> None:
    what = found("SigningTable a.example=ka, b.example=kb\nKeyTable csl:ka=a.example:s:/k/a,kb=b.example:s:/k/b\n")
    assert [(one.senders, one.source.path) for one in what.signers] == [(("a.example",), "/k/a"), (("b.example",), "/k/b")]


def test_a_percent_is_the_domain_of_from() -> None:
    what = tables("*@a.example k\n*@b.example k\n", "k %:s:/k/%/one\n")
    assert signed(what) == [(("a.example",), "a.example", "s", "/k/a.example/one"), (("b.example",), "b.example", "s", "/k/b.example/one")]


def test_a_percent_for_the_name_of_the_key() -> None:
    what = tables("* %\n", "a.example a.example:s:/k/a\nb.example b.example:s:/k/b\n")
    assert [one.senders for one in what.signers] == [("a.example",), ("b.example",)]


def test_whatever_name_comes_along_is_those_that_have_a_file() -> None:
    texts = {CONF: "SigningTable refile:/t/s\nKeyTable /t/k\n", "/t/s": "*@* k\n", "/t/k": "k %:s:/k/%/s.private\n"}
    texts |= {"/k/a.example/s.private": "", "/k/b.example/other": "", "/k/no domain/s.private": ""}
    assert signed(read(CONF, Texts(texts))) == [(("a.example",), "a.example", "s", "/k/a.example/s.private")]


def test_a_key_in_the_table_itself_is_not_shown() -> None:
    what = tables("*@a.example k\n", "k a.example:s:MIIEvSecret\n")
    assert what.signers[0].source == Source(text=b"MIIEvSecret")
    assert "Secret" not in repr(what.signers)


@pytest.mark.parametrize(
    ("signing", "keys", "sentence"),
    [
        ("*@a.example k\n", "k other.example:s:/k\n", "signed as other.example there"),
        ("*@example k\n", "k a.example:s:/k\n", "signed as a.example there"),
        ("*@a.example k\n", "k mail.a.example:s:/k\n", "signed as mail.a.example there"),
        ("* k\n", "k a.example:s:/k\n", "every From is signed as a.example there"),
        ("*@* k\n", "k %:s:/k\n", "one key signs there as whatever domain"),
        ("*a.example k\n", "k a.example:s:/k\n", "no such pattern"),
        ("info@* k\n", "k a.example:s:/k\n", "no such pattern"),
    ],
)
def test_what_has_no_equal_says_why(signing: str, keys: str, sentence: str) -> None:
    what = tables(signing, keys)
    (remark,) = said(what, Weight.UNEQUAL)
    assert remark[0] == "/t/signing:1"
    assert sentence in remark[1]
    assert not said(what, Weight.BROKEN)


@pytest.mark.parametrize(
    ("signing", "keys", "at", "sentence"),
    [
        ("*@a.example nokey\n", "k a.example:s:/k\n", "/t/signing:1", "no key named nokey"),
        ("*@a.example\n", "k a.example:s:/k\n", "/t/signing:1", "no key named"),
        ("*@a.example k\n", "k a.example:/k\n", "/t/keys:1", "NAME DOMAIN:SELECTOR:FILE"),
        ("*@a.example k\n", "k a.example:s s:/k\n", "/t/keys:1", "no name for DNS"),
        ("*@a.example k\n", "k a.example:s:/1\nk a.example:s:/2\n", "/t/keys:2", "twice"),
        ("*@a.example k\n*@a.example l\n", "k a.example:s:/1\nl a.example:t:/2\n", "/t/signing:2", "twice with another key"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(signing: str, keys: str, at: str, sentence: str) -> None:
    broken = said(tables(signing, keys), Weight.BROKEN)
    assert [place for place, _ in broken if place == at]
    assert any(sentence in text for _, text in broken)


def test_the_first_pattern_that_matches_counts() -> None:
    keys = "k a.example:s:/1\nl a.example:t:/2\n"
    assert [one.selector for one in tables("*@*.a.example k\n*@b.a.example l\n", keys).signers] == ["s"]
    assert [one.selector for one in tables("*@b.a.example l\n*@*.a.example k\n", keys).signers] == ["t", "s"]
    assert [one.selector for one in tables("*@a.example k\njo@a.example l\n", keys).signers] == ["s"]
    # The flat file takes the more precise one, wherever it stands; and all are taken where that was said.
    assert [one.selector for one in tables(".a.example k\nb.a.example l\n", keys, kind="file").signers] == ["s", "t"]
    assert [one.selector for one in tables("*@a.example k\n*@a.example l\n", keys, more="MultipleSignatures yes\n").signers] == ["s", "t"]


def test_a_line_that_is_said_again_is_no_trouble() -> None:
    what = tables("*@a.example k\n*@a.example k\n", "k a.example:s:/k\nk a.example:s:/k\n")
    assert (len(what.signers), len(said(what, Weight.NOTE)), said(what, Weight.BROKEN)) == (1, 2, [])


def test_internal_hosts() -> None:
    what = found("InternalHosts csl:127.0.0.1, 10.0.0.0/8,[2001:db8::]/32, !10.1.1.1,.example.be, mail.example.be\n")
    assert what.networks == [ipaddress.ip_network(text) for text in ("127.0.0.1", "10.0.0.0/8", "2001:db8::/32")]
    assert what.local
    assert [remark.about for remark in what.remarks if remark.weight is Weight.UNEQUAL] == ["!10.1.1.1", ".example.be", "mail.example.be"]
    only = found("InternalHosts 192.0.2.0/24\n")
    assert (only.local, only.logins) == (False, True)


@pytest.mark.parametrize("kind", ["db:/t/x", "dsn:mysql://x", "ldap://h", "lua:/t/x", "memcache:h/k", "erlang:n:c:m:f", "/t/keys.db"])
def test_tables_that_only_a_running_opendkim_can_ask(kind: str) -> None:
    what = found(f"KeyTable {kind}\nSigningTable refile:/t/s\n", s="*@a.example k\n")
    assert any("only opendkim itself can ask" in text for _, text in said(what, Weight.BROKEN))


def test_includes_and_their_depth() -> None:
    texts = {
        CONF: "Include /t/more.conf\nSelector s\n",
        "/t/more.conf": "Domain a.example\nInclude keys.conf\n",
        "/t/keys.conf": "KeyFile /k\n",
    }
    assert signed(read(CONF, Texts(texts))) == [(("a.example",), "a.example", "s", "/k")]
    with pytest.raises(UnreadableError, match="more than 5 deep"):
        read(CONF, Texts({CONF: f"Include {CONF}\n"}))


def test_what_is_there_twice_counts_the_last_time() -> None:
    what = found("Domain a.example\nSelector s\nKeyFile /1\nKeyFile /2\n")
    assert what.signers[0].source.path == "/2"
    assert any("twice" in text for _, text in said(what, Weight.NOTE))


def test_modes_and_algorithms() -> None:
    single = "Domain a.example\nSelector s\nKeyFile /k\n"
    assert not found(single + "Mode v\n").signs
    assert found(single + "Mode sv\n").signs
    assert found(single + "SignatureAlgorithm ed25519-sha256\n").key_type == "ed25519"
    assert any("rsa-sha1" in text for _, text in said(found(single + "SignatureAlgorithm rsa-sha1\n"), Weight.UNEQUAL))
    assert any("expire = 3600" in text for _, text in said(found(single + "SignatureTTL 60\n"), Weight.NOTE))
    assert any('"simple/simple"' in text for _, text in said(found(single + "Canonicalization simple\n"), Weight.NOTE))


@pytest.mark.parametrize("missing", ["Domain", "Selector", "KeyFile"])
def test_half_a_key(missing: str) -> None:
    lines = {"Domain": "a.example", "Selector": "s", "KeyFile": "/k"}
    what = found("".join(f"{name} {value}\n" for name, value in lines.items() if name != missing))
    assert any(missing in text for _, text in said(what, Weight.BROKEN))
    assert not what.signers


def test_no_parameter_is_passed_over_in_silence() -> None:
    assert not unequal.READ & unequal.QUIET
    assert not (unequal.READ | unequal.QUIET) & set(unequal.TOLD)
    assert set(unequal.BOOLEAN) <= set(unequal.TOLD)
    for name, (weight, _sentence) in unequal.TOLD.items():
        assert [remark.weight for remark in found(f"{name} yes\n").remarks if remark.about == name] == [weight], name
    assert any("does not know FluxCompensator" in text for _, text in said(found("FluxCompensator yes\n"), Weight.UNEQUAL))
    assert not [remark for remark in found("SendReports no\n").remarks if remark.weight is Weight.UNEQUAL]
