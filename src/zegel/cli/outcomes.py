"""What others ask, test by test: the profiles that can be named, how their outcomes look, and what goes into a page beside them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zegel.cli import page_file, screen
from zegel.cli.screen import Mark, Refusal
from zegel.cli.words import _, told

if TYPE_CHECKING:
    from zegel.check.message.examine import MessageReport
    from zegel.check.profiles.profile import Outcome, Profile
    from zegel.check.report import Report
    from zegel.check.sheet import Sheet

ALL = "all"
_MARKS = {"pass": Mark.OK, "fail": Mark.WRONG, "not_tested": Mark.UNKNOWN, "not_applicable": Mark.PLAIN}
_MOST_SHEETS = 2000


def named(names: Sequence[str]) -> tuple[Profile, ...]:
    """The profiles of these names, each once; "all" is all of them. Raises Refusal."""
    if not names:
        return ()
    from zegel.check.profiles.known import PROFILES

    for name in names:
        if name not in (*PROFILES, ALL):
            sentence = _("'{text}' is no profile; take one of: {words}")
            raise Refusal(sentence.format(text=name[:100], words=", ".join((*PROFILES, ALL))))
    wanted = PROFILES if ALL in names else dict.fromkeys(names)
    return tuple(PROFILES[name] for name in wanted)


def show(outcomes: Iterable[Outcome]) -> None:
    """Each test with its result, and the verdict in one line."""
    from zegel.check.profiles.profile import RESULTS

    for outcome in outcomes:
        screen.say()
        screen.marked(_MARKS[outcome.result], told(outcome.told))
        width = max(len(line.test.id) for line in outcome.lines)
        for test, result, _items in outcome.lines:
            title = _(test.title) if result in ("pass", "fail") else f"{_(test.title)} ({_(RESULTS[result])})"
            screen.marked(_MARKS[result], f"{test.id:<{width}}  {title}")


def as_json(outcome: Outcome) -> dict[str, Any]:
    """An outcome as values for JSON."""
    lines = [
        {
            "id": test.id,
            "title": test.title,
            "need": str(test.need),
            "result": str(result),
            "items": sorted({item.id for item in items}),
            "note": test.note if result == "not_tested" else "",
        }
        for test, result, items in outcome.lines
    ]
    return {"profile": outcome.profile.name, "result": str(outcome.result), "explanation": str(outcome.told), "tests": lines}


class Beside:
    """What is made of reports beside what is shown: the outcomes of profiles, and an HTML file of all sheets, in its reader's language."""

    def __init__(self, names: Sequence[str], html: Path | None, *, now: float | None = None, language: str | None = None) -> None:
        if language is not None and html is None:
            raise Refusal(_("--language is that of the page; it goes with --html"))
        if html is not None:
            page_file.expect(html)
        self.profiles, self._html, self._language = named(names), html, language
        self._now = time.time() if now is None else now
        self._sheets: list[Sheet] = []
        self.failed = False  # a profile that was asked for is not met

    def domain(self, report: Report) -> tuple[Outcome, ...]:
        """The outcomes for a domain; its sheet is kept where a page is wanted."""
        from zegel.check.profiles.known import of_domain
        from zegel.check.sheet import of_domain as sheet

        outcomes = of_domain(report, self.profiles)
        if self._html is not None:
            self._keep(sheet(report, outcomes))
        return self._seen(outcomes)

    def message(self, report: MessageReport) -> tuple[Outcome, ...]:
        """The same for a test mail."""
        from zegel.check.profiles.known import of_message
        from zegel.check.sheet import of_message as sheet

        outcomes = of_message(report, self.profiles)
        if self._html is not None:
            self._keep(sheet(report, outcomes))
        return self._seen(outcomes)

    def finish(self, *, quiet: bool) -> None:
        """Write the page; ``quiet`` says nothing about it."""
        if self._html is None or not self._sheets:
            return
        page_file.write(self._html, self._sheets, now=self._now, language=self._language)
        if not quiet:
            screen.say(_("The report is in {file}; print it from a browser.").format(file=self._html))

    def _seen(self, outcomes: tuple[Outcome, ...]) -> tuple[Outcome, ...]:
        self.failed = self.failed or any(outcome.result == "fail" for outcome in outcomes)
        return outcomes

    def _keep(self, sheet: Sheet) -> None:
        if len(self._sheets) >= _MOST_SHEETS:
            raise Refusal(_("a page holds at most {most} domains; split the list, or take --json").format(most=_MOST_SHEETS))
        self._sheets.append(sheet)
