"""Reading rspamd's configuration of signing, and the language it is written in."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest

from support.texts import Texts
from zegel.moving import ucl
from zegel.moving.model import Found, UnreadableError, Weight
from zegel.moving.rspamd import read

CONF = "/etc/rspamd/local.d/dkim_signing.conf"


def found(conf: str, files: dict[str, str] | None = None) -> Found:
    return read(CONF, Texts({CONF: conf, **(files or {})}))


def signed(what: Found) -> list[tuple[tuple[str, ...], str, str]]:
    return [(one.senders, one.selector, one.source.path) for one in what.signers]


def said(what: Found, weight: Weight) -> list[str]:
    return [str(remark.sentence) for remark in what.remarks if remark.weight is weight]


QUIET = "use_esld = false; try_fallback = false; "


def test_a_section_for_each_domain() -> None:
    conf = """
    domain {
      a.example { path = "/k/a.key"; selector = "s1"; }   # the old form
      "b.example" { selectors [ { path = "/k/b1"; selector = "r"; }, { path: /k/$domain.$selector.key, selector: e } ] }
      c.example { selector = 2020 }
    }
    path = "/d/$domain.$selector.key";
    """
    assert signed(found(QUIET + conf)) == [
        (("a.example",), "s1", "/k/a.key"),
        (("b.example",), "r", "/k/b1"),
        (("b.example",), "e", "/k/b.example.e.key"),
        (("c.example",), "2020", "/d/c.example.2020.key"),
    ]


def test_maps_of_selectors_and_paths() -> None:
    files = {"/m/selectors": "a.example s1\n# x\nB.example s2\n", "/m/paths": "a.example /k/a\nb.example /k/$domain.key\n"}
    conf = 'selector_map = "/m/selectors"; path_map = "file:///m/paths";'
    assert signed(found(QUIET + conf, files)) == [(("a.example",), "s1", "/k/a"), (("b.example",), "s2", "/k/b.example.key")]
    assert [one.at for one in found(QUIET + conf, files).signers] == ["/m/selectors:1", "/m/selectors:3"]
    # As rspamd does with them (tests/system/test_moving.py).
    inline = 'selector_map = ["a.example s1"]; path_map { a.example = "/k/a" }'
    assert (signed(found(QUIET + inline)), len(said(found(QUIET + inline), Weight.NOTE)) >= 2) == ([], True)
    several = found(QUIET + 'selector_map = ["/m/selectors", "/m/more"]; path_map = "/m/paths"', files | {"/m/more": "c.example s3\n"})
    assert [one.selector for one in several.signers] == ["s1", "s2", "s3"]


def test_a_domain_signs_for_names_below_as_rspamd_cuts_them_off() -> None:
    what = found('try_fallback = false; selector_map = "/m";', {"/m": "a.be s\nmail.b.be s\nshop.co.uk s\n"})
    assert [one.senders for one in what.signers] == [("a.be", ".a.be"), ("shop.co.uk", ".shop.co.uk")]
    assert any("never signs as mail.b.be" in text for text in said(what, Weight.NOTE))


def test_the_default_path_leads_to_the_domains_that_have_a_file() -> None:
    files = dict.fromkeys(("/var/lib/rspamd/dkim/a.example.dkim.key", "/var/lib/rspamd/dkim/b.example.old.key"), "")
    what = found("use_esld = false;", files)
    assert signed(what) == [(("a.example",), "dkim", "/var/lib/rspamd/dkim/a.example.dkim.key")]
    named = found('use_esld = false; domain { a.example { selector = "x"; path = "/k" } }', files)
    assert signed(named) == [(("a.example",), "x", "/k")]


def test_one_key_for_all_has_no_equal() -> None:
    assert any("one key signs there" in text for text in said(found('path = "/k/one";'), Weight.UNEQUAL))


def test_the_tables_of_opendkim() -> None:
    files = {"/m/s": "*@a.example ka\n*@b.example %\n", "/m/k": "ka a.example:s:/k/a\nb.example b.example:/k/%\n"}
    what = found('signing_table = "/m/s"; key_table = "/m/k"; selector = "dflt";', files)
    assert signed(what) == [(("a.example",), "s", "/k/a"), (("b.example",), "dflt", "/k/b.example")]


@pytest.mark.parametrize(
    ("conf", "sentence"),
    [
        ("use_redis = true;", "in Redis"),
        ("use_vault = true;", "in Vault"),
        ('use_domain = "envelope";', "in the name of envelope"),
        ('sign_condition = "return function(t) return false end";', "no Lua scripts"),
        ("sign_inbound = true;", "mail from outside is never signed"),
        ('sign_headers = "(o)from";', "which fields are signed"),
        ("domain { }", "a login signs there only as the domain in its own name"),
    ],
)
def test_what_has_no_equal_says_why(conf: str, sentence: str) -> None:
    assert any(sentence in text for text in said(found(conf), Weight.UNEQUAL))


def test_a_map_from_elsewhere_is_refused_by_name() -> None:
    assert any("https://x.example/m" in text for text in said(found('selector_map = "https://x.example/m";'), Weight.BROKEN))


def test_who_may_sign() -> None:
    what = found('sign_local = false; sign_networks = ["192.0.2.0/24", "nonsense"]; allow_username_mismatch = true;')
    assert (what.local, what.logins, what.networks) == (False, True, [ipaddress.ip_network("192.0.2.0/24")])
    assert any("'nonsense' is no network" in text for text in said(what, Weight.UNEQUAL))
    usual = found("")
    assert (usual.local, usual.logins) == (True, False)
    assert ipaddress.ip_network("10.0.0.0/8") in usual.networks


def test_override_counts_more_and_the_module_file_reads_both() -> None:
    override = {"/etc/rspamd/override.d/dkim_signing.conf": 'domain { a.example { selector = "over" } }'}
    local = QUIET + 'domain { a.example { selector = "local"; path = "/k" } }'
    assert signed(found(local, override)) == [(("a.example",), "over", "/k")]
    module = """
    dkim_signing {
      selector = "dkim";
      .include(try=true,priority=5) "${DBDIR}/dynamic/dkim_signing.conf"
      .include(try=true,priority=1,duplicate=merge) "$LOCAL_CONFDIR/local.d/dkim_signing.conf"
      .include(try=true,priority=10) "$LOCAL_CONFDIR/override.d/dkim_signing.conf"
    }
    """
    path = "/etc/rspamd/modules.d/dkim_signing.conf"
    assert signed(read(path, Texts({path: module, CONF: local, **override}))) == [(("a.example",), "over", "/k")]


def test_a_section_that_is_there_twice_is_read_by_nobody() -> None:
    what = found(QUIET + "domain { a.example { selector = s } } domain { b.example { selector = s } }")
    assert (signed(what), len(said(what, Weight.BROKEN))) == ([], 1)


def test_it_can_be_off() -> None:
    assert not found("enabled = false;").signs


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a = b", {"a": "b"}),
        ("a: b; c d\ne = 'f g'", {"a": "b", "c": "d", "e": "f g"}),
        ('a = "x\\"y\\n"', {"a": 'x"y\n'}),
        ("a = true; b = no; c = 10s", {"a": True, "b": False, "c": "10s"}),
        ("a { b { c = 1 } }", {"a": {"b": {"c": "1"}}}),
        ('a "b.c" "d" { e = 1 }', {"a": {"b.c": {"d": {"e": "1"}}}}),
        ("a = [1, [2], {b = 3}]", {"a": ["1", ["2"], {"b": "3"}]}),
        ("a = 1; a = 2; a = 3", {"a": ["1", "2", "3"]}),
        ("a { b = 1 } a { c = 2 }", {"a": [{"b": "1"}, {"c": "2"}]}),
        ("/* one /* two */ */ a = 1 # end", {"a": "1"}),
        ("{ a = 1 }", {"a": "1"}),
        ("a = <<EOD\nline\n  two\nEOD\nb = 1", {"a": "line\n  two", "b": "1"}),
        (".priority 5\na = 1", {"a": "1"}),
        ("", {}),
    ],
)
def test_what_is_read_of_ucl(text: str, value: dict[str, Any]) -> None:
    assert ucl.parse(text, "x") == value


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a = 1;\nb {\n", "x:3: this cannot be read"),
        ("a = }", "x:1: this cannot be read"),
        ("a", "x:1: this cannot be read"),
        ("a = 1\n.lua { print(1) }", "x:2: .lua is not read here|x:2: this cannot be read"),
        ('.load(key="x") "/y"', "x:1: .load is not read here"),
        ("a = b } c = d", "x:1: this cannot be read"),
        ('a = "never ends', "x:1: this cannot be read"),
    ],
)
def test_what_is_not_read_of_ucl_is_refused_with_its_line(text: str, sentence: str) -> None:
    with pytest.raises(UnreadableError, match=sentence):
        ucl.parse(text, "x")
