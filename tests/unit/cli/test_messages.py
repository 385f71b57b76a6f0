"""``zegel sign`` and ``zegel verify``."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import zegel as package
from zegel.cli.verify import best
from zegel.dkim.result import DkimReason, DkimResult

from .conftest import Run

MESSAGE = b"From: Anna <anna@example.be>\r\nTo: b@example.org\r\nSubject: Hello\r\n\r\nHello, world\r\n"


@pytest.fixture
def keyed(tmp_path: Path) -> tuple[Path, Path]:
    """A key file of example.be and a zone file with its record."""
    key = package.Key.generate("example.be", "sel", "ed25519")
    pem, zone = tmp_path / "key.pem", tmp_path / "zone"
    assert isinstance(key.private_key, bytes)
    pem.write_bytes(key.private_key)
    zone.write_text(f'{key.name}. TXT "{key.record}"\n')
    return pem, zone


def _sign(zegel: Run, pem: Path, message: bytes, *more: str) -> bytes:
    ended = zegel("sign", "--domain", "example.be", "--selector", "sel", "--key", pem, *more, stdin=message)
    assert (ended.status, ended.errors) == (0, "")
    return ended.stdout


def test_the_signature_stands_in_front_and_the_message_is_left_alone(zegel: Run, keyed: tuple[Path, Path], data: Path) -> None:
    pem, zone = keyed
    signed = _sign(zegel, pem, MESSAGE, "--now", "1700000000")
    assert signed.startswith(b"DKIM-Signature: ")
    assert signed.endswith(b"\r\n" + MESSAGE)
    assert b"t=1700000000" in signed
    assert [str(r.status) for r in package.verify(signed, resolver=package.Zone.parse(zone.read_text()))] == ["pass"]
    assert not data.exists()


def test_lf_stays_lf(zegel: Run, keyed: tuple[Path, Path]) -> None:
    pem, zone = keyed
    signed = _sign(zegel, pem, MESSAGE.replace(b"\r\n", b"\n"))
    assert b"\r" not in signed
    assert zegel("verify", "--zone", zone, stdin=signed).status == 0


def test_options_reach_the_signature(zegel: Run, keyed: tuple[Path, Path]) -> None:
    more = ("--identity", "@mail.example.be", "--canonicalization", "simple/relaxed", "--expire", "60", "--headers", "from:subject")
    signed = _sign(zegel, keyed[0], MESSAGE, "--now", "1000", *more)
    (result,) = package.verify(signed, resolver=package.Zone.parse(keyed[1].read_text()), now=1010)
    assert (str(result.status), result.identity, result.expire, result.signed_fields) == (
        "pass",
        "@mail.example.be",
        1060,
        ("from", "subject"),
    )
    assert b"c=simple/relaxed" in signed


def test_two_keys_make_two_signatures(zegel: Run, keyed: tuple[Path, Path]) -> None:
    pem = keyed[0]
    ended = zegel("sign", "--domain", "example.be", "--selector", "a", "--key", pem, "--selector", "b", "--key", pem, stdin=MESSAGE)
    assert ended.stdout.count(b"DKIM-Signature:") == 2


def test_a_zone_file_without_the_record_is_warned_of(zegel: Run, keyed: tuple[Path, Path], tmp_path: Path) -> None:
    pem, zone = keyed
    options = ("--domain", "example.be", "--selector", "sel", "--key", pem, "--now", "1000")
    fine = zegel("sign", *options, "--zone", zone, stdin=MESSAGE)
    assert (fine.status, fine.errors) == (0, "")
    (tmp_path / "empty").write_text("")
    warned = zegel("sign", *options, "--zone", tmp_path / "empty", stdin=MESSAGE)
    assert (warned.status, warned.stdout) == (0, fine.stdout)
    assert "NXDOMAIN" in warned.errors


def test_sign_as_json(zegel: Run, keyed: tuple[Path, Path], tmp_path: Path) -> None:
    pem, zone = keyed
    good, bad = tmp_path / "good.eml", tmp_path / "bad.eml"
    good.write_bytes(MESSAGE)
    bad.write_bytes(b"no message\r\n\r\n")
    ended = zegel("sign", "--domain", "example.be", "--selector", "sel", "--key", pem, "--json", good, bad)
    assert ended.status == 1
    first, second = map(json.loads, ended.text.splitlines())
    assert first["file"] == str(good)
    assert first["signatures"] == [{"domain": "example.be", "selector": "sel", "algorithm": "ed25519-sha256"}]
    whole = "".join(first["fields"]).encode() + MESSAGE
    assert [str(r.status) for r in package.verify(whole, resolver=package.Zone.parse(zone.read_text()))] == ["pass"]
    assert (second["status"], second["fields"]) == ("unsigned", [])
    assert second["reason"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--domain", "example.be"),
        ("--domain", "example.be", "--selector", "s"),
        ("--domain", "example.be", "--key", "KEY"),
        ("--selector", "s", "--key", "KEY"),
        ("--domain", "example.be", "--selector", "s", "--selector", "t", "--key", "KEY"),
        ("--domain", "no domain", "--selector", "s", "--key", "KEY"),
        ("--domain", "example.be", "--selector", "s", "--key", "ZONE"),
        ("--domain", "example.be", "--selector", "s", "--key", "/nowhere/key.pem"),
        ("--domain", "example.be", "--selector", "s", "--key", "KEY", "--canonicalization", "loose"),
        ("--domain", "example.be", "--selector", "s", "--key", "KEY", "--expire", "-1"),
        ("--domain", "example.be", "--selector", "s", "--key", "KEY", "--headers", "subject"),
        ("--domain", "example.be", "--selector", "s", "--key", "KEY", "one", "two"),
    ],
)
def test_sign_misused(zegel: Run, keyed: tuple[Path, Path], arguments: tuple[str, ...]) -> None:
    known = {"KEY": str(keyed[0]), "ZONE": str(keyed[1])}
    ended = zegel("sign", *(known.get(word, word) for word in arguments), stdin=MESSAGE)
    assert (ended.status, ended.stdout) == (2, b"")
    assert ended.errors.startswith("zegel: ")
    assert ended.errors.count("\n") == 1


def test_sign_from_the_store(zegel: Run, data: Path) -> None:
    assert "zegel init" in zegel("sign", stdin=MESSAGE).errors
    zegel("domain", "add", "example.be", "--sign-subdomains")
    for selector, algorithm in (("ed", "ed25519"), ("rsa", "rsa2048")):
        zegel("key", "new", "example.be", "--selector", selector, "--algorithm", algorithm)
    none = zegel("sign", stdin=MESSAGE)
    assert (none.status, none.stdout) == (1, b"")
    assert "no active key for example.be" in none.errors
    for selector in ("ed", "rsa"):
        zegel("key", "activate", "example.be", selector, "--no-dns-check")
    (data / "zegel.toml").write_text('[signing]\ncanonicalization = "simple/simple"\nexpire = 7200\n')
    lines = [record["zone_line"] for record in zegel("domain", "records", "example.be", "--json").json["records"]]
    zone = package.Zone.parse("\n".join(lines) + "\n")
    below = MESSAGE.replace(b"@example.be", b"@mail.example.be")
    for message in (MESSAGE, below):
        signed = zegel("sign", "--now", "1000", stdin=message).stdout
        results = package.verify(signed, resolver=zone, now=1010)
        assert [(str(r.status), r.selector, r.expire) for r in results] == [("pass", "rsa", 8200), ("pass", "ed", 8200)]
        assert b"c=simple/simple" in signed


@pytest.mark.parametrize(
    "author", [b"", b"From: a@example.be\r\nFrom: b@example.be\r\n", b"From: a@example.be, b@example.org\r\n", b"From: ?\r\n"]
)
def test_the_store_signs_for_one_clear_author_only(zegel: Run, author: bytes) -> None:
    zegel("domain", "add", "example.be")
    ended = zegel("sign", stdin=author + b"Subject: x\r\n\r\n")
    assert (ended.status, ended.stdout) == (1, b"")
    assert "From" in ended.errors


def test_verify_for_people_and_programs(zegel: Run, keyed: tuple[Path, Path], tmp_path: Path) -> None:
    pem, zone = keyed
    file = tmp_path / "m.eml"
    file.write_bytes(_sign(zegel, pem, MESSAGE, "--now", "1000"))
    ended = zegel("verify", "--zone", zone, "--now", "1010", file)
    assert ended.status == 0
    assert "pass d=example.be s=sel ed25519-sha256: the signature verifies" in ended.text
    shown = zegel("verify", "--zone", zone, "--json", file, stdin=b"").json
    assert (shown["file"], shown["status"]) == (str(file), "pass")
    (result,) = shown["results"]
    wanted = {
        "status": "pass",
        "reason": "verified",
        "domain": "example.be",
        "selector": "sel",
        "algorithm": "ed25519-sha256",
        "timestamp": 1000,
    }
    assert wanted.items() <= result.items()


def test_what_does_not_pass(zegel: Run, keyed: tuple[Path, Path], tmp_path: Path) -> None:
    pem, zone = keyed
    signed = _sign(zegel, pem, MESSAGE)
    changed = zegel("verify", "--zone", zone, stdin=signed.replace(b"world", b"mars"))
    assert changed.status == 1
    assert "the body is not the one that was signed" in " ".join(changed.text.split())
    unsigned = zegel("verify", "--zone", zone, "--json", stdin=MESSAGE)
    assert (unsigned.status, unsigned.json) == (1, {"file": "-", "status": "none", "results": []})
    # Of several messages every one must pass.
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_bytes(signed)
    bad.write_bytes(MESSAGE)
    assert zegel("verify", "--zone", zone, good, good).status == 0
    both = zegel("verify", "--zone", zone, "--json", good, bad)
    assert both.status == 1
    assert [json.loads(line)["status"] for line in both.text.splitlines()] == ["pass", "none"]


def test_what_cannot_be_read_is_named_and_the_rest_is_done(zegel: Run, keyed: tuple[Path, Path], tmp_path: Path) -> None:
    pem, zone = keyed
    good = tmp_path / "good"
    good.write_bytes(_sign(zegel, pem, MESSAGE))
    ended = zegel("verify", "--zone", zone, "--json", tmp_path / "none", tmp_path, good)
    assert ended.status == 2
    assert ended.json["status"] == "pass"
    assert [line.startswith("zegel: ") for line in ended.errors.splitlines()] == [True, True]
    assert str(tmp_path / "none") in ended.errors


def test_a_broken_zone_file(zegel: Run, tmp_path: Path) -> None:
    zone = tmp_path / "zone"
    zone.write_text("((((\n")
    ended = zegel("verify", "--zone", zone, stdin=MESSAGE)
    assert ended.status == 2
    assert str(zone) in ended.errors


def test_a_zone_file_that_is_no_text(zegel: Run, keyed: tuple[Path, Path], tmp_path: Path) -> None:
    zone = tmp_path / "zone"
    zone.write_bytes(b"\xff\xfe\x00")
    ended = zegel("verify", "--zone", zone, stdin=b"From: a@b\n\n")
    assert (ended.status, ended.errors) == (2, f"zegel: {zone} is no zone file: it is not text\n")


def test_what_strangers_wrote_does_not_reach_the_terminal(zegel: Run, tmp_path: Path) -> None:
    zone = tmp_path / "zone"
    zone.write_text("")
    field = b"DKIM-Signature: v=1; a=\x1b[31mred\x07; d=x; s=y\r\n"
    file = tmp_path / "a\x1b[2Jb"
    file.write_bytes(field + MESSAGE)
    ended = zegel("verify", "--zone", zone, file)
    assert ended.status == 1
    assert b"\x1b" not in ended.stdout
    assert b"\x07" not in ended.stdout
    assert json.loads(zegel("verify", "--zone", zone, "--json", file).stdout)["file"] == os.fspath(file)


@pytest.mark.parametrize(
    ("reasons", "status"),
    [
        ([], "none"),
        ([DkimReason.BODY_CHANGED, DkimReason.VERIFIED], "pass"),
        ([DkimReason.KEY_NOT_FOUND, DkimReason.BODY_CHANGED], "fail"),
        ([DkimReason.BODY_CHANGED, DkimReason.KEY_UNAVAILABLE], "temperror"),
        ([DkimReason.KEY_UNAVAILABLE, DkimReason.BODY_PARTLY_SIGNED], "policy"),
    ],
)
def test_the_best_status(reasons: list[DkimReason], status: str) -> None:
    assert best([DkimResult(reason) for reason in reasons]) == status
