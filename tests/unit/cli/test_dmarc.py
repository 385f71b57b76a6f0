"""``zegel dmarc``: for people and for programs."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Run

RECORD = "v=DMARC1; p=reject; np=quarantine; t=y; pct=50; rua=mailto:a@example.com!5m"


@pytest.fixture
def zone(tmp_path: Path) -> Path:
    file = tmp_path / "zone"
    file.write_text(f'_dmarc.example.com. TXT "{RECORD}"\n_dmarc.two.example. TXT "v=DMARC1"\n_dmarc.two.example. TXT "v=DMARC1; p=none"\n')
    return file


def test_for_people(zegel: Run, zone: Path) -> None:
    options = ("--spf", "pass:example.net", "--dkim", "pass:a.example.com", "--dkim", "fail:example.com")
    ended = zegel("dmarc", "www.example.com", *options, "--zone", zone)
    assert (ended.status, ended.errors) == (0, "")
    lines = ended.text.splitlines()
    assert lines[:5] == [
        "www.example.com: pass",
        "✓ pass: a DKIM signature passes for an aligned domain (DKIM a.example.com)",
        "! SPF pass example.net: does not count",
        "✓ DKIM pass a.example.com: aligned",
        "! DKIM fail example.com: does not count",
    ]
    assert f"The record of example.com: {RECORD}" in ended.text
    assert "Policy: quarantine, applied as none while the domain is testing (t=y)" in lines
    assert "! a historic tag is ignored, but older readers may still follow it (pct=50)" in lines
    assert "Organisational domain: example.com" in lines
    rows = [line.split(maxsplit=2) for line in lines[lines.index("") + 1 :] if " TXT " in line]
    assert [row[0] for row in rows] == [
        "_dmarc.www.example.com",
        "_dmarc.example.com",
        "_dmarc.com",
        "www.example.com",
        "_dmarc.a.example.com",
    ]
    assert [row[2] for row in rows[:2]] == ["no DMARC record (NXDOMAIN)", RECORD]
    assert "7489" not in ended.text


def test_a_failure_names_its_section(zegel: Run, zone: Path) -> None:
    ended = zegel("dmarc", "example.com", "--spf", "softfail:example.com", "--zone", zone)
    assert ended.status == 1
    assert "✗ fail: neither SPF nor a DKIM signature passes (RFC 9989 5.3.5)" in ended.text
    assert "Policy: reject, applied as quarantine" in ended.text


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("example.net", "! none: the author's domain has no DMARC record (RFC 9989 4.10.1)"),
        ("two.example", "several DMARC records: all are ignored"),
        ("a b", "✗ permerror: the author's domain is no domain name (RFC 9989 4.2)"),
        ("\x1b[31m.example", r"\x1b[31m.example: permerror"),
    ],
)
def test_without_a_policy(zegel: Run, zone: Path, name: str, told: str) -> None:
    ended = zegel("dmarc", name, "--zone", zone)
    assert ended.status == 1
    assert told in ended.text
    assert "Policy:" not in ended.text
    assert "\x1b[31m.example" not in ended.text


def test_a_record_that_does_not_apply(zegel: Run, tmp_path: Path) -> None:
    file = tmp_path / "z"
    file.write_text('_dmarc.example.com. TXT "v=DMARC1; p=bob"\n')
    ended = zegel("dmarc", "example.com", "--dkim", "pass:example.com", "--zone", file)
    assert ended.status == 1
    assert "no valid policy and no address for reports" in ended.text.replace("\n  ", " ")
    assert "Policy: none that can be told" in ended.text
    assert "a value that the tag does not allow is ignored (p=bob)" in ended.text


def test_beside_rfc_7489(zegel: Run, zone: Path) -> None:
    ended = zegel("dmarc", "www.example.com", "--dkim", "pass:example.com", "--psl", "--zone", zone)
    rows = [line.split() for line in ended.text.splitlines()]
    assert ["RFC", "9989", "RFC", "7489"] in rows
    assert ["Policy", "quarantine", "reject"] in rows
    assert ["Policy", "applied", "none", "reject"] in rows
    assert "They apply the policy to 50 in 100 failing messages (pct=)." in ended.text
    same = zegel("dmarc", "example.net", "--psl", "--zone", zone)
    assert "✓ Readers of the older RFC 7489 come to the same." in same.text


def test_for_programs(zegel: Run, zone: Path) -> None:
    ended = zegel(
        "dmarc", "example.com", "--spf", "PASS:example.com", "--dkim", "fail:x.example", "--psl", "--zone", zone, "--now", "5", "--json"
    )
    assert ended.status == 0
    assert ended.stdout.count(b"\n") == 1
    found = ended.json
    assert found.pop("explanation").startswith("SPF passes for an aligned domain")
    assert [note["fault"] for note in found.pop("notes")] == ["uri_size", "historic"]
    verdict = {
        "status": "pass",
        "reason": "spf_aligned",
        "policy": "reject",
        "policy_domain": "example.com",
        "organizational_domain": "example.com",
        "aligned_spf": True,
        "aligned_dkim": [False],
    }
    assert found == {
        "author_domain": "example.com",
        **verdict,
        "applied": "quarantine",
        "section": "RFC 9989 5.3.5",
        "record": RECORD,
        "questions": [{"name": "_dmarc.example.com", "type": "TXT", "outcome": "record", "rcode": "NOERROR"}],
        "psl": {**verdict, "applied": "reject", "percentage": 50},
        "differences": ["applied"],
    }
    nothing = zegel("dmarc", "example.net", "--zone", zone, "--json").json
    assert (nothing["status"], nothing["policy"], nothing["record"], nothing["psl"], nothing["differences"]) == (
        "none",
        None,
        None,
        None,
        [],
    )


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("example.com", "--spf", "pass"),
        ("example.com", "--spf", "pass:"),
        ("example.com", "--spf", "good:example.com"),
        ("example.com", "--dkim", "softfail:example.com"),
        ("example.com", "--dkim", "example.com"),
        ("example.com", "example.net"),
    ],
)
def test_misused(zegel: Run, zone: Path, arguments: tuple[str, ...]) -> None:
    ended = zegel("dmarc", *arguments, "--zone", zone)
    assert (ended.status, ended.stdout) == (2, b"")
    assert ended.errors.startswith("zegel: ")
    assert ended.errors.count("\n") == 1
