"""What a domain should publish, shown, published and handed over, from the command line. A zone file stands for all name servers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import zegel as front
from zegel.ask import Question, RRType

from .conftest import Run


@pytest.fixture
def site(zegel: Run, data: Path, tmp_path: Path) -> Path:
    """A store with two domains and a key, whose DNS is an empty zone file."""
    zone = tmp_path / "dns.zone"
    zone.write_text('example.be. 300 IN TXT "google=1"\n')
    assert zegel("init").status == 0
    config = data / "zegel.toml"
    config.write_text(config.read_text().replace('#zone = ""', f'zone = "{zone}"'))
    for name in ("example.be", "agency.be"):
        assert zegel("domain", "add", name).status == 0
    assert zegel("key", "new", "example.be", "--selector", "sel").status == 0
    plan = ("--egress", "192.0.2.25", "--policy", "none", "--rua", "dmarc@agency.be", "--mta-sts", "testing", "--mx", "mail.example.be")
    assert zegel("domain", "plan", "example.be", *plan).status == 0
    return zone


def test_every_record_in_every_spelling(zegel: Run, site: Path) -> None:
    lines = zegel("domain", "records", "example.be", "--format", "zone").text
    assert front.Zone.parse(lines).answer(Question("_dmarc.example.be", RRType.TXT)).records == (
        b"v=DMARC1; p=none; rua=mailto:dmarc@agency.be",
    )
    rows = [line.split("\t") for line in zegel("domain", "records", "example.be", "--format", "relative").text.splitlines()]
    assert [row[0] for row in rows] == ["sel._domainkey", "@", "_dmarc", "example.be._report._dmarc.agency.be.", "_mta-sts"]
    assert {row[1] for row in rows} == {"TXT"}
    split = zegel("domain", "records", "example.be", "--format", "split").text.splitlines()[0].split("\t")[2]
    assert [len(part) for part in re.findall('"([^"]*)"', split)] == [255, len(rows[0][2]) - 255]
    assert (
        zegel("domain", "records", "example.be", "--format", "value").text.splitlines()[0]
        == f"sel._domainkey.example.be\tTXT\t{rows[0][2]}"
    )
    found = zegel("domain", "records", "example.be", "--format", "json", "--zone", "be").json["records"]
    assert [(one["purpose"], one["relative_name"]) for one in found][:2] == [("dkim", "sel._domainkey.example"), ("spf", "example")]
    people = zegel("domain", "records", "example.be").text
    assert "DMARC: what receivers do" in people
    assert "mode: testing" in people


def test_a_plan_grows_option_by_option_and_begins_anew(zegel: Run, site: Path) -> None:
    assert zegel("domain", "plan", "example.be", "--policy", "reject", "--json").json["plan"]["egress"] == ["192.0.2.25"]
    assert zegel("domain", "plan", "example.be", "--egress", "", "--json").json["plan"]["egress"] == []
    assert zegel("domain", "plan", "example.be", "--mta-sts", "off", "--json").json["plan"]["mta_sts"] is None
    parked = zegel("domain", "plan", "example.be", "--clear", "--parked")
    assert "0 ." in parked.text
    assert zegel("domain", "plan", "example.be", "--policy", "none").status == 2
    assert "Nothing is planned" in zegel("domain", "plan", "agency.be").text


def test_an_spf_record_of_too_many_look_ups_is_said(zegel: Run, site: Path) -> None:
    terms = " ".join(f"a:h{n}.big.example" for n in range(9))
    site.write_text(f'big.example. 300 IN TXT "v=spf1 {terms} -all"\n')
    said = zegel("domain", "plan", "example.be", "--include", "big.example", "--include", "none.example").text
    assert "costs 11 look-ups, and with more than 10" in said
    assert "big.example 10, none.example 1" in said
    assert "none.example has no SPF record" in said
    fine = zegel("domain", "plan", "example.be", "--include", "big.example").text
    assert "costs 10 look-ups of 10" in fine


def test_published_is_said_after_reading_back_only(zegel: Run, site: Path) -> None:
    """By hand: what is to be entered is shown, and it is published when the servers have it, not before."""
    dry = zegel("domain", "publish", "example.be", "--dry-run")
    assert (dry.status, dry.text.count("\n+ "), dry.text.count("by hand")) == (0, 4, 5)
    first = zegel("domain", "publish", "example.be")
    assert first.status == 1
    assert "published, and read back" not in first.text
    assert "0 of 5 records" in first.text
    site.write_text(site.read_text() + zegel("domain", "records", "example.be", "--format", "zone").text)
    second = zegel("domain", "publish", "example.be")
    assert second.status == 0
    assert "published, and read back from every name server: 5 records" in second.text


def test_where_nothing_is_known_it_is_said_with_the_next_step(zegel: Run, site: Path, data: Path) -> None:
    config = data / "zegel.toml"
    online = config.read_text().replace(f'zone = "{site}"', 'nameservers = ["127.0.0.1:9"]\ntimeout = 0.2\ntries = 1')
    config.write_text(online)
    for options in ((), ("--dry-run",)):
        said = zegel("domain", "publish", "agency.be", *options)
        assert said.status == 0
        for word in ("neither a key nor a plan", "zegel key new agency.be", "zegel domain plan agency.be --egress"):
            assert word in " ".join(said.text.split())
        assert "Nothing is to be changed" not in said.text
    for options in ((), ("--dry-run",)):
        silent = zegel("domain", "publish", "example.be", *options)
        assert silent.status == 1
        assert "of 5 records it is not known what DNS has" in " ".join(silent.text.split())
        assert "Nothing is to be changed" not in silent.text


def test_a_key_without_a_plan_is_told_of(zegel: Run, site: Path) -> None:
    assert zegel("key", "new", "agency.be", "--selector", "sel").status == 0
    assert "SPF, DMARC and the others are not planned yet" in " ".join(zegel("domain", "publish", "agency.be", "--dry-run").text.split())
    assert "not planned yet" not in zegel("domain", "publish", "example.be", "--dry-run").text


def test_a_foreign_record_is_named(zegel: Run, site: Path) -> None:
    site.write_text('_dmarc.example.be. 300 IN TXT "v=DMARC1; p=reject"\n')
    dry = zegel("domain", "publish", "example.be", "--dry-run")
    assert dry.status == 1
    assert "another record stands at _dmarc.example.be: v=DMARC1; p=reject" in dry.text
    assert "- _dmarc.example.be. TXT v=DMARC1; p=reject" in zegel("domain", "publish", "example.be", "--dry-run", "--replace").text


def test_the_file_of_a_zone(zegel: Run, site: Path, data: Path, tmp_path: Path) -> None:
    """All records of all domains in the zone, whole or not at all; the owner of the zone loads it."""
    file = tmp_path / "zegel.agency.be"
    config = data / "zegel.toml"
    config.write_text(config.read_text() + f'\n[[zone]]\nname = "agency.be"\nway = "file"\nfile = "{file}"\n')
    assert zegel("domain", "plan", "agency.be", "--parked").status == 0
    said = zegel("domain", "publish", "agency.be")
    assert said.status == 1
    assert f"the file {file} is written" in said.text
    text = file.read_text()
    assert front.Zone.parse("$ORIGIN agency.be.\n" + text).answer(Question("example.be._report._dmarc.agency.be", RRType.TXT)).records == (
        b"v=DMARC1",
    )
    assert "@ 3600 IN MX 0 ." in text
    assert zegel("domain", "export", "agency.be").text.splitlines()[1:] == text.splitlines()[1:]
    other = tmp_path / "other"
    assert zegel("domain", "export", "agency.be", "--out", str(other)).status == 0
    assert "has these" in zegel("domain", "export", "agency.be", "--out", str(other)).text
    assert list(tmp_path.glob(".*")) == []
    assert zegel("domain", "export", "elsewhere.be").status == 1
    file.unlink()
    file.mkdir()
    broken = zegel("domain", "publish", "agency.be")
    assert (broken.status, f"zone agency.be: {file}: Is a directory" in broken.text) == (1, True)


def test_a_secret_that_others_can_read_is_refused(zegel: Run, site: Path, data: Path, tmp_path: Path) -> None:
    secret = tmp_path / "tsig"
    secret.write_text("c2VjcmV0")
    secret.chmod(0o644)
    config = data / "zegel.toml"
    lines = f'name = "example.be"\nway = "rfc2136"\nserver = "127.0.0.1:9"\ntsig_name = "k"\ntsig_secret_file = "{secret}"\n'
    config.write_text(config.read_text() + f"\n[[zone]]\n{lines}")
    said = zegel("domain", "publish", "example.be")
    assert said.status == 1
    assert f"chmod 600 {secret}" in said.text
    assert "c2VjcmV0" not in said.text + said.errors


def test_selectors_of_others_are_listed_and_watched(zegel: Run, site: Path) -> None:
    assert zegel("domain", "selector", "add", "example.be", "selector1", "--service", "Microsoft 365").status == 0
    assert zegel("domain", "selector", "add", "example.be", "sel").status == 2
    (row,) = zegel("domain", "selector", "list", "--json").json
    assert (row["selector"], row["service"], row["outcome"], row["difference"]) == ("selector1", "Microsoft 365", "absent", "no_name")
    assert "there is no key record at selector1._domainkey.example.be" in zegel("domain", "selector", "list", "example.be").text
    assert "selector1._domainkey.example.be  (Microsoft 365)" in zegel("domain", "records", "example.be").text
    assert "selector1" not in zegel("domain", "records", "example.be", "--format", "value").text
    assert zegel("domain", "selector", "remove", "example.be", "selector1").status == 0
    assert "No selectors" in zegel("domain", "selector", "list").text


def test_the_hand_off_page_runs_nothing_and_loads_nothing(zegel: Run, site: Path, tmp_path: Path) -> None:
    """What strangers wrote into DNS is text there, and nothing else."""
    site.write_text('_dmarc.example.be. 300 IN TXT "v=DMARC1; p=<script>alert(1)</script>\\027"\n')
    page = tmp_path / "page.html"
    made = zegel("domain", "handoff", "example.be", "--html", str(page), "--contact", "Ann <ann@agency.be>")
    assert made.status == 0
    html = page.read_text()
    assert not re.search(r"<(?:script|img|link|iframe|object|base|form)\b|\bon\w+=|url\(|@import|src=|href=", html)
    assert "default-src 'none'" in html
    assert "&lt;script&gt;" in html
    assert "Ann &lt;ann@agency.be&gt;" in html
    assert "\x1b" not in html
    assert "sel._domainkey</code>" in html
    assert "agency.be._report" not in html  # the consent is for the owner of the other zone
    assert "0 of 4 are as they should be" in html
    assert "mode: testing" in html


def test_the_hand_off_as_text(zegel: Run, site: Path) -> None:
    text = zegel("domain", "handoff", "example.be").text
    for line in (
        "   Name: sel._domainkey",
        "   Full name: _dmarc.example.be",
        "   Value: v=spf1 ip4:192.0.2.25 ~all",
        "1. DKIM key: not there yet",
    ):
        assert line in text.splitlines()
    copied = ("   Value: ", "   In pieces", "      ")
    assert max(len(line) for line in text.splitlines() if not line.startswith(copied)) <= 76, "a mail program would break it"
    site.write_text(zegel("domain", "records", "example.be", "--format", "zone").text)
    assert "not there yet" not in zegel("domain", "handoff", "example.be", "--text").text
