"""The languages of a report that is no screen: a page and a mail are in the reader's language, whatever that of this machine is."""

from __future__ import annotations

import gettext
import re
from functools import cache
from pathlib import Path

from zegel.words import Translate

LANGUAGES = ("en", "nl")
_FOLDER = Path(__file__).parent.parent / "locale"
# Words of a Subject that ask for a language.
_ASKED = {"en": re.compile(r"\b(?:en|english|engels)\b", re.IGNORECASE), "nl": re.compile(r"\b(?:nl|nederlands|dutch)\b", re.IGNORECASE)}


@cache
def translator(language: str) -> Translate:
    """What translates sentences into a language of :data:`LANGUAGES`; into English where there is no catalogue."""
    if language not in LANGUAGES:
        raise ValueError(f"a language is one of {', '.join(LANGUAGES)}, not {language!r}")
    found: gettext.NullTranslations = gettext.NullTranslations()
    if language != "en":
        found = gettext.translation("zegel", _FOLDER, languages=[language], fallback=True)
    # gettext gives the header of a catalogue for the empty text.
    return lambda sentence: found.gettext(sentence) if sentence else ""


def asked_for(subject: str, content_language: str, otherwise: str) -> str:
    """The language that a message asks for: a word of its Subject, else its Content-Language (RFC 3282 2), else ``otherwise``."""
    named = [language for language, word in _ASKED.items() if word.search(subject)]
    if len(named) == 1:
        return named[0]
    first = content_language.partition(",")[0].strip().lower().partition("-")[0]
    return first if first in LANGUAGES else otherwise
