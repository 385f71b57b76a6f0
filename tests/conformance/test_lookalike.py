"""False alarms of the look-alike rules, over every author that the suites' messages and reports have: at most one in a thousand."""

from __future__ import annotations

import gzip
import io
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from functools import cache

from support import cases
from support.organisations import PARTNERS
from zegel.dkim.header import Header
from zegel.dmarc.psl import organizational_domain
from zegel.grammar.domain import Domain
from zegel.verdict.author import read_author
from zegel.verdict.lookalike import LookAlikes

# Not example.be: the suites' made-up authors of example.com and example.net do imitate that.
OURS = (Domain("hetwittepaard.be"), Domain("gemeente-zandhoven.be"), Domain("kasteelbrouwerij.com"))
FOLDERS = ("arc", "attacks", "authres", "dkim", "dmarc", "mime", "reports")
_FROM = re.compile(rb"^[ >]*(from[ \t]*:.*(?:\n[ \t]+.+)*)", re.IGNORECASE | re.MULTILINE)
_REPORTED = re.compile(rb"<header_from>\s*([^<\s]{1,253})\s*</header_from>")
# Facebook's mail does come from another domain than its name. A partner's own sending domains belong on the list.
ALARMS = {("facebookmail.com", "display_name", "facebook.com"): 1}


def texts() -> Iterator[bytes]:
    """All files of the suites, unpacked."""
    for folder in FOLDERS:
        for path in sorted(cases.suite(folder).rglob("*")):
            data = path.read_bytes() if path.is_file() else b""
            if data[:4] == b"PK\x03\x04":
                with zipfile.ZipFile(io.BytesIO(data)) as archive:
                    yield from (archive.read(name) for name in archive.namelist())
            elif data[:2] == b"\x1f\x8b":
                try:
                    yield gzip.decompress(data)
                except (OSError, EOFError, zlib.error):
                    continue
            else:
                yield data


@cache
def authors() -> tuple[tuple[Domain, str], ...]:
    """Domain and display name of every author: of messages, those within messages and reports, and the rows of aggregate reports."""
    found: list[tuple[Domain, str]] = []
    for text in texts():
        for match in _FROM.finditer(text.replace(b"\r\n", b"\n")):
            author = read_author(Header(match[1].replace(b"\n", b"\r\n")))
            if author.domain is not None:
                found.append((author.domain, author.display_name))
        for match in _REPORTED.finditer(text):
            try:
                found.append((Domain.parse(match[1]), ""))
            except ValueError:
                continue
    return tuple(found)


def test_at_most_one_false_alarm_in_a_thousand() -> None:
    lookalikes = LookAlikes(OURS, PARTNERS, organizational=organizational_domain, names={OURS[1]: ["Gemeente Zandhoven"]})
    found = [(seen, alarm.kind.id, alarm.ours) for seen, name in authors() for alarm in lookalikes.find(seen, name)]
    assert Counter(found) == ALARMS
    assert len(authors()) > 2500
    assert len(set(authors())) > 60
    assert 1000 * len(found) <= len(authors())


def test_the_measure_can_fail() -> None:
    """The same authors with a name of ours that many of them resemble."""
    lookalikes = LookAlikes([Domain("exemple.com")], organizational=organizational_domain)
    assert sum(len(lookalikes.find(seen, name)) for seen, name in authors()) > 2000


def test_organisations_that_are_listed_do_not_imitate_each_other() -> None:
    """Each of the two hundred as a sender, the others listed: what is told are brothers and neighbours that chance made so."""
    kinds: Counter[str] = Counter()
    told = set()
    for seen in PARTNERS:
        others = [domain for domain in PARTNERS if domain != seen]
        for alarm in LookAlikes([], others, organizational=organizational_domain).find(seen):
            kinds[alarm.kind.id] += 1
            told.add((str(seen), str(alarm.ours)) if alarm.kind.id != "swapped_tld" else seen.partition(".")[0])
    assert told == {
        *("amazon", "docusign", "coolblue", "orange"),
        ("wikipedia.org", "wikimedia.org"),
        ("wikimedia.org", "wikipedia.org"),
        ("antwerpen.be", "uantwerpen.be"),
        ("uantwerpen.be", "antwerpen.be"),
    }
    assert len(PARTNERS) == len(set(PARTNERS)) == 222
