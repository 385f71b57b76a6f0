"""A report as one HTML file: for people, for paper (A4), without a script and without anything from elsewhere.

An overview of all sheets first where there are several, then each sheet: the plain answer, what to do, the areas, the profiles. The words
are translated as they are written; what comes from DNS or a message is shown as it is, escaped (:mod:`zegel.check.markup`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from zegel.check.item import Area, Item, Level
from zegel.check.markup import Html, element, joined, raw
from zegel.check.profiles.profile import RESULTS, Outcome, Result
from zegel.check.sheet import AREAS, LEVELS, MAIL, SIGNS, Sheet, several, sums
from zegel.check.style import STYLE
from zegel.rollout.records import Record, as_value
from zegel.words import N_, Sentence, Translate

_OVERVIEW = {
    Area.SPF: "SPF",
    Area.DKIM: "DKIM",
    Area.DMARC: "DMARC",
    Area.REPORTS: N_("Reports"),
    Area.TRANSPORT: N_("Transport"),
}
_RESULT_LEVELS = {Result.PASS: Level.PASS, Result.FAIL: Level.FAIL}
# Nothing is loaded and nothing runs, whatever the page holds.
_CSP = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def page(sheets: Sequence[Sheet], *, language: str, translate: Translate, now: float, version: str) -> str:
    """The whole file. ``language`` is that of ``translate`` ("en"), ``now`` in epoch seconds, ``version`` our own."""
    return _Page(translate, language, now, version).whole(sheets)


class _Page:
    """A page being written, in one language."""

    def __init__(self, translate: Translate, language: str, now: float, version: str) -> None:
        self._translate, self._language, self._version = translate, language, version
        self._made = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M UTC")

    def _(self, said: str | Sentence) -> str:
        return said.told(self._translate) if isinstance(said, Sentence) else self._translate(said)

    def whole(self, sheets: Sequence[Sheet]) -> str:
        """The file from its first line on."""
        title = sheets[0].title if len(sheets) == 1 else self._(several(sheets))
        name = self._(N_("Report on e-mail authentication"))
        head = element(
            "head",
            element("meta", charset="utf-8"),
            element("meta", http_equiv="Content-Security-Policy", content=_CSP),
            element("meta", name="viewport", content="width=device-width, initial-scale=1"),
            element("meta", name="referrer", content="no-referrer"),
            element("title", f"{title} - {name}"),
            element("style", raw(STYLE)),
        )
        body = element(
            "body",
            element("div", element("span", element("b", "Zegel"), f" {name}"), element("time", self._made), class_="head"),
            self._overview(sheets) if len(sheets) > 1 else None,
            *(self._sheet(sheet, number) for number, sheet in enumerate(sheets, 1)),
            element("p", self._(_FOOT).format(version=self._version, date=self._made), class_="foot"),
        )
        return f"<!doctype html>\n{element('html', head, body, lang=self._language)}\n"

    def _overview(self, sheets: Sequence[Sheet]) -> Html:
        """One line for each sheet: what it is about, how each area stands that any of them looked at, and the answer."""
        areas = [area for area in _OVERVIEW if any(sheet.worst(area) for sheet in sheets)]
        headings = [self._(sheets[0].kind if sheets[0].kind == MAIL else N_("Domain")), *(self._(_OVERVIEW[area]) for area in areas)]
        headings.append(self._(N_("Answer")))
        rows = []
        for number, sheet in enumerate(sheets, 1):
            cells = [element("td", element("a", sheet.title, href=f"#s{number}"))]
            cells += [self._mark_cell(sheet.worst(area)) for area in areas]
            rows.append(element("tr", *cells, element("td", self._mark(sheet.level), " ", self._(sheet.answer))))
        top = element("tr", *(element("th", heading) for heading in headings))
        counted = sums(sheets)
        return element(
            "section",
            element("h1", self._(several(sheets))),
            element("p", self._(counted), class_="counts") if counted is not None else None,
            element("table", element("thead", top), element("tbody", *rows), class_="overview"),
            class_="sheet",
        )

    def _sheet(self, sheet: Sheet, number: int) -> Html:
        counts = ", ".join(f"{count} {self._(LEVELS[level])}" for level, count in sheet.counts)
        facts = [element("tr", element("th", self._(name)), element("td", value)) for name, value in sheet.facts]
        return element(
            "section",
            element("p", self._(sheet.kind), class_="kind"),
            element("h1", sheet.title),
            element("table", *facts, class_="facts") if facts else None,
            element(
                "div",
                element("p", self._mark(sheet.level), " ", self._(sheet.answer), class_="said"),
                element("p", counts, class_="counts"),
                class_=f"answer {sheet.level}",
            ),
            self._to_do(sheet, number),
            *(self._area(area, items, _anchors(sheet, number)) for area, items in sheet.by_area()),
            self._profiles(sheet.profiles),
            class_="sheet",
            id=f"s{number}",
        )

    def _to_do(self, sheet: Sheet, number: int) -> Html | None:
        wanted = sheet.to_do
        if not wanted:
            return None
        entries = []
        anchors = _anchors(sheet, number)
        for item in wanted:
            step = self._(item.step) if item.step is not None else self._(N_("publish the record that stands there"))
            link = element("a", self._(item.finding), href=f"#{anchors[id(item)]}")
            entries.append(element("li", link, element("br"), element("span", step, class_="step")))
        return joined((element("h2", self._(N_("What to do"))), element("ol", *entries, class_="todo")))

    def _area(self, area: Area, items: Iterable[Item], anchors: Mapping[int, str]) -> Html:
        return element("section", element("h2", self._(AREAS[area])), *(self._item(item, anchors[id(item)]) for item in items))

    def _item(self, item: Item, anchor: str) -> Html:
        told = [element("p", self._(item.finding), class_="said")]
        if item.why is not None and item.level is not Level.PASS:
            told.append(element("p", self._(item.why), class_="why"))
        if item.seen:
            told.append(element("pre", *_lines(item.seen)))
        if item.step is not None:
            told.append(element("p", self._(item.step), class_="step"))
        told += map(self._record, item.mend)
        name = element("span", item.id, class_="id")
        return element("div", self._mark(item.level), element("div", *told), name, class_=f"item {item.level}", id=anchor)

    def _record(self, record: Record) -> Html:
        where = self._(Sentence(N_("{type} record at {name}"), type=record.type, name=record.name))
        return element("div", element("p", where), element("pre", as_value(record)), class_="record")

    def _profiles(self, outcomes: Sequence[Outcome]) -> Html | None:
        if not outcomes:
            return None
        return joined((element("h2", self._(N_("What others ask"))), *map(self._profile, outcomes)))

    def _profile(self, outcome: Outcome) -> Html:
        rows = []
        for test, result, _items in outcome.lines:
            level = _RESULT_LEVELS.get(result, Level.NOT_TESTED)
            note = element("div", self._(test.note), class_="why") if test.note and result is Result.NOT_TESTED else None
            word = element("td", self._mark(level), " ", self._(RESULTS[result]), class_="word")
            rows.append(element("tr", element("td", element("code", test.id)), element("td", self._(test.title), note), word))
        return joined(
            (
                element("h3", self._mark(_RESULT_LEVELS.get(outcome.result, Level.NOT_TESTED)), " ", self._(outcome.told)),
                element("p", self._(Sentence(N_("Source: {source}"), source=outcome.profile.source)), class_="why"),
                element("table", element("tbody", *rows)),
            )
        )

    def _mark(self, level: Level) -> Html:
        return element(
            "span", SIGNS[level], class_=f"mark {level}", title=self._(LEVELS[level]), role="img", aria_label=self._(LEVELS[level])
        )

    def _mark_cell(self, level: Level | None) -> Html:
        return element("td", self._mark(level) if level is not None else None, class_="sign")


def _anchors(sheet: Sheet, number: int) -> dict[int, str]:
    """Where each item of a sheet stands in the page, by its identity: two items may be equal."""
    return {id(item): f"s{number}-{place}" for place, item in enumerate(sheet.items)}


def _lines(seen: Sequence[str]) -> list[str]:
    """Each text on a line of its own; a line end within one is no line end here."""
    lines: list[str] = []
    for text in seen:
        lines += [text, element("br")]
    return lines[:-1]


_FOOT = N_(
    "Made by Zegel {version} on {date} from what DNS said then. What cannot be tested from here is told as not tested, and is no pass."
)
