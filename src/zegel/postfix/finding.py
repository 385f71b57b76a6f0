"""One thing that ``zegel postfix check`` found: how grave, about what, a sentence, and the next step."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from zegel.words import Sentence


class Level(StrEnum):
    """How grave a finding is, mildest first. Advice is no fault: a default of Postfix that one may want otherwise."""

    OK = "ok"
    ADVICE = "advice"
    WARNING = "warning"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """``about`` is the parameter, service or path; ``step`` is what to do next, None when all is well."""

    level: Level
    about: str
    sentence: Sentence
    step: Sentence | None = None


def ok(about: str, sentence: Sentence | str) -> Finding:
    """All is well here."""
    return Finding(Level.OK, about, _said(sentence))


def advice(about: str, sentence: Sentence | str, step: Sentence | str) -> Finding:
    """Something to know."""
    return Finding(Level.ADVICE, about, _said(sentence), _said(step))


def warning(about: str, sentence: Sentence | str, step: Sentence | str) -> Finding:
    """Something that may bite."""
    return Finding(Level.WARNING, about, _said(sentence), _said(step))


def wrong(about: str, sentence: Sentence | str, step: Sentence | str) -> Finding:
    """Something that does not work as it is."""
    return Finding(Level.WRONG, about, _said(sentence), _said(step))


def command(words: str) -> Sentence:
    """A step that is a command and nothing else."""
    return Sentence("{command}", command=words)


def _said(sentence: Sentence | str) -> Sentence:
    return sentence if isinstance(sentence, Sentence) else Sentence(sentence)
