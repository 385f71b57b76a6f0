"""The tables of OpenDMARC's own tests: records, alignment and Organizational Domains; and where RFC 9989 reads on.

Its third table, the addresses of From fields, is no part of DMARC: a From that is not plain is refused before anything is judged.
"""

from __future__ import annotations

from typing import Any

import pytest

import zegel
from support import cases
from support.cases import Difference
from zegel.dmarc import record as policy_record
from zegel.dmarc.psl import organizational_domain
from zegel.grammar.domain import Domain

TABLES = cases.load(cases.suite("dmarc") / "opendmarc-tables.json")

_TOLERANT = 'RFC 9989 4.8: "Syntax errors in the remainder of the record MUST be discarded in favor of default values"'
_HISTORIC = "RFC 9989 9.3: the tag is historic; whatever it says is ignored"
RECORDS = {
    "v=DMARC1; p=n;": Difference("OKAY", "p", 'RFC 9989 4.8: dmarc-request = "none" / "quarantine" / "reject", no beginning of one'),
    "v=DMARC1; p=none; adkim=bob;": Difference("BAD_VALUE", "usable", _TOLERANT),
    "v=DMARC1; p=none; aspf=bob;": Difference("BAD_VALUE", "usable", _TOLERANT),
    "v=DMARC1; p=none; rf=bob;": Difference("BAD_VALUE", "usable", _HISTORIC),
    "v=DMARC1; p=none; ri=bob;": Difference("BAD_VALUE", "usable", _HISTORIC),
    "v=DMARC1; p=none; pct=500;": Difference("BAD_VALUE", "usable", _HISTORIC),
    "v=DMARC1; p=none; rf=000000000000000000000000000000000": Difference("BAD_VALUE", "usable", _HISTORIC),
}
OURS = {
    "DMARC_PARSE_OKAY": "usable",
    "DMARC_PARSE_ERROR_EMPTY": "no record",
    "DMARC_PARSE_ERROR_BAD_VERSION": "no record",
    "DMARC_PARSE_ERROR_NO_REQUIRED_P": "p",
}
# Which of p and sp its BAD_VALUE is about, where we agree.
BAD = {"v=DMARC1; p=bob;": "p", "v=DMARC1; p=none; sp=bob;": "sp"}


def word(text: str) -> str:
    """What we make of a record: "no record", "usable", or the tags that keep it from having a policy."""
    found = policy_record.parse(text.encode())
    return "no record" if found is None else " ".join(sorted(found.invalid)) or "usable"


@pytest.mark.parametrize("row", TABLES["record_parse"], ids=lambda row: row["record"])
def test_record(row: dict[str, str]) -> None:
    text, expect = row["record"], row["expect"]
    if text in RECORDS:
        assert (expect.removeprefix("DMARC_PARSE_").removeprefix("ERROR_"), word(text)) == RECORDS[text][:2]
        found = policy_record.parse(text.encode())
        assert found is not None
        assert found.notes, "the owner hears of it"
    else:
        assert word(text) == (BAD[text] if text in BAD else OURS[expect])


_DOTS = "no name has empty labels (RFC 1035 3.1): what is no domain name is not made into one"
ALIGNMENT = {
    ".mac.com.": Difference("True", "False", _DOTS),
    "....mac.com....": Difference("True", "False", _DOTS),
}


@pytest.mark.parametrize("row", TABLES["alignment"], ids=lambda row: f"{row['a']} {row['b']}")
def test_alignment(row: dict[str, Any]) -> None:
    mode = "s" if row["mode"].endswith("STRICT") else "r"
    text = f"v=DMARC1; p=none; adkim={mode}; aspf={mode}"
    top = ".".join(row["b"].strip(".").split(".")[-2:])
    zone = zegel.Zone.from_dict({(f"_dmarc.{name}", "TXT"): [text] for name in {top, row["b"].strip(".")}})
    result = zegel.check_dmarc(row["b"], spf=("pass", row["a"]), dkim=[("pass", row["a"])], resolver=zone)
    assert result.aligned_dkim == (result.aligned_spf,)
    if row["a"] in ALIGNMENT:
        assert (str(row["aligned"]), str(result.aligned_spf)) == ALIGNMENT[row["a"]][:2]
    else:
        assert result.aligned_spf is row["aligned"]


@pytest.mark.parametrize("row", TABLES["org_domain"], ids=lambda row: row["domain"])
def test_organizational_domain(row: dict[str, str]) -> None:
    """It takes the public suffix list, as RFC 7489 did."""
    assert organizational_domain(Domain.parse(row["domain"])) == row["expect"]


def test_the_lists_are_whole() -> None:
    assert {name: len(rows) for name, rows in TABLES.items() if isinstance(rows, list)} == {
        "record_parse": 19,
        "alignment": 10,
        "from_domain": 13,
        "org_domain": 3,
    }
    assert set(RECORDS) | set(BAD) <= {row["record"] for row in TABLES["record_parse"]}
    assert set(ALIGNMENT) <= {row["a"] for row in TABLES["alignment"]}
