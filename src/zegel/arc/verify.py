"""Validation of the chain of one message, in three stages: header, body chunks, finish. RFC 8617 5.2.

The header gives the chain's structure and all DNS questions at once; body chunks go through each needed canonicalization once, which a DKIM
verification of the same message may share; the finish checks the signatures in the RFC's order. It says whether the chain holds. Whether
its sealers are to be believed is for :mod:`zegel.arc.trust`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from zegel.arc.chain import ArcSet, Chain, SealedText, read, without_signature
from zegel.arc.result import ArcReason, ArcResult
from zegel.arc.signature import ArcFieldError
from zegel.ask import Answer, Dialogue, Question
from zegel.dkim import keyrecord
from zegel.dkim.bodyhash import BodyHash, BodyHashes
from zegel.dkim.header import Header
from zegel.dkim.signature import Signature
from zegel.grammar.message import CRLF, split_message
from zegel.limits import Limits

_NO_ANSWER = "validation was finished before its look-up"


class _Judged(NamedTuple):
    """What became of one signature, and whether its key says that the domain only tests."""

    reason: ArcReason
    detail: str = ""
    testing: bool = False

    @property
    def holds(self) -> bool:
        return self.reason is ArcReason.VERIFIED


class Verification:
    """The validation of one message's chain.

    Make it when the header is complete; run :meth:`look_up` with a driver (it may run while the body arrives); give every chunk of the body
    to :meth:`feed`; then :meth:`finish`. ``now`` is seconds since the epoch. With ``bodies``, what is wanted of the body is wanted there:
    who gave them feeds and finishes them, once for all that share them.
    """

    def __init__(self, header: Header, *, now: float, limits: Limits, bodies: BodyHashes | None = None) -> None:
        self._header = header
        self._shared = bodies is not None
        self._bodies = bodies if bodies is not None else BodyHashes()
        self._now = now
        self._answers: dict[Question, Answer] = {}
        self._hashes: dict[int, BodyHash] = {}
        chain = read(header, limit=limits.arc_sets)
        if header.malformed and chain.highest and chain.reason is None:
            chain = Chain(chain.sets, chain.highest, ArcReason.HEADER_MALFORMED, f"lines: {header.malformed}")
        self._chain = chain
        if self._sound:
            self._want_bodies()

    @property
    def _sound(self) -> bool:
        """True when the structure is that of a chain, so that its signatures are worth a look."""
        return bool(self._chain.sets) and self._chain.reason is None

    def _want_bodies(self) -> None:
        """The newest message signature decides; of the older ones only those count that need no hash beyond the common ones.

        Each ``l=`` is a hash of its own over the whole body, and fifty of them would be fifty passes for an optional step.
        """
        lengths: set[int | None] = set()
        for item in reversed(self._chain.sets):
            if isinstance(item.message, Signature):
                lengths = lengths or {None, item.message.length}
                if item.message.length in lengths:
                    self._hashes[item.instance] = self._bodies.want(item.message.body_canonicalization, item.message.length)

    @property
    def needs_body(self) -> bool:
        """False when no octet of the body can change the result."""
        return self._sound

    def look_up(self) -> Dialogue[None]:
        """Ask for the key records, all at once, each name once; those that decide come first. RFC 8617 9.2."""
        if not self._sound:
            return
        newest, *older = self._chain.sets[::-1]
        signatures = [newest.message, *(item.seal.signature for item in (newest, *older)), *(item.message for item in older)]
        questions = tuple(dict.fromkeys(signature.key for signature in signatures if isinstance(signature, Signature)))
        answers: tuple[Answer, ...] = yield questions
        self._answers = dict(zip(questions, answers, strict=True))

    def feed(self, chunk: bytes) -> None:
        """Take the next octets of a body that is not shared."""
        self._bodies.feed(chunk)

    def finish(self) -> ArcResult:
        """The result. Call it once, after the look-up and the last chunk. RFC 8617 5.2, steps 4 to 7."""
        chain = self._chain
        if not chain.highest and chain.reason is None:
            return ArcResult(ArcReason.NO_CHAIN)
        if chain.reason is not None:
            return ArcResult(chain.reason, tuple(item.told() for item in chain.sets), detail=chain.detail)
        if not self._shared:
            self._bodies.finish()
        newest = chain.sets[-1]
        # Step 4: validate the message signature with the greatest instance value.
        signed = self._judge_message(newest)
        if not signed.holds:
            return self._failed(signed, f"AMS {newest.instance}")
        # Step 5, optional: how far back message signatures still verify.
        testing = {newest.instance: signed.testing}
        oldest_pass = 0
        for item in chain.sets[-2::-1]:
            older = self._judge_message(item)
            if not older.holds:
                oldest_pass = item.instance + 1
                break
        # Step 6: validate each seal, beginning with the newest.
        text = SealedText([item.lines for item in chain.sets])
        for item in reversed(chain.sets):
            sealed = self._judge_seal(item, text)
            if not sealed.holds:
                return self._failed(sealed, f"AS {item.instance}")
            testing[item.instance] = testing.get(item.instance, False) or sealed.testing
        # Step 7
        told = tuple(item.told(testing=testing[item.instance]) for item in chain.sets)
        return ArcResult(ArcReason.VERIFIED, told, oldest_pass, self._left_open(newest))

    def _failed(self, judged: _Judged, field: str) -> ArcResult:
        detail = f"{field}: {judged.detail}" if judged.detail else field
        return ArcResult(judged.reason, tuple(item.told() for item in self._chain.sets), detail=detail)

    def _judge_message(self, item: ArcSet) -> _Judged:
        """Validate one message signature as a DKIM signature. RFC 8617 4.1.2, RFC 6376 6.1."""
        signature, body = item.message, self._hashes.get(item.instance)
        if isinstance(signature, ArcFieldError):
            return _Judged(signature.reason, signature.detail)
        if signature.expire is not None and signature.expire < self._now:
            return _Judged(ArcReason.EXPIRED, f"x={signature.expire}")
        if body is None:
            return _Judged(ArcReason.BODY_CHANGED, "l=")
        if body.digest() != signature.body_hash:
            return _Judged(ArcReason.BODY_CHANGED, "bh=")
        if signature.length is not None and signature.length > body.length:
            return _Judged(ArcReason.BODY_CHANGED, f"l={signature.length}, the body has {body.length} octets")
        return self._judge(signature, lambda: self._signed_by_message(item, signature), ArcReason.MESSAGE_MISMATCH)

    def _judge_seal(self, item: ArcSet, text: SealedText) -> _Judged:
        return self._judge(item.seal.signature, lambda: text.signed_by(item.instance - 1), ArcReason.SEAL_MISMATCH)

    def _judge(self, signature: Signature, data: Callable[[], bytes], mismatch: ArcReason) -> _Judged:
        """Check one signature with the key that it names. RFC 6376 6.1.2 and 6.1.3; every trouble is final (RFC 8617 5.2.1)."""
        answer = self._answers.get(signature.key)
        if answer is None:
            raise RuntimeError(_NO_ANSWER)
        if answer.temporary:
            return _Judged(ArcReason.KEY_UNAVAILABLE, f"{signature.key.name}: {answer.rcode}")
        if not answer.records:
            return _Judged(ArcReason.KEY_NOT_FOUND, signature.key.name)
        signed = data()
        judged = [_judge_with(record, signature, signed, mismatch) for record in answer.records[: keyrecord.MAX_RECORDS]]
        verified = next((item for item in judged if item.holds), None)
        # With several records a mismatch says more than a record of another kind.
        return verified or next((item for item in judged if item.reason is mismatch), judged[0])

    def _signed_by_message(self, item: ArcSet, signature: Signature) -> bytes:
        """The signed fields, and the signature's own with an empty ``b=``. RFC 6376 3.7."""
        picked = self._header.layout.picked(signature.headers, own=item.place)
        *signed, own = self._header.lines(signature.header_canonicalization, [*picked, item.place])
        return CRLF.join([*signed, without_signature(own)])

    def _left_open(self, newest: ArcSet) -> str:
        """What could be changed behind the newest message signature's back. RFC 6376 8.2 and 8.15."""
        signature = newest.message
        assert isinstance(signature, Signature)  # or the chain would have a reason to fail
        if signature.length is not None and signature.length < self._hashes[newest.instance].length:
            return f"l={signature.length}"
        return self._header.layout.added(signature.headers) or ""


