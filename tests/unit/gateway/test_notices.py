"""What a contact hears is in the language of the configuration; what programs read in it is the same in every one."""

from __future__ import annotations

import email
from email.message import Message
from pathlib import Path

import pytest

import zegel
from support.relay import KEY, RECORDS, Stand, play
from zegel.check.language import translator
from zegel.config import ConfigError, parse
from zegel.gateway.notices import Notices
from zegel.gateway.outbox import Posting
from zegel.store.posting import Item, Outcome, Recipient, State

NOW = 1_790_000_000
ORIGINAL = b"From: noreply@example.be\r\nSubject: dag\r\nMessage-ID: <1@example.be>\r\n\r\nHallo\r\n"
PEOPLE = (Recipient(0, "jan@example.net", "", State.WAITING, 1, NOW, NOW, False, 0, "451 4.7.1 later"),)
ITEM = Item(1, NOW, "noreply@example.be", "portal", "it@example.be", False, False, 90, False, None, PEOPLE)


def written(stand: Stand, language: str) -> list[Posting]:
    notices = Notices(lambda: stand.settings, lambda: "mail.example.be", lambda: translator(language))
    failed = notices.failed(ITEM, ORIGINAL, [Outcome(0, State.FAILED, "550 5.1.1 no such user")], now=NOW)
    delayed = notices.delayed(ITEM, ORIGINAL, now=NOW, until=NOW + 86_400)
    assert failed is not None
    assert delayed is not None
    return [failed, delayed]


def parts(posting: Posting) -> list[Message]:
    report = email.message_from_bytes(posting.data)
    assert report.get_content_type() == "multipart/report"
    return [part for part in report.walk() if part.get_content_maintype() != "multipart"]


@pytest.mark.parametrize(
    ("language", "subjects", "words"),
    [
        ("en", ["A message of portal was not delivered", "A message of portal is delayed"], "The message:"),
        ("nl", ["Een bericht van portal is niet bezorgd", "Een bericht van portal is vertraagd"], "Het bericht:"),
    ],
)
def test_the_part_for_people_is_in_the_language_and_the_part_for_programs_is_not(
    tmp_path: Path, language: str, subjects: list[str], words: str
) -> None:
    async def test(stand: Stand) -> None:
        for posting, subject in zip(written(stand, language), subjects, strict=True):
            people, programs, *_ = parts(posting)
            assert email.message_from_bytes(posting.data)["Subject"] == subject
            said = people.get_payload(decode=True)
            assert isinstance(said, bytes)
            assert words in said.decode()
            assert (posting.sender, posting.recipients) == ("", ("it@example.be",))
            (result,) = zegel.verify(posting.data, resolver=zegel.Zone.from_dict(RECORDS), now=NOW)
            assert (result.status, result.domain) == ("pass", KEY.domain)
            machine.setdefault(subject, str(programs))
        assert all("\nAction: " in text and "\nStatus: " in text and text.isascii() for text in machine.values())

    machine: dict[str, str] = {}
    play(tmp_path, test)


def test_programs_read_the_same_in_both(tmp_path: Path) -> None:
    async def test(stand: Stand) -> None:
        english, dutch = ([str(parts(posting)[1]) for posting in written(stand, language)] for language in ("en", "nl"))
        assert english == dutch

    play(tmp_path, test)


def test_the_setting_is_one_of_the_languages_that_there_are() -> None:
    assert parse('[outbox]\nlanguage = "nl"\n').outbox.language == "nl"
    with pytest.raises(ConfigError, match="must be one of"):
        parse('[outbox]\nlanguage = "fr"\n')
