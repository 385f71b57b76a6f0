"""The page of what ``zegel check`` looks at, from the tables of points themselves."""

from __future__ import annotations

from zegel.check.bimi import BimiPoint
from zegel.check.dkimpoints import DkimPoint
from zegel.check.dmarcpoints import DmarcPoint
from zegel.check.item import Point
from zegel.check.mx import MxPoint
from zegel.check.parked import ParkedPoint
from zegel.check.reports import ReportsPoint
from zegel.check.shared import services
from zegel.check.spfpoints import SpfPoint
from zegel.check.transportpoints import TransportPoint

_TABLES: tuple[tuple[str, str, type[Point]], ...] = (
    ("Mail servers", "Where the domain's mail goes, and whether names and addresses fit.", MxPoint),
    ("SPF", "The record, with all that it leads to.", SpfPoint),
    ("DKIM", "The keys of the selectors that are known.", DkimPoint),
    ("DMARC", "The record that holds, as a receiver finds it.", DmarcPoint),
    ("DMARC reports", "Where the reports go.", ReportsPoint),
    ("Transport", "What keeps mail to the domain from being read on its way.", TransportPoint),
    ("BIMI", "The logo, which is optional. Its draft is no RFC: the sections are those of what it builds on.", BimiPoint),
    ("Domain without mail", "Only for a domain that has none, by its own records or by `--parked`.", ParkedPoint),
)
_WRITTEN = "<!-- Written by docs/writers: change the code or the writer, then say make pages. -->"
_ABOUT = """
Every item of `zegel check` has an id that stays the same: it stands in `--json`, and scripts may rely on it. An item ends as `pass`,
`warn`, `fail`, `info` (to know) or `not_tested` (it cannot be told from here, or DNS does not answer now). Some items are there only when
there is something to say. How to read a check is told under [Check a domain](../check.md).
"""
_SHARED = """
`spf.shared` knows these by the names that they tell their customers to include. Of those who host their customers' own programs it warns,
as any of these programs may send.
"""


def page() -> str:
    """The text of checks.md."""
    parts = ["# What a domain is checked for", _WRITTEN, _ABOUT.strip()]
    for title, about, table in _TABLES:
        points = [(f"`{point.id}`", f"{point.sentence[0].upper()}{point.sentence[1:]}.", point.section) for point in table]
        parts += [f"## {title}", about, _table(("Id", "Why it matters", "From"), points)]
    shared = [(service.name, ", ".join(f"`{name}`" for name in names), "yes" if service.hosting else "") for service, names in services()]
    parts += ["## Services that many share", _SHARED.strip(), _table(("Service", "Names", "Hosts customers"), shared)]
    return "\n\n".join(parts) + "\n"


def _table(head: tuple[str, ...], rows: list[tuple[str, str, str]]) -> str:
    return "\n".join(["| " + " | ".join(row) + " |" for row in (head, ("---",) * len(head), *rows)])
