"""Verification of all signatures of one message, in three stages: header, body chunks, finish. RFC 6376 6.

The header gives the candidates and the DNS questions; body chunks go through each needed canonicalization once; the finish compares. Every
signature gets its own result, and no signature's trouble touches another's. It decides nothing about the message: that is policy.
"""

from __future__ import annotations

from zegel.ask import Answer, Dialogue, Question, Rcode
from zegel.dkim import keyrecord, signature
from zegel.dkim.bodyhash import BodyHash, BodyHashes
from zegel.dkim.header import Header
from zegel.dkim.result import DkimReason, DkimResult
from zegel.dkim.signature import Signature, SignatureError
from zegel.grammar import taglist
from zegel.grammar.domain import Domain
from zegel.grammar.message import CRLF, split_message
from zegel.limits import Limits
from zegel.words import N_

_SIGNATURE = "dkim-signature"


class _Candidate:
    """One DKIM-Signature on its way: where it stands, and a result as soon as there is one."""

    __slots__ = ("answer", "body", "data", "octets", "place", "result", "signature")

    def __init__(self, place: int) -> None:
        self.place = place
        self.octets = b""  # of b=, as soon as the signature has been read, whatever becomes of it
        self.signature: Signature | None = None
        self.body: BodyHash | None = None
        self.answer: Answer | None = None
        self.data: bytes | None = None  # what was signed, made once however many key records there are
        self.result: DkimResult | None = None


