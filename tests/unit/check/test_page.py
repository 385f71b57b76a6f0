"""The HTML report: whole, by itself, in two languages, and not to be broken by what it shows."""

from __future__ import annotations

import re

import pytest

from support import inbound, samples
from support.testmail import MAIL, dns, report, signed
from support.wellformed import WellFormed
from zegel.check.item import Area, Item, Level
from zegel.check.language import asked_for, translator
from zegel.check.letter import letter
from zegel.check.markup import Html, element, joined
from zegel.check.page import page
from zegel.check.profiles.profile import Demand, Need, Profile, answer
from zegel.check.sheet import Sheet, of_message
from zegel.rollout.records import Record
from zegel.words import Sentence

HOSTILE = "</pre><script>alert(1)</script><img src=x onerror='x'>&amp;\x1b[2J\u202e\"'"
NASTY = Item(
    "spf.x",
    Area.SPF,
    Level.FAIL,
    Sentence("found {text}", text=HOSTILE),
    Sentence("why {text}", text=HOSTILE),
    (HOSTILE, HOSTILE),
    (Record(HOSTILE, "TXT", (HOSTILE,)),),
    Sentence("step {text}", text=HOSTILE),
    {"text": HOSTILE},
)
_PLAIN = "html head meta title style body section div span b time p h1 h2 h3 table thead tbody tr th td ol li a br pre code"


class Reader(WellFormed):
    """Reads a page: its tags, its text, and whether each element ends where it should."""

    def __init__(self, text: str) -> None:
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.words: list[str] = []
        self.targets: set[str] = set()
        self.ids: set[str] = set()
        super().__init__(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        found = dict(attrs)
        self.targets |= {found["href"] or ""} if "href" in found else set()
        self.ids |= {found["id"] or ""} if "id" in found else set()
        super().handle_starttag(tag, attrs)

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.words)


def sheet(*items: Item, title: str = "example.be") -> Sheet:
    profile = Profile("p", f"P {HOSTILE}", "source", (Demand("t.1", "title", ("spf.x",)), Demand("t.2", "other", note="not from here")))
    outcome = answer(profile, items)
    return Sheet(Sentence("Domain"), title, Level.FAIL, Sentence("No"), items, ((Sentence("From"), title),), (outcome,))


def made(*sheets: Sheet, language: str = "en") -> str:
    return page(sheets, language=language, translate=translator(language), now=samples.NOW, version="1")


def test_nothing_that_is_shown_becomes_markup() -> None:
    text = made(sheet(NASTY, title=HOSTILE), sheet(NASTY, title=HOSTILE))
    found = Reader(text)
    assert found.tags <= set(_PLAIN.split())
    assert not {name for name in found.attributes if name.startswith("on") or name in ("src", "srcset")}
    assert "<script" not in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "\\u202e" in found.text
    assert found.text.count("<script>alert(1)</script>") >= 10


def test_nothing_is_loaded_and_nothing_runs() -> None:
    text = made(sheet(NASTY))
    assert "default-src 'none'" in text.replace("&#x27;", "'")
    assert not re.search(r"url\(|@import|https?://", text)


def test_every_link_has_its_end() -> None:
    found = Reader(made(sheet(NASTY), sheet(NASTY)))
    assert {target.removeprefix("#") for target in found.targets} <= found.ids


def test_the_whole_of_a_message() -> None:
    text = Reader(made(of_message(report(MAIL, ip=inbound.BAD)))).text
    for words in (
        "hello",
        "Joe <joe@example.org>",
        "2026-09-21",
        "v=spf1 ip4:198.51.100.7 ip4:192.0.2.0/24 -all",
        "What to do",
        "TXT record at example.org",
    ):
        assert words in text, words


def test_several_sheets_begin_with_an_overview() -> None:
    text = Reader(made(sheet(NASTY, title="one.example"), sheet(NASTY, title="two.example"))).text
    assert "2 domains" in text
    assert text.index("one.example") < text.index("two.example") < text.rindex("one.example")


def test_an_overview_of_domains_counts_the_answers() -> None:
    answers = (Level.PASS, Level.FAIL, Level.PASS, Level.NOT_TESTED)
    text = Reader(made(*(sheet(NASTY, title="a.example")._replace(level=level) for level in answers))).text
    assert "2 DKIM-proof, 1 not, 1 that cannot be told" in text
    assert "DKIM-proof, " not in Reader(made(*[of_message(report(MAIL))] * 2)).text


def test_several_mails_are_no_domains() -> None:
    text = Reader(made(*[of_message(report(MAIL))] * 2)).text
    assert "2 test mails" in text
    assert "Transport" not in text.partition("hello")[0]


def test_profiles_say_not_tested_and_why() -> None:
    text = Reader(made(sheet(NASTY))).text
    assert "t.2" in text
    assert "not from here" in text
    assert "not tested" in text


def test_text_for_a_mail() -> None:
    text = letter(of_message(report(signed(), dns())), translate=translator("en"))
    assert text.startswith("Test mail: hello\n\n✓ Yes: DKIM proves that the message is of example.org")
    assert all(len(line) <= 76 or " " not in line.strip() or "v=" in line for line in text.splitlines())
    hostile = letter(sheet(NASTY, title=HOSTILE), translate=translator("en"))
    assert "\x1b" not in hostile
    assert "\u202e" not in hostile


def test_markup() -> None:
    assert (
        element("a", "<", Html("<b>"), None, href='"', class_="x", aria_label="y", id=None)
        == '<a href="&quot;" class="x" aria-label="y">&lt;<b></a>'
    )
    assert joined(("&", element("br"))) == "&amp;<br>"


@pytest.mark.parametrize(
    ("subject", "content", "language"),
    [
        ("test", "", "en"),
        ("Test NL", "", "nl"),
        ("nl en", "nl-BE, fr", "nl"),
        ("in English", "nl", "en"),
        ("x", "fr", "en"),
        ("enlil", "", "en"),
    ],
)
def test_the_language_of_an_answer(subject: str, content: str, language: str) -> None:
    """A word of the Subject, else Content-Language (RFC 3282 2)."""
    assert asked_for(subject, content, "en") == language


def test_only_languages_that_there_are() -> None:
    with pytest.raises(ValueError, match="a language is one of en, nl"):
        translator("../../etc")


def test_a_profile_never_passes_what_was_not_tested() -> None:
    def of(level: Level) -> Item:
        return Item("a.b", Area.SPF, level, Sentence("x"))

    profile = Profile(
        "p",
        "P",
        "s",
        (Demand("1", "t", ("a.b",)), Demand("2", "t", ("no.such",)), Demand("3", "t"), Demand("4", "t", ("a.b",), need=Need.SHOULD)),
    )
    results = [
        [str(line.result) for line in answer(profile, [of(level)]).lines]
        for level in (Level.PASS, Level.FAIL, Level.NOT_TESTED, Level.INFO)
    ]
    assert results == [
        ["pass", "not_tested", "not_tested", "pass"],
        ["fail", "not_tested", "not_tested", "fail"],
        ["not_tested"] * 4,
        ["not_tested"] * 4,
    ]
    assert str(answer(profile, [of(Level.PASS)]).result) == "not_tested"
    assert str(answer(profile, [of(Level.FAIL), of(Level.PASS)]).result) == "fail"
