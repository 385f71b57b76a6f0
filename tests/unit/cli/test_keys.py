from __future__ import annotations

from pathlib import Path

import pytest

import zegel as package
from zegel.ask import Question, RRType

from .conftest import Ended, Run


def _record(zegel: Run, selector: str) -> dict[str, str]:
    records = zegel("domain", "records", "example.be", "--json").json["records"]
    found: dict[str, str] = next(record for record in records if record["selector"] == selector)
    return found


def _state(zegel: Run, selector: str) -> str:
    return str(zegel("key", "show", "example.be", selector, "--json").json["state"])


def _new(zegel: Run, selector: str, algorithm: str = "ed25519") -> Ended:
    return zegel("key", "new", "example.be", "--selector", selector, "--algorithm", algorithm)


def test_domains(zegel: Run) -> None:
    assert "key new example.be" in zegel("domain", "add", "Example.BE.").text
    again = zegel("domain", "add", "example.be")
    assert (again.status, again.stdout) == (2, b"")
    assert "already" in again.errors
    assert "made" in zegel("domain", "add", "bücher.example", "--organisation", "Shop", "--sign-subdomains").text
    listed = zegel("domain", "list", "--json").json
    assert [row["domain"] for row in listed] == ["example.be", "xn--bcher-kva.example"]
    assert listed[1]["organisation"] == "Shop"
    assert listed[1]["sign_subdomains"] is True
    assert "bücher.example" in zegel("domain", "list").text


@pytest.mark.parametrize("name", ["no domain", "", "a..b", "-", "x" * 64 + ".example"])
def test_what_is_no_domain(zegel: Run, name: str) -> None:
    ended = zegel("domain", "add", "--", name)
    assert ended.status == 2
    assert "no domain name" in ended.errors


def test_an_unknown_domain_is_told_before_a_key_is_made(zegel: Run) -> None:
    ended = zegel("key", "new", "nope.example")
    assert (ended.status, ended.stdout) == (2, b"")
    assert "zegel domain add nope.example" in ended.errors


def test_empty_lists_say_what_is_next(zegel: Run) -> None:
    zegel("init")
    assert "zegel domain add" in zegel("domain", "list").text
    assert "zegel key new" in zegel("key", "list").text
    assert zegel("key", "list", "--json").json == []


@pytest.mark.parametrize("algorithm", ["rsa2048", "ed25519"])
def test_what_is_shown_parses_back(zegel: Run, zone: Path, algorithm: str) -> None:
    made = _new(zegel, "sel", algorithm)
    assert made.status == 0
    assert "key activate example.be sel" in made.text
    shown = zegel("domain", "records", "example.be").text
    line = next(line for line in shown.splitlines() if " IN TXT " in line)
    value = next(line for line in shown.splitlines() if line.startswith("v=DKIM1"))
    assert line in made.text
    answer = package.Zone.parse(line + "\n").answer(Question("sel._domainkey.example.be", RRType.TXT))
    assert answer.records == (value.encode(),)
    assert {"sel._domainkey", "sel._domainkey.example.be"} <= set(shown.splitlines())
    # And it is the public half of the key that signs.
    zone.write_text(line + "\n")
    assert zegel("key", "activate", "example.be", "sel").status == 0
    signed = zegel("sign", stdin=b"From: a@example.be\r\n\r\nHello\r\n").stdout
    assert [str(result.status) for result in package.verify(signed, resolver=package.Zone.parse(line + "\n"))] == ["pass"]


def test_records_as_json(zegel: Run, zone: Path) -> None:
    _new(zegel, "sel", "rsa2048")
    record = zegel("domain", "records", "example.be", "--json").json["records"][0]
    assert "".join(record["strings"]) == record["value"]
    assert len(record["strings"]) == 2
    assert record["relative_name"] == "sel._domainkey"
    assert record["state"] == "pending"


def test_a_well_known_selector_takes_force(zegel: Run, zone: Path) -> None:
    refused = _new(zegel, "google")
    assert (refused.status, refused.stdout) == (2, b"")
    assert zegel("key", "new", "example.be", "--selector", "google", "--algorithm", "ed25519", "--force").status == 0


def test_a_selector_is_proposed(zegel: Run, zone: Path) -> None:
    zegel("key", "new", "example.be", "--algorithm", "ed25519")
    (key,) = zegel("key", "list", "example.be", "--json").json
    assert key["selector"].startswith("z20")
    assert key["selector"] in zegel("key", "list").text


