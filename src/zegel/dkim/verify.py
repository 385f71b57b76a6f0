"""Verification of all signatures of one message, in three stages: header, body chunks, finish. RFC 6376 6.

The header gives the candidates and the DNS questions; body chunks go through each needed canonicalization once; the finish compares. Every
signature gets its own result, and no signature's trouble touches another's. It decides nothing about the message: that is policy.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from zegel.ask import Answer, Dialogue, Question, Rcode, RRType
from zegel.dkim import keyrecord, signature
from zegel.dkim.canonical import BODY_FORMS, HEADER_FORMS, BodyForm
from zegel.dkim.result import DkimReason, DkimResult
from zegel.dkim.signature import Signature, SignatureError
from zegel.grammar import taglist
from zegel.grammar.message import Field, split_message
from zegel.limits import Limits

# RFC 5322 3.6 lets these stand once; readers differ in which of two they show. DESIGN 3, house rules; with all Content-* fields.
SINGLE = frozenset(("from", "to", "cc", "subject", "date", "message-id", "reply-to", "mime-version"))
_SIGNATURE = "dkim-signature"
_MAX_KEY_RECORDS = 5  # RFC 6376 3.6.2.2 leaves several records undefined; each may be tried, a stranger's hundred may not


@dataclass(slots=True)
class _BodyHash:
    """One digest over a canonical body, at most ``limit`` octets of it. ``length`` counts the whole body."""

    limit: int | None
    hash: hashlib._Hash
    length: int = 0

    def write(self, data: bytes) -> None:
        if self.limit is None:
            self.hash.update(data)
        elif self.length < self.limit:
            self.hash.update(data[: self.limit - self.length])
        self.length += len(data)


class FieldIndex:
    """The header fields of one message by name (lower case)."""

    __slots__ = ("by_name", "fields")

    def __init__(self, fields: Sequence[Field]) -> None:
        self.fields = fields
        self.by_name: dict[str, list[int]] = {}
        for index, name in enumerate(_names(fields)):
            if name in self.by_name:
                self.by_name[name].append(index)
            else:
                self.by_name[name] = [index]

    def signed(self, names: Sequence[str], *, own: int | None = None) -> list[Field]:
        """The fields that ``h=`` names: for each name the next instance from the bottom up. RFC 6376 5.4.2.

        ``own`` is the index of the field that is being verified: it never signs itself (RFC 6376 3.5, ``h=``). A name without an
        instance left is the null input.
        """
        by_name = self.by_name
        if own is not None and _SIGNATURE in names:
            by_name = {**by_name, _SIGNATURE: [index for index in by_name[_SIGNATURE] if index != own]}
        used: dict[str, int] = {}
        picked: list[Field] = []
        for name in names:
            if name in by_name:
                instances, taken = by_name[name], used.get(name, 0)
                if taken < len(instances):
                    used[name] = taken + 1
                    picked.append(self.fields[instances[-1 - taken]])
        return picked

    def added(self, names: Sequence[str]) -> str | None:
        """The name of a single-instance field that is signed and there more often than ``h=`` names it, or None."""
        signed: Counter[str] | None = None
        for name, instances in self.by_name.items():
            if len(instances) > 1 and (name in SINGLE or name.startswith("content-")):
                signed = signed or Counter(names)  # once: h= may hold thousands of names, the header thousands of fields
                if 0 < signed[name] < len(instances):
                    return name
        return None


@dataclass(slots=True)
class _Candidate:
    """One DKIM-Signature on its way: a result as soon as there is one."""

    index: int
    signature: Signature | None = None
    body: _BodyHash | None = None
    result: DkimResult | None = None
    answer: Answer | None = None
    data: bytes | None = None  # what was signed, made once however many key records there are


class Verification:
    """The verification of one message.

    Make it when the header is complete; run :meth:`look_up` with a driver (it may run while the body arrives); give every chunk of the body
    to :meth:`feed`; then :meth:`finish`. ``malformed`` is the count of header lines that are no field; ``now`` seconds since the epoch.
    """

    def __init__(self, fields: Sequence[Field], *, now: float, limits: Limits, malformed: int = 0) -> None:
        self._index = FieldIndex(fields)
        self._forms: list[BodyForm] = []
        self._hashes: dict[tuple[str, int | None], _BodyHash] = {}
        self._asked: dict[Question, list[_Candidate]] = {}
        self._candidates = [_Candidate(index) for index in self._index.by_name.get(_SIGNATURE, ())]
        for number, candidate in enumerate(self._candidates):
            if number >= limits.signatures:
                candidate.result = DkimResult(DkimReason.TOO_MANY_SIGNATURES, detail=f"after the first {limits.signatures}")
            elif malformed:
                candidate.result = DkimResult(DkimReason.HEADER_MALFORMED, detail=f"lines: {malformed}")
            else:
                self._admit(candidate, now)
        self._start_bodies()

    def _admit(self, candidate: _Candidate, now: float) -> None:
        try:
            parsed = signature.parse(self._index.fields[candidate.index].value)
        except SignatureError as error:
            candidate.result = error.result
            return
        if parsed.expire is not None and parsed.expire < now:
            candidate.result = parsed.result(DkimReason.EXPIRED, detail=f"x={parsed.expire}")
            return
        candidate.signature = parsed
        self._asked.setdefault(Question(parsed.key_name, RRType.TXT), []).append(candidate)
        wanted = (parsed.body_canonicalization, parsed.length)
        if wanted not in self._hashes:
            self._hashes[wanted] = _BodyHash(parsed.length, hashlib.sha256())
        candidate.body = self._hashes[wanted]

    def _start_bodies(self) -> None:
        for form in {form for form, _ in self._hashes}:
            writers = [body.write for (of, _), body in self._hashes.items() if of == form]
            self._forms.append(BODY_FORMS[form](writers[0] if len(writers) == 1 else _fan_out(writers)))

    @property
    def needs_body(self) -> bool:
        """False when no octet of the body can change a result."""
        return bool(self._forms)

    def look_up(self) -> Dialogue[None]:
        """Ask for the key records, all at once, each name once. RFC 6376 6.1.2."""
        if not self._asked:
            return
        answers: tuple[Answer, ...] = yield tuple(self._asked)
        for candidates, answer in zip(self._asked.values(), answers, strict=True):
            for candidate in candidates:
                candidate.answer = answer

    def feed(self, chunk: bytes) -> None:
        """Take the next octets of the body."""
        for form in self._forms:
            form.feed(chunk)

    def finish(self) -> list[DkimResult]:
        """The results, in header order. Call it once, after the look-up and the last chunk."""
        for form in self._forms:
            form.finish()
        return [candidate.result or self._judge(candidate) for candidate in self._candidates]

    def _judge(self, candidate: _Candidate) -> DkimResult:
        parsed, answer = candidate.signature, candidate.answer
        if parsed is None or candidate.body is None or answer is None:
            raise RuntimeError("finish() before look_up() has ended")
        if answer.temporary:
            return parsed.result(DkimReason.KEY_UNAVAILABLE, detail=f"{parsed.key_name}: {answer.rcode}")
        if not answer.records:
            kind = answer.rcode if answer.rcode is Rcode.NXDOMAIN else "no TXT record"
            return parsed.result(DkimReason.KEY_NOT_FOUND, detail=f"{parsed.key_name}: {kind}")
        results = []
        for text in answer.records[:_MAX_KEY_RECORDS]:
            result = self._judge_with(candidate, parsed, candidate.body, text if isinstance(text, bytes) else text.encode())
            if result.reason is DkimReason.VERIFIED:
                return result
            results.append(result)
        # With several records the one that came furthest tells most: a mismatch says more than a record of another kind.
        return min(results, key=lambda result: _PROGRESS.get(result.reason, len(_PROGRESS)))

    def _judge_with(self, candidate: _Candidate, parsed: Signature, body: _BodyHash, text: bytes) -> DkimResult:
        """Judge with one key record. RFC 6376 6.1.2 and 6.1.3."""
        try:
            record = keyrecord.parse(text)
        except keyrecord.KeyRecordError as error:
            return parsed.result(error.reason, detail=error.detail, key_bits=error.key_bits)
        refused = record.refuses(parsed)
        if refused:
            return parsed.result(refused[0], detail=refused[1], testing=record.testing, key_bits=record.key.bits)
        reason, detail = self._compare(candidate, parsed, body, record)
        return parsed.result(reason, detail=detail, testing=record.testing, key_bits=record.key.bits)

    def _compare(self, candidate: _Candidate, parsed: Signature, body: _BodyHash, record: keyrecord.KeyRecord) -> tuple[DkimReason, str]:
        if parsed.length is not None and parsed.length > body.length:
            return DkimReason.BODY_CHANGED, f"l={parsed.length}, the body has {body.length} octets"
        if body.hash.digest() != parsed.body_hash:
            return DkimReason.BODY_CHANGED, "bh="
        if candidate.data is None:
            candidate.data = self._signed_data(candidate.index, parsed)
        if not record.key.verifies(parsed.signature, candidate.data):
            return DkimReason.SIGNATURE_MISMATCH, "b="
        if parsed.length is not None and parsed.length < body.length:
            return DkimReason.BODY_PARTLY_SIGNED, f"l={parsed.length} of {body.length} octets"
        added = self._index.added(parsed.headers)
        if added is not None:
            return DkimReason.FIELD_ADDED, added
        return DkimReason.VERIFIED, ""

    def _signed_data(self, index: int, parsed: Signature) -> bytes:
        """The input of hash step 2: the signed fields, and the signature's own with an empty ``b=``. RFC 6376 3.7."""
        own = self._index.fields[index]
        fields = self._index.signed(parsed.headers, own=index)
        fields.append(Field(own.name, taglist.emptied(own.value, b"b")))
        return b"\r\n".join(HEADER_FORMS[parsed.header_canonicalization](fields))