def _judge_with(text: bytes | str, signature: Signature, data: bytes, mismatch: ArcReason) -> _Judged:
    try:
        record = keyrecord.parse(text if isinstance(text, bytes) else text.encode())
    except keyrecord.KeyRecordError as error:
        return _Judged(ArcReason.KEY_UNUSABLE, f"{signature.key.name}: {error.reason}")
    refused = record.refuses(signature)
    if refused:
        return _Judged(ArcReason.KEY_UNUSABLE, f"{signature.key.name}: {refused[0]}")
    if not record.key.verifies(signature.signature, data):
        return _Judged(mismatch, "b=")
    return _Judged(ArcReason.VERIFIED, testing=record.testing)


def verify_message(message: bytes, *, now: float, limits: Limits) -> Dialogue[ArcResult]:
    """Validate the chain of a whole message: all stages in one dialogue. Raises TypeError for what is not bytes."""
    split = split_message(message, header_bytes=limits.header_bytes)
    if split.oversized:
        return ArcResult(ArcReason.HEADER_TOO_LARGE, detail=f"over {limits.header_bytes} octets")
    verification = Verification(Header(split.header), now=now, limits=limits)
    if verification.needs_body:
        yield from verification.look_up()
        verification.feed(split.body)
    return verification.finish()._replace(normalized=split.normalized)
