"""Sentences that people read: marked so that gettext's tools find them, and kept apart from what fills them in.

The lower floors only mark (``N_``) and keep; the faces translate when they show, so a sentence must arrive there with its ``{names}`` still
in it. Nothing here reads a catalogue: as text, everything is English.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

Translate = Callable[[str], str]


def N_(sentence: str) -> str:  # noqa: N802 - gettext's own name for "mark, translate later"
    """Mark a sentence for translation and return it unchanged."""
    return sentence


class Sentence:
    """A marked sentence and the values of its ``{names}``; a value may be a sentence or a :class:`SpokenError` itself."""

    __slots__ = ("sentence", "values")

    def __init__(self, sentence: str, /, **values: object) -> None:
        self.sentence, self.values = sentence, values

    def told(self, translate: Translate) -> str:
        """The sentence in the words of ``translate``, filled in."""
        return _told(self.sentence, self.values, translate)

    def __str__(self) -> str:
        return self.told(N_)

    def __repr__(self) -> str:
        return f"Sentence({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sentence) and (self.sentence, self.values) == (other.sentence, other.values)

    def __hash__(self) -> int:
        return hash(str(self))


class SpokenError(Exception):
    """Something that a person can mend: the sentence says what, and what to do next. Its own text is English; the faces translate."""

    def __init__(self, sentence: str, /, **values: object) -> None:
        super().__init__(_told(sentence, values, N_))
        self.sentence = sentence
        self.values = values

    def told(self, translate: Translate) -> str:
        """The sentence in the words of ``translate``, filled in."""
        return _told(self.sentence, self.values, translate)


def _told(sentence: str, values: Mapping[str, object], translate: Translate) -> str:
    told = {name: value.told(translate) if isinstance(value, (Sentence, SpokenError)) else value for name, value in values.items()}
    return translate(sentence).format(**told)
