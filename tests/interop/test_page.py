"""``docs/interop.md`` says what this run has seen. ``make interop`` writes it."""

from __future__ import annotations

import os
from pathlib import Path

from support.peers import page
from support.peers.matrix import Run
from support.peers.sites import Sites

PAGE = Path(__file__).resolve().parents[2] / "docs" / "interop.md"


def test_the_page_says_what_was_seen(run: Run, sites: Sites) -> None:
    seen = page.render(run, sites)
    if os.environ.get("ZEGEL_WRITE_PAGES") == "1":
        PAGE.write_text(seen, "utf-8")
    written = PAGE.read_text("utf-8")
    assert page.unversioned(written) == page.unversioned(seen), "run make interop, and look at what has changed"


def test_a_newer_release_of_a_peer_alone_changes_nothing() -> None:
    row = "| rspamd | Debian `rspamd` | over HTTP | `3.4-1` |"
    assert page.unversioned(row) == page.unversioned(row.replace("3.4-1", "3.5-1"))
    assert page.unversioned(row) != page.unversioned(row.replace("HTTP", "SMTP"))
    assert page.unversioned("| Zegel | pass (52) |") == "| Zegel | pass (52) |"
