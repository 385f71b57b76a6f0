"""The whole verifier under hostile mail, hostile keys and hostile DNS: a result for every signature, and never an exception. RFC 6376 6.

An input is a message and what DNS says, apart by lines of ``%%``: the first question gets the first answer, and so on around. An answer is
the word of an rcode after ``!``, or one record, or several with ``%+%`` between them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fuzz import reference, seeds
from fuzz.dice import Dice
from zegel.ask import Answer, Question, Rcode, rehearse
from zegel.authres.model import AuthenticationResults
from zegel.dkim import keyrecord
from zegel.dkim.crypto import PublicKey
from zegel.dkim.header import Header
from zegel.dkim.result import DkimReason, DkimResult, DkimStatus
from zegel.dkim.verify import Verification, verify_message
from zegel.grammar.message import split_message
from zegel.limits import Limits
from zegel.verdict.edits import dkim_methods

WORDS = (
    *(b"\n%%\n", b"%+%", b"!SERVFAIL", b"!TIMEOUT", b"!NXDOMAIN", b"!NOERROR", b"\r\nDKIM-Signature: v=1; ", b"\r\n\r\n", b"\r\n "),
    *(b"a=ed25519-sha256; ", b"a=rsa-sha256; ", b"c=relaxed/relaxed; ", b"l=1; ", b"h=from:", b"t=s", b"t=y", b"k=ed25519; ", b"p=", b"; "),
)
NOW = 1_528_637_999
_LIMITS = Limits(header_bytes=4096)
_FIELD = re.compile(rb"(?:[ -~]|\r\n [!-~])+")


def starts() -> Iterator[bytes]:
    rfc = seeds.RECORDS
    for message in seeds.messages():
        if b"dkim-signature" in message.lower():
            yield b"\n%%\n".join((message, rfc[2] if b"a=ed25519" in message else rfc[0], rfc[1]))
            yield b"\n%%\n".join((message, b"!SERVFAIL", b"%+%".join(rfc)))
    yield from (b"\n%%\n".join((seeds.messages()[0], record, record)) for record in seeds.key_records())


def fuzz(data: bytes) -> None:
    message, *rest = data.split(b"\n%%\n")
    answers = [_answer(part) for part in rest] or [Answer(Rcode.NXDOMAIN)]
    given: dict[Question, Answer] = {}

    def answer(question: Question) -> Answer:
        assert question not in given, "a name is asked once"
        given[question] = answers[len(given) % len(answers)]
        return given[question]

    results = rehearse(verify_message(message, now=NOW, limits=_LIMITS), answer)
    assert len(given) <= _LIMITS.signatures
    assert all(len(name) <= 253 and name.isascii() for name, _ in given)
    shape(results)
    split = split_message(message, header_bytes=_LIMITS.header_bytes)
    if split.oversized:
        assert [result.reason for result in results] == [DkimReason.HEADER_TOO_LARGE]
        return
    assert len(results) == sum(field.key == b"dkim-signature" for field in split.fields)
    told(results, message, given)
    pieces = Verification(Header(split.header), now=NOW, limits=_LIMITS)
    rehearse(pieces.look_up(), given.__getitem__)
    for piece in Dice(data[-12:]).cut(split.body):
        pieces.feed(piece)
    assert [result._replace(normalized=split.normalized) for result in pieces.finish()] == results


def _answer(part: bytes) -> Answer:
    if part[:1] == b"!" and part[1:].decode("latin-1") in Rcode.__members__:
        return Answer(Rcode(part[1:].decode()))
    return Answer(Rcode.NOERROR, tuple(part.split(b"%+%")))


def shape(results: list[DkimResult]) -> None:
    """A reason forces its status, and the field that tells of it is one line of ours."""
    for result in results:
        assert isinstance(result.status, DkimStatus)
        assert result.status is result.reason.status
        assert result.status is not DkimStatus.NONE
        assert result.explanation.isprintable()
        assert (result.status is DkimStatus.PASS) <= (result.key_bits is not None and result.domain is not None)
    value = AuthenticationResults("mx.example.org", tuple(dkim_methods(results))).format()
    assert _FIELD.fullmatch(value), value
    assert value.count(b";") == max(1, min(len(results), 20))


def told(results: list[DkimResult], message: bytes, given: dict[Question, Answer]) -> None:
    """What passes is true by the second verifier too, with one of the keys that DNS gave."""
    keys = {question.name: list(_keys(answer)) for question, answer in given.items()}

    def key(algorithm: str, name: str) -> reference.Holds:
        return lambda signature, data: any(one.verifies(signature, data) for one in keys.get(name, ()) if algorithm.startswith(one.type))

    expected = reference.judge(message, key, NOW, _LIMITS.signatures)
    for result, word in zip(results, expected, strict=True):
        if result.status in (DkimStatus.PASS, DkimStatus.POLICY) or word == "policy":
            assert (result.status is DkimStatus.PASS) <= (word == "pass"), (result, message)
            assert (result.status is DkimStatus.POLICY) <= (word == "policy"), (result, message)


def _keys(answer: Answer) -> Iterator[PublicKey]:
    for text in answer.records:
        try:
            yield keyrecord.parse(text if isinstance(text, bytes) else text.encode()).key
        except keyrecord.KeyRecordError:
            continue
