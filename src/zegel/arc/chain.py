"""The ARC sets of a message, and the structure of its chain. RFC 8617 4.2 and 5.2, steps 1 to 3 and the reading of the fields.

It collects, counts and orders; it checks no signature and asks nothing. A chain that breaks a rule of structure still gives the sets that
can be read, for the report; they prove nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from zegel.arc import signature
from zegel.arc.result import ArcInstance, ArcReason, ArcStatus
from zegel.arc.signature import MAX_INSTANCE, ArcFieldError, Seal
from zegel.dkim.header import Header
from zegel.dkim.signature import Signature
from zegel.grammar import taglist
from zegel.grammar.message import CRLF

RESULTS, MESSAGE_SIGNATURE, SEAL = "arc-authentication-results", "arc-message-signature", "arc-seal"
NAMES = (RESULTS, MESSAGE_SIGNATURE, SEAL)  # the order in which a seal takes them: RFC 8617 5.1.1


class ArcSet(NamedTuple):
    """The three fields of one instance: the AAR's payload, the values of the two signatures, and their ``lines`` as a seal takes them.

    ``message`` is the fault of a message signature that cannot be read: in an older set that "does not affect the validity" (RFC 8617 5.2,
    step 5). ``place`` is the index of its field in the header.
    """

    instance: int
    payload: str
    message: Signature | ArcFieldError
    seal: Seal
    lines: tuple[bytes, bytes, bytes]
    place: int

    def told(self, *, testing: bool = False) -> ArcInstance:
        """What the set says, for the result."""
        seal, message = self.seal.signature, self.message if isinstance(self.message, Signature) else None
        return ArcInstance(
            self.instance,
            seal.domain,
            str(seal.selector),
            seal.algorithm,
            self.seal.chain,
            seal.timestamp,
            message.domain if message else None,
            str(message.selector) if message else None,
            message.headers if message else (),
            self.payload,
            testing,
        )


@dataclass(frozen=True, slots=True)
class Chain:
    """The sets of a message from instance 1 up; ``highest`` is the highest instance that any field has, 0 for no chain.

    ``reason`` is why the structure is no valid chain, or None; ``detail`` names the field at fault.
    """

    sets: tuple[ArcSet, ...] = ()
    highest: int = 0
    reason: ArcReason | None = None
    detail: str = ""


class _Found(NamedTuple):
    """One ARC field: where it stands, and its tags (an AAR has none) or its payload (only an AAR has one)."""

    place: int
    tags: dict[str, str]
    payload: str = ""


_Collected = dict[tuple[int, str], list[_Found]]


def read(header: Header, *, limit: int = MAX_INSTANCE) -> Chain:
    """Collect the sets and check the structure of the chain, in the RFC's order. RFC 8617 5.2, steps 1 to 3.

    ``limit`` is how many sets are read; with more the chain fails unread.
    """
    # Step 1: "If there are none, the Chain Validation Status is "none"". "The maximum number of ARC Sets [...] is 50."
    limit = min(limit, MAX_INSTANCE)
    counted = sum(len(header.layout.places(name)) for name in NAMES)
    if not counted:
        return Chain()
    if counted > limit * len(NAMES):
        return Chain(highest=MAX_INSTANCE, reason=ArcReason.TOO_MANY_SETS, detail=f"{counted} fields")
    found, wrong = _collect(header)
    highest = max((instance for instance, _ in found), default=0)
    if highest > limit:
        return Chain(highest=highest, reason=ArcReason.TOO_MANY_SETS, detail=f"i={highest}")
    sets, broken = _sets(header, found, highest)
    # Step 2: the newest seal has the last word about a chain that had failed before.
    newest = found.get((highest, SEAL), [])
    if any(signature.chain_value(item.tags) is ArcStatus.FAIL for item in newest):
        return Chain(sets, highest, ArcReason.FAILED_BEFORE, f"AS {highest}")
    # Step 3, and before it what has no place in any set.
    if wrong is None:
        wrong = next(_faults(found, highest), None) or broken or next(_wrong_values(sets), None) or next(_unread(sets), None)
    return Chain(sets, highest, *wrong) if wrong else Chain(sets, highest)


def _collect(header: Header) -> tuple[_Collected, tuple[ArcReason, str] | None]:
    """All ARC fields by instance and name; and what is wrong with the first that has no readable instance."""
    found: _Collected = {}
    wrong: tuple[ArcReason, str] | None = None
    for name in NAMES:
        places = header.layout.places(name)
        # The relaxed form says the same: no tag and no instance has white space that counts.
        for place, line in zip(places, header.lines("relaxed", places), strict=True):
            try:
                instance, item = _find(place, name, line.partition(b":")[2])
            except ArcFieldError as error:
                wrong = wrong or (error.reason, f"{_SHORT[name]}: {error.detail}")
            else:
                found.setdefault((instance, name), []).append(item)
    return found, wrong


def _find(place: int, name: str, value: bytes) -> tuple[int, _Found]:
    if name != RESULTS:
        instance, tags = signature.read_tags(value)
        return instance, _Found(place, tags)
    prefix = signature.read_instance(value)
    if prefix is None:
        raise ArcFieldError(ArcReason.INSTANCE_SYNTAX, "i=")
    return prefix[0], _Found(place, {}, prefix[1])


def _faults(found: _Collected, highest: int) -> Iterator[tuple[ArcReason, str]]:
    """Where the sets are not one continuous sequence of "exactly one" field of each kind. RFC 8617 4.2.1; step 3, A and B."""
    for instance in range(1, highest + 1):
        fields = [found.get((instance, name), ()) for name in NAMES]
        if not any(fields):
            yield ArcReason.INSTANCE_GAP, f"i={instance}"
        for name, places in zip(NAMES, fields, strict=True):
            if len(places) != 1:
                yield ArcReason.FIELD_REPEATED if places else ArcReason.FIELD_MISSING, f"{_SHORT[name]} {instance}"


def _wrong_values(sets: tuple[ArcSet, ...]) -> Iterator[tuple[ArcReason, str]]:
    """Seals whose ``cv=`` is not what their place demands: "none" for the first, "pass" for all others. Step 3, C."""
    for item in sets:
        if item.seal.chain is not (ArcStatus.NONE if item.instance == 1 else ArcStatus.PASS):
            yield ArcReason.CHAIN_VALUE, f"AS {item.instance}: cv={item.seal.chain}"


def _sets(header: Header, found: _Collected, highest: int) -> tuple[tuple[ArcSet, ...], tuple[ArcReason, str] | None]:
    """The sets that are whole and have a seal that can be read, and what is wrong with the newest seal that cannot."""
    sets: list[ArcSet] = []
    broken: tuple[ArcReason, str] | None = None
    for instance in range(1, highest + 1):
        trio = [found[instance, name][0] for name in NAMES if len(found.get((instance, name), ())) == 1]
        if len(trio) < len(NAMES):
            continue
        results, message, seal = trio
        try:
            sealed = signature.parse_seal(seal.tags)
        except ArcFieldError as error:
            broken = error.reason, f"{_SHORT[SEAL]} {instance}: {error.detail}"
            continue
        first, second, third = header.lines("relaxed", (results.place, message.place, seal.place))
        sets.append(ArcSet(instance, results.payload, _message_signature(message.tags), sealed, (first, second, third), message.place))
    return tuple(sets), broken


def _message_signature(tags: dict[str, str]) -> Signature | ArcFieldError:
    try:
        return signature.parse_message_signature(tags)
    except ArcFieldError as error:
        return error


def _unread(sets: tuple[ArcSet, ...]) -> Iterator[tuple[ArcReason, str]]:
    """The newest message signature, when it cannot be read. Step 4, as far as it needs neither a key nor the body."""
    newest = sets[-1]
    if isinstance(newest.message, ArcFieldError):
        yield newest.message.reason, f"{_SHORT[MESSAGE_SIGNATURE]} {newest.instance}: {newest.message.detail}"


class SealedText:
    """The relaxed lines of all sets, each an AAR, an AMS and an AS: what the seals sign is a beginning of it. RFC 8617 5.1.1."""

    __slots__ = ("_lines",)

    def __init__(self, sets: Sequence[tuple[bytes, bytes, bytes]]) -> None:
        self._lines = [line for lines in sets for line in lines]

    def signed_by(self, place: int) -> bytes:
        """What the seal of the ``place``-th set (from 0) signs: all sets before, its own two fields, and itself without its ``b=``."""
        *covered, own = self._lines[: 3 * place + 3]
        return CRLF.join([*covered, without_signature(own)])


def without_signature(line: bytes) -> bytes:
    """A field with an empty ``b=``: as a signature covers itself. RFC 6376 3.7."""
    name, colon, value = line.partition(b":")
    return name + colon + taglist.emptied(value, b"b")


_SHORT = {RESULTS: "AAR", MESSAGE_SIGNATURE: "AMS", SEAL: "AS"}
