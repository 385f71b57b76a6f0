"""zegel import and zegel export, from the files of one signer to those of another."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import zegel as package
from support.texts import pem
from zegel.config import parse

from .conftest import Run

DOMAINS = ("a.example", "b.example")


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """OpenDKIM's files for two domains, each with its key."""
    folder = tmp_path / "opendkim"
    folder.mkdir()
    for number in range(2):
        (folder / f"{number}.private").write_bytes(pem(number))
        (folder / f"{number}.private").chmod(0o600)
    (folder / "keys").write_text("".join(f"k{n} {name}:mail:{folder}/{n}.private\n" for n, name in enumerate(DOMAINS)))
    (folder / "signing").write_text("*@a.example k0\n*@*.a.example k0\n*@b.example k1\n")
    conf = f"KeyTable {folder}/keys\nSigningTable refile:{folder}/signing\nInternalHosts 192.0.2.0/24\nSendReports yes\n"
    (folder / "opendkim.conf").write_text(conf)
    return folder


@pytest.fixture
def zone(data: Path, tmp_path: Path, zegel: Run) -> Path:
    """A store, and DNS with the record of a.example alone."""
    zegel("init")
    file = tmp_path / "zone"
    record = package.Key("a.example", "mail", pem(0)).record
    file.write_text(f'mail._domainkey.a.example. 300 IN TXT "{record[:200]}" "{record[200:]}"\n')
    (data / "zegel.toml").write_text(f'[dns]\nzone = "{file}"\n')
    return file


def states(zegel: Run) -> dict[str, str]:
    return {f"{key['selector']} {key['domain']}": key["state"] for key in zegel("key", "list", "--json").json}


def test_a_dry_run_shows_all_and_changes_nothing(zegel: Run, zone: Path, theirs: Path) -> None:
    shown = zegel("import", "opendkim", theirs / "opendkim.conf", "--dry-run")
    assert (shown.status, shown.errors) == (0, "")
    rows = [re.split(" {3,}", line) for line in shown.text.splitlines() if f"{theirs}/" in line and "rsa2048" in line]
    assert rows == [
        ["a.example, .a.example", "a.example", "mail", f"{theirs}/0.private", "rsa2048", "seen", "comes, names below too"],
        ["b.example", "b.example", "mail", f"{theirs}/1.private", "rsa2048", "absent", "comes"],
    ]
    assert "no equal: Zegel sends no reports" in shown.text.replace("\n  ", " ")
    assert zegel("domain", "list", "--json").json == []
    assert zegel("audit").text == "Nothing was changed yet.\n"


def test_a_dry_run_needs_no_store(zegel: Run, data: Path, theirs: Path) -> None:
    assert zegel("import", "opendkim", theirs / "opendkim.conf", "--dry-run", "--no-dns-check").status == 0
    assert not data.exists()


def test_keys_sign_once_their_record_is_seen(zegel: Run, zone: Path, theirs: Path) -> None:
    done = zegel("import", "opendkim", theirs / "opendkim.conf")
    assert done.status == 0
    assert "2 domains and 2 keys, of which 1 sign at once" in done.text
    assert "key activate b.example mail" in done.text
    assert "postfix setup --dry-run" in done.text
    assert states(zegel) == {"mail a.example": "active", "mail b.example": "pending"}
    again = zegel("import", "opendkim", theirs / "opendkim.conf")
    assert (again.status, "nothing was changed" in again.text) == (0, True)
    assert zegel("audit", "--verify").status == 0


def test_without_dns_all_that_signs_there_signs_here(zegel: Run, zone: Path, theirs: Path) -> None:
    assert "was not looked at" in zegel("import", "opendkim", theirs / "opendkim.conf", "--no-dns-check").text
    assert set(states(zegel).values()) == {"active"}
    signed = zegel("sign", stdin=b"From: jo@sub.a.example\r\n\r\nHello\r\n")
    assert b"d=a.example; s=mail;" in signed.stdout.replace(b"\r\n\t", b" ").replace(b"\r\n ", b" ")


def test_the_lines_for_zegel_toml_can_be_put_there(zegel: Run, zone: Path, theirs: Path) -> None:
    shown = zegel("import", "opendkim", theirs / "opendkim.conf", "--dry-run").text
    lines = shown[shown.index("[[outbound.allow]]") :].partition("Nothing was changed")[0]
    assert tomllib.loads(lines) == {
        "outbound": {"allow": [
            {"network": "192.0.2.0/24", "sign": ["a.example", ".a.example", "b.example"]},
            {"login": "*", "sign": ["a.example", ".a.example", "b.example"]},
        ]}
    }  # fmt: skip
    assert len(parse(lines).outbound.allow) == 2


def test_what_is_wrong_stops_all_unless_left_out(zegel: Run, zone: Path, theirs: Path) -> None:
    (theirs / "1.private").chmod(0o644)
    refused = zegel("import", "opendkim", theirs / "opendkim.conf")
    assert (refused.status, zegel("domain", "list", "--json").json) == (1, [])
    assert "--skip-broken" in refused.errors
    assert "can be read by everybody" in refused.text
    assert zegel("import", "opendkim", theirs / "opendkim.conf", "--skip-broken").status == 0
    assert states(zegel) == {"mail a.example": "active"}


