"""Sentences kept apart from their values: told in any words, whole and in their parts."""

from __future__ import annotations

import pytest

from zegel.config import ConfigError
from zegel.postfix.apply import apply
from zegel.postfix.maincf import PostfixError
from zegel.postfix.plan import Plan
from zegel.store.errors import StoreError
from zegel.words import Sentence, SpokenError

WORDS = {"{file}: {error}": "{file} zegt {error}", "no {what}": "geen {what}", "nothing": "niets"}


def dutch(sentence: str) -> str:
    return WORDS.get(sentence, sentence)


def test_a_sentence_is_english_as_text_and_translated_when_told() -> None:
    said = Sentence("no {what}", what="key")
    assert (str(said), f"{said}", said.told(dutch)) == ("no key", "no key", "geen key")


def test_what_stands_inside_a_sentence_is_translated_too() -> None:
    error = SpokenError("{file}: {error}", file="a", error=ConfigError("no {what}", what=Sentence("nothing")))
    assert str(error) == "a: no nothing"
    assert error.told(dutch) == "a zegt geen niets"


def test_a_value_is_never_a_sentence() -> None:
    # What strangers wrote is filled in as it is, braces and all.
    assert Sentence("no {what}", what="nothing {file}").told(dutch) == "geen nothing {file}"


def test_sentences_are_equal_by_what_they_say() -> None:
    assert Sentence("no {what}", what="key") == Sentence("no {what}", what="key")
    assert len({Sentence("no {what}", what="key"), Sentence("no {what}", what="key")}) == 1
    assert Sentence("no {what}", what="key") != Sentence("no {what}", what="record")


@pytest.mark.parametrize("kind", [ConfigError, PostfixError, StoreError])
def test_every_error_for_people_can_be_told(kind: type[SpokenError]) -> None:
    assert kind("no {what}", what="key").told(dutch) == "geen key"


def test_a_configuration_error_is_a_value_error() -> None:
    assert issubclass(ConfigError, ValueError)


def test_all_problems_of_a_plan_are_told(tmp_path_factory: pytest.TempPathFactory) -> None:
    problems = (Sentence("no {what}", what="key"), Sentence("nothing"))
    plan = Plan(tmp_path_factory.mktemp("postfix"), "inet:127.0.0.1:1", (), None, (), problems, ())
    with pytest.raises(PostfixError) as refused:
        apply(plan)
    assert str(refused.value) == "no key nothing"
    assert refused.value.told(dutch) == "geen key niets"