class Verification:
    """The verification of one message.

    Make it when the header is complete; run :meth:`look_up` with a driver (it may run while the body arrives); give every chunk of the body
    to :meth:`feed`; then :meth:`finish`. ``now`` is seconds since the epoch. With ``bodies``, what is wanted of the body is wanted there:
    who gave them feeds and finishes them, once for all that share them.
    """

    def __init__(self, header: Header, *, now: float, limits: Limits, bodies: BodyHashes | None = None) -> None:
        self._header = header
        self._shared = bodies is not None
        self._bodies = bodies if bodies is not None else BodyHashes()
        self._asked: dict[Question, list[_Candidate]] = {}
        self._candidates = [_Candidate(place) for place in header.layout.places(_SIGNATURE)]
        for number, candidate in enumerate(self._candidates):
            if number >= limits.signatures:
                candidate.result = DkimResult(DkimReason.TOO_MANY_SIGNATURES, detail=f"after the first {limits.signatures}")
            elif header.malformed:
                candidate.result = DkimResult(DkimReason.HEADER_MALFORMED, detail=f"lines: {header.malformed}")
            else:
                self._admit(candidate, now)

    def _admit(self, candidate: _Candidate, now: float) -> None:
        try:
            # The relaxed form says the same: every tag's white space is either removed or forbidden.
            (line,) = self._header.lines("relaxed", (candidate.place,))
            parsed = signature.parse(line.partition(b":")[2])
        except SignatureError as error:
            candidate.result = error.result
            return
        candidate.octets = parsed.signature
        if parsed.expire is not None and parsed.expire < now:
            candidate.result = parsed.result(DkimReason.EXPIRED, detail=f"x={parsed.expire}")
            return
        candidate.signature = parsed
        self._asked.setdefault(parsed.key, []).append(candidate)
        candidate.body = self._bodies.want(parsed.body_canonicalization, parsed.length)

    @property
    def domains(self) -> list[Domain]:
        """The domains that may turn out to have signed, each once, in header order."""
        signatures = (candidate.signature for candidate in self._candidates)
        return list(dict.fromkeys(signature.domain for signature in signatures if signature is not None))

    @property
    def needs_body(self) -> bool:
        """False when no octet of the body can change a result."""
        return bool(self._asked)

    def look_up(self) -> Dialogue[None]:
        """Ask for the key records, all at once, each name once. RFC 6376 6.1.2."""
        if not self._asked:
            return
        answers: tuple[Answer, ...] = yield tuple(self._asked)
        for candidates, answer in zip(self._asked.values(), answers, strict=True):
            for candidate in candidates:
                candidate.answer = answer

    def feed(self, chunk: bytes) -> None:
        """Take the next octets of a body that is not shared."""
        self._bodies.feed(chunk)

    def finish(self) -> list[DkimResult]:
        """The results, in header order. Call it once, after the look-up and the last chunk."""
        if not self._shared:
            self._bodies.finish()
        results = [candidate.result or self._judge(candidate) for candidate in self._candidates]
        starts = [result.signature_start for result in results if result.signature_start]
        return results if len(set(starts)) == len(starts) else self._told_apart(results)

    def _told_apart(self, results: list[DkimResult]) -> list[DkimResult]:
        """The same with as much of each ``b=`` as no other signature begins with; copies of one stay alike. RFC 6008 4 and 6.2."""
        starts = signature.starts({candidate.octets for candidate in self._candidates})
        return [
            result._replace(signature_start=starts[candidate.octets]) if candidate.octets else result
            for candidate, result in zip(self._candidates, results, strict=True)
        ]

    def _judge(self, candidate: _Candidate) -> DkimResult:
        parsed, answer = candidate.signature, candidate.answer
        if parsed is None or candidate.body is None or answer is None:
            raise RuntimeError("finish() before look_up() has ended")
        if answer.temporary:
            return parsed.result(DkimReason.KEY_UNAVAILABLE, detail=f"{parsed.key.name}: {answer.rcode}")
        if not answer.records:
            kind = answer.rcode if answer.rcode is Rcode.NXDOMAIN else N_("no TXT record")
            return parsed.result(DkimReason.KEY_NOT_FOUND, detail=f"{parsed.key.name}: {kind}")
        results = []
        for text in answer.records[: keyrecord.MAX_RECORDS]:
            result = self._judge_with(candidate, parsed, candidate.body, text if isinstance(text, bytes) else text.encode())
            if result.reason is DkimReason.VERIFIED:
                return result
            results.append(result)
        # With several records the one that came furthest tells most: a mismatch says more than a record of another kind.
        return min(results, key=lambda result: _PROGRESS.get(result.reason, len(_PROGRESS)))

    def _judge_with(self, candidate: _Candidate, parsed: Signature, body: BodyHash, text: bytes) -> DkimResult:
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

    def _compare(self, candidate: _Candidate, parsed: Signature, body: BodyHash, record: keyrecord.KeyRecord) -> tuple[DkimReason, str]:
        if parsed.length is not None and parsed.length > body.length:
            return DkimReason.BODY_CHANGED, f"l={parsed.length}, the body has {body.length} octets"
        if body.digest() != parsed.body_hash:
            return DkimReason.BODY_CHANGED, "bh="
        if candidate.data is None:
            candidate.data = self._signed_data(candidate.place, parsed)
        if not record.key.verifies(parsed.signature, candidate.data):
            return DkimReason.SIGNATURE_MISMATCH, "b="
        if parsed.length is not None and parsed.length < body.length:
            return DkimReason.BODY_PARTLY_SIGNED, f"l={parsed.length} of {body.length} octets"
        added = self._header.layout.added(parsed.headers)
        if added is not None:
            return DkimReason.FIELD_ADDED, added
        return DkimReason.VERIFIED, ""

    def _signed_data(self, place: int, parsed: Signature) -> bytes:
        """The input of hash step 2: the signed fields, and the signature's own with an empty ``b=``. RFC 6376 3.7."""
        picked = self._header.layout.picked(parsed.headers, own=place)
        signed = self._header.lines(parsed.header_canonicalization, [*picked, place])
        name, colon, value = signed[-1].partition(b":")
        signed[-1] = name + colon + taglist.emptied(value, b"b")
        return CRLF.join(signed)


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


def verify_message(message: bytes, *, now: float, limits: Limits) -> Dialogue[list[DkimResult]]:
    """Verify a whole message: all stages in one dialogue. Raises TypeError for what is not bytes."""
    split = split_message(message, header_bytes=limits.header_bytes)
    if split.oversized:
        return [DkimResult(DkimReason.HEADER_TOO_LARGE, detail=f"over {limits.header_bytes} octets")]
    verification = Verification(Header(split.header), now=now, limits=limits)
    if verification.needs_body:
        yield from verification.look_up()
        verification.feed(split.body)
    results = verification.finish()
    return [result._replace(normalized=True) for result in results] if split.normalized else results
