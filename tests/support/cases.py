"""The conformance suites that others wrote: where they are, and readers for their formats.

``ZEGEL_CASES`` says where (default ``../shared/cases`` beside the repository). Files that git gave LF line ends are fed with CRLF, as a
milter would. DNS is data in every suite: each reader makes a :class:`zegel.Zone`, and nothing asks the network.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import zegel

# The key records of the RFCs' examples, which several suites use: RFC 6376 C and RFC 8463 A.2.
RFC6376_KEY = (
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYtIxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/R"
    "tdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhitdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB"
)
RFC8463_RSA_KEY = (
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/"
    "e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB"
)
RFC8463_ED25519_KEY = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
RFC_RECORDS = {
    "brisbane._domainkey.example.com": f"v=DKIM1; p={RFC6376_KEY}",
    "test._domainkey.football.example.com": f"v=DKIM1; k=rsa; p={RFC8463_RSA_KEY}",
    "brisbane._domainkey.football.example.com": f"v=DKIM1; k=ed25519; p={RFC8463_ED25519_KEY}",
}
ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("ZEGEL_CASES", "") or ROOT / ".." / "shared" / "cases").resolve()


class Difference(NamedTuple):
    """Where we and a suite differ: what it says, what we say, and whose word we follow."""

    suite: str
    ours: str
    because: str


class Case(NamedTuple):
    """A message, the DNS that goes with it, and a name for the test report."""

    name: str
    message: bytes
    zone: zegel.Zone


def suite(name: str) -> Path:
    """The folder of one suite; without it the module is skipped, or fails where everything is promised."""
    folder = FOLDER / name
    if not folder.is_dir():
        reason = f"no conformance suite at {folder}; set ZEGEL_CASES to the folder that holds them"
        if os.environ.get("ZEGEL_REQUIRE_SERVERS") == "1" or os.environ.get("CI"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason, allow_module_level=True)
    return folder


def crlf(data: bytes) -> bytes:
    """The same text with CRLF at every line end, whichever it had."""
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def message(path: Path) -> bytes:
    """A message as a milter would see it."""
    return crlf(path.read_bytes())


def load(path: Path) -> Any:
    """A JSON file."""
    return json.loads(path.read_text("utf-8"))


def words(results: list[zegel.DkimResult]) -> str:
    """The results as words, "none" for an unsigned message: ``pass`` or ``permerror:key_revoked``."""
    return " ".join(f"{r.status}" if r.status is zegel.DkimStatus.PASS else f"{r.status}:{r.reason}" for r in results) or "none"


def txt_zone(records: Mapping[str, str | zegel.Rcode]) -> zegel.Zone:
    """A zone of TXT records, one a name."""
    return zegel.Zone.from_dict({(name, "TXT"): value if isinstance(value, zegel.Rcode) else [value] for name, value in records.items()})


# --- chasquid: NN.msg, NN.dns, NN.result


def chasquid(path: Path) -> Case:
    """A chasquid case by the path of its ``.msg``. Its side files may hold the name of another file instead (a symbolic link in git)."""
    text = chasquid_file(path) or ""
    return Case(path.stem, crlf(text.encode("utf-8")), _chasquid_zone(path.with_suffix(".dns")))


def chasquid_file(path: Path) -> str | None:
    """The text of a side file, links followed, or None."""
    if not path.is_file():
        return None
    text = path.read_text("utf-8")
    if re.fullmatch(r"[\w.-]+", text):
        return (path.parent / text).read_text("utf-8")
    return text


def _chasquid_zone(path: Path) -> zegel.Zone:
    text = (chasquid_file(path) or "").replace("\\\n", "")
    records: dict[tuple[str, str], Any] = {}
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if not colon or line.startswith("#"):
            continue
        value = value.strip()
        if value in ("TEMPERROR", "PERMERROR"):
            # A permanent DNS error there is "no such host" of Go's resolver.
            records[name, "TXT"] = zegel.Rcode.SERVFAIL if value == "TEMPERROR" else zegel.Rcode.NXDOMAIN
        else:
            records.setdefault((name, "TXT"), []).append(value)
    return zegel.Zone.from_dict(records)


# --- Mail::DKIM: cases.json, corpus/


def mail_dkim_zone(dns: Mapping[str, Mapping[str, Any]]) -> zegel.Zone:
    """The zone of the Mail::DKIM suite: ``{"txt": ...}``, ``{"nxdomain": true}`` or ``{"error": "SERVFAIL" | "Query timed out"}``."""
    records: dict[str, str | zegel.Rcode] = {}
    for name, value in dns.items():
        if "txt" in value:
            # Its DNS file quotes one empty record as a zone file would.
            records[name] = "" if value["txt"] == '""' else value["txt"]
        elif "error" in value:
            records[name] = zegel.Rcode.SERVFAIL if value["error"] == "SERVFAIL" else zegel.Rcode.TIMEOUT
    return txt_zone(records)


# --- stalwart mail-auth: DNS lines, an empty line, the message


def mail_auth(path: Path) -> Case:
    """A mail-auth case: lines ``name record``, an empty line, then the message."""
    head, _, rest = path.read_bytes().replace(b"\r\n", b"\n").partition(b"\n\n")
    records: dict[str, str | zegel.Rcode] = {}
    for line in head.decode().splitlines():
        name, _, record = line.partition(" ")
        records[name] = record
    return Case(path.stem, crlf(rest), txt_zone(records))
