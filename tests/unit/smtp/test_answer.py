from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zegel.smtp.answer import MAX_LINE, Answer, Answers, MalformedError, extensions


def read(data: bytes) -> list[Answer]:
    return Answers().feed(data)


def test_replies_of_one_and_of_several_lines() -> None:
    # RFC 5321 4.2 and 4.2.1.
    assert read(b"250 ok\r\n") == [Answer(250, "", ("ok",))]
    assert read(b"250\r\n") == [Answer(250, "", ("",))]
    assert read(b"550-5.1.1 no\r\n550 5.1.1 such user\r\n") == [Answer(550, "5.1.1", ("no", "such user"))]
    assert read(b"550 5.1.1 no such user\r\n")[0].text == "550 5.1.1 no such user"
    assert [answer.code for answer in read(b"250 a\r\n251 b\r\n354 c\r\n")] == [250, 251, 354]


def test_an_enhanced_code_of_another_class_is_only_text() -> None:
    assert read(b"450 5.1.1 odd\r\n") == [Answer(450, "", ("5.1.1 odd",))]


@given(st.lists(st.integers(0, 60)))
def test_any_split_gives_the_same(cuts: list[int]) -> None:
    data = b"250-first\r\n250 2.0.0 last\r\n354 go\r\n421 4.3.0 bye\r\n"
    answers, found, at = Answers(), list[Answer](), 0
    for cut in [*sorted(cuts), len(data)]:
        found += answers.feed(data[at:cut]) if cut > at else []
        at = max(at, cut)
    assert found == read(data)
    assert not answers.pending


@pytest.mark.parametrize(
    "data",
    [
        b"hello\r\n",
        b"25 x\r\n",
        b"150 x\r\n",
        b"650 x\r\n",
        b"250x\r\n",
        b"250-a\r\n251 b\r\n",
        b"\xff\r\n",
        b"250 " + b"x" * MAX_LINE + b"\r\n",
        b"x" * (MAX_LINE + 1),
        b"250-x\r\n" * 9000,
    ],
)
def test_what_is_no_reply(data: bytes) -> None:
    with pytest.raises(MalformedError):
        read(data)


def test_success_is_2xx_alone() -> None:
    assert [Answer(code, "", ("",)).ok for code in (200, 250, 299, 354, 421, 550)] == [True, True, True, False, False, False]
    assert [Answer(code, "", ("",)).refused for code in (250, 354, 421, 550)] == [False, False, True, True]


def test_what_a_server_offers() -> None:
    (hello,) = read(b"250-mx.example\r\n250-size 1000\r\n250-AUTH=LOGIN PLAIN\r\n250 Pipelining\r\n")
    assert extensions(hello) == {"SIZE": "1000", "AUTH": "LOGIN PLAIN", "PIPELINING": ""}
