"""One thing that ``zegel postfix check`` found: how grave, about what, a sentence, and the next step."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How grave a finding is, mildest first. Advice is no fault: a default of Postfix that one may want otherwise."""

    OK = "ok"
    ADVICE = "advice"
    WARNING = "warning"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """``about`` is the parameter, service or path; ``step`` is what to do next, empty when all is well."""

    level: Level
    about: str
    sentence: str
    step: str = ""


def ok(about: str, sentence: str) -> Finding:
    """All is well here."""
    return Finding(Level.OK, about, sentence)


def advice(about: str, sentence: str, step: str) -> Finding:
    """Something to know."""
    return Finding(Level.ADVICE, about, sentence, step)


def warning(about: str, sentence: str, step: str) -> Finding:
    """Something that may bite."""
    return Finding(Level.WARNING, about, sentence, step)


def wrong(about: str, sentence: str, step: str) -> Finding:
    """Something that does not work as it is."""
    return Finding(Level.WRONG, about, sentence, step)