_PROGRESS = {
    reason: rank
    for rank, reason in enumerate(
        (
            DkimReason.FIELD_ADDED,
            DkimReason.BODY_PARTLY_SIGNED,
            DkimReason.SIGNATURE_MISMATCH,
            DkimReason.BODY_CHANGED,
            DkimReason.KEY_STRICT_DOMAIN,
            DkimReason.KEY_OTHER_HASH,
            DkimReason.KEY_OTHER_SERVICE,
            DkimReason.KEY_TOO_SHORT,
            DkimReason.KEY_REVOKED,
            DkimReason.KEY_OTHER_TYPE,
        )
    )
}


def _names(fields: Sequence[Field]) -> list[str]:
    """The names of all fields, to compare by. One look at all of them is three times as fast as one at each."""
    text = b"\0".join([name for name, _ in fields]).decode("latin-1").lower()
    names = text.split("\0") if fields else []
    if " " in text or "\t" in text or len(names) != len(fields):
        return [field.key.decode("latin-1") for field in fields]
    return names


def _fan_out(writers: Sequence[Callable[[bytes], None]]) -> Callable[[bytes], None]:
    def write(data: bytes) -> None:
        for writer in writers:
            writer(data)

    return write


def verify_message(message: bytes, *, now: float, limits: Limits) -> Dialogue[list[DkimResult]]:
    """Verify a whole message: all stages in one dialogue. Raises TypeError for what is not bytes."""
    split = split_message(message, header_bytes=limits.header_bytes)
    if split.oversized:
        return [DkimResult(DkimReason.HEADER_TOO_LARGE, detail=f"over {limits.header_bytes} octets")]
    verification = Verification(split.fields, now=now, limits=limits, malformed=split.malformed)
    if verification.needs_body:
        yield from verification.look_up()
        verification.feed(split.body)
    results = verification.finish()
    return [result._replace(normalized=True) for result in results] if split.normalized else results