def test_activation_with_the_right_record(zegel: Run, zone: Path) -> None:
    _new(zegel, "sel", "rsa2048")
    zone.write_text(_record(zegel, "sel")["zone_line"] + "\n")
    ended = zegel("key", "activate", "example.be", "sel")
    assert (ended.status, ended.errors) == (0, "")
    assert "all name servers of example.be have the record" in ended.text
    assert "Ed25519" not in ended.text
    assert _state(zegel, "sel") == "active"
    assert "active already" in zegel("key", "activate", "example.be", "sel").text


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("", "NXDOMAIN"),
        ("sel._domainkey.example.be. TXT v=DKIM1; k=ed25519; p=x", "cut at the semicolon"),
        ('sel._domainkey.example.be. TXT "v=DKIM1; k=ed25519; p={head} {tail}"', "a space inside"),
        ('sel._domainkey.example.be. TXT "v=DKIM1; k=ed25519; p="', "revokes"),
        ('sel._domainkey.example.be. TXT "v=DKIM1; k=ed25519; p={head}"', "cut off"),
        ('sel._domainkey.example.be. TXT "v=DKIM1; k=ed25519; p={head}{tail}"\nsel._domainkey.example.be. TXT "x"', "2 TXT records"),
        ('sel._domainkey.example.be.example.be. TXT "v=DKIM1"', "adds the domain by itself"),
        ('sel._domainkey.example.be. TXT "\\027[31mred"', "no key record"),
    ],
)
def test_activation_refuses_what_is_not_right(zegel: Run, zone: Path, wrong: str, said: str) -> None:
    """RFC 6376 5.2: no signature of a key that nobody can look up."""
    _new(zegel, "sel")
    public = _record(zegel, "sel")["value"].rpartition("p=")[2]
    zone.write_text(wrong.format(head=public[:20], tail=public[20:]) + "\n")
    ended = zegel("key", "activate", "example.be", "sel")
    assert ended.status == 1
    assert said in ended.text
    assert _record(zegel, "sel")["zone_line"] in ended.text
    assert ended.errors.startswith("zegel: not activated")
    assert "\x1b" not in ended.text
    assert _state(zegel, "sel") == "pending"
    forced = zegel("key", "activate", "example.be", "sel", "--force")
    assert forced.status == 0
    assert "cannot check" in forced.text
    assert _state(zegel, "sel") == "active"


def test_activation_without_an_answer(zegel: Run, zone: Path, data: Path) -> None:
    _new(zegel, "sel")
    # Nobody listens on the discard port of this machine.
    (data / "zegel.toml").write_text('[dns]\nnameservers = ["127.0.0.1:9"]\ntimeout = 0.2\ntries = 1\n')
    ended = zegel("key", "activate", "example.be", "sel")
    assert ended.status == 1
    assert "the name servers of sel._domainkey.example.be were not found" in ended.text
    assert "--force" in ended.errors
    assert zegel("key", "activate", "example.be", "sel", "--no-dns-check").status == 0


def test_a_testing_record_is_told(zegel: Run, zone: Path) -> None:
    _new(zegel, "sel")
    zone.write_text(_record(zegel, "sel")["zone_line"].replace("k=ed", "t=y; k=ed") + "\n")
    ended = zegel("key", "activate", "example.be", "sel")
    assert ended.status == 0
    assert "t=y" in ended.text


def test_ed25519_alone_is_warned_of_and_a_retired_key_stays_published(zegel: Run, zone: Path) -> None:
    _new(zegel, "one")
    alone = zegel("key", "activate", "example.be", "one", "--no-dns-check")
    assert "Ed25519 is now the only kind" in alone.text
    _new(zegel, "two")
    second = zegel("key", "activate", "example.be", "two", "--no-dns-check")
    assert "one is retired" in second.text
    assert "7 days" in second.text
    assert _state(zegel, "one") == "retiring"
    _new(zegel, "three", "rsa2048")
    both = zegel("key", "activate", "example.be", "three", "--no-dns-check")
    assert "Ed25519" not in both.text
    assert "retiring" not in both.text
    assert [record["selector"] for record in zegel("domain", "records", "example.be", "--json").json["records"]] == ["one", "two", "three"]


def test_an_unknown_key(zegel: Run, zone: Path) -> None:
    ended = zegel("key", "activate", "example.be", "nope")
    assert ended.status == 2
    assert "zegel key list" in ended.errors


def test_another_mode_of_the_master_key_is_refused(zegel: Run, zone: Path, data: Path) -> None:
    (data / "master.key").chmod(0o644)
    ended = _new(zegel, "sel")
    assert ended.status == 2
    assert "chmod 600" in ended.errors
    # To look takes no master key.
    assert zegel("key", "list").status == 0


def test_a_lost_master_key_is_not_replaced(zegel: Run, zone: Path, data: Path) -> None:
    (data / "master.key").unlink()
    ended = _new(zegel, "sel")
    assert ended.status == 2
    assert "backup" in ended.errors
    assert not (data / "master.key").exists()


def test_backup(zegel: Run, zone: Path, tmp_path: Path) -> None:
    file = tmp_path / "backup.tar"
    ended = zegel("backup", file)
    assert ended.status == 0
    assert file.stat().st_mode & 0o777 == 0o600
    assert "can sign mail as the domains in it" in " ".join(ended.text.split())
    again = zegel("backup", file)
    assert again.status == 2
    assert "not overwritten" in again.errors
    assert zegel("--data", tmp_path / "none", "backup", tmp_path / "b.tar").status == 2


def test_a_domain_typed_wrong_is_taken_out(zegel: Run) -> None:
    zegel("domain", "add", "exmaple.be")
    ended = zegel("domain", "remove", "exmaple.be")
    assert (ended.status, ended.errors) == (0, "")
    assert zegel("domain", "list", "--json").json == []
    zegel("domain", "add", "example.be")
    zegel("key", "new", "example.be", "--algorithm", "ed25519")
    refused = zegel("domain", "remove", "example.be")
    assert refused.status == 2
    assert "zegel key list example.be" in refused.errors


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a b", "zegel: 'a b' is no domain name; write it as in example.be"),
        ("", "zegel: '' is no domain name; write it as in example.be"),
        ("com", "zegel: com has one part only, and a domain that signs has two at least; write it as in example.be"),
    ],
)
def test_what_is_no_domain_is_said_once(zegel: Run, name: str, said: str) -> None:
    ended = zegel("domain", "add", name)
    assert (ended.status, ended.errors) == (2, said + "\n")


def test_a_name_too_long_is_told_so(zegel: Run) -> None:
    ended = zegel("domain", "add", "a." * 200 + "be")
    assert ended.status == 2
    assert "253 characters" in ended.errors
