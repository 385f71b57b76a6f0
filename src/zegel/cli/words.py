"""Translates the sentences that people read: gettext, with English as written where there is no catalogue.

The language is that of LANGUAGE, LC_ALL, LC_MESSAGES or LANG, in this order, as gettext has it. The catalogues are in ``zegel/locale``;
``make words`` collects the sentences and compiles them.
"""

from __future__ import annotations

import gettext
from functools import cache
from pathlib import Path

from zegel.words import Sentence, SpokenError, Translate

DOMAIN = "zegel"
FOLDER = Path(__file__).parent.parent / "locale"

# The library that reads the command line asks gettext's usual domain for its own few words (zegel.cli.help lists them).
gettext.bindtextdomain(DOMAIN, FOLDER)
gettext.textdomain(DOMAIN)


@cache
def _catalogue() -> gettext.NullTranslations:
    return gettext.translation(DOMAIN, FOLDER, fallback=True)


def _(sentence: str) -> str:
    """Translate a sentence; its ``{names}`` are filled in afterwards."""
    # gettext gives the header of a catalogue for the empty text.
    return _catalogue().gettext(sentence) if sentence else ""


def told(said: Sentence | SpokenError) -> str:
    """Translate what a lower floor says, and fill it in."""
    return said.told(_)


def of_reader(language: str | None) -> tuple[str, Translate]:
    """The language of a page for somebody else, as HTML names it, and its words; None is the language of the command line."""
    if language is None:
        return str(_catalogue().info().get("language", "en")), _
    from zegel.check.language import translator

    return language, translator(language)
