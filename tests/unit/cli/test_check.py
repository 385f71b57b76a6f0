"""``zegel check``: for people, for programs, one domain and many, and what is wrong with the arguments."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support import cases

from .conftest import Run

ZONE = f"""\
good.example. MX 10 mx.good.example.
good.example. TXT "v=spf1 mx -all"
mx.good.example. A 192.0.2.1
1.2.0.192.in-addr.arpa. PTR mx.good.example.
z1._domainkey.good.example. TXT "v=DKIM1; k=rsa; " "p={cases.RFC8463_RSA_KEY}"
mail._domainkey.good.example. TXT "v=DKIM1; k=rsa; " "p={cases.RFC6376_KEY}"
_dmarc.good.example. TXT "v=DMARC1; p=reject; rua=mailto:a@good.example"
bad.example. MX 10 mx.good.example.
bad.example. TXT "v=spf1 a:gone.example include:gone.example ?all"
_dmarc.bad.example. TXT "v=DMARC1; pct=50; p=none; rua=mailto:a@bad.example"
parked.example. MX 0 .
parked.example. TXT "v=spf1 -all"
*._domainkey.parked.example. TXT "v=DKIM1; p="
_dmarc.parked.example. TXT "v=DMARC1; p=reject; rua=mailto:a@good.example"
*._report._dmarc.good.example. TXT "v=DMARC1;"
"""


@pytest.fixture
def zone(tmp_path: Path) -> Path:
    file = tmp_path / "zone"
    file.write_text(ZONE)
    return file


def test_a_good_domain(zegel: Run, zone: Path) -> None:
    ended = zegel("check", "good.example", "--selector", "z1", "--zone", zone)
    assert (ended.status, ended.errors) == (0, "")
    lines = ended.text.splitlines()
    assert lines[:2] == ["good.example: is it DKIM-proof?", "✓ Yes: its keys hold, and forged mail is kept out."]
    headings = ["Mail servers", "SPF", "DKIM", "DMARC", "DMARC reports", "Transport", "BIMI"]
    assert [line for line in lines if line in headings] == headings
    assert "✓ good.example has one SPF record" in lines
    assert "    v=spf1 mx -all" in lines
    assert "! z1: an RSA key of 1024 bits; 2048 are advised (RFC 8301 3.2)" in lines
    assert "? STARTTLS and certificates are not tested: no mail server is connected to" in " ".join(lines).replace("\n", " ")
    assert lines[-1].endswith("not tested.")
    assert zegel("check", "good.example", "--selector", "z1", "--zone", zone, "--strict").status == 1


def test_what_is_wrong_and_the_record_that_mends_it(zegel: Run, zone: Path) -> None:
    ended = zegel("check", "bad.example", "--zone", zone)
    assert ended.status == 1
    lines = ended.text.splitlines()
    assert lines[1].startswith("✗ No: ")
    place = lines.index("    Publish as TXT at bad.example:")
    assert lines[place + 1] == "    v=spf1 ~all"
    assert "    The record above mends this too." in lines[place:]
    policy = lines.index("    Publish as TXT at _dmarc.bad.example:")
    assert lines[policy + 1] == "    v=DMARC1; p=none; rua=mailto:a@bad.example"
    assert "    v=DMARC1; p=quarantine; rua=mailto:a@bad.example" in lines[policy + 2 :]
    assert "  ├─ ! a:gone.example  [1]  does not exist" in lines
    assert "  └─ ✗ include:gone.example  [1]  does not exist" in lines
    assert "zegel check bad.example --selector NAME" in " ".join(ended.text.split())


def test_a_name_that_does_not_exist_is_asked_about_first(zegel: Run, zone: Path, data: Path) -> None:
    ended = zegel("check", "goood.example", "--zone", zone)
    assert ended.status == 1
    assert "The name does not exist: is it typed right?" in ended.text.splitlines()[1]
    assert "Publish as" not in ended.text
    zegel("init")
    zegel("domain", "add", "goood.example")
    assert "Publish as" in zegel("check", "goood.example", "--zone", zone).text


def test_a_record_to_copy_is_never_wrapped(zegel: Run, tmp_path: Path) -> None:
    terms = " ".join(f"ip4:192.0.2.{number}" for number in range(20))
    file = tmp_path / "long"
    file.write_text(f'long.example. TXT "v=spf1 {terms[:130]}" "{terms[130:]} ?all"\n')
    ended = zegel("check", "long.example", "--zone", file)
    assert f"    v=spf1 {terms} ~all\n" in ended.text


def test_many_domains_a_line_each(zegel: Run, zone: Path, tmp_path: Path) -> None:
    file = tmp_path / "domains"
    file.write_text("# ours\ngood.example\n\nBAD.example.  # this one too\nparked.example\ngood.example\n")
    ended = zegel("check", "--file", file, "--selector", "z1", "--zone", zone)
    assert ended.status == 1
    lines = ended.text.splitlines()
    assert [line.split()[:3] for line in lines[:3]] == [
        ["✓", "good.example", "yes"],
        ["✗", "bad.example", "no"],
        ["✓", "parked.example", "yes"],
    ]
    assert "spf.include" in lines[1]
    assert "dmarc.policy" in lines[1], "what stands against it, too"
    assert lines[0] == lines[0].rstrip()
    assert lines[4] == "3 domains: 2 DKIM-proof, 1 not, 0 not told; 1 with something wrong."
    again = zegel("check", "--file", "-", "--selector", "z1", "--zone", zone, stdin=b"good.example\n")
    assert again.text.startswith("good.example: is it DKIM-proof?")


def test_for_programs(zegel: Run, zone: Path) -> None:
    ended = zegel("check", "good.example", "parked.example", "--json", "--zone", zone)
    good, parked = (json.loads(line) for line in ended.text.splitlines())
    assert (good["domain"], good["dkim_proof"]) == ("good.example", "unknown")
    assert (parked["parked"], parked["against"]) == (True, [])
    ids = {item["id"] for item in good["items"]}
    assert {"spf.record", "spf.lookups", "dkim.selectors", "dmarc.policy", "reports.rua", "transport.dnssec", "bimi.record"} <= ids


def test_selectors_are_guessed_when_asked_to(zegel: Run, zone: Path) -> None:
    assert "selectors that were guessed: mail" in zegel("check", "good.example", "--guess", "--zone", zone).text
    assert "no selector of this domain is known here" in zegel("check", "good.example", "--zone", zone).text


def test_our_own_keys_are_known(zegel: Run, zone: Path) -> None:
    zegel("domain", "add", "good.example")
    zegel("key", "new", "good.example", "--selector", "z1x")
    # A key that waits for its record is none yet.
    assert "z1x" not in zegel("check", "good.example", "--zone", zone).text
    assert zegel("key", "activate", "good.example", "z1x", "--force").status == 0
    assert "✗ z1x: z1x._domainkey.good.example has no key" in zegel("check", "good.example", "--zone", zone).text


def test_a_store_that_cannot_be_opened_is_no_hindrance(zegel: Run, zone: Path, data: Path) -> None:
    zegel("init")
    data.chmod(0o777)
    ended = zegel("check", "good.example", "--selector", "z1", "--zone", zone)
    assert ended.status == 0
    assert "others can write in the data folder" in ended.errors
    assert ended.text.startswith("good.example: is it DKIM-proof?\n✓ Yes")


def test_parked_by_the_word_of_its_owner(zegel: Run, zone: Path) -> None:
    ended = zegel("check", "good.example", "--parked", "--zone", zone)
    assert ended.status == 1
    assert "Domain without mail" in ended.text.splitlines()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "name a domain to check"),
        (("not a name",), "'not a name' is no domain name"),
        (("example.be", "--selector", "a b"), "'a b' cannot be a selector"),
        (("--file", "/nowhere/at/all"), "/nowhere/at/all cannot be read"),
        (("example.be", "--html", "/nowhere/at/all.html"), "there is no folder /nowhere/at"),
        (("example.be", "--html", "/"), "/ is a folder"),
    ],
)
def test_wrong_arguments(zegel: Run, arguments: tuple[str, ...], said: str) -> None:
    ended = zegel("check", *arguments)
    assert ended.status == 2
    assert said in ended.errors
    assert ended.errors.count("\n") == 1


def test_a_line_that_is_no_domain_is_named(zegel: Run, tmp_path: Path) -> None:
    file = tmp_path / "domains"
    file.write_text("good.example\nnot a name\n")
    ended = zegel("check", "--file", file)
    assert ended.status == 2
    assert f"{file}:2: 'not a name' is no domain name" in ended.errors
    file.write_bytes(b"\xff\xfe\x00")
    assert "is not text" in zegel("check", "--file", file).errors


def test_what_strangers_write_does_not_steer_the_terminal(zegel: Run, tmp_path: Path) -> None:
    file = tmp_path / "zone"
    file.write_text('evil.example. TXT "v=spf1 \\027[31m -all"\n_dmarc.evil.example. TXT "v=DMARC1; p=\\027]0;x\\007"\n')
    ended = zegel("check", "evil.example", "--zone", file)
    assert "\x1b" not in ended.text
    assert "\x07" not in ended.text


def test_the_page_is_in_the_language_of_its_reader(zegel: Run, zone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.html"

    def written(*options: str, what: tuple[str | Path, ...] = ("bad.example",)) -> str:
        ended = zegel("check", *what, "--html", page, "--zone", zone, *options)
        assert (ended.status, "The report is in" in ended.text) == (1, True), "what is shown stays in the language of the command line"
        return page.read_text()

    english, dutch = written(), written("--language", "nl")
    assert ('lang="en"' in english, "What to do" in english) == (True, True)
    assert ('lang="nl"' in dutch, "What to do" in dutch, "Wat te doen" in dutch) == (True, False, True)
    mail = tmp_path / "mail"
    mail.write_bytes(b"From: a@bad.example\r\nSubject: x\r\n\r\nhello\r\n")
    assert 'lang="nl"' in written("--language", "nl", what=("--message", mail, "--ip", "192.0.2.9"))
    refused = zegel("check", "bad.example", "--language", "nl", "--zone", zone)
    assert (refused.status, "goes with --html" in refused.errors) == (2, True)