def test_dns_that_does_not_answer_lets_nothing_sign(zegel: Run, data: Path, zone: Path, theirs: Path) -> None:
    (data / "zegel.toml").write_text('[dns]\nnameservers = ["127.0.0.1"]\ntimeout = 0.01\ntries = 1\n[limits]\ndns_seconds = 0.05\n')
    assert "no answer" in zegel("import", "opendkim", theirs / "opendkim.conf").text
    assert set(states(zegel).values()) == {"pending"}


def test_one_file(zegel: Run, zone: Path, theirs: Path) -> None:
    assert zegel("import", "pem", "a.example", "mail", theirs / "0.private").status == 0
    assert states(zegel) == {"mail a.example": "active"}
    assert zegel("import", "pem", "a.example", "other", theirs / "1.private", "--no-dns-check").status == 0
    assert states(zegel) == {"mail a.example": "active", "other a.example": "pending"}
    wrong = zegel("import", "pem", "a.example", "other", theirs / "0.private")
    assert (wrong.status, "another key other of a.example" in wrong.text) == (1, True)
    none = zegel("import", "pem", "a.example", "x", theirs / "none")
    assert (none.status, f"there is no file {theirs / 'none'}; name the right one" in none.errors) == (2, True)


def test_rspamd(zegel: Run, zone: Path, theirs: Path) -> None:
    (theirs / "dkim_signing.conf").write_text(
        f'use_esld = false; try_fallback = false; domain {{ a.example {{ path = "{theirs}/0.private"; selector = "mail"; }} }}\n'
    )
    assert zegel("import", "rspamd", theirs / "dkim_signing.conf").status == 0
    assert states(zegel) == {"mail a.example": "active"}
    (theirs / "dkim_signing.conf").write_text("domain {\n")
    broken = zegel("import", "rspamd", theirs / "dkim_signing.conf")
    assert (broken.status, "dkim_signing.conf:2" in broken.errors) == (2, True)


@pytest.mark.parametrize("program", ["opendkim", "rspamd"])
def test_what_goes_out_comes_back(zegel: Run, zone: Path, theirs: Path, tmp_path: Path, program: str) -> None:
    zegel("import", "opendkim", theirs / "opendkim.conf", "--no-dns-check")
    zegel("key", "new", "b.example", "--algorithm", "ed25519", "--selector", "ed")
    zegel("key", "activate", "b.example", "ed", "--no-dns-check")
    out = tmp_path / "out"
    done = zegel("export", program, out)
    assert (done.status, done.errors) == (0, "")
    assert "can sign mail in the name of these domains" in done.text.replace("\n  ", " ")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in out.rglob("*") if path.is_file()}
    assert (modes, stat.S_IMODE(out.stat().st_mode)) == ({0o600}, 0o700)
    again = zegel("export", program, out)
    assert (again.status, "is there already" in again.errors) == (2, True)
    assert [line.split()[4:6] for line in zegel("audit").text.splitlines() if "  export  " in line] == [["export", program]]
    before = states(zegel)
    shutil.rmtree(zone.parent / "data")
    names = {"opendkim": ("opendkim.conf", "opendkim-ed25519.conf"), "rspamd": ("dkim_signing.conf",)}[program]
    for name in names:
        back = zegel("import", program, out / name, "--no-dns-check")
        assert back.status == 0, back.text
    assert states(zegel) == before


def test_a_pem_file_goes_out_once(zegel: Run, zone: Path, theirs: Path, tmp_path: Path) -> None:
    zegel("import", "pem", "a.example", "mail", theirs / "0.private")
    out = tmp_path / "out.pem"
    assert zegel("export", "pem", "a.example", "mail", out).status == 0
    assert (out.read_bytes(), stat.S_IMODE(out.stat().st_mode)) == (pem(0), 0o600)
    again = zegel("export", "pem", "a.example", "mail", out)
    assert (again.status, "is there already" in again.errors) == (2, True)
    assert zegel("export", "pem", "a.example", "none", tmp_path / "x").status == 2
    assert zegel("audit").text.count("  export  ") == 1


@pytest.mark.parametrize("name", ["with space", "a#b", "a%b", "a:b"])
def test_a_folder_that_their_files_cannot_name(zegel: Run, zone: Path, tmp_path: Path, name: str) -> None:
    assert zegel("export", "opendkim", tmp_path / name).status == 2
    assert not (tmp_path / name).exists()


def test_nothing_signs_so_nothing_goes_out(zegel: Run, zone: Path, tmp_path: Path) -> None:
    assert zegel("export", "rspamd", tmp_path / "out").status == 2
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_root_reads_the_keys_and_goes_on_as_the_owner(zone: Path, data: Path, theirs: Path, tmp_path: Path) -> None:
    # The folder of pytest is closed to others.
    place = Path(f"/tmp/zegel-moving-{os.getpid()}")
    try:
        shutil.copytree(data, place)
        (place / "zegel.toml").unlink()
        for path in (place, *place.rglob("*")):
            os.chown(path, 65534, 65534)
        # The first run loads all that is loaded late: another user may not be let in to where this Python is.
        code = "import sys; from zegel.cli.main import run; sys.exit(max(run(['--data', data, *sys.argv[3:]]) for data in sys.argv[1:3]))"
        command = [sys.executable, "-c", code, str(tmp_path / "other"), str(place), "import", "opendkim", str(theirs / "opendkim.conf")]
        environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
        done = subprocess.run([*command, "--no-dns-check"], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert {path.stat().st_uid for path in (place, *place.rglob("*"))} == {65534}
    finally:
        shutil.rmtree(place, ignore_errors=True)
